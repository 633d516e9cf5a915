// SPDX-License-Identifier: Apache-2.0
//
// Elements in memory and the numbers that they are computed in, on the device.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "detail/half.h"

namespace superpix::cuda {

using detail::BFloat16;
using detail::ComputeType;
using detail::Half;

__device__ __forceinline__ float widen(float value) { return value; }
__device__ __forceinline__ double widen(double value) { return value; }
__device__ __forceinline__ float widen(Half value) {
  return __half2float(__ushort_as_half(value.bits));
}
__device__ __forceinline__ float widen(BFloat16 value) {
  return __bfloat162float(__ushort_as_bfloat16(value.bits));
}

/// The nearest S.
template <class S>
__device__ __forceinline__ S narrow(ComputeType<S> value) {
  if constexpr (std::is_same_v<S, Half>) {
    return {__half_as_ushort(__float2half_rn(value))};
  } else if constexpr (std::is_same_v<S, BFloat16>) {
    return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
  } else {
    return value;
  }
}

/// N elements that one load or store moves: at most 16 bytes, at a multiple of their size.
template <class S, int N>
struct alignas(sizeof(S) * N) Pack {
  static_assert(sizeof(S) * N <= 16);
  S element[N];
};

/// How many elements of S one access of 16 bytes moves.
template <class S>
inline constexpr int kPackSize = 16 / sizeof(S);

}  // namespace superpix::cuda
