// SPDX-License-Identifier: Apache-2.0
//
// What the soft ops have in common: cells and their candidates, the strips of pixels that cells are
// done in, and sums over superpixels.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/cell_grid.h"
#include "cpu/kernels.h"
#include "cpu/prefetch.h"
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

template <class S>
const ImageKernels<S>& image_kernels();
template <>
inline const ImageKernels<float>& image_kernels<float>() {
  return kernels().float_images;
}
template <>
inline const ImageKernels<double>& image_kernels<double>() {
  return kernels().double_images;
}
template <>
inline const ImageKernels<detail::Half>& image_kernels<detail::Half>() {
  return kernels().half_images;
}
template <>
inline const ImageKernels<detail::BFloat16>& image_kernels<detail::BFloat16>() {
  return kernels().bfloat16_images;
}

inline constexpr int kSoftCandidates = 9;
inline constexpr std::int64_t kBlockPixels = 16;
// What is computed of a strip stays in the first-level cache.
inline constexpr std::int64_t kStripPixels = 18 * kBlockPixels;
// The elements that a row of a strip may touch.
inline constexpr std::int64_t kStripRow = kStripPixels + kBlockPixels;

/// The superpixels that a cell's pixels belong to.
struct SoftCandidates {
  std::array<std::int64_t, kSoftCandidates> cell{};
  std::array<int, kSoftCandidates> slot{};  // channel of the association
  int count = 0;

  SoftCandidates() = default;
  SoftCandidates(const CellGrid& grid, std::int64_t own) {
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

/// Cells side by side, whose rows are read in one go: short pieces of memory are expensive.
struct CellGroup {
  static constexpr std::int64_t kMostCells = 4;
  std::int64_t image;
  std::int64_t first_cell;
  std::int64_t num_cells;
};

/// The same strip of each cell of a group.
struct GroupStrip {
  std::array<Strip, CellGroup::kMostCells> of_cell;
  std::int64_t num_cells;
  std::int64_t next_end;  // where the rows of the next strip end
};

/// Copies the planes [channels][H][W] of strips to rows, cell i's to rows[i] less origins[i].
template <class S>
void take_strips(const S* planes, int channels, const CellGrid& grid, const GroupStrip& strips,
                 const ComputeType<S>* const* origins, ComputeType<S>* const* rows) {
  using R = ComputeType<S>;
  const std::int64_t width = grid.shape()[2];
  const Strip& first = strips.of_cell[0];
  const S* from = planes + first.y * width + first.x;
  Segment<R> segments[CellGroup::kMostCells];
  for (int c = 0; c < channels; ++c, from += grid.shape()[1] * width) {
    for (std::int64_t i = 0; i < strips.num_cells; ++i) {
      const Strip& strip = strips.of_cell[i];
      segments[i] = {strip.width, origins != nullptr ? origins[i][c] : R{0},
                     rows[i] + c * strip.stride()};
    }
    image_kernels<S>().take_segments(from, width, first.height, segments,
                                     static_cast<int>(strips.num_cells));
    for (std::int64_t i = 0; i < strips.num_cells; ++i) {
      const Strip& strip = strips.of_cell[i];
      std::fill(segments[i].to + strip.size(), segments[i].to + strip.stride(), R{0});
    }
  }
}

/// Asks for the strips that follow these in their group, for some of the channels.
template <class S>
void prefetch_next(const S* planes, int first_channel, int last_channel, const CellGrid& grid,
                   const GroupStrip& strips) {
  constexpr std::int64_t kLine = 64 / sizeof(S);
  const std::int64_t width = grid.shape()[2];
  const Strip& first = strips.of_cell[0];
  const Strip& last = strips.of_cell[strips.num_cells - 1];
  const std::int64_t end = last.x + last.width;
  for (int c = first_channel; c < last_channel; ++c) {
    const S* plane = planes + c * grid.shape()[1] * width;
    for (std::int64_t y = first.y + first.height; y < strips.next_end; ++y) {
      for (std::int64_t x = first.x; x < end; x += kLine) prefetch(plane + y * width + x);
    }
  }
}

/// Copies a row of each strip to a plane [H][W].
template <class S>
void put_strips(const ComputeType<S>* const* rows, const CellGrid& grid, const GroupStrip& strips,
                S* plane) {
  const std::int64_t width = grid.shape()[2];
  const Strip& first = strips.of_cell[0];
  RowSegment<ComputeType<S>> segments[CellGroup::kMostCells];
  for (std::int64_t i = 0; i < strips.num_cells; ++i) {
    segments[i] = {strips.of_cell[i].width, rows[i]};
  }
  image_kernels<S>().put_segments(segments, static_cast<int>(strips.num_cells), width, first.height,
                                  plane + first.y * width + first.x);
}

/// Copies rows to the planes of a strip.
template <class S>
void put_strip(const ComputeType<S>* rows, int channels, const CellGrid& grid, const Strip& strip,
               S* planes) {
  const std::int64_t width = grid.shape()[2];
  const std::int64_t plane = grid.shape()[1] * width;
  for (int c = 0; c < channels; ++c) {
    image_kernels<S>().put_row(rows + c * strip.stride(), width, strip.height, strip.width,
                               planes + c * plane + strip.y * width + strip.x);
  }
}

/// What threads work in, made when first wanted and used again in the loops that follow.
template <class Scratch>
class ScratchPool {
 public:
  explicit ScratchPool(std::function<std::unique_ptr<Scratch>()> make) : make_(std::move(make)) {}

  /// One that nobody else has, until what is returned is destroyed.
  auto take() {
    std::unique_ptr<Scratch> scratch;
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        scratch = std::move(free_.back());
        free_.pop_back();
      }
    }
    if (scratch == nullptr) scratch = make_();
    const auto give_back = [this](Scratch* used) {
      const std::lock_guard lock(mutex_);
      free_.emplace_back(used);
    };
    return std::unique_ptr<Scratch, decltype(give_back)>(scratch.release(), give_back);
  }

 private:
  std::function<std::unique_ptr<Scratch>()> make_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> free_;
};

/// Cells of a batch of images, done row by row, and in a row in groups.
class SoftCells {
 public:
  /// Strips have at most `strip_pixels` pixels, groups at most `group_cells` cells.
  SoftCells(std::int64_t batch, std::int64_t height, std::int64_t width, std::int64_t rows,
            std::int64_t columns, int num_threads, std::int64_t strip_pixels = kStripPixels,
            std::int64_t group_cells = CellGroup::kMostCells)
      : grid({1, height, width}, {1, rows, columns}),
        batch_(batch),
        rows_(rows),
        columns_(columns),
        num_threads_(num_threads),
        strip_pixels_(strip_pixels),
        group_cells_(group_cells) {}

  const CellGrid grid;

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  std::int64_t num_cells() const { return rows_ * columns_; }

  /// Calls f(image, row of cells, scratch) for all rows, on threads that each have a scratch.
  template <class Scratch, class F>
  void for_rows(ScratchPool<Scratch>& scratches, F f) const {
    parallel_for(batch_ * rows_, 1, num_threads_, [&](std::int64_t begin, std::int64_t end) {
      const auto scratch = scratches.take();
      for (std::int64_t i = begin; i < end; ++i) f(i / rows_, i % rows_, *scratch);
    });
  }

  /// Calls f(image, row of superpixels) for all rows, on threads.
  template <class F>
  void for_rows(F f) const {
    parallel_for(batch_ * rows_, 1, num_threads_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) f(i / rows_, i % rows_);
    });
  }

  /// Calls f(group) for the groups of a row of cells, from left to right.
  template <class F>
  void for_groups(std::int64_t image, std::int64_t row, F f) const {
    // A row of a cell may be more than a strip.
    const std::int64_t most = grid.longest_side(2) > strip_pixels_ ? 1 : group_cells_;
    for (std::int64_t first = 0; first < columns_; first += most) {
      f(CellGroup{image, row * columns_ + first, std::min(most, columns_ - first)});
    }
  }

  /// Calls f(strips) for strips that make up the cells of a group, in
  /// raster order.
  template <class F>
  void for_strips(const CellGroup& group, F f) const {
    GroupStrip strips{};
    strips.num_cells = group.num_cells;
    const CellGrid::Box first = grid.box(group.first_cell);
    const std::int64_t longest = grid.longest_side(2);
    const std::int64_t height = std::max<std::int64_t>(1, strip_pixels_ / longest);
    for (std::int64_t y = first.begin[1]; y < first.end[1]; y += height) {
      for (std::int64_t x = 0; x < longest; x += strip_pixels_) {  // once, but in a group of one
        for (std::int64_t i = 0; i < group.num_cells; ++i) {
          const CellGrid::Box box = grid.box(group.first_cell + i);
          strips.of_cell[i] = {y, box.begin[2] + x, std::min(height, first.end[1] - y),
                               std::min(strip_pixels_, box.side(2) - x)};
        }
        strips.next_end = std::min(y + 2 * height, first.end[1]);
        if (strips.of_cell[0].width > 0) f(strips);
      }
    }
  }

 private:
  std::int64_t batch_;
  std::int64_t rows_;
  std::int64_t columns_;
  int num_threads_;
  std::int64_t strip_pixels_;
  std::int64_t group_cells_;
};

/// Sums over the pixels of superpixels. Every row of cells has sums of its own for the three rows
/// of superpixels that it gives to, so that rows need not wait for each other, and what is added to
/// what, in which order, depends neither on threads nor on the place in the batch.
template <class R>
class RowSums {
 public:
  RowSums(std::int64_t batch, const SoftCells& cells, std::int64_t fields)
      : rows_(cells.rows()),
        columns_(cells.columns()),
        fields_(fields),
        sums_(batch * rows_ * 3 * columns_ * fields) {}

  void clear(std::int64_t image, std::int64_t row) {
    std::fill_n(at(image, row, 0), 3 * columns_ * fields_, R{0});
  }

  /// Those of a superpixel in a row of cells next to its own, or in its own.
  R* of(std::int64_t image, std::int64_t row, std::int64_t superpixel) {
    return at(image, row, superpixel / columns_ - row + 1) + superpixel % columns_ * fields_;
  }

  /// Calls f(superpixel, total [fields]) for a row of superpixels.
  template <class F>
  void for_totals(std::int64_t image, std::int64_t row, F f) {
    std::vector<R> total(static_cast<std::size_t>(fields_));
    for (std::int64_t column = 0; column < columns_; ++column) {
      const std::int64_t superpixel = row * columns_ + column;
      std::fill(total.begin(), total.end(), R{0});
      for (std::int64_t r = std::max<std::int64_t>(0, row - 1); r < std::min(rows_, row + 2); ++r) {
        const R* sums = of(image, r, superpixel);
        for (std::int64_t i = 0; i < fields_; ++i) total[i] += sums[i];
      }
      f(superpixel, total.data());
    }
  }

 private:
  R* at(std::int64_t image, std::int64_t row, std::int64_t which) {
    return sums_.data() + ((image * rows_ + row) * 3 + which) * columns_ * fields_;
  }

  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t fields_;
  Buffer<R> sums_;  // [batch][rows of cells][3 rows of superpixels][columns][fields]
};

}  // namespace superpix::cpu
