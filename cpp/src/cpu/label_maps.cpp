// SPDX-License-Identifier: Apache-2.0
#include "cpu/label_maps.h"

#include <algorithm>
#include <atomic>

#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

bool are_inside(const LabelArray& labels, std::int64_t begin, std::int64_t end,
                std::int32_t num_segments) {
  if (labels.is_wide) {
    const auto* data = static_cast<const std::int64_t*>(labels.data);
    return kernels().are_wide_labels(data + begin, end - begin, num_segments);
  }
  const auto* data = static_cast<const std::int32_t*>(labels.data);
  return kernels().are_labels(data + begin, end - begin, num_segments);
}

std::int64_t label_at(const LabelArray& labels, std::int64_t i) {
  return labels.is_wide ? static_cast<const std::int64_t*>(labels.data)[i]
                        : static_cast<const std::int32_t*>(labels.data)[i];
}

/// The first pixel of each cell along an axis, and the end: pixel y lies in floor(y * cells /
/// pixels).
std::vector<std::int64_t> first_pixels(std::int64_t cells, std::int64_t pixels) {
  std::vector<std::int64_t> first(static_cast<std::size_t>(cells + 1));
  for (std::int64_t i = 0; i <= cells; ++i) {
    first[static_cast<std::size_t>(i)] = (i * pixels + cells - 1) / cells;
  }
  return first;
}

/// Pixels of a label in a cell.
struct Share {
  std::int32_t label, pixels;
};

/// The labels of a rectangle of pixels, ascending, each once.
template <class L>
void count_labels(const L* map, std::int64_t step, std::int64_t height, std::int64_t width,
                  std::vector<Share>& shares) {
  shares.clear();
  bool is_sorted = true;
  for (std::int64_t y = 0; y < height; ++y, map += step) {
    for (std::int64_t x = 0; x < width;) {
      const L label = map[x];
      const std::int64_t begin = x;
      while (++x < width && map[x] == label) continue;
      if (label < 0) continue;
      const auto pixels = static_cast<std::int32_t>(x - begin);
      if (!shares.empty() && shares.back().label == label) {
        shares.back().pixels += pixels;
      } else {
        is_sorted = is_sorted && (shares.empty() || shares.back().label < label);
        shares.push_back({static_cast<std::int32_t>(label), pixels});
      }
    }
  }
  if (is_sorted) return;
  std::sort(shares.begin(), shares.end(),
            [](const Share& a, const Share& b) { return a.label < b.label; });
  std::size_t last = 0;
  for (std::size_t i = 1; i < shares.size(); ++i) {
    if (shares[i].label == shares[last].label) {
      shares[last].pixels += shares[i].pixels;
    } else {
      shares[++last] = shares[i];
    }
  }
  shares.resize(last + 1);
}

/// Adds what cell `cell` of a block has; neighbours that have the same make up one run.
void append(std::int32_t cell, const std::vector<Share>& shares, std::vector<LabelRun>& runs) {
  for (const Share& share : shares) {
    if (!runs.empty()) {
      LabelRun& last = runs.back();
      if (last.label == share.label && last.weight == share.pixels &&
          last.begin + last.length == cell && last.begin / kPoolTile == cell / kPoolTile) {
        ++last.length;
        continue;
      }
    }
    runs.push_back({cell, 1, share.label, share.pixels});
  }
}

template <class L>
void meet(const LabelArray& labels, std::int64_t num_blocks, int num_threads,
          std::vector<std::vector<LabelRun>>& met) {
  constexpr std::int64_t kBlock = LabelMaps::kBlock;
  const std::vector<std::int64_t> rows = first_pixels(labels.height, labels.label_height);
  const std::vector<std::int64_t> columns = first_pixels(labels.width, labels.label_width);
  parallel_for(
      labels.batch * num_blocks, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
        std::vector<Share> shares;
        for (std::int64_t i = begin; i < end; ++i) {
          const L* map =
              static_cast<const L*>(labels.data) + i / num_blocks * labels.labels_per_image();
          const std::int64_t first = i % num_blocks * kBlock;
          const std::int64_t size = std::min(kBlock, labels.cells() - first);
          for (std::int64_t cell = 0; cell < size; ++cell) {
            const auto row = static_cast<std::size_t>((first + cell) / labels.width);
            const auto column = static_cast<std::size_t>((first + cell) % labels.width);
            count_labels(map + rows[row] * labels.label_width + columns[column], labels.label_width,
                         rows[row + 1] - rows[row], columns[column + 1] - columns[column], shares);
            append(static_cast<std::int32_t>(cell), shares, met[static_cast<std::size_t>(i)]);
          }
        }
      });
}

}  // namespace

std::optional<std::int64_t> find_outside_label(const LabelArray& labels, std::int32_t num_segments,
                                               int num_threads) {
  constexpr std::int64_t kPiece = std::int64_t{1} << 15;
  const std::int64_t n = labels.batch * labels.labels_per_image();
  std::atomic<bool> all_inside{true};
  parallel_for(n, kPiece, num_threads, [&](std::int64_t begin, std::int64_t end) {
    if (!are_inside(labels, begin, end, num_segments)) all_inside.store(false);
  });
  if (all_inside.load()) return std::nullopt;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t label = label_at(labels, i);
    if (label < -1 || label >= num_segments) return label;
  }
  return std::nullopt;
}

LabelMaps::LabelMaps(const LabelArray& labels, int num_threads) : array_(labels) {
  if (labels.has_a_label_per_cell()) return;
  met_.resize(static_cast<std::size_t>(labels.batch * num_blocks()));
  if (labels.is_wide) {
    meet<std::int64_t>(labels, num_blocks(), num_threads, met_);
  } else {
    meet<std::int32_t>(labels, num_blocks(), num_threads, met_);
  }
}

std::int64_t LabelMaps::size(std::int64_t block) const {
  return std::min(kBlock, array_.cells() - block * kBlock);
}

LabelMaps::Runs LabelMaps::runs(std::int64_t image, std::int64_t block, LabelRun* scratch) const {
  if (!array_.has_a_label_per_cell()) {
    const std::vector<LabelRun>& runs =
        met_[static_cast<std::size_t>(image * num_blocks() + block)];
    return {runs.data(), static_cast<std::int64_t>(runs.size())};
  }
  const std::int64_t count =
      array_.is_wide
          ? kernels().find_wide_label_runs(labels<std::int64_t>(image, block), size(block), scratch)
          : kernels().find_label_runs(labels<std::int32_t>(image, block), size(block), scratch);
  return {scratch, count};
}

}  // namespace superpix::cpu
