// SPDX-License-Identifier: Apache-2.0
//
// How soft_pool and soft_unpool go through images: cell by cell, in strips of pixels whose
// associations are brought together as rows. Values stay where they are (soft_pool_kernels.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/soft_cells.h"
#include "cpu/soft_pool.h"

namespace superpix::cpu {

/// Where the pixels of a strip lie in an image.
class StripPixels {
 public:
  void set(const Strip& strip, std::int64_t image_width) {
    if (strip.height == height_ && strip.width == width_) return;
    height_ = strip.height;
    width_ = strip.width;
    const std::int64_t num_blocks = strip.stride() / kBlockPixels;
    pieces_.clear();
    pieces_.reserve(static_cast<std::size_t>(num_blocks + height_));
    ends_.assign(static_cast<std::size_t>(num_blocks), 0);
    for (std::int64_t i = 0; i < strip.size();) {
      const std::int64_t x = i % width_;
      const std::int64_t lane = i % kBlockPixels;
      const std::int64_t n = std::min(kBlockPixels - lane, width_ - x);
      const auto lanes = static_cast<std::uint32_t>(((1U << n) - 1U) << lane);
      pieces_.push_back({i / width_ * image_width + x - lane, lanes});
      ends_[i / kBlockPixels] = static_cast<std::int32_t>(pieces_.size());
      i += n;
    }
  }

  PixelBlocks blocks() const {
    return {pieces_.data(), ends_.data(), static_cast<int>(ends_.size())};
  }

 private:
  std::int64_t height_ = 0;
  std::int64_t width_ = 0;
  std::vector<PixelPiece> pieces_;
  std::vector<std::int32_t> ends_;
};

/// What a thread knows of one cell of a group.
template <class R>
struct SoftPoolCell {
  SoftCandidates candidates;
  StripPixels pixels;  // of the current strip
  R* association;      // [candidates][strip.stride()]
  R* gradient;         // of the association, likewise
  R* inverses;         // [strip.stride()], what normalize_rows() multiplied with
  R* sums;             // [candidates][D]
  R* coefficients;     // [D][candidates], from values to gradients
  R* origin;           // [D] what values are measured from there
  std::array<R, kSoftCandidates> biases;
  std::array<const R*, kSoftCandidates> centers;  // [candidates][D]
};

template <class S>
class SoftPoolStrips {
 public:
  using R = ComputeType<S>;

  SoftPoolStrips(const SoftPoolShape& shape, int num_threads)
      : cells(shape.batch, shape.height, shape.width, shape.rows, shape.columns,
              shape.batch * shape.channels * shape.height * shape.width < kLeastForThreads
                  ? 1
                  : num_threads,
              kPoolingStripPixels),
        channels_(shape.channels),
        row_(longest_strip() + kBlockPixels),
        scratches_([this] { return std::make_unique<Scratch>(*this); }) {}

  const SoftCells cells;

  struct Scratch {
    explicit Scratch(const SoftPoolStrips& strips)
        : memory(CellGroup::kMostCells * ((2 * kSoftCandidates + 1) * strips.row_ +
                                          (2 * kSoftCandidates + 1) * strips.channels_) +
                 strips.row_ + kSoftCandidates * (kBlockPixels + 1)) {
      R* next = memory.data();
      const auto take = [&](std::int64_t n) { return std::exchange(next, next + n); };
      for (SoftPoolCell<R>& cell : of_cell) {
        cell.association = take(kSoftCandidates * strips.row_);
        cell.gradient = take(kSoftCandidates * strips.row_);
        cell.inverses = take(strips.row_);
      }
      nowhere = take(strips.row_);
      lanes = take(kSoftCandidates * kBlockPixels);
      for (SoftPoolCell<R>& cell : of_cell) {
        cell.sums = take(kSoftCandidates * strips.channels_);
        cell.coefficients = take(kSoftCandidates * strips.channels_);
        cell.origin = take(strips.channels_);
      }
      weights = take(kSoftCandidates);
    }

    Buffer<R> memory;
    std::array<SoftPoolCell<R>, CellGroup::kMostCells> of_cell;
    R* nowhere;  // a row for what is not wanted, or for zeros
    R* lanes;    // [candidates][16]
    R* weights;  // [candidates]
    std::array<SoftPoolStrip<R>, CellGroup::kMostCells>
        kernel_strips;  // what kernels know of the cells' strips
  };

  /// Calls start(image, row) for each row of cells, and then f(group, scratch) for its groups of
  /// cells, the candidates being set; on threads.
  template <class Start, class F>
  void for_groups(Start start, F f) {
    cells.for_rows(scratches_, [&](std::int64_t image, std::int64_t row, Scratch& s) {
      start(image, row);
      cells.for_groups(image, row, [&](const CellGroup& group) {
        for (std::int64_t i = 0; i < group.num_cells; ++i) {
          s.of_cell[i].candidates = SoftCandidates(cells.grid, group.first_cell + i);
        }
        f(group, s);
      });
    });
  }
  template <class F>
  void for_groups(F f) {
    for_groups([](std::int64_t, std::int64_t) {}, f);
  }

  /// Calls f(strips) for the strips of a group, which s.kernel_strips knows then.
  template <class F>
  void for_strips(const CellGroup& group, Scratch& s, F f) const {
    const std::int64_t width = cells.grid.shape()[2];
    cells.for_strips(group, [&](const GroupStrip& strips) {
      for (std::int64_t i = 0; i < group.num_cells; ++i) {
        SoftPoolCell<R>& cell = s.of_cell[i];
        const Strip& strip = strips.of_cell[i];
        cell.pixels.set(strip, width);
        s.kernel_strips[i] = {cell.pixels.blocks(),
                              strip.y * width + strip.x,
                              cell.candidates.count,
                              cell.association,
                              cell.sums,
                              cell.centers.data(),
                              cell.coefficients,
                              cell.origin,
                              cell.biases.data(),
                              cell.gradient};
      }
      f(strips);
    });
  }

  /// Rows of the candidates of each cell, from planes [B][9][H][W].
  void take_association(const S* association, const CellGroup& group, const GroupStrip& strips,
                        Scratch& s) const {
    const std::int64_t plane = cells.grid.num_pixels();
    const S* planes = association + group.image * kSoftCandidates * plane;
    R* rows[CellGroup::kMostCells];
    std::array<int, CellGroup::kMostCells> taken{};
    for (int slot = 0; slot < kSoftCandidates; ++slot) {
      for (std::int64_t i = 0; i < group.num_cells; ++i) {
        const SoftPoolCell<R>& cell = s.of_cell[i];
        const bool exists =
            taken[i] < cell.candidates.count && cell.candidates.slot[taken[i]] == slot;
        rows[i] = exists ? cell.association + taken[i]++ * strips.of_cell[i].stride() : s.nowhere;
      }
      take_strips(planes + slot * plane, 1, cells.grid, strips, nullptr, rows);
    }
  }

  /// The gradients of the association to planes [B][9][H][W], 0 for candidates that do not exist.
  void put_gradients(const CellGroup& group, const GroupStrip& strips, Scratch& s,
                     S* association) const {
    const std::int64_t plane = cells.grid.num_pixels();
    S* planes = association + group.image * kSoftCandidates * plane;
    std::fill_n(s.nowhere, row_, R{0});
    const R* rows[CellGroup::kMostCells];
    std::array<int, CellGroup::kMostCells> put{};
    for (int slot = 0; slot < kSoftCandidates; ++slot) {
      for (std::int64_t i = 0; i < group.num_cells; ++i) {
        const SoftPoolCell<R>& cell = s.of_cell[i];
        const bool exists = put[i] < cell.candidates.count && cell.candidates.slot[put[i]] == slot;
        rows[i] = exists ? cell.gradient + put[i]++ * strips.of_cell[i].stride() : s.nowhere;
      }
      put_strips(rows, cells.grid, strips, planes + slot * plane);
    }
  }

  /// Some channels of an image of planes [B][D][H][W].
  template <class P>
  Channels<P> channels_of(P* planes, std::int64_t image, int first, int count) const {
    const std::int64_t plane = cells.grid.num_pixels();
    return {planes + (image * channels_ + first) * plane, plane, count};
  }

 private:
  static constexpr std::int64_t kPoolingStripPixels = 20 * kBlockPixels;
  // With fewer elements than these, one thread is done before another has begun.
  static constexpr std::int64_t kLeastForThreads = 1 << 15;

  std::int64_t longest_strip() const {
    const std::int64_t all = cells.grid.longest_side(1) * cells.grid.longest_side(2);
    const std::int64_t most = std::min(kPoolingStripPixels, all);
    return (most + kBlockPixels - 1) / kBlockPixels * kBlockPixels;
  }

  std::int64_t channels_;
  std::int64_t row_;  // elements that a row may touch
  ScratchPool<Scratch> scratches_;
};

}  // namespace superpix::cpu
