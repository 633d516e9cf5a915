// SPDX-License-Identifier: Apache-2.0
#include "data.h"

namespace superpix::bench {
namespace {

void run(benchmark::State& state, const ArrayView& image, const SlicParams& params) {
  std::vector<std::int32_t> labels(static_cast<std::size_t>(state.range(0) * state.range(1)));
  const ArrayView output = ArrayView::contiguous(labels.data(), {state.range(0), state.range(1)});
  for (auto _ : state) superpix::slic(image, nullptr, output, params);
  count_pixels(state);
}

SlicParams params_of(const benchmark::State& state) {
  SlicParams params;
  params.num_segments = state.range(0) * state.range(1) / 256;
  params.convert_to_lab = true;
  return params;
}

/// Computed in integers.
void slic_uint8(benchmark::State& state) {
  const std::vector<std::uint8_t> rgb = picture(state.range(0), state.range(1));
  run(state, ArrayView::contiguous(rgb.data(), {state.range(0), state.range(1), 3}),
      params_of(state));
}
BENCHMARK(slic_uint8)->Apply(sizes);

void slic_uint8_without_connectivity(benchmark::State& state) {
  const std::vector<std::uint8_t> rgb = picture(state.range(0), state.range(1));
  SlicParams params = params_of(state);
  params.enforce_connectivity = false;
  run(state, ArrayView::contiguous(rgb.data(), {state.range(0), state.range(1), 3}), params);
}
BENCHMARK(slic_uint8_without_connectivity)->Apply(sizes);

void slic_float32(benchmark::State& state) {
  const std::vector<std::uint8_t> rgb = picture(state.range(0), state.range(1));
  std::vector<float> values(rgb.begin(), rgb.end());
  for (float& value : values) value /= 255;
  run(state, ArrayView::contiguous(values.data(), {state.range(0), state.range(1), 3}),
      params_of(state));
}
BENCHMARK(slic_float32)->Apply(sizes);

}  // namespace
}  // namespace superpix::bench
