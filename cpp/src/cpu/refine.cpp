// SPDX-License-Identifier: Apache-2.0
#include "cpu/refine.h"

#include <algorithm>
#include <array>
#include <bit>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

// Chosen on BSDS500's training images (docs/accuracy.md).
constexpr float kSpatialWeight = 0.25F;  // (m' / m)^2
constexpr float kLambda = 0.1F;

constexpr std::int64_t kRowsAtOnce = 16;

/// Whether a pixel may leave its superpixel, by which of its 8 neighbours belong to it: bits go round
/// from the north-west, so that odd bits are the 4 neighbours. It may when these form exactly one
/// group that is connected through the 8.
constexpr std::array<bool, 256> make_may_leave() {
  std::array<bool, 256> table{};
  for (int ring = 0; ring < 256; ++ring) {
    const auto has = [&](int i) { return (ring >> (i % 8) & 1) != 0; };
    int groups = 0;
    for (int i = 1; i < 8; i += 2) {
      if (has(i) && !(has(i + 1) && has(i + 2))) ++groups;
    }
    table[ring] = groups == 1;
  }
  return table;
}
constexpr std::array<bool, 256> kMayLeave = make_may_leave();

struct Change {
  std::int32_t y, x, from, to;
};

class Refiner {
 public:
  Refiner(std::int32_t* labels, std::int64_t height, std::int64_t width, std::int32_t start_label,
          std::int64_t num_labels, const FeatureSource& features, double weight_y, double weight_x,
          int num_threads)
      : labels_(labels),
        height_(height),
        width_(width),
        start_label_(start_label),
        num_labels_(num_labels),
        features_(features),
        channels_(features.channels()),
        fields_(channels_ + 2),
        weight_y_(kSpatialWeight * static_cast<float>(weight_y)),
        weight_x_(kSpatialWeight * static_cast<float>(weight_x)),
        num_threads_(num_threads),
        words_((width + 63) / 64),
        borders_(static_cast<std::size_t>(height * words_)),
        changes_(static_cast<std::size_t>((height + kRowsAtOnce - 1) / kRowsAtOnce)),
        sums_(static_cast<std::size_t>(num_labels * fields_)),
        sizes_(static_cast<std::size_t>(num_labels)),
        means_(sums_.size()) {
    sum_up();
  }

  void round() {
    for (std::size_t i = 0; i < means_.size(); ++i) {
      means_[i] = static_cast<float>(sums_[i] / static_cast<double>(sizes_[i / fields_]));
    }
    const auto pieces = static_cast<std::int64_t>(changes_.size());
    parallel_for(pieces, 1, num_threads_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t y = begin * kRowsAtOnce; y < std::min(height_, end * kRowsAtOnce); ++y) {
        const std::int32_t* row = labels_ + y * width_;
        kernels().find_borders(row, y > 0 ? row - width_ : nullptr,
                               y + 1 < height_ ? row + width_ : nullptr, width_,
                               &borders_[y * words_]);
      }
    });
    for (int parity = 0; parity < 4; ++parity) {
      parallel_for(pieces, 1, num_threads_, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> pixel(static_cast<std::size_t>(channels_));
        for (std::int64_t piece = begin; piece < end; ++piece) {
          const std::int64_t last = std::min(height_, (piece + 1) * kRowsAtOnce);
          for (std::int64_t y = piece * kRowsAtOnce + (parity >> 1); y < last; y += 2) {
            visit_row(y, parity & 1, pixel.data(), changes_[piece]);
          }
        }
      });
    }
    for (std::vector<Change>& piece : changes_) {
      for (const Change& change : piece) apply(change);
      piece.clear();
    }
  }

  std::vector<std::int64_t> sizes() const { return sizes_; }

 private:
  std::int64_t index(std::int32_t label) const { return label - start_label_; }
  bool is_outside(std::int32_t label) const { return label < start_label_; }

  void sum_up() {
    // In a fixed order: these are floating point sums.
    std::vector<float> pixel(static_cast<std::size_t>(channels_));
    for (std::int64_t y = 0; y < height_; ++y) {
      for (std::int64_t x = 0; x < width_; ++x) {
        const std::int32_t label = labels_[y * width_ + x];
        if (is_outside(label)) continue;
        features_.read(y, x, pixel.data());
        add(index(label), pixel.data(), y, x, 1.0);
        ++sizes_[index(label)];
      }
    }
  }

  void add(std::int64_t k, const float* pixel, std::int64_t y, std::int64_t x, double sign) {
    double* to = &sums_[k * fields_];
    for (int c = 0; c < channels_; ++c) to[c] += sign * pixel[c];
    to[channels_] += sign * static_cast<double>(y);
    to[channels_ + 1] += sign * static_cast<double>(x);
  }

  void apply(const Change& change) {
    std::vector<float> pixel(static_cast<std::size_t>(channels_));
    features_.read(change.y, change.x, pixel.data());
    add(index(change.from), pixel.data(), change.y, change.x, -1.0);
    add(index(change.to), pixel.data(), change.y, change.x, 1.0);
    --sizes_[index(change.from)];
    ++sizes_[index(change.to)];
  }

  void visit_row(std::int64_t y, int x_parity, float* pixel, std::vector<Change>& changes) {
    const std::uint64_t parity_bits = std::uint64_t{0x5555555555555555} << x_parity;
    for (std::int64_t word = 0; word < words_; ++word) {
      std::uint64_t bits = borders_[y * words_ + word] & parity_bits;
      for (; bits != 0; bits &= bits - 1) {
        const std::int64_t x = word * 64 + std::countr_zero(bits);
        visit(y, x, pixel, changes);
      }
    }
  }

  void visit(std::int64_t y, std::int64_t x, float* pixel, std::vector<Change>& changes) {
    const std::int32_t own = labels_[y * width_ + x];
    if (is_outside(own)) return;
    std::int32_t around[8];  // round from the north-west; what is not there counts as outside
    const auto label = [&](std::int64_t v, std::int64_t u) {
      const bool there = v >= 0 && u >= 0 && v < height_ && u < width_;
      return there ? labels_[v * width_ + u] : start_label_ - 1;
    };
    around[0] = label(y - 1, x - 1), around[1] = label(y - 1, x), around[2] = label(y - 1, x + 1);
    around[3] = label(y, x + 1), around[4] = label(y + 1, x + 1), around[5] = label(y + 1, x);
    around[6] = label(y + 1, x - 1), around[7] = label(y, x - 1);
    unsigned ring = 0;
    for (int i = 0; i < 8; ++i) ring |= (around[i] == own ? 1U : 0U) << i;
    if (!kMayLeave[ring]) return;

    features_.read(y, x, pixel);
    const auto cost = [&](std::int32_t candidate) {
      const float* mean = &means_[index(candidate) * fields_];
      float d = 0.0F;
      for (int c = 0; c < channels_; ++c) d += (pixel[c] - mean[c]) * (pixel[c] - mean[c]);
      const float dy = static_cast<float>(y) - mean[channels_];
      const float dx = static_cast<float>(x) - mean[channels_ + 1];
      int same = 0;
      for (const std::int32_t l : around) same += l == candidate ? 1 : 0;
      return d + weight_y_ * (dy * dy) + weight_x_ * (dx * dx) -
             kLambda * static_cast<float>(same);
    };
    float least = cost(own);
    std::int32_t best = own;
    for (int i = 1; i < 8; i += 2) {
      const std::int32_t candidate = around[i];
      if (candidate == own || candidate == best || is_outside(candidate)) continue;
      const float c = cost(candidate);
      if (c < least || (c == least && best != own && candidate < best)) {
        least = c;
        best = candidate;
      }
    }
    if (best == own) return;
    labels_[y * width_ + x] = best;
    changes.push_back(
        {static_cast<std::int32_t>(y), static_cast<std::int32_t>(x), own, best});
  }

  std::int32_t* labels_;
  std::int64_t height_;
  std::int64_t width_;
  std::int32_t start_label_;
  std::int64_t num_labels_;
  const FeatureSource& features_;
  int channels_;
  int fields_;
  float weight_y_;
  float weight_x_;
  int num_threads_;
  std::int64_t words_;  // of border bits in a row
  std::vector<std::uint64_t> borders_;
  std::vector<std::vector<Change>> changes_;  // by piece of kRowsAtOnce rows
  std::vector<double> sums_;                  // [labels][channels, y, x]
  std::vector<std::int64_t> sizes_;
  std::vector<float> means_;
};

}  // namespace

std::vector<std::int64_t> refine(std::int32_t* labels, std::int64_t height, std::int64_t width,
                                 std::int32_t start_label, std::int64_t num_labels,
                                 const FeatureSource& features, double weight_y, double weight_x,
                                 int rounds, int num_threads) {
  Refiner refiner(labels, height, width, start_label, num_labels, features, weight_y, weight_x,
                  num_threads);
  for (int i = 0; i < rounds; ++i) refiner.round();
  return refiner.sizes();
}

}  // namespace superpix::cpu
