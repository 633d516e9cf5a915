// SPDX-License-Identifier: Apache-2.0
//
// What forward and backward of soft SLIC share: what a thread works in, and how the pixels of a
// group of cells are brought together and associated.
//
// Cell by cell: the features of a strip of pixels, less the mean of the cell, are brought together
// once per iteration, and all that follows is products of small matrices with them (row_kernels.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "cpu/buffer.h"
#include "cpu/flush_denormals.h"
#include "cpu/soft_cells.h"
#include "cpu/soft_slic.h"

namespace superpix::cpu {

/// What a thread knows of one cell of a group.
template <class R>
struct SoftSlicCell {
  SoftCandidates candidates;
  R biases[kSoftCandidates];
  R gradient_biases[kSoftCandidates];
  R* origin;                 // that features and centres are measured from
  R* coefficients;           // [channels][candidates], for scores
  R* gradient_coefficients;  // [channels][candidates], for gradients of associations
  R* features;               // [channels][pixels] of a strip
  R* sums;  // [candidates][channels + 1][16], unless there are gradients of features
};

/// All in one piece of memory, as a small image is done before many are taken.
template <class R>
struct SoftSlicScratch {
  // With four, a call takes 2 to 4 % less time, and this three quarters more memory.
  static constexpr std::int64_t kGroupCells = 2;

  SoftSlicScratch(int channels, std::int64_t columns) {
    const std::int64_t num_cells = std::min(columns, kGroupCells);
    std::int64_t size = 0;
    place(channels, num_cells, [&](std::int64_t n) {
      size += rounded_up(n);
      return static_cast<R*>(nullptr);
    });
    memory = Buffer<R>(size);
    R* next = memory.data();
    place(channels, num_cells, [&](std::int64_t n) {
      R* const piece = next;
      next += rounded_up(n);
      return piece;
    });
  }

  std::array<SoftSlicCell<R>, kGroupCells> cells;
  R* weights;            // [candidates][pixels] associations, and as many of their gradients
  R* totals;             // [candidates][channels + 1]
  R* gradient;           // [channels][pixels] of features
  R* back_coefficients;  // [2 * candidates][channels], for gradients of features

 private:
  /// To whole cache lines, also of doubles.
  static std::int64_t rounded_up(std::int64_t n) { return (n + 15) / 16 * 16; }

  template <class F>
  void place(std::int64_t channels, std::int64_t num_cells, F take) {
    for (std::int64_t i = 0; i < num_cells; ++i) {
      cells[i].origin = take(channels);
      cells[i].coefficients = take(kSoftCandidates * channels);
      cells[i].gradient_coefficients = take(kSoftCandidates * channels);
      cells[i].features = take(channels * kStripRow);
    }
    weights = take(2 * kSoftCandidates * kStripRow);
    totals = take(kSoftCandidates * (channels + 1));
    // No pass has both sums and gradients of features.
    const std::int64_t sums = rounded_up(kSoftCandidates * (channels + 1) * kBlockPixels);
    const std::int64_t gradients = rounded_up(channels * kStripRow);
    R* const either = take(std::max(num_cells * sums, gradients + 2 * kSoftCandidates * channels));
    for (std::int64_t i = 0; i < num_cells; ++i) cells[i].sums = either + i * sums;
    gradient = either;
    back_coefficients = either + gradients;
  }

  Buffer<R> memory;
};

/// A call. S is what arrays are made of, R what is computed in.
template <class S>
class SoftSlic {
 public:
  using R = ComputeType<S>;

  SoftSlic(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width,
           const S* features, const SoftSlicParams& params, int num_threads)
      : cells_(batch, height, width, params.rows, params.columns,
               batch * channels * height * width < kLeastForThreads ? 1 : num_threads, kStripPixels,
               SoftSlicScratch<R>::kGroupCells),
        scratches_([channels, columns = params.columns] {
          return std::make_unique<SoftSlicScratch<R>>(static_cast<int>(channels), columns);
        }),
        batch_(batch),
        channels_(static_cast<int>(channels)),
        num_cells_(cells_.num_cells()),
        image_(channels * height * width),
        features_(features),
        scale_(static_cast<R>(1.0 / params.temperature)),
        row_sums_(batch, cells_, channels + 1) {}

 protected:
  /// Elements of the history for one iteration.
  std::int64_t step() const { return batch_ * num_cells_ * (channels_ + 1); }

  /// Where the centres of an image begin in one iteration's part of the history.
  template <class P>
  P* centers_of(P* history, std::int64_t iteration, std::int64_t image) const {
    return history + iteration * step() + image * num_cells_ * (channels_ + 1);
  }

  /// The centres of an image as callers have them, [B][C][K], to [K][fields], of which C are used.
  void from_planes(const S* planes, std::int64_t image, int fields, R* to) const {
    const S* from = planes + image * channels_ * num_cells_;
    for (std::int64_t k = 0; k < num_cells_; ++k, to += fields) {
      for (int c = 0; c < channels_; ++c) to[c] = detail::widen(from[c * num_cells_ + k]);
    }
  }
  /// The other way round.
  void to_planes(const R* from, std::int64_t image, int fields, S* planes) const {
    S* to = planes + image * channels_ * num_cells_;
    for (std::int64_t k = 0; k < num_cells_; ++k, from += fields) {
      for (int c = 0; c < channels_; ++c) to[c * num_cells_ + k] = detail::narrow<S>(from[c]);
    }
  }

  /// Prepares scores: 2 x.c - |c|^2 over the temperature, x and c being features and centres less
  /// the origin.
  void load_candidates(const R* centers, SoftSlicCell<R>& s) const {
    const SoftCandidates& candidates = s.candidates;
    for (int j = 0; j < candidates.count; ++j) {
      const R* center = centers + candidates.cell[j] * (channels_ + 1);
      R square = 0;
      for (int c = 0; c < channels_; ++c) {
        const R d = center[c] - s.origin[c];
        square += d * d;
        s.coefficients[c * candidates.count + j] = 2 * scale_ * d;
      }
      s.biases[j] = -scale_ * square;
    }
  }

  /// Makes `weights` the associations of a strip whose features are there.
  void associate(const Strip& strip, const SoftSlicCell<R>& s, R* weights) const {
    rows_.mix_rows({s.features, s.coefficients, s.biases, weights, channels_, s.candidates.count,
                    strip.stride()});
    rows_.softmax_rows(weights, s.candidates.count, strip.stride(), strip.size());
  }

  /// Makes the means of cells the origins of features, and the first part of a history.
  void find_means(R* history) {
    means_ = history;
    for_groups(
        [&](const CellGroup& group, SoftSlicScratch<R>& s) { find_means(group, history, s); });
  }
  /// The same where centres start elsewhere.
  void find_means() {
    own_means_ = Buffer<R>(step());
    find_means(own_means_.data());
  }

  /// Sums up what pixels have beyond the first one of their cell, which is small.
  void find_means(const CellGroup& group, R* history, SoftSlicScratch<R>& s) {
    const CellGrid& grid = cells_.grid;
    R* means = centers_of(history, 0, group.image);
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const CellGrid::Box box = grid.box(group.first_cell + i);
      const S* first =
          features_ + group.image * image_ + box.begin[1] * grid.shape()[2] + box.begin[2];
      R* mean = means + (group.first_cell + i) * (channels_ + 1);
      for (int c = 0; c < channels_; ++c) mean[c] = detail::widen(first[c * grid.num_pixels()]);
    }
    start_group(group, s);
    for_strips(group, s, [&](SoftSlicCell<R>& cell, const Strip& strip) {
      std::fill_n(s.weights, strip.size(), R{1});
      std::fill_n(s.weights + strip.size(), strip.stride() - strip.size(), R{0});
      add_sums(strip, s.weights, 1, cell);
    });
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const R* sums = total(s.cells[i], s);
      R* mean = means + (group.first_cell + i) * (channels_ + 1);
      for (int c = 0; c < channels_; ++c) mean[c] += sums[c] / sums[channels_];
      mean[channels_] = 0;
    }
  }

  /// Sets the candidates of the cells of a group, and their means as the origins: centres may be
  /// anywhere, and differences of large numbers would be what is left of small ones.
  void start_group(const CellGroup& group, SoftSlicScratch<R>& s) const {
    const R* means = centers_of(means_, 0, group.image);
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const std::int64_t cell = group.first_cell + i;
      s.cells[i].candidates = SoftCandidates(cells_.grid, cell);
      std::copy_n(means + cell * (channels_ + 1), channels_, s.cells[i].origin);
      std::fill_n(s.cells[i].sums, s.cells[i].candidates.count * (channels_ + 1) * kBlockPixels,
                  R{0});
    }
  }

  void take_features(const CellGroup& group, const GroupStrip& strips,
                     SoftSlicScratch<R>& s) const {
    const R* origins[CellGroup::kMostCells];
    R* rows[CellGroup::kMostCells];
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      origins[i] = s.cells[i].origin;
      rows[i] = s.cells[i].features;
    }
    take_strips(features_ + group.image * image_, channels_, cells_.grid, strips, origins, rows);
  }

  /// Calls f(cell of the scratch, its strip) for the strips of a group, with the features.
  template <class F>
  void for_strips(const CellGroup& group, SoftSlicScratch<R>& s, F f) const {
    const S* image = features_ + group.image * image_;
    const auto part = [&](std::int64_t i) {
      return static_cast<int>(i * channels_ / group.num_cells);
    };
    cells_.for_strips(group, [&](const GroupStrip& strips) {
      take_features(group, strips, s);
      for (std::int64_t i = 0; i < group.num_cells; ++i) {
        prefetch_next(image, part(i), part(i + 1), cells_.grid, strips);
        f(s.cells[i], strips.of_cell[i]);
      }
    });
  }

  /// Calls f(group, scratch) for all groups of cells, on threads.
  template <class F>
  void for_groups(F f) {
    for_groups([](std::int64_t, std::int64_t) {}, f);
  }
  /// The same for f that adds to sums_of().
  template <class F>
  void sum_groups(F f) {
    for_groups([&](std::int64_t image, std::int64_t row) { row_sums_.clear(image, row); }, f);
  }
  /// The same, with start(image, row of cells) before the groups of a row.
  template <class Start, class F>
  void for_groups(Start start, F f) {
    cells_.for_rows(scratches_, [&](std::int64_t image, std::int64_t row, SoftSlicScratch<R>& s) {
      const FlushDenormals flush;
      start(image, row);
      cells_.for_groups(image, row, [&](const CellGroup& group) { f(group, s); });
    });
  }

  /// Where a cell of a group sums up what it gives to candidate j.
  R* sums_of(const CellGroup& group, const SoftSlicCell<R>& cell, int j) {
    return row_sums_.of(group.image, group.first_cell / cells_.columns(), cell.candidates.cell[j]);
  }

  /// Calls f(image, superpixel, total) with what all cells gave to each superpixel, on threads.
  template <class F>
  void for_totals(F f) {
    cells_.for_rows([&](std::int64_t image, std::int64_t row) {
      const FlushDenormals flush;
      row_sums_.for_totals(image, row, [&](std::int64_t k, const R* total) { f(image, k, total); });
    });
  }

  void add_sums(const Strip& strip, const R* weights, int count, SoftSlicCell<R>& s) const {
    rows_.sum_products({weights, s.features, s.sums, count, channels_, strip.stride()});
  }

  /// The sums of add_sums() [candidates][channels + 1].
  const R* total(const SoftSlicCell<R>& s, SoftSlicScratch<R>& scratch) const {
    rows_.add_lanes(s.sums, s.candidates.count * (channels_ + 1), scratch.totals);
    return scratch.totals;
  }

  // With fewer elements than these, one thread is done before another has begun.
  static constexpr std::int64_t kLeastForThreads = 1 << 15;

  const RowKernels<R>& rows_ = row_kernels<R>();
  SoftCells cells_;
  ScratchPool<SoftSlicScratch<R>> scratches_;
  std::int64_t batch_;
  int channels_;
  std::int64_t num_cells_;
  std::int64_t image_;  // elements of an image
  const S* features_;
  const R* means_ = nullptr;  // of cells, as a history begins with them
  Buffer<R> own_means_;       // unless it does
  R scale_;                   // of squared distances
  RowSums<R> row_sums_;
};

}  // namespace superpix::cpu
