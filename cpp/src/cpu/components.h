// SPDX-License-Identifier: Apache-2.0
//
// Connected components of a label volume, as runs: stretches of equal labels within a row.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// Sums of colours over part of a row. Integers, so that the order of adding does not matter.
class ColorSource {
 public:
  ColorSource() = default;
  ColorSource(const ColorSource&) = delete;
  ColorSource& operator=(const ColorSource&) = delete;
  virtual ~ColorSource() = default;
  virtual int channels() const = 0;
  /// What squared differences of means of sums are multiplied with to be in units of kappa.
  virtual double squared_unit() const = 0;
  /// Adds the pixels [begin, end) of row z * H + y to sums[channels].
  virtual void add(std::int64_t row, std::int64_t begin, std::int64_t end,
                   std::int64_t* sums) const = 0;
};

/// The components of equal non-negative labels, numbered in raster order of their first pixels.
struct Components {
  /// The runs of a range of rows. Rows are numbered z * H + y.
  struct Band {
    std::int64_t first_row = 0;
    std::int64_t last_row = 0;
    std::vector<std::int64_t> row_begin;  // [rows + 1], indices of runs
    std::vector<std::int32_t> start;      // x of each run
    std::vector<std::int32_t> component;  // of each run; -1 where the label is negative
  };

  Extent shape;
  std::vector<Band> bands;
  std::int64_t count = 0;
  std::vector<std::int64_t> size;   // [count], pixels
  std::vector<std::int64_t> color;  // [count][channels]
  std::vector<std::int64_t> first;  // [count], flat index of the first pixel

  /// Calls f(begin, end, component) for the runs of a row.
  template <class F>
  void for_each_run(const Band& band, std::int64_t row, F f) const {
    const std::int64_t last = band.row_begin[row - band.first_row + 1];
    for (std::int64_t i = band.row_begin[row - band.first_row]; i < last; ++i) {
      f(std::int64_t{band.start[i]}, i + 1 < last ? std::int64_t{band.start[i + 1]} : shape[2],
        band.component[i]);
    }
  }
};

/// Finds the components of `labels` [D,H,W] under 4- (6-) connectivity. `colors` may be nullptr.
Components find_components(const std::int32_t* labels, const Extent& shape,
                           const ColorSource* colors, int num_threads);

/// Writes new_label[component] to every pixel, `outside` where there is none.
void write_components(const Components& components, const std::vector<std::int32_t>& new_label,
                      std::int32_t outside, std::int32_t* labels, int num_threads);

/// Calls f(x_begin, x_end, run of one row, run of the other) where two rows of runs overlap. Starts
/// are those of the rows' runs, followed by nothing: `width` ends the last.
template <class F>
void for_each_overlap(const std::int32_t* starts_a, std::int64_t num_a,
                      const std::int32_t* starts_b, std::int64_t num_b, std::int32_t width, F f) {
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::int32_t x = 0;
  while (a < num_a && b < num_b) {
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
