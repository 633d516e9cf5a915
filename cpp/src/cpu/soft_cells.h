// SPDX-License-Identifier: Apache-2.0
//
// What the soft ops have in common: cells and their candidates, the strips of pixels that cells are
// done in, and an order of cells in which sums of neighbours may be written without conflict.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "cpu/cell_grid.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {

template <class R>
const RowKernels<R>& row_kernels();
template <>
inline const RowKernels<float>& row_kernels<float>() {
  return kernels().float_rows;
}
template <>
inline const RowKernels<double>& row_kernels<double>() {
  return kernels().double_rows;
}

inline constexpr int kSoftCandidates = 9;
inline constexpr std::int64_t kStripPixels = 512;
inline constexpr std::int64_t kBlockPixels = 16;

/// The superpixels that a cell's pixels belong to.
struct SoftCandidates {
  std::array<std::int64_t, kSoftCandidates> cell;
  std::array<int, kSoftCandidates> slot;  // channel of the association
  int count = 0;

  SoftCandidates(const CellGrid& grid, std::int64_t own) : cell{}, slot{} {
    grid.for_each_neighbor(own, [&](std::int64_t k, int s) {
      cell[count] = k;
      slot[count++] = s;
    });
  }
};

/// A rectangle of a cell: whole rows, or part of one.
struct Strip {
  std::int64_t y, x, height, width;

  std::int64_t size() const { return height * width; }
  /// Pixels of its rows in memory.
  std::int64_t stride() const { return (size() + kBlockPixels - 1) / kBlockPixels * kBlockPixels; }
};

/// Calls f(strip) for strips of at most kStripPixels that make up a cell, in raster order.
template <class F>
void for_strips(const CellGrid::Box& box, F f) {
  const std::int64_t width = std::min(box.side(2), kStripPixels);
  const std::int64_t height = std::max<std::int64_t>(1, kStripPixels / box.side(2));
  for (std::int64_t y = box.begin[1]; y < box.end[1]; y += height) {
    for (std::int64_t x = box.begin[2]; x < box.end[2]; x += width) {
      f(Strip{y, x, std::min(height, box.end[1] - y), std::min(width, box.end[2] - x)});
    }
  }
}

/// The elements that a row of a strip may touch, including those that take_row() writes past it.
inline constexpr std::int64_t kStripRow = kStripPixels + kBlockPixels;

/// Copies the planes [channels][H][W] of a strip to rows, less origin[channel].
template <class R>
void take_strip(const R* planes, int channels, const CellGrid& grid, const Strip& strip,
                const R* origin, R* rows) {
  const std::int64_t width = grid.shape()[2];
  const std::int64_t plane = grid.shape()[1] * width;
  const std::int64_t n = strip.size();
  const std::int64_t stride = strip.stride();
  for (int c = 0; c < channels; ++c) {
    R* row = rows + c * stride;
    row_kernels<R>().take_row(planes + c * plane + strip.y * width + strip.x, width, strip.height,
                              strip.width, origin != nullptr ? origin[c] : R{0}, row);
    std::fill(row + n, row + stride, R{0});
  }
}

/// Copies rows to the planes of a strip.
template <class R>
void put_strip(const R* rows, int channels, const CellGrid& grid, const Strip& strip, R* planes) {
  const std::int64_t width = grid.shape()[2];
  const std::int64_t plane = grid.shape()[1] * width;
  for (int c = 0; c < channels; ++c) {
    row_kernels<R>().put_row(rows + c * strip.stride(), width, strip.height, strip.width,
                             planes + c * plane + strip.y * width + strip.x);
  }
}

/// Cells of a batch of images. What a cell gives to its candidates it may add to their sums itself:
/// cells are done in nine groups, in none of which two have a candidate in common. So the sums are
/// made in the same order by any number of threads, at any place in the batch.
class SoftCells {
 public:
  SoftCells(std::int64_t batch, std::int64_t height, std::int64_t width, std::int64_t rows,
            std::int64_t columns, int num_threads)
      : grid({1, height, width}, {1, rows, columns}),
        batch_(batch),
        rows_(rows),
        columns_(columns),
        num_threads_(num_threads) {}

  const CellGrid grid;

  std::int64_t num_cells() const { return rows_ * columns_; }

  /// Calls f(image, cell, scratch) for all cells, in any order; every thread makes a Scratch by
  /// make().
  template <class Make, class F>
  void for_all(Make make, F f) const {
    run(batch_ * num_cells(), make,
        [&](std::int64_t i, auto& scratch) { f(i / num_cells(), i % num_cells(), scratch); });
  }

  /// The same, group after group.
  template <class Make, class F>
  void for_groups(Make make, F f) const {
    for (std::int64_t first_row = 0; first_row < std::min<std::int64_t>(3, rows_); ++first_row) {
      for (std::int64_t first = 0; first < std::min<std::int64_t>(3, columns_); ++first) {
        const std::int64_t rows = (rows_ - first_row + 2) / 3;
        const std::int64_t columns = (columns_ - first + 2) / 3;
        run(batch_ * rows * columns, make, [&](std::int64_t i, auto& scratch) {
          const std::int64_t row = first_row + 3 * (i / columns % rows);
          const std::int64_t column = first + 3 * (i % columns);
          f(i / (rows * columns), row * columns_ + column, scratch);
        });
      }
    }
  }

 private:
  template <class Make, class F>
  void run(std::int64_t n, Make make, F f) const {
    parallel_for(n, 1, num_threads_, [&](std::int64_t begin, std::int64_t end) {
      auto&& scratch = make();
      for (std::int64_t i = begin; i < end; ++i) f(i, scratch);
    });
  }

  std::int64_t batch_;
  std::int64_t rows_;
  std::int64_t columns_;
  int num_threads_;
};

}  // namespace superpix::cpu
