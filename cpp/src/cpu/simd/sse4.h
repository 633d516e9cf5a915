// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <smmintrin.h>

namespace superpix::cpu {
namespace {

struct Floats {
  __m128 v[4];
};
struct Ints {
  __m128i v[4];
};
struct Mask {
  __m128i v[4];  // all bits of a lane, or none
};

/// Calls f for each of the four registers; the compiler unrolls it.
template <class F>
inline void each(F f) {
  f(0), f(1), f(2), f(3);
}

inline Floats floats(float x) {
  const __m128 v = _mm_set1_ps(x);
  return {{v, v, v, v}};
}
inline Floats load(const float* p) {
  Floats r;
  each([&](int i) { r.v[i] = _mm_loadu_ps(p + 4 * i); });
  return r;
}
inline void store(float* p, Floats a) {
  each([&](int i) { _mm_storeu_ps(p + 4 * i, a.v[i]); });
}
inline Floats add(Floats a, Floats b) {
  Floats r;
  each([&](int i) { r.v[i] = _mm_add_ps(a.v[i], b.v[i]); });
  return r;
}
inline Floats sub(Floats a, Floats b) {
  Floats r;
  each([&](int i) { r.v[i] = _mm_sub_ps(a.v[i], b.v[i]); });
  return r;
}
inline Floats mul(Floats a, Floats b) {
  Floats r;
  each([&](int i) { r.v[i] = _mm_mul_ps(a.v[i], b.v[i]); });
  return r;
}
inline Floats divide(Floats a, Floats b) {
  Floats r;
  each([&](int i) { r.v[i] = _mm_div_ps(a.v[i], b.v[i]); });
  return r;
}
inline Floats multiply_add(Floats a, Floats b, Floats c) { return add(mul(a, b), c); }
inline Floats load_first(const float* p, std::int64_t n) {
  if (n >= 16) return load(p);
  float lanes[16] = {};
  std::memcpy(lanes, p, sizeof(float) * static_cast<std::size_t>(n));
  return load(lanes);
}
inline void store_first(float* p, Floats a, std::int64_t n) {
  float lanes[16];
  store(lanes, a);
  std::memcpy(p, lanes, sizeof(float) * static_cast<std::size_t>(n < 16 ? n : 16));
}
inline Floats max(Floats a, Floats b) {
  Floats r;
  each([&](int i) { r.v[i] = _mm_max_ps(a.v[i], b.v[i]); });
  return r;
}
inline Mask less(Floats a, Floats b) {
  Mask r;
  each([&](int i) { r.v[i] = _mm_castps_si128(_mm_cmplt_ps(a.v[i], b.v[i])); });
  return r;
}
inline Mask is_nan(Floats a) {
  Mask r;
  each([&](int i) { r.v[i] = _mm_castps_si128(_mm_cmpunord_ps(a.v[i], a.v[i])); });
  return r;
}
inline Mask either(Mask a, Mask b) {
  Mask r;
  each([&](int i) { r.v[i] = _mm_or_si128(a.v[i], b.v[i]); });
  return r;
}
inline Floats select(Mask m, Floats a, Floats b) {
  Floats r;
  each([&](int i) { r.v[i] = _mm_blendv_ps(b.v[i], a.v[i], _mm_castsi128_ps(m.v[i])); });
  return r;
}

inline Ints ints(std::int32_t x) {
  const __m128i v = _mm_set1_epi32(x);
  return {{v, v, v, v}};
}
inline __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
inline Ints load(const std::int32_t* p) {
  Ints r;
  each([&](int i) { r.v[i] = load_128(p + 4 * i); });
  return r;
}
inline void store(std::int32_t* p, Ints a) {
  each([&](int i) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 4 * i), a.v[i]); });
}
inline Floats gather(const float* p, Ints index) {
  std::int32_t i[16];
  store(i, index);
  float values[16];
  for (int lane = 0; lane < 16; ++lane) values[lane] = p[i[lane]];
  return load(values);
}
inline Ints load_pairs(const std::int16_t* p) {
  Ints r;
  each([&](int i) { r.v[i] = load_128(p + 8 * i); });
  return r;
}
inline Ints load_shorts(const std::int16_t* p) {
  Ints r;
  each([&](int i) {
    r.v[i] = _mm_cvtepi16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 4 * i)));
  });
  return r;
}
inline void store_shorts(std::int16_t* p, Ints a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(a.v[0], a.v[1]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm_packs_epi32(a.v[2], a.v[3]));
}
inline Ints load_bytes(const std::uint8_t* p) {
  const __m128i bytes = load_128(p);
  return {{_mm_cvtepu8_epi32(bytes), _mm_cvtepu8_epi32(_mm_srli_si128(bytes, 4)),
           _mm_cvtepu8_epi32(_mm_srli_si128(bytes, 8)),
           _mm_cvtepu8_epi32(_mm_srli_si128(bytes, 12))}};
}
inline void store_bytes(std::uint8_t* p, Ints a) {
  const __m128i bytes =
      _mm_packus_epi16(_mm_packs_epi32(a.v[0], a.v[1]), _mm_packs_epi32(a.v[2], a.v[3]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
inline Ints load(const std::uint8_t* p) {
  Ints r;
  each([&](int i) { r.v[i] = load_128(p + 16 * i); });
  return r;
}
inline void store(std::uint8_t* p, Ints a) {
  each([&](int i) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 16 * i), a.v[i]); });
}
inline std::uint64_t differing_bytes(Ints a, Ints b) {
  std::uint64_t same = 0;
  each([&](int i) {
    const int bytes = _mm_movemask_epi8(_mm_cmpeq_epi8(a.v[i], b.v[i]));
    same |= static_cast<std::uint64_t>(bytes) << (16 * i);
  });
  return ~same;
}
inline Ints add(Ints a, Ints b) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_add_epi32(a.v[i], b.v[i]); });
  return r;
}
inline Ints sub(Ints a, Ints b) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_sub_epi32(a.v[i], b.v[i]); });
  return r;
}
inline Ints multiply(Ints a, std::int32_t b) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_mullo_epi32(a.v[i], _mm_set1_epi32(b)); });
  return r;
}
inline Ints max(Ints a, Ints b) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_max_epi32(a.v[i], b.v[i]); });
  return r;
}
inline Ints bit_and(Ints a, Ints b) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_and_si128(a.v[i], b.v[i]); });
  return r;
}
inline Ints bit_or(Ints a, Ints b) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_or_si128(a.v[i], b.v[i]); });
  return r;
}
inline Ints bit_xor(Ints a, Ints b) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_xor_si128(a.v[i], b.v[i]); });
  return r;
}
template <int kBits>
inline Ints shift_left(Ints a) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_slli_epi32(a.v[i], kBits); });
  return r;
}
template <int kBits>
inline Ints shift_right(Ints a) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_srli_epi32(a.v[i], kBits); });
  return r;
}
inline Mask equal(Ints a, Ints b) {
  Mask r;
  each([&](int i) { r.v[i] = _mm_cmpeq_epi32(a.v[i], b.v[i]); });
  return r;
}
inline Ints zero_unless(Mask m, Ints a) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_and_si128(m.v[i], a.v[i]); });
  return r;
}
inline Ints dot(Ints sum, Ints a, Ints b) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_add_epi32(sum.v[i], _mm_madd_epi16(a.v[i], b.v[i])); });
  return r;
}
inline Ints gather(const std::int32_t* p, Ints index) {
  std::int32_t i[16];
  store(i, index);
  std::int32_t values[16];
  for (int lane = 0; lane < 16; ++lane) values[lane] = p[i[lane]];
  return load(values);
}
inline Ints lookup(const std::int32_t* table, Ints index) { return gather(table, index); }
inline Ints select(Mask m, Ints a, Ints b) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_blendv_epi8(b.v[i], a.v[i], m.v[i]); });
  return r;
}
inline Ints gather_shorts(const std::int16_t* p, Ints index) {
  std::int32_t i[16];
  store(i, index);
  std::int32_t values[16];
  for (int lane = 0; lane < 16; ++lane) values[lane] = p[i[lane]];
  return load(values);
}
inline float sum_of_four(__m128 v) {
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps(v, v, 0x55)));
}
inline float sum(Floats a) {
  return sum_of_four(_mm_add_ps(_mm_add_ps(a.v[0], a.v[2]), _mm_add_ps(a.v[1], a.v[3])));
}
inline std::int32_t sum(Ints a) {
  __m128i s = _mm_add_epi32(_mm_add_epi32(a.v[0], a.v[1]), _mm_add_epi32(a.v[2], a.v[3]));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

inline Ints to_ints(Floats a) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_cvtps_epi32(a.v[i]); });
  return r;
}
inline Floats to_floats(Ints a) {
  Floats r;
  each([&](int i) { r.v[i] = _mm_cvtepi32_ps(a.v[i]); });
  return r;
}
inline Ints bits_of(Floats a) {
  Ints r;
  each([&](int i) { r.v[i] = _mm_castps_si128(a.v[i]); });
  return r;
}
inline Floats floats_of_bits(Ints a) {
  Floats r;
  each([&](int i) { r.v[i] = _mm_castsi128_ps(a.v[i]); });
  return r;
}

inline std::uint32_t bits(Mask m) {
  std::uint32_t all = 0;
  each([&](int i) {
    all |= static_cast<std::uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(m.v[i]))) << (4 * i);
  });
  return all;
}
inline Mask mask_of_bits(std::uint32_t b) {
  Mask r;
  each([&](int i) {
    const __m128i lanes = _mm_setr_epi32(1, 2, 4, 8);
    const __m128i four = _mm_set1_epi32(static_cast<int>(b >> (4 * i)));
    r.v[i] = _mm_cmpeq_epi32(_mm_and_si128(four, lanes), lanes);
  });
  return r;
}

inline void load_rgb(const std::uint8_t* p, Ints* r, Ints* g, Ints* b) {
  const __m128i spread = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  const __m128i spread_last =
      _mm_setr_epi8(4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
  const Ints v{{_mm_shuffle_epi8(load_128(p), spread), _mm_shuffle_epi8(load_128(p + 12), spread),
                _mm_shuffle_epi8(load_128(p + 24), spread),
                _mm_shuffle_epi8(load_128(p + 32), spread_last)}};
  const Ints low = ints(255);
  *r = bit_and(v, low);
  *g = bit_and(shift_right<8>(v), low);
  *b = shift_right<16>(v);
}

inline std::uint32_t differs_from_left(const std::int32_t* p) {
  return ~bits(equal(load(p), load(p - 1))) & 0xffffU;
}

}  // namespace
}  // namespace superpix::cpu
