// SPDX-License-Identifier: Apache-2.0
//
// The 16-bit conversions that cuda/element.h uses.
#pragma once

#include <cstdint>

#include "detail/half.h"

struct __nv_bfloat16 {
  std::uint16_t bits;
};
inline __nv_bfloat16 __ushort_as_bfloat16(std::uint16_t bits) { return {bits}; }
inline std::uint16_t __bfloat16_as_ushort(__nv_bfloat16 value) { return value.bits; }
inline float __bfloat162float(__nv_bfloat16 value) {
  return superpix::detail::float_of_bfloat16(value.bits);
}
inline __nv_bfloat16 __float2bfloat16_rn(float value) {
  return {superpix::detail::bfloat16_of_float(value)};
}
