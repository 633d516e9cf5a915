// SPDX-License-Identifier: Apache-2.0
//
// Loads and stores of up to 16 bytes, and when they are possible.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "element.h"

namespace superpix::cuda {

/// N elements from an address that is a multiple of their size together.
template <int N, class S>
__device__ __forceinline__ Pack<S, N> load_pack(const S* from) {
  return *reinterpret_cast<const Pack<S, N>*>(from);
}
template <int N, class S>
__device__ __forceinline__ void store_pack(S* to, const Pack<S, N>& pack) {
  *reinterpret_cast<Pack<S, N>*>(to) = pack;
}

inline bool is_aligned(const void* address, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

/// Calls f with the N, as a type, of elements of S that one access moves: kPackSize<S> where planes
/// of `plane` elements at these addresses allow it, else 1.
template <class S, class F>
void with_pack(std::int64_t plane, std::initializer_list<const void*> addresses, F f) {
  bool aligned = plane % kPackSize<S> == 0;
  for (const void* address : addresses) aligned = aligned && is_aligned(address, 16);
  if (aligned) {
    f(std::integral_constant<int, kPackSize<S>>{});
  } else {
    f(std::integral_constant<int, 1>{});
  }
}

/// How many blocks of `per_block` cover n.
inline std::int64_t blocks_for(std::int64_t n, std::int64_t per_block) {
  return (n + per_block - 1) / per_block;
}

}  // namespace superpix::cuda
