// SPDX-License-Identifier: Apache-2.0
#include "cpu/smooth.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {

void smooth(const LabelTags& tags, int num_threads) {
  constexpr int kPasses = 2;
  constexpr std::int64_t kRowsAtOnce = 16;  // an even number
  const std::int64_t height = tags.shape()[1];
  const std::int64_t width = tags.shape()[2];
  const std::int64_t pieces = (height + kRowsAtOnce - 1) / kRowsAtOnce;
  for (int step = 0; step < 2 * kPasses; ++step) {
    parallel_for(pieces, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
      std::vector<PixelTag> found(static_cast<std::size_t>(width));
      const std::int64_t last = std::min(height - 1, end * kRowsAtOnce);
      for (std::int64_t y = begin * kRowsAtOnce + step % 2; y < last; y += 2) {
        if (y == 0) continue;
        std::uint8_t* row = tags.row(y);
        const std::int64_t count =
            kernels().find_majorities(row, tags.row(y - 1), tags.row(y + 1), width, found.data());
        for (std::int64_t i = 0; i < count; ++i) row[found[i].x] = found[i].tag;
      }
    });
  }
}

}  // namespace superpix::cpu
