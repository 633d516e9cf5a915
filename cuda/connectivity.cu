// SPDX-License-Identifier: Apache-2.0
//
// The stages are connectivity_stage's. Before them, the greatest magnitude of the colours is found,
// from which their fixed point follows.
#include "connectivity.h"

#include <algorithm>

#include "connectivity_stage.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr std::int64_t kMostBlocks = 132 * 8;

/// Bits of floats that are not negative are in their order.
template <int N>
__global__ void __launch_bounds__(kThreads)
    most_kernel(const float* __restrict__ values, std::int64_t count, std::uint32_t* most) {
  constexpr int kUnroll = 4;
  constexpr std::uint32_t kMagnitude = 0x7fffffffU;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kThreads * N;
  std::uint32_t greatest = 0;
  for (std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
       i < count; i += stride * kUnroll) {
    Pack<float, N> pack[kUnroll];
#pragma unroll
    for (int j = 0; j < kUnroll; ++j) {
      const std::int64_t at = i + j * stride;
      pack[j] = load_pack<N>(values + (at < count ? at : i));
    }
#pragma unroll
    for (int j = 0; j < kUnroll; ++j) {
#pragma unroll
      for (int k = 0; k < N; ++k) {
        greatest = max(greatest, __float_as_uint(pack[j].element[k]) & kMagnitude);
      }
    }
  }
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    greatest = max(greatest, __shfl_xor_sync(~0U, greatest, step));
  }
  if (threadIdx.x % kWarp == 0) atomicMax(most, greatest);
}

}  // namespace

std::int64_t enforce_connectivity(const ArrayView& labels, const ArrayView* image,
                                  const ArrayView& output, const ConnectivityParams& params,
                                  const Context& context) {
  Call call("enforce_connectivity", context);
  const bool plane = labels.ndim == 2;
  const auto side = [&](int axis) { return static_cast<int>(labels.shape[axis]); };
  StageShape shape;
  shape.volume = {plane ? 1 : side(0), side(labels.ndim - 2), side(labels.ndim - 1)};
  shape.channels = image != nullptr ? static_cast<int>(image->shape[labels.ndim]) : 0;
  shape.min_size = params.min_size;
  shape.max_size = params.max_size;
  shape.max_segments = params.max_segments;
  shape.start_label = params.start_label;
  shape.refine_iter = params.refine_iter;
  const ConnectivityStage stage(call, shape, 0);
  auto* most = call.take<std::uint32_t>(1);
  if (!call.begin()) return -1;

  StageInput input;
  input.labels = labels.data;
  input.dtype = labels.dtype;
  input.stride_z = plane ? 0 : labels.strides[0];
  input.stride_y = labels.strides[labels.ndim - 2];
  input.stride_x = labels.strides[labels.ndim - 1];
  input.weight_y = params.position_weight;
  input.weight_x = params.position_weight;
  input.smoothness = params.smoothness;
  if (image != nullptr) {
    input.colors.kind = StageColors::Kind::kFloats;
    input.colors.channels = shape.channels;
    input.colors.data = image->data;
    input.colors.pixel_stride = shape.channels;
    input.colors.channel_stride = 1;
    input.colors.most = reinterpret_cast<const float*>(most);
    const auto* values = static_cast<const float*>(image->data);
    const std::int64_t count = image->size();
    call.clear(most, 1);
    with_pack<float>(count, {values}, [&](auto n) {
      constexpr int kN = decltype(n)::value;
      call.launch(most_kernel<kN>, std::min(blocks_for(count, 4 * kThreads * kN), kMostBlocks),
                  kThreads, 0, values, count, most);
    });
  }
  stage.enqueue(call, input, static_cast<std::int32_t*>(output.data));
  return -1;
}

}  // namespace superpix::cuda
