// SPDX-License-Identifier: Apache-2.0
//
// The 16-bit floating point types, which C++20 has none for. The functions have internal linkage,
// as kernels of every instruction set use them.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace superpix::detail {
namespace {

// Not std::bit_cast, of which the linker would keep one instruction set's copy for all.
inline float float_of_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline std::uint32_t bits_of_float(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// IEEE 754 binary16 -> float, exact.
inline float float_of_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1fU;
  const std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t e = exponent == 31 ? 255 : exponent + 112;
  return float_of_bits(sign | e << 23 | fraction << 13);
}

/// The nearest binary16, ties to even; infinite from 65520 on.
inline std::uint16_t half_of_float(float value) {
  const auto bits = bits_of_float(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  std::uint32_t half;
  if (magnitude > 0x7f800000U) {
    half = 0x7e00U | (magnitude >> 13 & 0x3ffU);  // NaN, made quiet
  } else if (magnitude >= 0x47800000U) {
    half = 0x7c00U;
  } else if (magnitude < 0x38800000U) {
    // Below the least normal number: adding 1/2 leaves multiples of 2^-24, rounded.
    half = bits_of_float(float_of_bits(magnitude) + 0.5F) - 0x3f000000U;
  } else {
    half = (magnitude - 0x38000000U + 0xfffU + (magnitude >> 13 & 1U)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

/// The upper half of a float.
inline float float_of_bfloat16(std::uint16_t bits) {
  return float_of_bits(static_cast<std::uint32_t>(bits) << 16);
}

/// The nearest bfloat16, ties to even.
inline std::uint16_t bfloat16_of_float(float value) {
  const auto bits = bits_of_float(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

}  // namespace

struct Half {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

/// What elements of type S are computed in.
template <class S>
using ComputeType = std::conditional_t<std::is_same_v<S, double>, double, float>;

namespace {

inline float widen(float value) { return value; }
inline double widen(double value) { return value; }
inline float widen(Half value) { return float_of_half(value.bits); }
inline float widen(BFloat16 value) { return float_of_bfloat16(value.bits); }

/// The nearest S.
template <class S>
inline S narrow(ComputeType<S> value) {
  if constexpr (std::is_same_v<S, Half>) {
    return {half_of_float(value)};
  } else if constexpr (std::is_same_v<S, BFloat16>) {
    return {bfloat16_of_float(value)};
  } else {
    return value;
  }
}

}  // namespace

}  // namespace superpix::detail
