// SPDX-License-Identifier: Apache-2.0
#include "cpu/smooth.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

constexpr int kPasses = 2;
constexpr std::int64_t kRowsAtOnce = 16;  // an even number

/// A pixel that took another label.
struct Change {
  std::int64_t row;
  std::int32_t x, from, to;
};

}  // namespace

template <class Colors>
void smooth(std::int32_t* labels, std::int64_t height, std::int64_t width, const Colors& colors,
            std::vector<std::int64_t>& label_totals, int num_threads) {
  const std::int64_t pieces = (height + kRowsAtOnce - 1) / kRowsAtOnce;
  std::vector<std::vector<Change>> changes(static_cast<std::size_t>(pieces));
  for (int step = 0; step < 2 * kPasses; ++step) {
    parallel_for(pieces, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
      std::vector<std::int32_t> old(static_cast<std::size_t>(width));
      std::vector<std::int32_t> changed(static_cast<std::size_t>(width));
      for (std::int64_t piece = begin; piece < end; ++piece) {
        const std::int64_t last = std::min(height - 1, (piece + 1) * kRowsAtOnce);
        for (std::int64_t y = piece * kRowsAtOnce + step % 2; y < last; y += 2) {
          if (y == 0) continue;
          std::int32_t* row = labels + y * width;
          std::copy_n(row, width, old.data());
          const std::int64_t count = kernels().take_majority(
              old.data(), row - width, row + width, width, row, changed.data());
          for (std::int64_t i = 0; i < count; ++i) {
            const std::int32_t x = changed[i];
            changes[piece].push_back({y, x, old[x], row[x]});
          }
        }
      }
    });
  }
  if (label_totals.empty()) return;
  const int channels = colors.channels();
  std::vector<std::int32_t> color(static_cast<std::size_t>(channels));
  for (const std::vector<Change>& piece : changes) {
    for (const Change& change : piece) {
      colors.read(change.row, change.x, color.data());
      std::int64_t* from = &label_totals[std::int64_t{change.from} * channels];
      std::int64_t* to = &label_totals[std::int64_t{change.to} * channels];
      for (int c = 0; c < channels; ++c) {
        from[c] -= color[c];
        to[c] += color[c];
      }
    }
  }
}

template void smooth(std::int32_t*, std::int64_t, std::int64_t, const IntegerColors&,
                     std::vector<std::int64_t>&, int);
template void smooth(std::int32_t*, std::int64_t, std::int64_t, const VolumeColors&,
                     std::vector<std::int64_t>&, int);

}  // namespace superpix::cpu
