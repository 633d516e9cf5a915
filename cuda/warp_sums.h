// SPDX-License-Identifier: Apache-2.0
//
// Sums over the lanes of a warp of many values at once.
#pragma once

#include <cuda_runtime.h>

namespace superpix::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = ~0U;

/// Folds N values of every lane into kFoldedSize<N> sums over all lanes, which are left in the
/// first elements of `values`; folded_index() says which sum a lane has where. At each of five
/// steps the lanes of a pair share the work: one keeps half of the values, the other the rest; so
/// this takes about N shuffles instead of 5 N. The order of additions is fixed.
template <int N, int kMask = kWarp / 2, class R>
__device__ __forceinline__ void fold_lanes(R* values) {
  constexpr int kHalf = (N + 1) / 2;
  const bool upper = (threadIdx.x & kMask) != 0;
#pragma unroll
  for (int i = 0; i < kHalf; ++i) {
    const R low = values[i];
    const R high = i + kHalf < N ? values[i + kHalf] : R{0};
    const R sent = upper ? low : high;
    values[i] = (upper ? high : low) + __shfl_xor_sync(kAllLanes, sent, kMask);
  }
  if constexpr (kMask > 1) fold_lanes<kHalf, kMask / 2>(values);
}

template <int N, int kMask = kWarp / 2>
constexpr int folded_size() {
  if constexpr (kMask == 0) {
    return N;
  } else {
    return folded_size<(N + 1) / 2, kMask / 2>();
  }
}
template <int N>
inline constexpr int kFoldedSize = folded_size<N>();

/// Which of the N values the sum is that this lane has at index i after fold_lanes(); -1 for none.
template <int N, int kMask = kWarp / 2>
__device__ __forceinline__ int folded_index(int i) {
  if constexpr (kMask > 0) {
    constexpr int kHalf = (N + 1) / 2;
    i = folded_index<kHalf, kMask / 2>(i);
    if (i >= 0 && (threadIdx.x & kMask) != 0) i += kHalf;
  }
  return i < N ? i : -1;
}

}  // namespace superpix::cuda
