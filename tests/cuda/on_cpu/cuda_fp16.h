// SPDX-License-Identifier: Apache-2.0
//
// The 16-bit conversions that cuda/element.h uses.
#pragma once

#include <cstdint>

#include "detail/half.h"

struct __half {
  std::uint16_t bits;
};
inline __half __ushort_as_half(std::uint16_t bits) { return {bits}; }
inline std::uint16_t __half_as_ushort(__half value) { return value.bits; }
inline float __half2float(__half value) { return superpix::detail::float_of_half(value.bits); }
inline __half __float2half_rn(float value) { return {superpix::detail::half_of_float(value)}; }
