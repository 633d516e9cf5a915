// SPDX-License-Identifier: Apache-2.0
//
// sRGB to CIELAB, with the bits of the CPU (cpu/color_kernels.h): the same operations in the same
// order. The intrinsics keep nvcc from making one multiply-add, rounded once, of two operations.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace superpix::cuda {

/// a * b + c, rounded twice.
__device__ __forceinline__ float multiply_add(float a, float b, float c) {
  return __fadd_rn(__fmul_rn(a, b), c);
}

/// x^(-1/k) to within 4 %: the exponent of a float is roughly its binary logarithm.
__device__ __forceinline__ float rough_inverse_root(float x, int magic, float one_over_k) {
  const float logarithm = static_cast<float>(__float_as_int(x));
  return __int_as_float(magic - __float2int_rn(__fmul_rn(logarithm, one_over_k)));
}

/// x^(1/3) for x in [1e-3, 10].
__device__ __forceinline__ float cube_root(float x) {
  const float z = rough_inverse_root(x, 0x54a1f68c, 1.0F / 3.0F);
  const float e = __fsub_rn(1.0F, __fmul_rn(x, __fmul_rn(__fmul_rn(z, z), z)));
  float p = multiply_add(e, 0.126414675F, 0.145492015F);
  p = multiply_add(e, p, 0.172833284F);
  p = multiply_add(e, p, 0.222218408F);
  p = multiply_add(e, p, 0.333333337F);
  p = __fmul_rn(e, p);
  const float root = multiply_add(z, p, z);
  return __fmul_rn(x, __fmul_rn(root, root));
}

/// x^2.4 for x in [0.05, 10].
__device__ __forceinline__ float power_2_4(float x) {
  float z = rough_inverse_root(x, 0x4c2c47e5, 1.0F / 5.0F);
#pragma unroll
  for (int step = 0; step < 2; ++step) {
    const float z2 = __fmul_rn(z, z);
    const float e = __fsub_rn(1.0F, __fmul_rn(x, __fmul_rn(__fmul_rn(z2, z2), z)));
    const float series = multiply_add(e, 3.0F / 25.0F, 1.0F / 5.0F);
    z = multiply_add(z, __fmul_rn(e, series), z);
  }
  const float w = __fmul_rn(x, z);
  return __fmul_rn(__fmul_rn(w, w), w);
}

/// IEC 61966-2-1.
__device__ __forceinline__ float linear_from_srgb(float c) {
  const float curved = power_2_4(__fmul_rn(__fadd_rn(c, 0.055F), 1.0F / 1.055F));
  return 0.04045F < c ? curved : __fmul_rn(c, 1.0F / 12.92F);
}

__device__ __forceinline__ float lab_curve(float t) {
  const float straight = multiply_add(t, 7.787F, 16.0F / 116.0F);
  return 0.008856F < t ? cube_root(t) : straight;
}

struct Lab {
  float l, a, b;
};

__device__ __forceinline__ Lab lab_from_linear(float r, float g, float b) {
  const auto mix = [&](float from_r, float from_g, float from_b) {
    return __fadd_rn(__fadd_rn(__fmul_rn(r, from_r), __fmul_rn(g, from_g)), __fmul_rn(b, from_b));
  };
  // The white point is divided out of the rows.
  const float fx = lab_curve(mix(0.412453F / 0.95047F, 0.357580F / 0.95047F, 0.180423F / 0.95047F));
  const float fy = lab_curve(mix(0.212671F, 0.715160F, 0.072169F));
  const float fz = lab_curve(mix(0.019334F / 1.08883F, 0.119193F / 1.08883F, 0.950227F / 1.08883F));
  return {__fsub_rn(__fmul_rn(116.0F, fy), 16.0F), __fmul_rn(500.0F, __fsub_rn(fx, fy)),
          __fmul_rn(200.0F, __fsub_rn(fy, fz))};
}

}  // namespace superpix::cuda
