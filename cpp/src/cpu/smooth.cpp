// SPDX-License-Identifier: Apache-2.0
#include "cpu/smooth.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

constexpr int kPasses = 2;
constexpr std::int64_t kRowsAtOnce = 16;  // an even number

/// The pixels that took another label in some rows.
struct Changes {
  struct Labels {
    std::int32_t from, to;
  };
  std::vector<Labels> labels;
  std::vector<std::int32_t> colors;  // [labels][channels], and room for more

  void reserve(std::int64_t more, std::size_t channels) {
    const std::size_t needed = (labels.size() + static_cast<std::size_t>(more)) * channels;
    if (colors.size() < needed) colors.resize(2 * needed);
  }
};

}  // namespace

template <class Colors>
void smooth(const LabelTags& tags, const Colors& colors, std::vector<std::int64_t>& label_totals,
            int num_threads) {
  const std::int64_t height = tags.shape()[1];
  const std::int64_t width = tags.shape()[2];
  const std::int64_t pieces = (height + kRowsAtOnce - 1) / kRowsAtOnce;
  std::vector<Changes> changes(static_cast<std::size_t>(pieces));
  const auto channels = static_cast<std::size_t>(colors.channels());
  for (int step = 0; step < 2 * kPasses; ++step) {
    parallel_for(pieces, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
      std::vector<PixelTag> found(static_cast<std::size_t>(width));
      for (std::int64_t piece = begin; piece < end; ++piece) {
        const std::int64_t last = std::min(height - 1, (piece + 1) * kRowsAtOnce);
        for (std::int64_t y = piece * kRowsAtOnce + step % 2; y < last; y += 2) {
          if (y == 0) continue;
          std::uint8_t* row = tags.row(y);
          const std::int64_t count = kernels().find_majorities(row, tags.row(y - 1),
                                                               tags.row(y + 1), width, found.data());
          Changes& here = changes[piece];
          if (!label_totals.empty()) {
            here.reserve(count, channels);
            for (std::int64_t i = 0; i < count; ++i) colors.prefetch_pixel(y, found[i].x);
          }
          for (std::int64_t i = 0; i < count; ++i) {
            const auto [x, tag] = found[i];
            if (!label_totals.empty()) {
              colors.read(y, x, &here.colors[here.labels.size() * channels]);
              here.labels.push_back({tags.label(y, x, row[x]), tags.label(y, x, tag)});
            }
            row[x] = tag;
          }
        }
      }
    });
  }
  for (const Changes& piece : changes) {
    const std::int32_t* color = piece.colors.data();
    for (const auto& [from, to] : piece.labels) {
      for (std::size_t c = 0; c < channels; ++c) {
        label_totals[static_cast<std::size_t>(from) * channels + c] -= *color;
        label_totals[static_cast<std::size_t>(to) * channels + c] += *color++;
      }
    }
  }
}

template void smooth(const LabelTags&, const IntegerColors&, std::vector<std::int64_t>&, int);
template void smooth(const LabelTags&, const VolumeColors&, std::vector<std::int64_t>&, int);

}  // namespace superpix::cpu
