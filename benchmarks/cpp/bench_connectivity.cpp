// SPDX-License-Identifier: Apache-2.0
#include "data.h"

namespace superpix::bench {
namespace {

/// Of the fragments that slic leaves, by colour.
void enforce_connectivity(benchmark::State& state) {
  const std::int64_t height = state.range(0), width = state.range(1);
  const std::vector<std::uint8_t> rgb = picture(height, width);
  const ArrayView image = ArrayView::contiguous(rgb.data(), {height, width, 3});
  std::vector<std::int32_t> fragments(static_cast<std::size_t>(height * width));
  const ArrayView input = ArrayView::contiguous(fragments.data(), {height, width});
  SlicParams slic_params;
  slic_params.num_segments = height * width / 256;
  slic_params.convert_to_lab = true;
  slic_params.enforce_connectivity = false;
  superpix::slic(image, nullptr, input, slic_params);
  std::vector<float> lab(rgb.size());
  const ArrayView colors = ArrayView::contiguous(lab.data(), {height, width, 3});
  superpix::rgb_to_lab(image, colors);

  std::vector<std::int32_t> labels(fragments.size());
  ConnectivityParams params;
  params.min_size = 128;
  params.max_size = 768;
  params.position_weight = 0.1;
  params.refine_iter = static_cast<int>(state.range(2));
  for (auto _ : state) {
    superpix::enforce_connectivity(input, &colors,
                                   ArrayView::contiguous(labels.data(), {height, width}), params);
  }
  count_pixels(state);
}
BENCHMARK(enforce_connectivity)
    ->ArgNames({"height", "width", "refine"})
    ->ArgsProduct({{1024}, {1024}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace superpix::bench
