// SPDX-License-Identifier: Apache-2.0
#include "cpu/refine.h"

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>
#include <utility>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

constexpr std::int64_t kRowsAtOnce = 16;

template <class Colors>
class Refiner {
 public:
  Refiner(std::int32_t* labels, std::int64_t height, std::int64_t width, RegionSums sums,
          const Colors& colors, const RefineParams& params, int num_threads)
      : labels_(labels),
        height_(height),
        width_(width),
        start_label_(params.start_label),
        sums_(std::move(sums)),
        min_size_(params.min_size),
        colors_(colors),
        channels_(colors.channels()),
        fields_(channels_ + 2),
        unit_(static_cast<float>(colors.unit())),
        weight_y_(static_cast<float>(params.weight_y)),
        weight_x_(static_cast<float>(params.weight_x)),
        smoothness_(static_cast<float>(params.smoothness)),
        num_threads_(num_threads),
        words_((width + 63) / 64),
        borders_(static_cast<std::size_t>(height * words_)),
        changes_(static_cast<std::size_t>((height + kRowsAtOnce - 1) / kRowsAtOnce)),
        num_leaving_(static_cast<std::size_t>(sums_.count()), 0),
        means_(static_cast<std::size_t>(sums_.count() * fields_)),
        outside_row_(static_cast<std::size_t>(width), params.start_label - 1) {}

  void round(bool is_last) {
    take_means();
    const auto pieces = static_cast<std::int64_t>(changes_.size());
    parallel_for(pieces, 1, num_threads_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t y = begin * kRowsAtOnce; y < std::min(height_, end * kRowsAtOnce); ++y) {
        const std::int32_t* row = labels_ + y * width_;
        kernels_.find_borders(row, y > 0 ? row - width_ : nullptr,
                              y + 1 < height_ ? row + width_ : nullptr, width_,
                              &borders_[y * words_]);
      }
    });
    for (int parity = 0; parity < 2; ++parity) {
      parallel_for(pieces, 1, num_threads_, [&](std::int64_t begin, std::int64_t end) {
        Scratch scratch(channels_, words_);
        for (std::int64_t piece = begin; piece < end; ++piece) {
          const std::int64_t last = std::min(height_, (piece + 1) * kRowsAtOnce);
          for (std::int64_t y = piece * kRowsAtOnce + parity; y < last; y += 2) {
            if constexpr (std::is_same_v<Colors, IntegerColors>) {
              if (y + 2 < last) colors_.prefetch_row(y + 2);
            }
            visit_row(y, scratch, changes_[piece]);
          }
        }
      });
      settle();
    }
    if (is_last) return;
    std::vector<std::int32_t> pixel(static_cast<std::size_t>(channels_));
    for (const BorderChange& change : settled_) add_to_sums(change, pixel.data());
    settled_.clear();
  }

 private:
  static constexpr int kLanes = 16;

  /// What a thread needs for a row.
  struct Scratch {
    Scratch(int channels, std::int64_t words)
        : colors(static_cast<std::size_t>(channels * kLanes)),
          visits(static_cast<std::size_t>(words)) {}
    std::vector<float> colors;
    std::vector<std::uint64_t> visits;  // bit x % 64 of [x / 64]: x is to be visited
  };

  /// Means of colour, then of y and x.
  void take_means() {
    for (std::int64_t k = 0; k < sums_.count(); ++k) {
      const double scale = 1.0 / static_cast<double>(sums_[k][RegionSums::kSize]);
      float* to = &means_[k * fields_];
      for (int c = 0; c < channels_; ++c) {
        to[c] = static_cast<float>(static_cast<double>(sums_[k][RegionSums::kColor + c]) * scale *
                                   colors_.unit());
      }
      to[channels_] = static_cast<float>(static_cast<double>(sums_[k][RegionSums::kY]) * scale);
      to[channels_ + 1] = static_cast<float>(static_cast<double>(sums_[k][RegionSums::kX]) * scale);
    }
  }

  /// Takes back the changes of superpixels that would be left with fewer than min_size pixels,
  /// whatever they gain: which these are does not depend on an order. As the pixels of a step do
  /// not touch, each change stands for itself.
  void settle() {
    for_each_change(
        [&](const BorderChange& change) { ++num_leaving_[change.from - start_label_]; });
    const std::size_t before = settled_.size();
    for_each_change([&](const BorderChange& change) {
      const std::int64_t k = change.from - start_label_;
      if (sums_[k][RegionSums::kSize] - num_leaving_[k] < min_size_) {
        labels_[change.y * width_ + change.x] = change.from;
      } else {
        settled_.push_back(change);
      }
    });
    for_each_change(
        [&](const BorderChange& change) { num_leaving_[change.from - start_label_] = 0; });
    for (std::size_t i = before; i < settled_.size(); ++i) {
      --sums_[settled_[i].from - start_label_][RegionSums::kSize];
      ++sums_[settled_[i].to - start_label_][RegionSums::kSize];
    }
    for (std::vector<BorderChange>& piece : changes_) piece.clear();
  }

  /// Calls f(change) for those of a step.
  template <class F>
  void for_each_change(F f) const {
    for (const std::vector<BorderChange>& piece : changes_) {
      for (const BorderChange& change : piece) f(change);
    }
  }

  void add_to_sums(const BorderChange& change, std::int32_t* pixel) {
    colors_.read(change.y, change.x, pixel);
    const auto add = [&](std::int32_t label, int sign) {
      const std::int64_t k = label - start_label_;
      for (int c = 0; c < channels_; ++c) sums_[k][RegionSums::kColor + c] += sign * pixel[c];
      sums_[k][RegionSums::kY] += sign * change.y;
      sums_[k][RegionSums::kX] += sign * change.x;
    };
    add(change.from, -1);
    add(change.to, 1);
  }

  /// Visits the border pixels of a row: those in even columns, then those in odd columns next to
  /// none that changed, so that still no change depends on another.
  void visit_row(std::int64_t y, Scratch& scratch, std::vector<BorderChange>& changes) {
    constexpr std::uint64_t kEven = 0x5555555555555555;
    const std::uint64_t* borders = &borders_[y * words_];
    for (std::int64_t word = 0; word < words_; ++word) scratch.visits[word] = borders[word] & kEven;
    const std::size_t before = changes.size();
    visit_pixels(y, scratch, changes);
    for (std::int64_t word = 0; word < words_; ++word)
      scratch.visits[word] = borders[word] & ~kEven;
    for (std::size_t i = before; i < changes.size(); ++i) {
      const std::int64_t x = changes[i].x;
      if (x > 0) scratch.visits[(x - 1) / 64] &= ~(std::uint64_t{1} << ((x - 1) % 64));
      if (x + 1 < width_) scratch.visits[(x + 1) / 64] &= ~(std::uint64_t{1} << ((x + 1) % 64));
    }
    visit_pixels(y, scratch, changes);
  }

  /// Visits the pixels of a row that scratch.visits tells, 16 at a time.
  void visit_pixels(std::int64_t y, Scratch& scratch, std::vector<BorderChange>& changes) {
    BorderPixels p = in_row(y);
    std::int32_t xs[kLanes];
    p.x = xs;
    for (std::int64_t word = 0; word < words_; ++word) {
      for (std::uint64_t bits = scratch.visits[word]; bits != 0; bits &= bits - 1) {
        const std::int64_t x = word * 64 + std::countr_zero(bits);
        if (x == 0 || x + 1 == width_) {
          visit_edge(p, x, scratch, changes);
          continue;
        }
        xs[p.count++] = static_cast<std::int32_t>(x);
        if (p.count == kLanes) {
          visit(p, xs, scratch, changes);
          p.count = 0;
        }
      }
    }
    if (p.count > 0) visit(p, xs, scratch, changes);
  }

  /// What the pixels of row y have in common. What lies beyond the image counts as outside.
  BorderPixels in_row(std::int64_t y) const {
    BorderPixels p{};
    p.row = labels_ + y * width_;
    p.above = y > 0 ? p.row - width_ : outside_row_.data();
    p.below = y + 1 < height_ ? p.row + width_ : outside_row_.data();
    p.y = static_cast<std::int32_t>(y);
    p.means = means_.data();
    p.channels = channels_;
    p.stride = fields_;
    p.start_label = start_label_;
    p.weight_y = weight_y_;
    p.weight_x = weight_x_;
    p.smoothness = smoothness_;
    if constexpr (std::is_same_v<Colors, IntegerColors>) p.integer = colors_.row(y);
    return p;
  }

  /// A pixel of the first or last column, in a copy of its neighbourhood that has both sides.
  void visit_edge(BorderPixels p, std::int64_t x, Scratch& scratch,
                  std::vector<BorderChange>& changes) {
    std::int32_t patch[3][3];
    const std::int32_t* rows[3] = {p.above, p.row, p.below};
    for (int v = 0; v < 3; ++v) {
      for (std::int64_t u = 0; u < 3; ++u) {
        const std::int64_t column = x + u - 1;
        patch[v][u] = column >= 0 && column < width_ ? rows[v][column] : start_label_ - 1;
      }
    }
    std::int32_t* row = p.row;
    p.above = patch[0];
    p.row = patch[1];
    p.below = patch[2];
    p.first_x = static_cast<std::int32_t>(x - 1);
    std::int32_t xs[kLanes] = {1};
    p.x = xs;
    p.count = 1;
    visit(p, xs, scratch, changes);
    row[x] = patch[1][1];
  }

  void visit(BorderPixels& p, std::int32_t* xs, Scratch& scratch,
             std::vector<BorderChange>& changes) {
    if constexpr (!std::is_same_v<Colors, IntegerColors>) {
      const auto row = colors_.row(p.y);
      for (int i = 0; i < p.count; ++i) {
        const float* pixel = row.at(p.first_x + xs[i]).first;
        for (int c = 0; c < channels_; ++c) {
          scratch.colors[c * kLanes + i] = pixel[c * Colors::kChannelStride];
        }
      }
      p.colors = scratch.colors.data();
    }
    for (int i = p.count; i < kLanes; ++i) xs[i] = xs[p.count - 1];
    BorderChange changed[kLanes];
    const int count = kernels_.refine_pixels(p, changed);
    changes.insert(changes.end(), changed, changed + count);
  }

  const Kernels& kernels_ = kernels();
  std::int32_t* labels_;
  std::int64_t height_;
  std::int64_t width_;
  std::int32_t start_label_;
  RegionSums sums_;
  std::int64_t min_size_;
  const Colors& colors_;
  int channels_;
  int fields_;
  float unit_;
  float weight_y_;
  float weight_x_;
  float smoothness_;
  int num_threads_;
  std::int64_t words_;  // of border bits in a row
  std::vector<std::uint64_t> borders_;
  std::vector<std::vector<BorderChange>> changes_;  // of a step, by piece of kRowsAtOnce rows
  std::vector<BorderChange> settled_;               // of a round
  std::vector<std::int64_t> num_leaving_;           // [labels], pixels in a step; 0 between
  std::vector<float> means_;                        // [labels][channels, y, x]
  std::vector<std::int32_t> outside_row_;
};

}  // namespace

template <class Colors>
void refine(std::int32_t* labels, std::int64_t height, std::int64_t width, RegionSums sums,
            const Colors& colors, const RefineParams& params, int num_threads) {
  Refiner<Colors> refiner(labels, height, width, std::move(sums), colors, params, num_threads);
  for (int i = 0; i < params.rounds; ++i) refiner.round(i + 1 == params.rounds);
}

template void refine(std::int32_t*, std::int64_t, std::int64_t, RegionSums, const IntegerColors&,
                     const RefineParams&, int);
template void refine(std::int32_t*, std::int64_t, std::int64_t, RegionSums, const VolumeColors&,
                     const RefineParams&, int);
template void refine(std::int32_t*, std::int64_t, std::int64_t, RegionSums,
                     const InterleavedColors&, const RefineParams&, int);

}  // namespace superpix::cpu
