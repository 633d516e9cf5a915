// SPDX-License-Identifier: Apache-2.0
//
// Connected components of a label volume, found as runs: stretches of equal labels within a row.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu/cell_grid.h"
#include "cpu/disjoint_sets.h"
#include "cpu/thread_pool.h"

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
  /// Pixels [begin, end) of a row, whose colours are to be added to sums[channels].
  struct Run {
    std::int32_t begin, end;
    std::int64_t* sums;
  };
  /// Adds the runs of row z * H + y to their sums.
  virtual void add(std::int64_t row, const Run* runs, std::size_t count) const = 0;
};

/// What is summed over the pixels of each of a number of regions.
class RegionSums {
 public:
  /// What lies where in the sums of a region; the channels of the colour follow each other.
  enum Field { kSize, kY, kX, kColor };

  RegionSums() = default;
  RegionSums(std::int64_t regions, int channels)
      : count_(regions),
        channels_(channels),
        values_(static_cast<std::size_t>(regions * fields()), 0) {}

  std::int64_t count() const { return count_; }
  int channels() const { return channels_; }
  int fields() const { return kColor + channels_; }
  std::int64_t* operator[](std::int64_t region) { return &values_[region * fields()]; }
  const std::int64_t* operator[](std::int64_t region) const { return &values_[region * fields()]; }

  /// Adds region `from` of `other` to region `to`.
  void add(std::int64_t to, const RegionSums& other, std::int64_t from) {
    std::int64_t* sums = (*this)[to];
    const std::int64_t* terms = other[from];
    for (int i = 0; i < fields(); ++i) sums[i] += terms[i];
  }

 private:
  std::int64_t count_ = 0;
  int channels_ = 0;
  std::vector<std::int64_t> values_;
};

/// The components of equal non-negative labels. Bands of rows are labelled each by itself: what a
/// band has of a component is one or more pieces, numbered in raster order of their first pixels,
/// band after band. A component goes by the least of its pieces.
struct Components {
  /// The runs of a range of rows. Rows are numbered z * H + y.
  struct Band {
    std::int64_t first_row = 0;
    std::int64_t last_row = 0;
    std::int32_t first_piece = 0;
    std::int32_t num_pieces = 0;
    std::int64_t words = 0;               // of `starts` in a row
    std::vector<std::int64_t> row_begin;  // [rows + 1], indices of runs
    std::vector<std::int32_t> start;      // x of each run
    std::vector<std::int32_t> piece;      // of each run, from 0; -1 where the label is negative
    std::vector<std::uint64_t> starts;    // [rows][words], bit x % 64: a run starts at x

    struct Row {
      const std::int32_t* start;
      const std::int32_t* piece;
      const std::uint64_t* starts;
      std::int64_t count;
    };
    Row row(std::int64_t r) const {
      const std::int64_t begin = row_begin[r - first_row];
      return {start.data() + begin, piece.data() + begin, starts.data() + (r - first_row) * words,
              row_begin[r - first_row + 1] - begin};
    }
  };

  Extent shape;
  std::vector<Band> bands;
  DisjointSets sets{0};             // of the pieces; find() and root() take one step
  RegionSums sums;                  // [pieces], of each component at the least of its pieces
  std::vector<std::int64_t> first;  // [pieces], flat index of the first pixel

  std::int64_t num_pieces() const { return sets.size(); }
  /// Whether a piece is what its component goes by.
  bool is_root(std::int64_t piece) const {
    return sets.root(static_cast<std::int32_t>(piece)) == piece;
  }
};

/// What is asked of components.
struct ComponentLimits {
  std::int64_t min_size = 0;
  std::int64_t max_size = 0;  // what is larger is split; 0 for no limit
};

/// Finds the components of `labels` under 4- (6-) connectivity. `scratch` [D,H,W] is overwritten
/// where components are split; it may be the memory of the labels. `colors` may be nullptr.
/// `label_means`, if not nullptr, are about the mean colours of the labels, [labels][channels]: a
/// label's only component of at least `min_size` pixels is taken to have that, and most pixels need
/// not be read. Labels is LabelImage or LabelTags.
template <class Labels>
Components find_components(const Labels& labels, std::int32_t* scratch, const ColorSource* colors,
                           const double* label_means, const ComponentLimits& limits,
                           int num_threads);

/// Writes new_label[piece] to every pixel of a band, `outside` where there is none.
void write_band(const Components& components, const Components::Band& band,
                const std::vector<std::int32_t>& new_label, std::int32_t outside,
                std::int32_t* labels);

/// The same for all bands.
void write_components(const Components& components, const std::vector<std::int32_t>& new_label,
                      std::int32_t outside, std::int32_t* labels, int num_threads);

/// Calls f(x_begin, x_end, run of a, run of b) where the runs of two rows overlap, given where runs
/// start. Goes from start to start of either, as which of the two comes next is not to be foreseen.
template <class F>
inline void for_each_overlap(const std::uint64_t* starts_a, const std::uint64_t* starts_b,
                             std::int64_t width, F f) {
  std::int32_t a = 0;
  std::int32_t b = 0;
  std::int32_t x = 0;
  const std::int64_t words = (width + 63) / 64;
  for (std::int64_t word = 0; word < words; ++word) {
    const std::uint64_t in_a = starts_a[word];
    const std::uint64_t in_b = starts_b[word];
    std::uint64_t rest = in_a | in_b;
    if (word == 0) rest &= ~std::uint64_t{1};  // both start at 0
    for (; rest != 0; rest &= rest - 1) {
      const int bit = std::countr_zero(rest);
      const auto end = static_cast<std::int32_t>(64 * word + bit);
      f(x, end, a, b);
      x = end;
      a += static_cast<std::int32_t>(in_a >> bit & 1U);
      b += static_cast<std::int32_t>(in_b >> bit & 1U);
    }
  }
  f(x, static_cast<std::int32_t>(width), a, b);
}

/// Calls f(row, index of an earlier band, row of it) for the rows of band `index` and the rows of
/// earlier bands that they touch, above them or in the plane before.
template <class F>
inline void for_each_seam(const Components& components, std::size_t index, F f) {
  const std::int64_t height = components.shape[1];
  const Components::Band& band = components.bands[index];
  const std::int64_t last =
      std::min(band.last_row, band.first_row + (components.shape[0] > 1 ? height : 1));
  const auto visit = [&](std::int64_t row, std::int64_t other) {
    if (other >= band.first_row) return;
    std::size_t j = index - 1;
    while (components.bands[j].first_row > other) --j;
    f(row, j, other);
  };
  for (std::int64_t row = band.first_row; row < last; ++row) {
    if (row % height != 0) visit(row, row - 1);
    if (row >= height) visit(row, row - height);
  }
}

/// Calls f(index of a band) for every band, on threads.
template <class F>
inline void for_bands(const Components& components, int num_threads, F f) {
  parallel_for(static_cast<std::int64_t>(components.bands.size()), 1, num_threads,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) f(static_cast<std::size_t>(i));
               });
}

}  // namespace superpix::cpu
