// SPDX-License-Identifier: Apache-2.0
//
// Reading an image of any dtype and strides on the device, and a mask. What the dtype is, is the
// same for all threads, so that finding out costs them little, and there is one kernel instead of
// thirteen.
#pragma once

#include <superpix/types.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "element.h"

namespace superpix::cuda {

/// Calls f with the C++ type of `dtype`, as a std::type_identity.
template <class F>
__device__ __forceinline__ void with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::kBool:
      return f(std::type_identity<bool>{});
    case DType::kInt8:
      return f(std::type_identity<std::int8_t>{});
    case DType::kUInt8:
      return f(std::type_identity<std::uint8_t>{});
    case DType::kInt16:
      return f(std::type_identity<std::int16_t>{});
    case DType::kUInt16:
      return f(std::type_identity<std::uint16_t>{});
    case DType::kInt32:
      return f(std::type_identity<std::int32_t>{});
    case DType::kUInt32:
      return f(std::type_identity<std::uint32_t>{});
    case DType::kInt64:
      return f(std::type_identity<std::int64_t>{});
    case DType::kUInt64:
      return f(std::type_identity<std::uint64_t>{});
    case DType::kFloat16:
      return f(std::type_identity<Half>{});
    case DType::kBFloat16:
      return f(std::type_identity<BFloat16>{});
    case DType::kFloat32:
      return f(std::type_identity<float>{});
    default:
      return f(std::type_identity<double>{});
  }
}

template <class T>
__device__ __forceinline__ double as_double(T value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return static_cast<double>(widen(value));
  } else {
    return static_cast<double>(value);
  }
}

/// Reads an element that lies at a multiple of its size.
template <class T>
struct AlignedReader {
  __device__ __forceinline__ double operator()(const char* p) const {
    if constexpr (std::is_same_v<T, bool>) return *p != 0 ? 1.0 : 0.0;
    return as_double(*reinterpret_cast<const T*>(p));
  }
};

/// Reads an element that lies anywhere.
struct AnyReader {
  DType dtype;

  __device__ double operator()(const char* p) const {
    double result = 0.0;
    with_type(dtype, [&](auto type) {
      using T = typename decltype(type)::type;
      if constexpr (std::is_same_v<T, bool>) {
        result = *p != 0 ? 1.0 : 0.0;
      } else {
        T value;
        std::memcpy(&value, p, sizeof value);
        result = as_double(value);
      }
    });
    return result;
  }
};

/// [D,H,W,C]; strides are in bytes.
struct AnyImage {
  const char* data;
  DType dtype;
  bool is_aligned;  // every element lies at a multiple of its size
  std::int64_t stride_z, stride_y, stride_x, stride_c;

  static AnyImage of(const ArrayView& view) {
    AnyImage image{static_cast<const char*>(view.data),
                   view.dtype,
                   true,
                   view.strides[0],
                   view.strides[1],
                   view.strides[2],
                   view.strides[3]};
    const auto size = static_cast<std::int64_t>(item_size(view.dtype));
    image.is_aligned = reinterpret_cast<std::uintptr_t>(view.data) % item_size(view.dtype) == 0;
    for (int axis = 0; axis < 4; ++axis) {
      if (view.shape[axis] > 1 && view.strides[axis] % size != 0) image.is_aligned = false;
    }
    return image;
  }

  __device__ const char* pixel(std::int64_t z, std::int64_t y, std::int64_t x) const {
    return data + z * stride_z + y * stride_y + x * stride_x;
  }

  /// Calls f with what reads the element at an address. Whoever asks for several elements does not
  /// wait for one after the other.
  template <class F>
  __device__ __forceinline__ void with_reader(F f) const {
    if (!is_aligned) return f(AnyReader{dtype});
    with_type(dtype, [&](auto type) { f(AlignedReader<typename decltype(type)::type>{}); });
  }
};

/// bool [D,H,W]; strides are in bytes. Without data everything is inside.
struct AnyMask {
  const char* data = nullptr;
  std::int64_t stride_z = 0, stride_y = 0, stride_x = 0;

  static AnyMask of(const ArrayView* view) {
    if (view == nullptr) return {};
    return {static_cast<const char*>(view->data), view->strides[0], view->strides[1],
            view->strides[2]};
  }

  __host__ __device__ bool leaves_out() const { return data != nullptr; }
  __device__ bool contains(std::int64_t z, std::int64_t y, std::int64_t x) const {
    return data == nullptr || data[z * stride_z + y * stride_y + x * stride_x] != 0;
  }
};

}  // namespace superpix::cuda
