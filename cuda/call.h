// SPDX-License-Identifier: Apache-2.0
//
// One call of an op: its device, its stream, its share of the caller's workspace, its launches.
#pragma once

#include <cuda_runtime.h>
#include <superpix/error.h>
#include <superpix/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace superpix::cuda {

/// Throws CudaError("op: reason") for anything but success, DeviceUnavailable for a device that the
/// library was not compiled for.
inline void check(cudaError_t error, const char* op) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // what can be forgotten is not reported again to whoever calls next
  const std::string message = std::string(op) + ": CUDA: " + cudaGetErrorString(error);
  if (error == cudaErrorNoKernelImageForDevice) throw DeviceUnavailable(message);
  throw CudaError(message);
}

/// First an op take()s all the workspace that it needs, then it asks whether to begin(), then it
/// launches:
///
///     Call call("pool", context);
///     float* sums = call.take<float>(n);
///     if (!call.begin()) return;
///     call.launch(sum_kernel, blocks, threads, shared_bytes, features, sums);
class Call {
 public:
  Call(const char* op, const Context& context) : op_(op), context_(context) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  /// `count` uninitialised elements. No address before begin() has said yes.
  template <class T>
  T* take(std::int64_t count) {
    return reinterpret_cast<T*>(take_bytes(static_cast<std::size_t>(count) * sizeof(T)));
  }

  /// Answers a query and returns false; or makes the device current and returns true. Throws
  /// InvalidArgument for a workspace that is too small, DeviceUnavailable for a device that is not
  /// there.
  bool begin();

  /// Enqueues kernel(arguments...) for `blocks` blocks, all in x. None is fine: it does nothing.
  template <class... Parameters, class... Arguments>
  void launch(void (*kernel)(Parameters...), std::int64_t blocks, int threads,
              std::size_t shared_bytes, Arguments... arguments) const {
    if (blocks == 0) return;
    if (shared_bytes > kSharedWithoutAsking) {
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shared_bytes)),
            op_);
    }
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(grid_of(blocks));
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream();
    check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...), op_);
  }

  /// Enqueues that `count` elements become zero.
  template <class T>
  void clear(T* data, std::int64_t count) const {
    check(cudaMemsetAsync(data, 0, static_cast<std::size_t>(count) * sizeof(T), stream()), op_);
  }

  const char* op() const { return op_; }
  cudaStream_t stream() const { return static_cast<cudaStream_t>(context_.stream); }

 private:
  // What a block may have without being asked for by cudaFuncSetAttribute.
  static constexpr std::size_t kSharedWithoutAsking = 48 * 1024;

  std::byte* take_bytes(std::size_t bytes);
  unsigned grid_of(std::int64_t blocks) const;

  const char* op_;
  const Context& context_;
  std::size_t used_ = 0;
  int previous_device_ = -1;
};

}  // namespace superpix::cuda
