// SPDX-License-Identifier: Apache-2.0
//
// Sixteen lanes from and to memory of 16-bit floating point values. Kernels that are templates over
// what arrays are made of compute in float and call these where they would load or store floats.
#pragma once

#include "cpu/simd/simd.h"
#include "detail/half.h"

namespace superpix::cpu {
namespace {

using detail::BFloat16;
using detail::Half;

/// The bits of bfloat16 values, the nearest ones, ties to even.
inline Ints bfloat16_bits(Floats a) {
  const Ints b = bits_of(a);
  const Ints high = shift_right<16>(b);
  const Ints rounded = shift_right<16>(b + ints(0x7fff) + (high & ints(1)));
  const Ints infinite = ints(0x7f800000);
  const Mask is_number = equal(max(b & ints(0x7fffffff), infinite), infinite);
  return select(is_number, rounded, high | ints(0x40));
}

#if defined(__AVX512BW__)

inline Floats floats_of(__m256i lanes, const Half*) { return {_mm512_cvtph_ps(lanes)}; }
inline Floats floats_of(__m256i lanes, const BFloat16*) {
  return floats_of_bits({_mm512_slli_epi32(_mm512_cvtepu16_epi32(lanes), 16)});
}
inline __m256i halves_of(Floats a, const Half*) {
  return _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline __m256i halves_of(Floats a, const BFloat16*) {
  return _mm512_cvtepi32_epi16(bfloat16_bits(a).v);
}
inline __mmask16 mask_of_first(std::int64_t n) { return static_cast<__mmask16>(first_lanes(n)); }

// S is Half or BFloat16.
template <class S>
inline Floats load_halves(const S* p) {
  return floats_of(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), p);
}
template <class S>
inline void store_halves(S* p, Floats a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), halves_of(a, p));
}
/// The first n lanes, the others 0.
template <class S>
inline Floats load_first_halves(const S* p, std::int64_t n) {
  return floats_of(_mm256_maskz_loadu_epi16(mask_of_first(n), p), p);
}
template <class S>
inline void store_first_halves(S* p, Floats a, std::int64_t n) {
  _mm256_mask_storeu_epi16(p, mask_of_first(n), halves_of(a, p));
}

/// p[offset + i] for the lanes i whose bits are set, side by side, and those of `other`.
template <class S>
inline Floats load_halves_lanes(const S* p, std::int64_t offset, std::uint32_t lanes,
                                Floats other) {
  const auto mask = static_cast<__mmask16>(lanes);
  const Floats found = floats_of(_mm256_maskz_loadu_epi16(mask, p + offset), p);
  return select(Mask{mask}, found, other);
}
template <class S>
inline void store_halves_lanes(S* p, std::int64_t offset, std::uint32_t lanes, Floats a) {
  _mm256_mask_storeu_epi16(p + offset, static_cast<__mmask16>(lanes), halves_of(a, p));
}

#else

inline Floats load_halves(const Half* p) {
#if defined(__F16C__)
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
#else
  float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = detail::float_of_half(p[i].bits);
  return load(lanes);
#endif
}

inline void store_halves(Half* p, Floats a) {
#if defined(__F16C__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.a, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8),
                   _mm256_cvtps_ph(a.b, _MM_FROUND_TO_NEAREST_INT));
#else
  float lanes[kLanes];
  store(lanes, a);
  for (int i = 0; i < kLanes; ++i) p[i].bits = detail::half_of_float(lanes[i]);
#endif
}

inline Floats load_halves(const BFloat16* p) {
  return floats_of_bits(shift_left<16>(load_shorts(reinterpret_cast<const std::int16_t*>(p))));
}

inline void store_halves(BFloat16* p, Floats a) {
  // From [0, 2^16) to int16, as store_shorts() saturates on some instruction sets.
  const Ints shorts = bit_xor(bfloat16_bits(a), ints(0x8000)) - ints(0x8000);
  store_shorts(reinterpret_cast<std::int16_t*>(p), shorts);
}

/// The first n lanes, the others 0.
template <class S>
inline Floats load_first_halves(const S* p, std::int64_t n) {
  if (n >= kLanes) return load_halves(p);
  S lanes[kLanes] = {};
  for (std::int64_t i = 0; i < n; ++i) lanes[i] = p[i];
  return load_halves(lanes);
}
template <class S>
inline void store_first_halves(S* p, Floats a, std::int64_t n) {
  if (n >= kLanes) {
    store_halves(p, a);
    return;
  }
  S lanes[kLanes];
  store_halves(lanes, a);
  for (std::int64_t i = 0; i < n; ++i) p[i] = lanes[i];
}

template <class S>
inline Floats load_halves_lanes(const S* p, std::int64_t offset, std::uint32_t lanes,
                                Floats other) {
  if (lanes == kAllLanes) return load_halves(p + offset);
  S v[kLanes] = {};
  for_lanes(lanes, [&](int i) { v[i] = p[offset + i]; });
  return select(mask_of_bits(lanes), load_halves(v), other);
}
template <class S>
inline void store_halves_lanes(S* p, std::int64_t offset, std::uint32_t lanes, Floats a) {
  if (lanes == kAllLanes) {
    store_halves(p + offset, a);
    return;
  }
  S v[kLanes];
  store_halves(v, a);
  for_lanes(lanes, [&](int i) { p[offset + i] = v[i]; });
}

#endif

inline Floats load(const Half* p) { return load_halves(p); }
inline Floats load(const BFloat16* p) { return load_halves(p); }
inline void store(Half* p, Floats a) { store_halves(p, a); }
inline void store(BFloat16* p, Floats a) { store_halves(p, a); }
inline Floats load_first(const Half* p, std::int64_t n) { return load_first_halves(p, n); }
inline Floats load_first(const BFloat16* p, std::int64_t n) { return load_first_halves(p, n); }
inline void store_first(Half* p, Floats a, std::int64_t n) { store_first_halves(p, a, n); }
inline void store_first(BFloat16* p, Floats a, std::int64_t n) { store_first_halves(p, a, n); }
inline Floats load_lanes(const Half* p, std::int64_t offset, std::uint32_t lanes, Floats other) {
  return load_halves_lanes(p, offset, lanes, other);
}
inline Floats load_lanes(const BFloat16* p, std::int64_t offset, std::uint32_t lanes,
                         Floats other) {
  return load_halves_lanes(p, offset, lanes, other);
}
inline void store_lanes(Half* p, std::int64_t offset, std::uint32_t lanes, Floats a) {
  store_halves_lanes(p, offset, lanes, a);
}
inline void store_lanes(BFloat16* p, std::int64_t offset, std::uint32_t lanes, Floats a) {
  store_halves_lanes(p, offset, lanes, a);
}

}  // namespace
}  // namespace superpix::cpu
