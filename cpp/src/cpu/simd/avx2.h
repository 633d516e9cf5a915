// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <immintrin.h>

namespace superpix::cpu {
namespace {

struct Floats {
  __m256 a, b;
};
struct Ints {
  __m256i a, b;
};
struct Mask {
  __m256i a, b;  // all bits of a lane, or none
};

inline Floats floats(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, Floats x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
inline Floats add(Floats x, Floats y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
inline Floats sub(Floats x, Floats y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
inline Floats mul(Floats x, Floats y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
inline Floats divide(Floats x, Floats y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
inline Floats multiply_add(Floats x, Floats y, Floats z) {
#if defined(__FMA__) || defined(_MSC_VER)
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
#else
  return add(mul(x, y), z);
#endif
}
inline __m256i first_of_eight(std::int64_t n) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lanes);
}
inline Floats load_first(const float* p, std::int64_t n) {
  return {_mm256_maskload_ps(p, first_of_eight(n)),
          _mm256_maskload_ps(p + 8, first_of_eight(n - 8))};
}
inline void store_first(float* p, Floats x, std::int64_t n) {
  _mm256_maskstore_ps(p, first_of_eight(n), x.a);
  _mm256_maskstore_ps(p + 8, first_of_eight(n - 8), x.b);
}
inline Floats max(Floats x, Floats y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
inline Mask less(Floats x, Floats y) {
  return {_mm256_castps_si256(_mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ)),
          _mm256_castps_si256(_mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ))};
}
inline Mask is_nan(Floats x) {
  return {_mm256_castps_si256(_mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q)),
          _mm256_castps_si256(_mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q))};
}
inline Mask either(Mask x, Mask y) {
  return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
inline Floats select(Mask m, Floats x, Floats y) {
  return {_mm256_blendv_ps(y.a, x.a, _mm256_castsi256_ps(m.a)),
          _mm256_blendv_ps(y.b, x.b, _mm256_castsi256_ps(m.b))};
}
inline Floats gather(const float* p, Ints i) {
  return {_mm256_i32gather_ps(p, i.a, 4), _mm256_i32gather_ps(p, i.b, 4)};
}

inline Ints ints(std::int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
inline __m256i load_256(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
inline __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
inline Ints load(const std::int32_t* p) { return {load_256(p), load_256(p + 8)}; }
inline void store(std::int32_t* p, Ints x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), x.b);
}
inline Ints load_pairs(const std::int16_t* p) { return {load_256(p), load_256(p + 16)}; }
inline Ints load_shorts(const std::int16_t* p) {
  return {_mm256_cvtepi16_epi32(load_128(p)), _mm256_cvtepi16_epi32(load_128(p + 8))};
}
inline void store_shorts(std::int16_t* p, Ints x) {
  const __m256i packed = _mm256_packs_epi32(x.a, x.b);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xd8));
}
inline Ints load_bytes(const std::uint8_t* p) {
  const __m128i bytes = load_128(p);
  return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
inline void store_bytes(std::uint8_t* p, Ints x) {
  const __m256i shorts = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
  const __m128i bytes =
      _mm_packus_epi16(_mm256_castsi256_si128(shorts), _mm256_extracti128_si256(shorts, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
inline Ints load(const std::uint8_t* p) { return {load_256(p), load_256(p + 32)}; }
inline void store(std::uint8_t* p, Ints x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), x.b);
}
inline std::uint64_t differing_bytes(Ints x, Ints y) {
  const auto same = [](__m256i a, __m256i b) {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)));
  };
  return ~(same(x.a, y.a) | static_cast<std::uint64_t>(same(x.b, y.b)) << 32);
}
inline Ints add(Ints x, Ints y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
inline Ints sub(Ints x, Ints y) { return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)}; }
inline Ints multiply(Ints x, std::int32_t y) {
  const __m256i all = _mm256_set1_epi32(y);
  return {_mm256_mullo_epi32(x.a, all), _mm256_mullo_epi32(x.b, all)};
}
inline Ints max(Ints x, Ints y) { return {_mm256_max_epi32(x.a, y.a), _mm256_max_epi32(x.b, y.b)}; }
inline Ints bit_and(Ints x, Ints y) {
  return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)};
}
inline Ints bit_or(Ints x, Ints y) {
  return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
inline Ints bit_xor(Ints x, Ints y) {
  return {_mm256_xor_si256(x.a, y.a), _mm256_xor_si256(x.b, y.b)};
}
template <int kBits>
inline Ints shift_left(Ints x) {
  return {_mm256_slli_epi32(x.a, kBits), _mm256_slli_epi32(x.b, kBits)};
}
template <int kBits>
inline Ints shift_right(Ints x) {
  return {_mm256_srli_epi32(x.a, kBits), _mm256_srli_epi32(x.b, kBits)};
}
inline Mask equal(Ints x, Ints y) {
  return {_mm256_cmpeq_epi32(x.a, y.a), _mm256_cmpeq_epi32(x.b, y.b)};
}
inline Ints zero_unless(Mask m, Ints x) {
  return {_mm256_and_si256(x.a, m.a), _mm256_and_si256(x.b, m.b)};
}
inline Ints dot(Ints sum, Ints x, Ints y) {
  return {_mm256_add_epi32(sum.a, _mm256_madd_epi16(x.a, y.a)),
          _mm256_add_epi32(sum.b, _mm256_madd_epi16(x.b, y.b))};
}
inline Ints lookup(const std::int32_t* table, Ints i) {
  const __m256i low = load_256(table);
  const __m256i high = load_256(table + 8);
  const auto pick = [&](__m256i index) {
    const __m256i upper = _mm256_cmpgt_epi32(index, _mm256_set1_epi32(7));
    return _mm256_blendv_epi8(_mm256_permutevar8x32_epi32(low, index),
                              _mm256_permutevar8x32_epi32(high, index), upper);
  };
  return {pick(i.a), pick(i.b)};
}
inline Ints gather(const std::int32_t* p, Ints i) {
  return {_mm256_i32gather_epi32(p, i.a, 4), _mm256_i32gather_epi32(p, i.b, 4)};
}
inline Ints select(Mask m, Ints x, Ints y) {
  return {_mm256_blendv_epi8(y.a, x.a, m.a), _mm256_blendv_epi8(y.b, x.b, m.b)};
}
inline Ints gather_shorts(const std::int16_t* p, Ints i) {
  const auto* base = reinterpret_cast<const int*>(p);
  const auto low = [](__m256i v) { return _mm256_srai_epi32(_mm256_slli_epi32(v, 16), 16); };
  return {low(_mm256_i32gather_epi32(base, i.a, 2)), low(_mm256_i32gather_epi32(base, i.b, 2))};
}
inline float sum_of_eight(__m256 x) {
  __m128 v = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps(v, v, 0x55)));
}
inline float sum(Floats x) { return sum_of_eight(_mm256_add_ps(x.a, x.b)); }
inline std::int32_t sum(Ints x) {
  const __m256i both = _mm256_add_epi32(x.a, x.b);
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
  return _mm_cvtsi128_si32(s);
}

inline Ints to_ints(Floats x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
inline Floats to_floats(Ints x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
inline Ints bits_of(Floats x) { return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)}; }
inline Floats floats_of_bits(Ints x) {
  return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)};
}

inline std::uint32_t bits(Mask m) {
  const int low = _mm256_movemask_ps(_mm256_castsi256_ps(m.a));
  const int high = _mm256_movemask_ps(_mm256_castsi256_ps(m.b));
  return static_cast<std::uint32_t>(low | (high << 8));
}
inline Mask mask_of_bits(std::uint32_t b) {
  const __m256i low = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i high = _mm256_slli_epi32(low, 8);
  const __m256i all = _mm256_set1_epi32(static_cast<int>(b));
  return {_mm256_cmpeq_epi32(_mm256_and_si256(all, low), low),
          _mm256_cmpeq_epi32(_mm256_and_si256(all, high), high)};
}

inline Floats load_lanes(const float* p, std::int64_t offset, std::uint32_t lanes, Floats other) {
  const Mask m = mask_of_bits(lanes);
  const Floats found{_mm256_maskload_ps(p + offset, m.a), _mm256_maskload_ps(p + offset + 8, m.b)};
  return select(m, found, other);
}
inline void store_lanes(float* p, std::int64_t offset, std::uint32_t lanes, Floats x) {
  const Mask m = mask_of_bits(lanes);
  _mm256_maskstore_ps(p + offset, m.a, x.a);
  _mm256_maskstore_ps(p + offset + 8, m.b, x.b);
}

inline void load_rgb(const std::uint8_t* p, Ints* r, Ints* g, Ints* b) {
  const __m256i spread = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,  //
                                          0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
  const __m256i spread_last =
      _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,  //
                       4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
  const __m256i first = _mm256_set_m128i(load_128(p + 12), load_128(p));
  const __m256i second = _mm256_set_m128i(load_128(p + 32), load_128(p + 24));
  const Ints v{_mm256_shuffle_epi8(first, spread), _mm256_shuffle_epi8(second, spread_last)};
  const Ints low = ints(255);
  *r = bit_and(v, low);
  *g = bit_and(shift_right<8>(v), low);
  *b = shift_right<16>(v);
}

inline void move_shorts(std::int64_t* from, std::int64_t* to, std::uint64_t low,
                        std::uint64_t high) {
  const auto move_four = [](std::int64_t* f, std::int64_t* t, std::uint64_t four) {
    const __m256i v = _mm256_cvtepi16_epi64(_mm_cvtsi64_si128(static_cast<long long>(four)));
    auto* from4 = reinterpret_cast<__m256i*>(f);
    auto* to4 = reinterpret_cast<__m256i*>(t);
    _mm256_store_si256(from4, _mm256_sub_epi64(_mm256_load_si256(from4), v));
    _mm256_store_si256(to4, _mm256_add_epi64(_mm256_load_si256(to4), v));
  };
  move_four(from, to, low);
  move_four(from + 4, to + 4, high);
}

inline std::uint32_t differs_from_left(const std::int32_t* p) {
  return ~bits(equal(load(p), load(p - 1))) & 0xffffU;
}

}  // namespace
}  // namespace superpix::cpu
