// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/device.h>
#include <superpix/error.h>
#include <superpix/types.h>

#include <string>

namespace superpix::detail {

/// Whether an op is to run on CUDA. Throws DeviceUnavailable if this build cannot.
inline bool on_cuda(const Context& context, const char* op) {
  if (context.device == Device::kCpu) return false;
  if (!built_with_cuda()) {
    throw DeviceUnavailable(std::string(op) +
                            ": superpix was built without CUDA (SUPERPIX_CUDA=ON builds it in)");
  }
  return true;
}

/// Answers a query for workspace on the CPU, which needs none; false if there is no query.
inline bool answers_query(const Context& context) {
  if (context.workspace_query == nullptr) return false;
  *context.workspace_query = 0;
  return true;
}

}  // namespace superpix::detail
