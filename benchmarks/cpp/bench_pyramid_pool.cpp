// SPDX-License-Identifier: Apache-2.0
#include "data.h"

namespace superpix::bench {
namespace {

constexpr std::int64_t kChannels = 512, kSide = 60;  // PSPNet's features of a crop of 473 pixels

/// Forward and backward over the windows of PSPNet.
void pyramid_pool(benchmark::State& state, PyramidReduce reduce, bool backward) {
  const std::vector<float> features = noise(kChannels * kSide * kSide);
  const ArrayView pixels = ArrayView::contiguous(features.data(), {1, kChannels, kSide, kSide});
  PyramidPoolParams params;
  params.reduce = reduce;
  const std::int64_t windows = pyramid_pool_size(params.bins);
  const std::vector<float> pooled(static_cast<std::size_t>(kChannels * windows));
  const ArrayView values = ArrayView::contiguous(pooled.data(), {1, kChannels, windows});
  const std::vector<std::int32_t> places(pooled.size());
  const ArrayView where = ArrayView::contiguous(places.data(), {1, kChannels, windows});
  const ArrayView* indices = reduce == PyramidReduce::kMax ? &where : nullptr;
  superpix::pyramid_pool(pixels, values, indices, params);
  for (auto _ : state) {
    if (backward) {
      superpix::pyramid_pool_backward(values, indices, pixels, params);
    } else {
      superpix::pyramid_pool(pixels, values, indices, params);
    }
  }
  state.SetItemsProcessed(state.iterations() * kChannels * kSide * kSide);
}
BENCHMARK_CAPTURE(pyramid_pool, mean, PyramidReduce::kMean, false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(pyramid_pool, max, PyramidReduce::kMax, false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(pyramid_pool, mean_backward, PyramidReduce::kMean, true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(pyramid_pool, max_backward, PyramidReduce::kMax, true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace superpix::bench
