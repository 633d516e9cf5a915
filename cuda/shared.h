// SPDX-License-Identifier: Apache-2.0
//
// The one way to shared memory: all of it is dynamic, as much as the launch asked for.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

namespace superpix::cuda {

/// The shared memory of the block from byte `offset` on, a multiple of 16.
template <class T>
__device__ __forceinline__ T* shared_memory(std::size_t offset = 0) {
  extern __shared__ __align__(16) unsigned char superpix_shared[];
  return reinterpret_cast<T*>(superpix_shared + offset);
}

}  // namespace superpix::cuda
