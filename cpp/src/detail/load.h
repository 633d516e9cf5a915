// SPDX-License-Identifier: Apache-2.0
//
// Reading an element of any dtype at any address.
#pragma once

#include <superpix/types.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "detail/half.h"

namespace superpix::detail {

/// The element of type T at p, which need not be aligned, as a double.
template <class T>
double load(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  if constexpr (std::is_same_v<T, Half>) {
    return static_cast<double>(float_of_half(value.bits));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return static_cast<double>(float_of_bfloat16(value.bits));
  } else {
    return static_cast<double>(value);
  }
}
template <>
inline double load<bool>(const char* p) {
  return *p != 0 ? 1.0 : 0.0;
}

template <class T>
bool is_aligned(const char* p) {
  return reinterpret_cast<std::uintptr_t>(p) % alignof(T) == 0;
}

/// Address of element (i, j, 0, ...).
inline const char* at(const ArrayView& view, std::int64_t i, std::int64_t j) {
  return static_cast<const char*>(view.data) + i * view.strides[0] + j * view.strides[1];
}

/// Calls f(std::type_identity<T>{}) with the C++ type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F f) {
  switch (dtype) {
    case DType::kBool:
      return f(std::type_identity<bool>{});
    case DType::kInt8:
      return f(std::type_identity<std::int8_t>{});
    case DType::kInt16:
      return f(std::type_identity<std::int16_t>{});
    case DType::kInt32:
      return f(std::type_identity<std::int32_t>{});
    case DType::kInt64:
      return f(std::type_identity<std::int64_t>{});
    case DType::kUInt8:
      return f(std::type_identity<std::uint8_t>{});
    case DType::kUInt16:
      return f(std::type_identity<std::uint16_t>{});
    case DType::kUInt32:
      return f(std::type_identity<std::uint32_t>{});
    case DType::kUInt64:
      return f(std::type_identity<std::uint64_t>{});
    case DType::kFloat16:
      return f(std::type_identity<Half>{});
    case DType::kFloat32:
      return f(std::type_identity<float>{});
    case DType::kFloat64:
      return f(std::type_identity<double>{});
    case DType::kBFloat16:
      return f(std::type_identity<BFloat16>{});
  }
  throw std::logic_error("unknown dtype");
}

}  // namespace superpix::detail
