// SPDX-License-Identifier: Apache-2.0
//
// sRGB to CIELAB, 16 pixels at a time. Only additions, multiplications and comparisons, each
// rounded once: the bits are the same on every instruction set.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

struct Lab {
  Floats l, a, b;
};

// x^(-1/k) to within 4 %: the exponent of a float is roughly its binary logarithm.
inline Floats rough_inverse_root(Floats x, std::int32_t magic, float one_over_k) {
  return floats_of_bits(ints(magic) - to_ints(to_floats(bits_of(x)) * floats(one_over_k)));
}

/// x^(1/3) for x in [1e-3, 10], relative error below 2e-7.
inline Floats cube_root(Floats x) {
  const Floats z = rough_inverse_root(x, 0x54a1f68c, 1.0F / 3.0F);
  const Floats e = floats(1.0F) - x * (z * z * z);
  // (1 - e)^(-1/3) - 1 = e/3 + 2 e^2/9 + ..., fitted for |e| < 0.103 to 1e-8.
  const Floats p =
      e *
      (floats(0.333333337F) +
       e * (floats(0.222218408F) +
            e * (floats(0.172833284F) + e * (floats(0.145492015F) + e * floats(0.126414675F)))));
  const Floats root = z + z * p;
  return x * (root * root);
}

/// x^2.4 for x in [0.05, 10], relative error below 1e-6.
inline Floats power_2_4(Floats x) {
  Floats z = rough_inverse_root(x, 0x4c2c47e5, 1.0F / 5.0F);
  for (int step = 0; step < 2; ++step) {  // (1 - e)^(-1/5) = 1 + e/5 + 3 e^2/25 + ...
    const Floats z2 = z * z;
    const Floats e = floats(1.0F) - x * (z2 * z2 * z);
    z = z + z * (e * (floats(1.0F / 5.0F) + e * floats(3.0F / 25.0F)));
  }
  const Floats w = x * z;  // x^(4/5)
  return w * w * w;
}

/// IEC 61966-2-1.
inline Floats linear_from_srgb(Floats c) {
  const Floats curved = power_2_4((c + floats(0.055F)) * floats(1.0F / 1.055F));
  return select(less(floats(0.04045F), c), curved, c * floats(1.0F / 12.92F));
}

inline Floats lab_curve(Floats t) {
  const Floats straight = t * floats(7.787F) + floats(16.0F / 116.0F);
  return select(less(floats(0.008856F), t), cube_root(t), straight);
}

/// The matrix has the white point (0.95047, 1, 1.08883) divided out of its rows.
inline Lab lab_from_linear(Floats r, Floats g, Floats b) {
  const Floats x = r * floats(0.412453F / 0.95047F) + g * floats(0.357580F / 0.95047F) +
                   b * floats(0.180423F / 0.95047F);
  const Floats y = r * floats(0.212671F) + g * floats(0.715160F) + b * floats(0.072169F);
  const Floats z = r * floats(0.019334F / 1.08883F) + g * floats(0.119193F / 1.08883F) +
                   b * floats(0.950227F / 1.08883F);
  const Floats fx = lab_curve(x);
  const Floats fy = lab_curve(y);
  const Floats fz = lab_curve(z);
  return {floats(116.0F) * fy - floats(16.0F), floats(500.0F) * (fx - fy),
          floats(200.0F) * (fy - fz)};
}

inline void lab_block_u8(const std::uint8_t* rgb, const float* linear, LabQuantization q,
                         std::int16_t* la, std::int16_t* b) {
  Ints red, green, blue;
  load_rgb(rgb, &red, &green, &blue);
  const Lab lab = lab_from_linear(gather(linear, red), gather(linear, green), gather(linear, blue));
  const Ints l = to_ints(lab.l * floats(q.scale));
  const Ints a = to_ints(lab.a * floats(q.chroma_scale));
  const Ints pairs = (l & ints(0xffff)) | shift_left<16>(a);
  std::int32_t pair_values[kLanes];
  store(pair_values, pairs);
  std::memcpy(la, pair_values, sizeof pair_values);
  store_shorts(b, to_ints(lab.b * floats(q.chroma_scale)));
}

void lab_from_u8(const std::uint8_t* rgb, std::int64_t n, const float* linear, LabQuantization q,
                 std::int16_t* la, std::int16_t* b) {
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) lab_block_u8(rgb + 3 * i, linear, q, la + 2 * i, b + i);
  if (i < n) {
    const auto rest = static_cast<std::size_t>(n - i);
    std::uint8_t padded[3 * kLanes] = {};
    std::int16_t padded_la[2 * kLanes];
    std::int16_t padded_b[kLanes];
    std::memcpy(padded, rgb + 3 * i, 3 * rest);
    lab_block_u8(padded, linear, q, padded_la, padded_b);
    std::memcpy(la + 2 * i, padded_la, 4 * rest);
    std::memcpy(b + i, padded_b, 2 * rest);
  }
}

void lab_from_float(const float* r, const float* g, const float* b, std::int64_t n, float factor,
                    float chroma_factor, float* lightness, float* a_out, float* b_out) {
  const auto block = [&](const float* r16, const float* g16, const float* b16, float* l_to,
                         float* a_to, float* b_to) {
    const Lab lab = lab_from_linear(linear_from_srgb(load(r16)), linear_from_srgb(load(g16)),
                                    linear_from_srgb(load(b16)));
    store(l_to, lab.l * floats(factor));
    store(a_to, lab.a * floats(chroma_factor));
    store(b_to, lab.b * floats(chroma_factor));
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    block(r + i, g + i, b + i, lightness + i, a_out + i, b_out + i);
  }
  if (i < n) {
    const std::size_t bytes = sizeof(float) * static_cast<std::size_t>(n - i);
    float in[3][kLanes] = {};
    float out[3][kLanes];
    std::memcpy(in[0], r + i, bytes);
    std::memcpy(in[1], g + i, bytes);
    std::memcpy(in[2], b + i, bytes);
    block(in[0], in[1], in[2], out[0], out[1], out[2]);
    std::memcpy(lightness + i, out[0], bytes);
    std::memcpy(a_out + i, out[1], bytes);
    std::memcpy(b_out + i, out[2], bytes);
  }
}

}  // namespace
}  // namespace superpix::cpu
