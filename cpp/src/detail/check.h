// SPDX-License-Identifier: Apache-2.0
//
// Checks that every op makes of its arguments, with the same words.
#pragma once

#include <superpix/error.h>
#include <superpix/types.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>

namespace superpix::detail {

/// Throws InvalidArgument("op: message") unless the condition holds. Conditions on floating point
/// values are written so that NaN fails them.
inline void check(bool condition, const char* op, const char* message) {
  if (!condition) throw InvalidArgument(std::string(op) + ": " + message);
}
/// The same for what message() returns, which takes longer to put together than all checks.
template <std::invocable Message>
void check(bool condition, const char* op, Message message) {
  if (!condition) check(false, op, std::string(message()).c_str());
}

/// Throws unless there are at most kMaxDims sizes, none below 0, of fewer than 2^63 bytes in all.
inline void check_shape(const ArrayView& view, const char* op, const char* argument) {
  const auto must = [&](const char* what) {
    return std::string(argument) + " must have " + what + ", got ";
  };
  check(view.ndim >= 0 && view.ndim <= kMaxDims, op,
        [&] { return must("from 0 to 5 dimensions") + std::to_string(view.ndim); });
  auto bytes = static_cast<std::int64_t>(item_size(view.dtype));
  for (int axis = 0; axis < view.ndim; ++axis) {
    const std::int64_t n = view.shape[axis];
    check(n >= 0, op, [&] { return must("sizes of at least 0") + view.shape_string(); });
    check(n == 0 || bytes <= std::numeric_limits<std::int64_t>::max() / n, op,
          [&] { return must("fewer than 2^63 bytes") + view.shape_string(); });
    bytes *= n;
  }
}

/// Throws if a shape is none, or an array with elements has no memory.
inline void check_data(const ArrayView& view, const char* op, const char* argument) {
  check_shape(view, op, argument);
  check(view.data != nullptr || view.size() == 0, op,
        [&] { return std::string(argument) + " must point to its elements, got nullptr"; });
}

/// Throws unless `view` is a C-contiguous array of `dtype` with memory.
inline void check_output(const ArrayView& view, DType dtype, const char* op, const char* argument) {
  if (view.dtype != dtype) {
    throw InvalidType(std::string(op) + ": " + argument + " must be " + name(dtype) + ", got " +
                      name(view.dtype));
  }
  check_data(view, op, argument);
  check(view.is_contiguous(), op, [&] { return std::string(argument) + " must be C-contiguous"; });
}

inline bool is_floating(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kFloat32 ||
         dtype == DType::kFloat64;
}

inline bool is_integer(DType dtype) { return dtype != DType::kBool && !is_floating(dtype); }

}  // namespace superpix::detail
