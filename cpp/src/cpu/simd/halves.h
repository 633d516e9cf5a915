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

inline Floats load(const Half* p) {
#if defined(__AVX512BW__)
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
#elif defined(__F16C__)
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
#else
  float lanes[16];
  for (int i = 0; i < 16; ++i) lanes[i] = detail::float_of_half(p[i].bits);
  return load(lanes);
#endif
}

inline void store(Half* p, Floats a) {
#if defined(__AVX512BW__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__F16C__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.a, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8),
                   _mm256_cvtps_ph(a.b, _MM_FROUND_TO_NEAREST_INT));
#else
  float lanes[16];
  store(lanes, a);
  for (int i = 0; i < 16; ++i) p[i].bits = detail::half_of_float(lanes[i]);
#endif
}

inline Floats load(const BFloat16* p) {
  return floats_of_bits(shift_left<16>(load_shorts(reinterpret_cast<const std::int16_t*>(p))));
}

inline void store(BFloat16* p, Floats a) {
#if defined(__AVX512BW__)
  const Ints b = bits_of(a);
  const Ints odd = bit_and(shift_right<16>(b), ints(1));
  const Ints rounded = shift_right<16>(b + ints(0x7fff) + odd);
  const Ints quiet = bit_or(shift_right<16>(b), ints(0x40));
  const __mmask16 is_nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_mask_blend_epi32(is_nan, rounded.v, quiet.v)));
#else
  float lanes[16];
  store(lanes, a);
  for (int i = 0; i < 16; ++i) p[i].bits = detail::bfloat16_of_float(lanes[i]);
#endif
}

/// The first n lanes, the others 0. S is Half or BFloat16.
template <class S>
inline Floats load_first_halves(const S* p, std::int64_t n) {
  if (n >= kLanes) return load(p);
  S lanes[kLanes] = {};
  for (std::int64_t i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}
inline Floats load_first(const Half* p, std::int64_t n) { return load_first_halves(p, n); }
inline Floats load_first(const BFloat16* p, std::int64_t n) { return load_first_halves(p, n); }

template <class S>
inline void store_first_halves(S* p, Floats a, std::int64_t n) {
  if (n >= kLanes) {
    store(p, a);
    return;
  }
  S lanes[kLanes];
  store(lanes, a);
  for (std::int64_t i = 0; i < n; ++i) p[i] = lanes[i];
}
inline void store_first(Half* p, Floats a, std::int64_t n) { store_first_halves(p, a, n); }
inline void store_first(BFloat16* p, Floats a, std::int64_t n) { store_first_halves(p, a, n); }

}  // namespace
}  // namespace superpix::cpu
