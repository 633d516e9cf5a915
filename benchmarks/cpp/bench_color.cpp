// SPDX-License-Identifier: Apache-2.0
#include "data.h"

namespace superpix::bench {
namespace {

void rgb_to_lab(benchmark::State& state) {
  const std::int64_t height = state.range(0), width = state.range(1);
  const std::vector<std::uint8_t> rgb = picture(height, width);
  std::vector<float> lab(rgb.size());
  for (auto _ : state) {
    superpix::rgb_to_lab(ArrayView::contiguous(rgb.data(), {height, width, 3}),
                         ArrayView::contiguous(lab.data(), {height, width, 3}));
  }
  count_pixels(state);
}
BENCHMARK(rgb_to_lab)->Apply(sizes);

}  // namespace
}  // namespace superpix::bench
