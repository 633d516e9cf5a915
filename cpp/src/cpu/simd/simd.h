// SPDX-License-Identifier: Apache-2.0
//
// Sixteen lanes on every instruction set, so that a kernel is written once and its sums are made in
// the same order everywhere: one AVX-512 register, two of AVX2, four of SSE4.1, or an array that
// the compiler vectorises (NEON among others). Only what the kernels need is here.
//
//   Floats, Ints   16 float / int32 lanes
//   Mask           16 truth values
//
// sum(Floats) adds lanes i and i + 8, then i and i + 4 ...
//
// Everything is in an unnamed namespace: these functions differ from file to file, and the linker
// must not take one instruction set's for another's.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#include "cpu/simd/avx512.h"
#elif defined(__AVX2__)
#include "cpu/simd/avx2.h"
#elif defined(__SSE4_1__) || (defined(_M_X64) && defined(SUPERPIX_SSE4))
#include "cpu/simd/sse4.h"
#else
#include "cpu/simd/generic.h"
#endif

namespace superpix::cpu {
namespace {

inline constexpr int kLanes = 16;

#if defined(_MSC_VER)
#define SUPERPIX_NOINLINE __declspec(noinline)
#else
#define SUPERPIX_NOINLINE __attribute__((noinline))
#endif

/// The int16 pair (low, high) as the int32 lane that dot() takes.
inline std::int32_t pack_pair(std::int32_t low, std::int32_t high) {
  return static_cast<std::int32_t>((static_cast<std::uint32_t>(high) << 16) |
                                   (static_cast<std::uint32_t>(low) & 0xffffU));
}

/// Bits for the first n lanes, n <= 16.
inline std::uint32_t first_lanes(std::int64_t n) { return n >= kLanes ? 0xffffU : (1U << n) - 1U; }

/// The bytes of the first n < 64 pixels in a group in which byte 4 i + k is pixel 16 k + i.
inline std::uint64_t existing_bytes(std::int64_t n) {
  std::uint64_t all = 0;
  for (int k = 0; k < 4; ++k) {
    const std::int64_t lanes = n - k * kLanes;
    if (lanes <= 0) break;
    const std::uint64_t bytes =
        lanes >= kLanes ? ~std::uint64_t{0} : (std::uint64_t{1} << (4 * lanes)) - 1;
    all |= bytes & (std::uint64_t{0x1111111111111111} << k);
  }
  return all;
}

inline int count_bits(std::uint64_t b) {
#if defined(__GNUC__)
  return __builtin_popcountll(b);
#else
  int n = 0;
  for (; b != 0; b &= b - 1) ++n;
  return n;
#endif
}

/// b must not be 0.
inline int lowest_bit(std::uint64_t b) {
#if defined(__GNUC__)
  return __builtin_ctzll(b);
#else
  int n = 0;
  while ((b >> n & 1U) == 0) ++n;
  return n;
#endif
}

inline constexpr std::uint32_t kAllLanes = 0xffffU;

/// Calls f(i) for the lanes whose bits are set, which must lie side by side.
template <class F>
inline void for_lanes(std::uint32_t lanes, F f) {
  const int first = lowest_bit(lanes);
  const int end = first + count_bits(lanes);
  for (int i = first; i < end; ++i) f(i);
}

#if !defined(__AVX512BW__)
/// p[i] and p[i + 1].
inline void gather_two(const std::int32_t* p, Ints i, Ints* first, Ints* second) {
  *first = gather(p, i);
  *second = gather(p + 1, i);
}
inline void gather_two(const float* p, Ints i, Floats* first, Floats* second) {
  *first = gather(p, i);
  *second = gather(p + 1, i);
}
/// p[2 * i] and p[2 * i + 1], for p that is readable 2 bytes further.
inline void gather_two_shorts(const std::int16_t* p, Ints i, Ints* first, Ints* second) {
  *first = gather_shorts(p, add(i, i));
  *second = gather_shorts(p + 1, add(i, i));
}
#endif

#if !defined(__AVX2__)
inline Floats load_lanes(const float* p, std::int64_t offset, std::uint32_t lanes, Floats other) {
  if (lanes == kAllLanes) return load(p + offset);
  float v[kLanes];
  store(v, other);
  for_lanes(lanes, [&](int i) { v[i] = p[offset + i]; });
  return load(v);
}
inline void store_lanes(float* p, std::int64_t offset, std::uint32_t lanes, Floats a) {
  if (lanes == kAllLanes) {
    store(p + offset, a);
    return;
  }
  float v[kLanes];
  store(v, a);
  for_lanes(lanes, [&](int i) { p[offset + i] = v[i]; });
}

/// Subtracts the eight int16 values in (low, high) from from[8] and adds them to to[8].
inline void move_shorts(std::int64_t* from, std::int64_t* to, std::uint64_t low,
                        std::uint64_t high) {
  for (int i = 0; i < 8; ++i) {
    const auto value = static_cast<std::int16_t>((i < 4 ? low : high) >> (16 * (i % 4)) & 0xffffU);
    from[i] -= value;
    to[i] += value;
  }
}
#endif

/// Says that the cache line of p will soon be read. p need not be valid.
inline void prefetch_line(const void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p);
#else
  (void)p;
#endif
}

inline Floats operator+(Floats a, Floats b) { return add(a, b); }
inline Floats operator-(Floats a, Floats b) { return sub(a, b); }
inline Floats operator*(Floats a, Floats b) { return mul(a, b); }
inline Ints operator+(Ints a, Ints b) { return add(a, b); }
inline Ints operator-(Ints a, Ints b) { return sub(a, b); }
inline Ints operator&(Ints a, Ints b) { return bit_and(a, b); }
inline Ints operator|(Ints a, Ints b) { return bit_or(a, b); }

}  // namespace
}  // namespace superpix::cpu
