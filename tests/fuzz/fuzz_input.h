// SPDX-License-Identifier: Apache-2.0
//
// What the targets decode from their bytes, and how they stop.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>
#include <superpix/superpix.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "array.h"
#include "reference.h"

namespace superpix::fuzz {

/// Stops unless all is well; the message is printed above the input that libFuzzer writes down.
inline void require(bool condition, const std::string& message) {
  if (condition) return;
  std::fprintf(stderr, "superpix: %s\n", message.c_str());
  __builtin_trap();
}

/// 1 to 24 pixels a side; in 3-D, at most 9.
inline test::Shape take_shape(FuzzedDataProvider& bytes) {
  if (bytes.ConsumeBool()) {
    return {bytes.ConsumeIntegralInRange<std::int64_t>(1, 24),
            bytes.ConsumeIntegralInRange<std::int64_t>(1, 24)};
  }
  return {bytes.ConsumeIntegralInRange<std::int64_t>(1, 9),
          bytes.ConsumeIntegralInRange<std::int64_t>(1, 9),
          bytes.ConsumeIntegralInRange<std::int64_t>(1, 9)};
}

inline test::Volume volume_of(const test::Shape& shape) {
  return shape.size() == 2 ? test::Volume{1, shape[0], shape[1]}
                           : test::Volume{shape[0], shape[1], shape[2]};
}

/// Mostly a number near 1, sometimes any that is finite and above 0.
inline double take_positive(FuzzedDataProvider& bytes) {
  constexpr double kExtremes[] = {1e-300, 1e-30, 1e-6, 1e6, 1e30, 1e300};
  if (bytes.ConsumeIntegralInRange<int>(0, 15) == 0) return bytes.PickValueInArray(kExtremes);
  return bytes.ConsumeIntegralInRange<int>(1, 64) / 16.0;
}

/// An array of n elements of a type, in memory that ends with the last. Elements repeat bytes of
/// the input, so that a few of them make a whole image.
inline std::vector<char> take_elements(FuzzedDataProvider& bytes, DType dtype, std::int64_t n) {
  const auto size = static_cast<std::int64_t>(item_size(dtype));
  std::vector<char> data(static_cast<std::size_t>(n * size));
  const auto pattern = bytes.ConsumeBytes<std::uint8_t>(bytes.ConsumeIntegralInRange<int>(1, 600));
  if (pattern.empty()) return data;
  const auto at = [&](std::int64_t i) { return pattern[i % pattern.size()]; };
  // Raw bits have every special value of a type; small numbers make the better images.
  const bool raw = bytes.ConsumeBool() && dtype != DType::kBool;
  for (std::int64_t i = 0; i < n; ++i) {
    char* to = data.data() + i * size;
    if (raw) {
      for (std::int64_t k = 0; k < size; ++k) to[k] = static_cast<char>(at(i * size + k));
    } else if (dtype == DType::kFloat64) {
      const double value = at(i) / 16.0;
      std::memcpy(to, &value, sizeof value);
    } else if (dtype == DType::kFloat32) {
      const float value = static_cast<float>(at(i)) / 16.0F;
      std::memcpy(to, &value, sizeof value);
    } else if (dtype == DType::kFloat16) {
      // Exponents that are neither zero nor infinite.
      to[0] = static_cast<char>(at(i));
      to[1] = static_cast<char>(0x30 + at(i + 1) % 16);
    } else if (dtype == DType::kBool) {
      *to = static_cast<char>(at(i) % 2);
    } else {
      std::memset(to, 0, static_cast<std::size_t>(size));
      *to = static_cast<char>(size > 1 ? at(i) : at(i) % 128);  // the machine is little-endian
    }
  }
  return data;
}

inline ArrayView view_of(std::vector<char>& data, DType dtype, const test::Shape& shape) {
  ArrayView view;
  view.data = data.data();
  view.dtype = dtype;
  view.ndim = static_cast<int>(shape.size());
  auto stride = static_cast<std::int64_t>(item_size(dtype));
  for (int axis = view.ndim - 1; axis >= 0; --axis) {
    view.shape[axis] = shape[axis];
    view.strides[axis] = stride;
    stride *= shape[axis];
  }
  return view;
}

}  // namespace superpix::fuzz
