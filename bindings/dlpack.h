// SPDX-License-Identifier: Apache-2.0
//
// The structures of DLPack (https://dmlc.github.io/dlpack), as which libraries hand arrays to each
// other, up to version 1.
#pragma once

#include <cstdint>

namespace superpix::python {

struct DLDevice {
  std::int32_t device_type;
  std::int32_t device_id;
};
inline constexpr std::int32_t kDLCpu = 1;
inline constexpr std::int32_t kDLCuda = 2;

struct DLDataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};
inline constexpr std::uint8_t kDLInt = 0;
inline constexpr std::uint8_t kDLUInt = 1;
inline constexpr std::uint8_t kDLFloat = 2;
inline constexpr std::uint8_t kDLBFloat = 4;
inline constexpr std::uint8_t kDLBool = 6;

struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; nullptr for C-contiguous
  std::uint64_t byte_offset;
};

struct DLManagedTensor {
  DLTensor tensor;
  void* manager;
  void (*deleter)(DLManagedTensor* self);
};

}  // namespace superpix::python
