// SPDX-License-Identifier: Apache-2.0
//
// Connected components of a label volume, as runs: stretches of equal labels within a row.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// The colours of a volume, wherever and however they are stored, as integers in some fixed point:
/// then the order in which they are added does not matter.
class ColorSource {
 public:
  ColorSource() = default;
  ColorSource(const ColorSource&) = delete;
  ColorSource& operator=(const ColorSource&) = delete;
  virtual ~ColorSource() = default;
  virtual int channels() const = 0;
  /// The colour that one step of the fixed point stands for.
  virtual double unit() const = 0;
  /// Adds the pixels [begin, end) of row z * H + y to sums[channels].
  virtual void add(std::int64_t row, std::int64_t begin, std::int64_t end,
                   std::int64_t* sums) const = 0;
};

/// What is summed over the pixels of each of a number of regions.
struct RegionSums {
  int channels = 0;
  std::vector<std::int64_t> size;   // [regions]
  std::vector<std::int64_t> color;  // [regions][channels]
  std::vector<std::int64_t> y;      // [regions]
  std::vector<std::int64_t> x;      // [regions]

  std::int64_t count() const { return static_cast<std::int64_t>(size.size()); }
  void resize(std::int64_t regions);
  /// Adds region `from` of `other` to region `to`.
  void add(std::int64_t to, const RegionSums& other, std::int64_t from);
};

/// The components of equal non-negative labels, numbered in raster order of their first pixels.
struct Components {
  /// Two runs of different labels, one above (or in the plane before) the other.
  struct Contact {
    std::int32_t a, b, length;
  };

  /// The runs of a range of rows. Rows are numbered z * H + y.
  struct Band {
    std::int64_t first_row = 0;
    std::int64_t last_row = 0;
    std::vector<std::int64_t> row_begin;  // [rows + 1], indices of runs
    std::vector<std::int32_t> start;      // x of each run
    std::vector<std::int32_t> component;  // of each run; -1 where the label is negative
    std::vector<Contact> contacts;        // between rows of the band, of runs that may be fragments

    struct Row {
      const std::int32_t* start;
      const std::int32_t* component;
      std::int64_t count;
    };
    Row row(std::int64_t r) const {
      const std::int64_t begin = row_begin[r - first_row];
      return {start.data() + begin, component.data() + begin, row_begin[r - first_row + 1] - begin};
    }
  };

  Extent shape;
  std::vector<Band> bands;
  std::int64_t count = 0;
  RegionSums sums;                  // [count]
  std::vector<std::int64_t> first;  // [count], flat index of the first pixel
};

/// Finds the components of `labels` [D,H,W] under 4- (6-) connectivity. `colors` may be nullptr.
/// `label_totals`, if not nullptr, are the sums of colours over each label, [labels][channels]:
/// then the colour of a label's only component of at least `min_size` pixels is what the label's
/// fragments leave of the total, and most pixels need not be read.
Components find_components(const std::int32_t* labels, const Extent& shape,
                           const ColorSource* colors, const std::int64_t* label_totals,
                           std::int64_t min_size, int num_threads);

/// Writes new_label[component] to every pixel, `outside` where there is none.
void write_components(const Components& components, const std::vector<std::int32_t>& new_label,
                      std::int32_t outside, std::int32_t* labels, int num_threads);

/// Calls f(x_begin, x_end, index in a, index in b) where the runs of two rows overlap. Free of
/// branches that depend on where runs end: those are not to be foreseen.
template <class F>
inline void for_each_overlap(const std::int32_t* starts_a, std::int64_t num_a,
                             const std::int32_t* starts_b, std::int64_t num_b, std::int32_t width,
                             F f) {
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int32_t x = 0;
  while (x < width) {
    const std::int32_t end_a = a + 1 < num_a ? starts_a[a + 1] : width;
    const std::int32_t end_b = b + 1 < num_b ? starts_b[b + 1] : width;
    const std::int32_t end = end_a < end_b ? end_a : end_b;
    f(x, end, a, b);
    x = end;
    a += end_a == end ? 1 : 0;
    b += end_b == end ? 1 : 0;
  }
}

}  // namespace superpix::cpu
