// SPDX-License-Identifier: Apache-2.0
//
// Prefix sums over the threads of a block.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace superpix::cuda {

/// What block_sum_before wants as scratch memory, which the threads share.
inline constexpr int kBlockScanScratch = 32;

/// The sum over the threads before this one; that over all is left in *total. For all threads of a
/// block, whole warps.
__device__ inline std::int32_t block_sum_before(std::int32_t value, std::int32_t* scratch,
                                                std::int32_t* total) {
  constexpr int kWarp = 32;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  std::int32_t sum = value;
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    const std::int32_t before = __shfl_up_sync(~0U, sum, static_cast<unsigned>(step));
    if (lane >= step) sum += before;
  }
  if (lane == kWarp - 1) scratch[warp] = sum;
  __syncthreads();
  std::int32_t before = 0;
  std::int32_t all = 0;
  for (int i = 0; i < warps; ++i) {
    if (i < warp) before += scratch[i];
    all += scratch[i];
  }
  __syncthreads();
  *total = all;
  return before + sum - value;
}

}  // namespace superpix::cuda
