// SPDX-License-Identifier: Apache-2.0
#include "data.h"

namespace superpix::bench {
namespace {

constexpr std::int64_t kChannels = 20;

/// Arrays of an image of 20 channels, with superpixels of 256 pixels.
struct Arrays {
  std::int64_t height, width, rows, columns;
  std::vector<float> values, soft, pooled, weights, grad_association;

  explicit Arrays(const benchmark::State& state)
      : height(state.range(0)),
        width(state.range(1)),
        rows(height / 16),
        columns(width / 16),
        values(noise(kChannels * height * width)),
        soft(association(height, width)),
        pooled(noise(kChannels * rows * columns)),
        weights(static_cast<std::size_t>(rows * columns)),
        grad_association(soft.size()) {}

  ArrayView pixels() const {
    return ArrayView::contiguous(values.data(), {1, kChannels, height, width});
  }
  ArrayView associations() const {
    return ArrayView::contiguous(soft.data(), {1, 9, height, width});
  }
  ArrayView grad_associations() const {
    return ArrayView::contiguous(grad_association.data(), {1, 9, height, width});
  }
  ArrayView superpixels() const {
    return ArrayView::contiguous(pooled.data(), {1, kChannels, rows * columns});
  }
  ArrayView totals() const { return ArrayView::contiguous(weights.data(), {1, rows * columns}); }
};

void soft_pool(benchmark::State& state) {
  const Arrays a(state);
  for (auto _ : state) {
    superpix::soft_pool(a.pixels(), a.associations(), a.superpixels(), nullptr,
                        {a.rows, a.columns});
  }
  count_pixels(state);
}
BENCHMARK(soft_pool)->Apply(sizes);

void soft_pool_backward(benchmark::State& state) {
  const Arrays a(state);
  const ArrayView weights = a.totals(), to_values = a.pixels(), to_soft = a.grad_associations();
  const SoftPoolParams params{a.rows, a.columns};
  superpix::soft_pool(a.pixels(), a.associations(), a.superpixels(), &weights, params);
  const std::vector<float> gradient = noise(kChannels * a.rows * a.columns);
  const ArrayView grad = ArrayView::contiguous(gradient.data(), {1, kChannels, a.rows * a.columns});
  std::vector<float> result(a.values.size());
  const ArrayView grad_values =
      ArrayView::contiguous(result.data(), {1, kChannels, a.height, a.width});
  for (auto _ : state) {
    superpix::soft_pool_backward(to_values, a.associations(), a.superpixels(), weights, grad,
                                 &grad_values, &to_soft, params);
  }
  count_pixels(state);
}
BENCHMARK(soft_pool_backward)->Apply(sizes);

void soft_unpool(benchmark::State& state) {
  const Arrays a(state);
  for (auto _ : state) {
    superpix::soft_unpool(a.superpixels(), a.associations(), a.pixels(), {a.rows, a.columns});
  }
  count_pixels(state);
}
BENCHMARK(soft_unpool)->Apply(sizes);

void soft_unpool_backward(benchmark::State& state) {
  const Arrays a(state);
  std::vector<float> result(a.pooled.size());
  const ArrayView grad_centers =
      ArrayView::contiguous(result.data(), {1, kChannels, a.rows * a.columns});
  const ArrayView grad_association = a.grad_associations();
  for (auto _ : state) {
    superpix::soft_unpool_backward(a.superpixels(), a.associations(), a.pixels(), &grad_centers,
                                   &grad_association, {a.rows, a.columns});
  }
  count_pixels(state);
}
BENCHMARK(soft_unpool_backward)->Apply(sizes);

}  // namespace
}  // namespace superpix::bench
