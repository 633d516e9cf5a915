// SPDX-License-Identifier: Apache-2.0
#include "data.h"

namespace superpix::bench {
namespace {

constexpr std::int64_t kChannels = 20;

/// Arrays of an image of 20 channels, with segments of 256 pixels.
struct Arrays {
  std::int64_t height, width, segments;
  std::vector<float> features, pooled;
  std::vector<std::int32_t> labels, saved;

  explicit Arrays(const benchmark::State& state)
      : height(state.range(0)),
        width(state.range(1)),
        segments(height / 16 * (width / 16)),
        features(noise(kChannels * height * width)),
        pooled(noise(kChannels * segments)),
        labels(cells(height, width, height / 16, width / 16)),
        saved(static_cast<std::size_t>(kChannels * segments)) {}

  ArrayView pixels() const {
    return ArrayView::contiguous(features.data(), {1, kChannels, height, width});
  }
  ArrayView values() const {
    return ArrayView::contiguous(pooled.data(), {1, kChannels, segments});
  }
  ArrayView label_map() const { return ArrayView::contiguous(labels.data(), {1, height, width}); }
  ArrayView kept(Reduce reduce) const {
    ArrayView view = pool_saved_layout(1, kChannels, segments, reduce);
    view.data = const_cast<std::int32_t*>(saved.data());
    return view;
  }
};

void pool(benchmark::State& state, Reduce reduce) {
  const Arrays a(state);
  for (auto _ : state) superpix::pool(a.pixels(), a.label_map(), a.values(), nullptr, reduce);
  count_pixels(state);
}
BENCHMARK_CAPTURE(pool, mean, Reduce::kMean)->Apply(sizes);
BENCHMARK_CAPTURE(pool, max, Reduce::kMax)->Apply(sizes);

void pool_backward(benchmark::State& state, Reduce reduce) {
  const Arrays a(state);
  const ArrayView kept = a.kept(reduce);
  superpix::pool(a.pixels(), a.label_map(), a.values(), &kept, reduce);
  for (auto _ : state)
    superpix::pool_backward(a.values(), a.label_map(), &kept, a.pixels(), reduce);
  count_pixels(state);
}
BENCHMARK_CAPTURE(pool_backward, mean, Reduce::kMean)->Apply(sizes);
BENCHMARK_CAPTURE(pool_backward, max, Reduce::kMax)->Apply(sizes);

void unpool(benchmark::State& state) {
  const Arrays a(state);
  for (auto _ : state) superpix::unpool(a.values(), a.label_map(), a.pixels());
  count_pixels(state);
}
BENCHMARK(unpool)->Apply(sizes);

void unpool_backward(benchmark::State& state) {
  const Arrays a(state);
  for (auto _ : state) superpix::unpool_backward(a.pixels(), a.label_map(), a.values());
  count_pixels(state);
}
BENCHMARK(unpool_backward)->Apply(sizes);

}  // namespace
}  // namespace superpix::bench
