// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <immintrin.h>

namespace superpix::cpu {
namespace {

struct Floats {
  __m512 v;
};
struct Ints {
  __m512i v;
};
struct Mask {
  __mmask16 v;
};

inline Floats floats(float x) { return {_mm512_set1_ps(x)}; }
inline Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, Floats a) { _mm512_storeu_ps(p, a.v); }
inline Floats add(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Floats sub(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Floats mul(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Floats divide(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
/// a * b + c, rounded once or twice.
inline Floats multiply_add(Floats a, Floats b, Floats c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
/// The first n lanes, the others 0.
inline Floats load_first(const float* p, std::int64_t n) {
  return {_mm512_maskz_loadu_ps(static_cast<__mmask16>(n >= 16 ? 0xffff : (1 << n) - 1), p)};
}
inline void store_first(float* p, Floats a, std::int64_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>(n >= 16 ? 0xffff : (1 << n) - 1), a.v);
}
/// p[offset + i] for the lanes i whose bits are set, side by side, and those of `other`.
inline Floats load_lanes(const float* p, std::int64_t offset, std::uint32_t lanes, Floats other) {
  return {_mm512_mask_loadu_ps(other.v, static_cast<__mmask16>(lanes), p + offset)};
}
inline void store_lanes(float* p, std::int64_t offset, std::uint32_t lanes, Floats a) {
  _mm512_mask_storeu_ps(p + offset, static_cast<__mmask16>(lanes), a.v);
}
inline Floats max(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Mask less(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
inline Mask is_nan(Floats a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
inline Mask either(Mask a, Mask b) { return {static_cast<__mmask16>(a.v | b.v)}; }
inline Floats select(Mask m, Floats a, Floats b) { return {_mm512_mask_blend_ps(m.v, b.v, a.v)}; }
inline Floats gather(const float* p, Ints i) { return {_mm512_i32gather_ps(i.v, p, 4)}; }

inline Ints ints(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
inline Ints load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
inline void store(std::int32_t* p, Ints a) { _mm512_storeu_si512(p, a.v); }
inline Ints load_pairs(const std::int16_t* p) { return {_mm512_loadu_si512(p)}; }
inline Ints load_shorts(const std::int16_t* p) {
  return {_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline void store_shorts(std::int16_t* p, Ints a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(a.v));
}
inline Ints load_bytes(const std::uint8_t* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
inline void store_bytes(std::uint8_t* p, Ints a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}
/// The bytes of 16 lanes, as they lie in memory.
inline Ints load(const std::uint8_t* p) { return {_mm512_loadu_si512(p)}; }
inline void store(std::uint8_t* p, Ints a) { _mm512_storeu_si512(p, a.v); }
inline std::uint64_t differing_bytes(Ints a, Ints b) { return _mm512_cmpneq_epi8_mask(a.v, b.v); }
inline Ints add(Ints a, Ints b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline Ints sub(Ints a, Ints b) { return {_mm512_sub_epi32(a.v, b.v)}; }
inline Ints multiply(Ints a, std::int32_t b) {
  return {_mm512_mullo_epi32(a.v, _mm512_set1_epi32(b))};
}
inline Ints max(Ints a, Ints b) { return {_mm512_max_epi32(a.v, b.v)}; }
inline Ints bit_and(Ints a, Ints b) { return {_mm512_and_si512(a.v, b.v)}; }
inline Ints bit_or(Ints a, Ints b) { return {_mm512_or_si512(a.v, b.v)}; }
inline Ints bit_xor(Ints a, Ints b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int kBits>
inline Ints shift_left(Ints a) {
  return {_mm512_slli_epi32(a.v, kBits)};
}
template <int kBits>
inline Ints shift_right(Ints a) {  // logical
  return {_mm512_srli_epi32(a.v, kBits)};
}
inline Mask equal(Ints a, Ints b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
inline Ints zero_unless(Mask m, Ints a) { return {_mm512_maskz_mov_epi32(m.v, a.v)}; }
/// sum + a.low * b.low + a.high * b.high for the int16 pairs in each lane.
inline Ints dot(Ints sum, Ints a, Ints b) {
#ifdef __AVX512VNNI__
  return {_mm512_dpwssd_epi32(sum.v, a.v, b.v)};
#else
  return {_mm512_add_epi32(sum.v, _mm512_madd_epi16(a.v, b.v))};
#endif
}
/// table[i], i in [0, 16).
inline Ints lookup(const std::int32_t* table, Ints i) {
  return {_mm512_permutexvar_epi32(i.v, _mm512_loadu_si512(table))};
}
inline Ints gather(const std::int32_t* p, Ints i) { return {_mm512_i32gather_epi32(i.v, p, 4)}; }
/// p[i], for p that is readable 2 bytes further.
inline Ints gather_shorts(const std::int16_t* p, Ints i) {
  const __m512i v = _mm512_i32gather_epi32(i.v, p, 2);
  return {_mm512_srai_epi32(_mm512_slli_epi32(v, 16), 16)};
}
inline float sum(Floats a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 v = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps(v, v, 0x55)));
}
inline std::int32_t sum(Ints a) { return _mm512_reduce_add_epi32(a.v); }

inline Ints select(Mask m, Ints a, Ints b) { return {_mm512_mask_blend_epi32(m.v, b.v, a.v)}; }

inline Ints to_ints(Floats a) { return {_mm512_cvtps_epi32(a.v)}; }  // nearest, ties to even
inline Floats to_floats(Ints a) { return {_mm512_cvtepi32_ps(a.v)}; }
inline Ints bits_of(Floats a) { return {_mm512_castps_si512(a.v)}; }
inline Floats floats_of_bits(Ints a) { return {_mm512_castsi512_ps(a.v)}; }

/// The mask as an integer of which the upper bits are 0. GCC 12 may keep a 16-bit mask in memory
/// and read 64 bits of it; it does not if the integer has to be in a register once.
inline std::uint32_t bits(Mask m) {
  std::uint32_t b = m.v;
#if defined(__GNUC__)
  asm("" : "+r"(b));
#endif
  return b;
}
inline Mask mask_of_bits(std::uint32_t b) { return {static_cast<__mmask16>(b)}; }

/// 16 RGB triples -> planes.
inline void load_rgb(const std::uint8_t* p, Ints* r, Ints* g, Ints* b) {
  const auto at = [&](int offset) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + offset));
  };
  __m512i v = _mm512_castsi128_si512(at(0));
  v = _mm512_inserti32x4(v, at(12), 1);
  v = _mm512_inserti32x4(v, at(24), 2);
  v = _mm512_inserti32x4(v, at(32), 3);
  const __m512i spread =
      _mm512_set_epi8(-1, 15, 14, 13, -1, 12, 11, 10, -1, 9, 8, 7, -1, 6, 5, 4,  //
                      -1, 11, 10, 9, -1, 8, 7, 6, -1, 5, 4, 3, -1, 2, 1, 0,      //
                      -1, 11, 10, 9, -1, 8, 7, 6, -1, 5, 4, 3, -1, 2, 1, 0,      //
                      -1, 11, 10, 9, -1, 8, 7, 6, -1, 5, 4, 3, -1, 2, 1, 0);
  v = _mm512_shuffle_epi8(v, spread);
  const __m512i low = _mm512_set1_epi32(255);
  r->v = _mm512_and_si512(v, low);
  g->v = _mm512_and_si512(_mm512_srli_epi32(v, 8), low);
  b->v = _mm512_srli_epi32(v, 16);
}

/// p[i] and p[i + 1].
inline void gather_two(const std::int32_t* p, Ints i, Ints* first, Ints* second) {
  const __m512i low = _mm512_i32gather_epi64(_mm512_castsi512_si256(i.v), p, 4);
  const __m512i high = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(i.v, 1), p, 4);
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  first->v = _mm512_permutex2var_epi32(low, even, high);
  second->v = _mm512_permutex2var_epi32(low, _mm512_or_si512(even, _mm512_set1_epi32(1)), high);
}
inline void gather_two(const float* p, Ints i, Floats* first, Floats* second) {
  Ints a;
  Ints b;
  gather_two(reinterpret_cast<const std::int32_t*>(p), i, &a, &b);
  *first = floats_of_bits(a);
  *second = floats_of_bits(b);
}
/// p[2 * i] and p[2 * i + 1].
inline void gather_two_shorts(const std::int16_t* p, Ints i, Ints* first, Ints* second) {
  const __m512i v = _mm512_i32gather_epi32(i.v, p, 4);
  first->v = _mm512_srai_epi32(_mm512_slli_epi32(v, 16), 16);
  second->v = _mm512_srai_epi32(v, 16);
}

inline void move_shorts(std::int64_t* from, std::int64_t* to, std::uint64_t low,
                        std::uint64_t high) {
  const __m512i v = _mm512_cvtepi16_epi64(
      _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low)));
  _mm512_store_si512(from, _mm512_sub_epi64(_mm512_load_si512(from), v));
  _mm512_store_si512(to, _mm512_add_epi64(_mm512_load_si512(to), v));
}

/// Bit i is set where p[i] != p[i - 1], for 16 i.
inline std::uint32_t differs_from_left(const std::int32_t* p) {
  return bits({_mm512_cmpneq_epi32_mask(_mm512_loadu_si512(p), _mm512_loadu_si512(p - 1))});
}

}  // namespace
}  // namespace superpix::cpu
