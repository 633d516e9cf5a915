// SPDX-License-Identifier: Apache-2.0
#include "data.h"

namespace superpix::bench {
namespace {

void hard_labels(benchmark::State& state) {
  const std::int64_t height = state.range(0), width = state.range(1);
  const std::vector<float> values = association(height, width);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(height * width));
  for (auto _ : state) {
    superpix::hard_labels(ArrayView::contiguous(values.data(), {1, 9, height, width}),
                          ArrayView::contiguous(labels.data(), {1, height, width}),
                          {height / 16, width / 16});
  }
  count_pixels(state);
}
BENCHMARK(hard_labels)->Apply(sizes);

}  // namespace
}  // namespace superpix::bench
