// SPDX-License-Identifier: Apache-2.0
#include "data.h"

namespace superpix::bench {
namespace {

constexpr std::int64_t kChannels = 20;

/// SSN's features and ten iterations, superpixels of 256 pixels.
struct Arrays {
  std::int64_t height, width;
  SoftSlicParams params;
  std::vector<float> features, soft, centers, history;

  explicit Arrays(const benchmark::State& state) : height(state.range(0)), width(state.range(1)) {
    params.rows = height / 16;
    params.columns = width / 16;
    const auto superpixels = static_cast<std::size_t>(params.rows * params.columns);
    features = noise(kChannels * height * width);
    soft.resize(static_cast<std::size_t>(9 * height * width));
    centers.resize(kChannels * superpixels);
    history.resize(static_cast<std::size_t>(soft_slic_history_size(1, kChannels, params)));
  }

  ArrayView pixels() const {
    return ArrayView::contiguous(features.data(), {1, kChannels, height, width});
  }
  ArrayView associations() const {
    return ArrayView::contiguous(soft.data(), {1, 9, height, width});
  }
  void forward() const {
    const ArrayView to = associations();
    const ArrayView kept =
        ArrayView::contiguous(history.data(), {static_cast<std::int64_t>(history.size())});
    superpix::soft_slic(
        pixels(), nullptr, &to,
        ArrayView::contiguous(centers.data(), {1, kChannels, params.rows * params.columns}), &kept,
        params);
  }
};

void soft_slic(benchmark::State& state) {
  const Arrays a(state);
  for (auto _ : state) a.forward();
  count_pixels(state);
}
BENCHMARK(soft_slic)->Apply(sizes);

void soft_slic_backward(benchmark::State& state) {
  const Arrays a(state);
  a.forward();
  const std::vector<float> gradient = noise(9 * a.height * a.width);
  const ArrayView grad = ArrayView::contiguous(gradient.data(), {1, 9, a.height, a.width});
  std::vector<float> result(a.features.size());
  const ArrayView history =
      ArrayView::contiguous(a.history.data(), {static_cast<std::int64_t>(a.history.size())});
  for (auto _ : state) {
    superpix::soft_slic_backward(
        a.pixels(), history, &grad, nullptr,
        ArrayView::contiguous(result.data(), {1, kChannels, a.height, a.width}), nullptr, a.params);
  }
  count_pixels(state);
}
BENCHMARK(soft_slic_backward)->Apply(sizes);

}  // namespace
}  // namespace superpix::bench
