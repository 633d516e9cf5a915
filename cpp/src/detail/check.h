// SPDX-License-Identifier: Apache-2.0
//
// Checks that every op makes of its arguments, with the same words.
#pragma once

#include <superpix/error.h>
#include <superpix/types.h>

#include <concepts>
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

/// Throws if an array with elements has no memory.
inline void check_data(const ArrayView& view, const char* op, const char* argument) {
  check(view.data != nullptr || view.size() == 0, op,
        [&] { return std::string(argument) + " must point to its elements, got nullptr"; });
}

/// Throws unless `view` is a C-contiguous array of `dtype` with memory.
inline void check_output(const ArrayView& view, DType dtype, const char* op, const char* argument) {
  if (view.dtype != dtype) {
    throw InvalidType(std::string(op) + ": " + argument + " must be " + name(dtype) + ", got " +
                      name(view.dtype));
  }
  check(view.is_contiguous(), op, [&] { return std::string(argument) + " must be C-contiguous"; });
  check_data(view, op, argument);
}

inline void check_cpu(const Context& context, const char* op) {
  if (context.device != Device::kCpu) {
    throw DeviceUnavailable(std::string(op) + ": there is no CUDA kernel for this op");
  }
}

inline bool is_floating(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16 || dtype == DType::kFloat32 ||
         dtype == DType::kFloat64;
}

inline bool is_integer(DType dtype) { return dtype != DType::kBool && !is_floating(dtype); }

}  // namespace superpix::detail
