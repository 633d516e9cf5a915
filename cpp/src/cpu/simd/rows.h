// SPDX-License-Identifier: Apache-2.0
//
// What is done to rows of 16 channels.
//
//   transpose(rows)                 lane j of row i <-> lane i of row j, for 16 rows
//   add_products(sums, a, weight)   sums[i] += a[i] * weight, in double precision
//   is_better(a, b)                 lanes in which a > b, or in which a is NaN and b is not
//   stream(p, a)                    stores around the cache, p a multiple of 64; finish_streams()
//                                   makes it visible to who synchronises with this thread
#pragma once

#include "cpu/simd/doubles.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)

inline void transpose(Floats* rows) {
  const auto doubles_of = [](__m512 v) { return _mm512_castps_pd(v); };
  const auto floats_of = [](__m512d v) { return _mm512_castpd_ps(v); };
  // Squares of 4 x 4, in each quarter of a register.
  __m512 quads[16];
  for (int i = 0; i < 16; i += 4) {
    const __m512 a = _mm512_unpacklo_ps(rows[i].v, rows[i + 1].v);
    const __m512 b = _mm512_unpackhi_ps(rows[i].v, rows[i + 1].v);
    const __m512 c = _mm512_unpacklo_ps(rows[i + 2].v, rows[i + 3].v);
    const __m512 d = _mm512_unpackhi_ps(rows[i + 2].v, rows[i + 3].v);
    quads[i] = floats_of(_mm512_unpacklo_pd(doubles_of(a), doubles_of(c)));
    quads[i + 1] = floats_of(_mm512_unpackhi_pd(doubles_of(a), doubles_of(c)));
    quads[i + 2] = floats_of(_mm512_unpacklo_pd(doubles_of(b), doubles_of(d)));
    quads[i + 3] = floats_of(_mm512_unpackhi_pd(doubles_of(b), doubles_of(d)));
  }
  // Then the quarters: 0x88 takes the even ones of both, 0xdd the odd ones.
  for (int i = 0; i < 4; ++i) {
    const __m512 a = _mm512_shuffle_f32x4(quads[i], quads[4 + i], 0x88);
    const __m512 b = _mm512_shuffle_f32x4(quads[8 + i], quads[12 + i], 0x88);
    const __m512 c = _mm512_shuffle_f32x4(quads[i], quads[4 + i], 0xdd);
    const __m512 d = _mm512_shuffle_f32x4(quads[8 + i], quads[12 + i], 0xdd);
    rows[i].v = _mm512_shuffle_f32x4(a, b, 0x88);
    rows[4 + i].v = _mm512_shuffle_f32x4(c, d, 0x88);
    rows[8 + i].v = _mm512_shuffle_f32x4(a, b, 0xdd);
    rows[12 + i].v = _mm512_shuffle_f32x4(c, d, 0xdd);
  }
}

inline void stream(float* p, Floats a) { _mm512_stream_ps(p, a.v); }
inline void finish_streams() { _mm_sfence(); }

inline void add_products(double* sums, Floats a, double weight) {
  const __m512d factor = _mm512_set1_pd(weight);
  const auto add_eight = [&](double* to, __m256 values) {
    const __m512d products = _mm512_mul_pd(_mm512_cvtps_pd(values), factor);
    _mm512_storeu_pd(to, _mm512_add_pd(_mm512_loadu_pd(to), products));
  };
  add_eight(sums, _mm512_castps512_ps256(a.v));
  add_eight(sums + 8, _mm512_extractf32x8_ps(a.v, 1));
}

inline Mask is_better(Floats a, Floats b) {
  return {_mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(b.v, b.v, _CMP_ORD_Q), a.v, b.v, _CMP_NLE_UQ)};
}

#elif defined(__AVX2__)

inline void transpose_eight(const __m256* in, __m256* out) {
  __m256 quads[8];
  for (int i = 0; i < 8; i += 4) {
    const __m256 a = _mm256_unpacklo_ps(in[i], in[i + 1]);
    const __m256 b = _mm256_unpackhi_ps(in[i], in[i + 1]);
    const __m256 c = _mm256_unpacklo_ps(in[i + 2], in[i + 3]);
    const __m256 d = _mm256_unpackhi_ps(in[i + 2], in[i + 3]);
    quads[i] = _mm256_shuffle_ps(a, c, 0x44);
    quads[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    quads[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    quads[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    out[i] = _mm256_permute2f128_ps(quads[i], quads[4 + i], 0x20);
    out[4 + i] = _mm256_permute2f128_ps(quads[i], quads[4 + i], 0x31);
  }
}

inline void transpose(Floats* rows) {
  __m256 in[4][8];
  __m256 out[4][8];
  for (int i = 0; i < 8; ++i) {
    in[0][i] = rows[i].a;
    in[1][i] = rows[i].b;
    in[2][i] = rows[8 + i].a;
    in[3][i] = rows[8 + i].b;
  }
  for (int k = 0; k < 4; ++k) transpose_eight(in[k], out[k]);
  for (int i = 0; i < 8; ++i) {
    rows[i] = {out[0][i], out[2][i]};
    rows[8 + i] = {out[1][i], out[3][i]};
  }
}

inline void stream(float* p, Floats a) {
  _mm256_stream_ps(p, a.a);
  _mm256_stream_ps(p + 8, a.b);
}
inline void finish_streams() { _mm_sfence(); }

inline void add_products(double* sums, Floats a, double weight) {
  const __m256d factor = _mm256_set1_pd(weight);
  const auto add_four = [&](double* to, __m128 values) {
    const __m256d products = _mm256_mul_pd(_mm256_cvtps_pd(values), factor);
    _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), products));
  };
  add_four(sums, _mm256_castps256_ps128(a.a));
  add_four(sums + 4, _mm256_extractf128_ps(a.a, 1));
  add_four(sums + 8, _mm256_castps256_ps128(a.b));
  add_four(sums + 12, _mm256_extractf128_ps(a.b, 1));
}

inline Mask is_better(Floats a, Floats b) {
  const auto better = [](__m256 x, __m256 y) {
    return _mm256_castps_si256(
        _mm256_and_ps(_mm256_cmp_ps(x, y, _CMP_NLE_UQ), _mm256_cmp_ps(y, y, _CMP_ORD_Q)));
  };
  return {better(a.a, b.a), better(a.b, b.b)};
}

#elif defined(__SSE4_1__) || (defined(_M_X64) && defined(SUPERPIX_SSE4))

inline void transpose(Floats* rows) {
  Floats out[16];
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      __m128 a = rows[4 * i].v[j];
      __m128 b = rows[4 * i + 1].v[j];
      __m128 c = rows[4 * i + 2].v[j];
      __m128 d = rows[4 * i + 3].v[j];
      _MM_TRANSPOSE4_PS(a, b, c, d);
      out[4 * j].v[i] = a;
      out[4 * j + 1].v[i] = b;
      out[4 * j + 2].v[i] = c;
      out[4 * j + 3].v[i] = d;
    }
  }
  for (int i = 0; i < 16; ++i) rows[i] = out[i];
}

inline void stream(float* p, Floats a) {
  each([&](int i) { _mm_stream_ps(p + 4 * i, a.v[i]); });
}
inline void finish_streams() { _mm_sfence(); }

inline void add_products(double* sums, Floats a, double weight) {
  const __m128d factor = _mm_set1_pd(weight);
  const auto add_two = [&](double* to, __m128 values) {
    const __m128d products = _mm_mul_pd(_mm_cvtps_pd(values), factor);
    _mm_storeu_pd(to, _mm_add_pd(_mm_loadu_pd(to), products));
  };
  each([&](int i) {
    add_two(sums + 4 * i, a.v[i]);
    add_two(sums + 4 * i + 2, _mm_movehl_ps(a.v[i], a.v[i]));
  });
}

inline Mask is_better(Floats a, Floats b) {
  Mask r;
  each([&](int i) {
    r.v[i] =
        _mm_castps_si128(_mm_and_ps(_mm_cmpnle_ps(a.v[i], b.v[i]), _mm_cmpord_ps(b.v[i], b.v[i])));
  });
  return r;
}

#else

inline void transpose(Floats* rows) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < i; ++j) {
      const float v = rows[i].v[j];
      rows[i].v[j] = rows[j].v[i];
      rows[j].v[i] = v;
    }
  }
}

inline void stream(float* p, Floats a) { store(p, a); }
inline void finish_streams() {}

inline void add_products(double* sums, Floats a, double weight) {
  for (int i = 0; i < 16; ++i) sums[i] += static_cast<double>(a.v[i]) * weight;
}

inline Mask is_better(Floats a, Floats b) {
  return each<Mask>([&](int i) {
    const float x = a.v[i];
    const float y = b.v[i];
    return (x > y) | ((x != x) & (y == y)) ? -1 : 0;
  });
}

#endif

inline void transpose(Doubles* rows) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < i; ++j) {
      const double v = rows[i].v[j];
      rows[i].v[j] = rows[j].v[i];
      rows[j].v[i] = v;
    }
  }
}

inline void add_products(double* sums, Doubles a, double weight) {
  for (int i = 0; i < 16; ++i) sums[i] += a.v[i] * weight;
}

inline Mask is_better(Doubles a, Doubles b) {
  std::uint32_t lanes = 0;
  for (int i = 0; i < 16; ++i) {
    const double x = a.v[i];
    const double y = b.v[i];
    lanes |= ((x > y) | ((x != x) & (y == y)) ? 1U : 0U) << i;
  }
  return mask_of_bits(lanes);
}

inline Doubles select(Mask m, Doubles a, Doubles b) {
  const std::uint32_t lanes = bits(m);
  return each_double([&](int i) { return (lanes >> i & 1U) != 0 ? a.v[i] : b.v[i]; });
}

}  // namespace
}  // namespace superpix::cpu
