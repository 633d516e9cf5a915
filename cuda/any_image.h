// SPDX-License-Identifier: Apache-2.0
//
// Reading an image of any dtype and strides on the device. What the dtype is, is the same for all
// threads, so that finding out costs them little, and there is one kernel instead of thirteen.
#pragma once

#include <superpix/types.h>

#include <cstdint>
#include <cstring>

#include "element.h"

namespace superpix::cuda {

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

  /// The element at p as a double.
  __device__ double load(const char* p) const {
    switch (dtype) {
      case DType::kBool:
        return *p != 0 ? 1.0 : 0.0;
      case DType::kInt8:
        return read<std::int8_t>(p);
      case DType::kUInt8:
        return read<std::uint8_t>(p);
      case DType::kInt16:
        return read<std::int16_t>(p);
      case DType::kUInt16:
        return read<std::uint16_t>(p);
      case DType::kInt32:
        return read<std::int32_t>(p);
      case DType::kUInt32:
        return read<std::uint32_t>(p);
      case DType::kInt64:
        return static_cast<double>(read<std::int64_t>(p));
      case DType::kUInt64:
        return static_cast<double>(read<std::uint64_t>(p));
      case DType::kFloat16:
        return widen(read<Half>(p));
      case DType::kBFloat16:
        return widen(read<BFloat16>(p));
      case DType::kFloat32:
        return read<float>(p);
      default:
        return read<double>(p);
    }
  }

 private:
  template <class T>
  __device__ T read(const char* p) const {
    if (is_aligned) return *reinterpret_cast<const T*>(p);
    T value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }
};

}  // namespace superpix::cuda
