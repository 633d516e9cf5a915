// SPDX-License-Identifier: Apache-2.0
//
// As much of CUDA as the sources under cuda/ use, carried out by machine.h. Device memory is the
// CPU's, streams do what they are told at once, and there are two devices, to see who minds which.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>

#include "machine.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
// Shared memory is cuda/shared.h's; a static array of it would be each thread's own here.
#define __shared__

// --- vectors
// --------------------------------------------------------------------------------------

struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

// --- barriers, shuffles, votes
// --------------------------------------------------------------------

inline void __syncthreads(cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  cuda_on_cpu::machine().block_barrier(site);
}
inline void __syncwarp(unsigned mask = ~0U, cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  cuda_on_cpu::machine().warp_barrier(mask, site);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32,
              cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  const unsigned base = cuda_on_cpu::machine().lane() & ~(static_cast<unsigned>(width) - 1);
  return cuda_on_cpu::machine().exchange(
      mask, value, base + (static_cast<unsigned>(from) & (static_cast<unsigned>(width) - 1)), site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32,
                  cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  const unsigned lane = cuda_on_cpu::machine().lane();
  const unsigned from = lane ^ static_cast<unsigned>(bits);
  const bool inside = from / static_cast<unsigned>(width) <= lane / static_cast<unsigned>(width);
  return cuda_on_cpu::machine().exchange(mask, value, inside ? from : lane, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  const unsigned lane = cuda_on_cpu::machine().lane();
  const bool inside = lane % static_cast<unsigned>(width) + delta < static_cast<unsigned>(width);
  return cuda_on_cpu::machine().exchange(mask, value, inside ? lane + delta : lane, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  const unsigned lane = cuda_on_cpu::machine().lane();
  const bool inside = lane % static_cast<unsigned>(width) >= delta;
  return cuda_on_cpu::machine().exchange(mask, value, inside ? lane - delta : lane, site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  const unsigned bit = predicate != 0 ? 1U << cuda_on_cpu::machine().lane() : 0U;
  return cuda_on_cpu::machine().reduce(mask, bit, std::bit_or<unsigned>{}, site);
}
inline int __any_sync(unsigned mask, int predicate,
                      cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  return __ballot_sync(mask, predicate, site) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  return __ballot_sync(mask, predicate, site) == mask ? 1 : 0;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value,
                          cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  unsigned same = 0;
  for (int i = 0; i < 32; ++i) {
    if ((mask >> i & 1U) == 0) continue;
    const T other = cuda_on_cpu::machine().exchange(mask, value, static_cast<unsigned>(i), site);
    if (other == value) same |= 1U << i;
  }
  return same;
}
inline int __syncthreads_or(int predicate, cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  static int any;
  cuda_on_cpu::machine().block_barrier(site);
  any = 0;
  cuda_on_cpu::machine().block_barrier(site);
  any |= predicate;
  cuda_on_cpu::machine().block_barrier(site);
  return any != 0 ? 1 : 0;
}
inline int __syncthreads_count(int predicate,
                               cuda_on_cpu::Site site = cuda_on_cpu::Site::current()) {
  static int count;
  cuda_on_cpu::machine().block_barrier(site);
  count = 0;
  cuda_on_cpu::machine().block_barrier(site);
  count += predicate != 0 ? 1 : 0;
  cuda_on_cpu::machine().block_barrier(site);
  return count;
}

// --- atomics: integers alone, as no result may depend on the order of additions
// ---------------------

template <class T, class F>
T cuda_on_cpu_atomic(T* address, F f) {
  static_assert(std::is_integral_v<T>);
  cuda_on_cpu::machine().maybe_yield();
  const T old = *address;
  *address = f(old);
  return old;
}
template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return cuda_on_cpu_atomic(address, [=](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicSub(T* address, std::type_identity_t<T> value) {
  return cuda_on_cpu_atomic(address, [=](T old) { return static_cast<T>(old - value); });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return cuda_on_cpu_atomic(address, [=](T old) { return value < old ? value : old; });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return cuda_on_cpu_atomic(address, [=](T old) { return value > old ? value : old; });
}
template <class T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return cuda_on_cpu_atomic(address, [=](T old) { return static_cast<T>(old | value); });
}
template <class T>
T atomicAnd(T* address, std::type_identity_t<T> value) {
  return cuda_on_cpu_atomic(address, [=](T old) { return static_cast<T>(old & value); });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return cuda_on_cpu_atomic(address, [=](T) { return value; });
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return cuda_on_cpu_atomic(address, [=](T old) { return old == expected ? value : old; });
}

// --- arithmetic
// -----------------------------------------------------------------------------------

template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T __ldcs(const T* address) {
  return *address;
}
template <class T>
void __stcs(T* address, T value) {
  *address = value;
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __popcll(unsigned long long bits) { return __builtin_popcountll(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }
inline int __ffsll(long long bits) { return __builtin_ffsll(bits); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<std::uint64_t>(a) * b >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<unsigned long long>(static_cast<Wide>(a) * b >> 64);
}
inline int __clz(int bits) { return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned>(bits)); }
inline int __clzll(long long bits) {
  return bits == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(bits));
}
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline long long __double2ll_rn(double value) { return std::llrint(value); }
inline double __longlong_as_double(long long bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline long long __double_as_longlong(double value) {
  long long bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fdividef(float a, float b) { return a / b; }
inline int __float2int_rn(float value) { return static_cast<int>(std::nearbyint(value)); }
inline float __int_as_float(int bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline int __float_as_int(float value) {
  int bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline unsigned __float_as_uint(float value) {
  return static_cast<unsigned>(__float_as_int(value));
}
inline float __uint_as_float(unsigned bits) { return __int_as_float(static_cast<int>(bits)); }
inline int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; ++i) {
    c += static_cast<std::int8_t>(a >> 8 * i) * static_cast<std::int8_t>(b >> 8 * i);
  }
  return c;
}
using std::isinf;
using std::isnan;
inline int min(int a, int b) { return b < a ? b : a; }
inline int max(int a, int b) { return a < b ? b : a; }
inline unsigned min(unsigned a, unsigned b) { return b < a ? b : a; }
inline unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
inline long min(long a, long b) { return b < a ? b : a; }
inline long max(long a, long b) { return a < b ? b : a; }
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }

// --- the runtime
// ----------------------------------------------------------------------------------

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidDevice = 101,
  cudaErrorNoKernelImageForDevice = 209,
};
inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess              ? "no error"
         : error == cudaErrorInvalidDevice ? "invalid device ordinal"
                                           : "invalid argument";
}
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }

namespace cuda_on_cpu {
inline int current_device = 0;
/// Launches since the process began: what a graph would have as nodes.
inline long num_launches = 0;
}  // namespace cuda_on_cpu

struct cudaDeviceProp {
  char name[256];
  int major, minor;
  std::size_t totalGlobalMem;
};
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 2;
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"CUDA on the CPU", 9, 0, std::size_t{1} << 30};
  return cudaSuccess;
}
inline cudaError_t cudaGetDevice(int* device) {
  *device = cuda_on_cpu::current_device;
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= 2) return cudaErrorInvalidDevice;
  cuda_on_cpu::current_device = device;
  return cudaSuccess;
}
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMultiProcessorCount ? 4 : 227 * 1024;
  return cudaSuccess;
}
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int) {
  return cudaSuccess;
}

using cudaStream_t = struct CudaStream*;
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }

inline cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t) {
  *memory = std::aligned_alloc(256, (bytes + 256) / 256 * 256);
  if (*memory == nullptr) return cudaErrorMemoryAllocation;
  std::memset(*memory, cuda_on_cpu::garbage, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* memory, cudaStream_t) {
  std::free(memory);
  return cudaSuccess;
}
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3,
};
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                                   cudaStream_t) {
  if (bytes > 0) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                                     std::size_t from_pitch, std::size_t width, std::size_t height,
                                     cudaMemcpyKind, cudaStream_t) {
  if (width > to_pitch || width > from_pitch) return cudaErrorInvalidValue;
  for (std::size_t row = 0; row < height && width > 0; ++row) {
    std::memcpy(static_cast<char*>(to) + row * to_pitch,
                static_cast<const char*>(from) + row * from_pitch, width);
  }
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
  if (bytes > 0) std::memset(to, value, bytes);
  return cudaSuccess;
}

struct cudaLaunchAttribute;
struct cudaLaunchConfig_t {
  dim3 gridDim;
  dim3 blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  ++cuda_on_cpu::num_launches;
  const std::tuple<Parameters...> bound(static_cast<Parameters>(arguments)...);
  cuda_on_cpu::machine().run(config->gridDim, config->blockDim, config->dynamicSmemBytes,
                             [&] { std::apply(kernel, bound); });
  return cudaSuccess;
}
