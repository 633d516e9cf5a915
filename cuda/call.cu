// SPDX-License-Identifier: Apache-2.0
#include "call.h"

#include <limits>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace superpix::cuda {
namespace {

// Every array begins at a multiple of this, as those of cudaMalloc do.
constexpr std::size_t kAlignment = 256;

}  // namespace

Call::~Call() {
  if (previous_device_ >= 0) cudaSetDevice(previous_device_);
}

std::byte* Call::take_bytes(std::size_t bytes) {
  const std::size_t begin = used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const bool fits = context_.workspace_query == nullptr && used_ <= context_.workspace_size;
  std::byte* const data = fits ? static_cast<std::byte*>(context_.workspace) + begin : nullptr;
#if defined(__SANITIZE_ADDRESS__)
  // When the CPU executes the kernels, what lies between the arrays belongs to none.
  used_ += kAlignment;
  if (fits && used_ <= context_.workspace_size) {
    __asan_unpoison_memory_region(data, bytes);
    __asan_poison_memory_region(data + bytes, used_ - begin - bytes);
  }
#endif
  return data;
}

bool Call::begin() {
  if (context_.workspace_query != nullptr) {
    *context_.workspace_query = used_;
    return false;
  }
  if (used_ > context_.workspace_size) {
    throw InvalidArgument(std::string(op_) + ": context.workspace must have " +
                          std::to_string(used_) + " bytes, got " +
                          std::to_string(context_.workspace_size) +
                          "; context.workspace_query asks for their number");
  }
  int current = -1;
  cudaError_t error = cudaGetDevice(&current);
  if (error == cudaSuccess && current != context_.device_index) {
    error = cudaSetDevice(context_.device_index);
    if (error == cudaSuccess) previous_device_ = current;
  }
  if (error != cudaSuccess) {
    cudaGetLastError();
    throw DeviceUnavailable(std::string(op_) + ": CUDA device " +
                            std::to_string(context_.device_index) + ": " +
                            cudaGetErrorString(error));
  }
  return true;
}

unsigned Call::grid_of(std::int64_t blocks) const {
  if (blocks > std::numeric_limits<std::int32_t>::max()) {
    throw InvalidArgument(std::string(op_) + ": the arrays are too large for one CUDA grid");
  }
  return static_cast<unsigned>(blocks);
}

}  // namespace superpix::cuda
