// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <cuda_runtime.h>
#include <superpix/error.h>
#include <superpix/types.h>

#include "call.h"

namespace superpix::cuda {
namespace {

constexpr const char* kWhat = "device memory";

Context on(int device_index) {
  Context context;
  context.device = Device::kCuda;
  context.device_index = device_index;
  return context;
}

}  // namespace

DeviceMemory::DeviceMemory(std::size_t bytes, int device_index)
    : bytes_(bytes), device_index_(device_index) {
  const Context context = on(device_index);
  Call call(kWhat, context);
  call.begin();
  if (bytes > 0) check(cudaMallocAsync(&data_, bytes, call.stream()), kWhat);
}

DeviceMemory::~DeviceMemory() {
  if (data_ == nullptr) return;
  try {
    const Context context = on(device_index_);
    Call call(kWhat, context);
    call.begin();
    cudaFreeAsync(data_, call.stream());
  } catch (const std::exception&) {
    // The device is gone, and its memory with it.
  }
}

void DeviceMemory::copy_from(const void* host) {
  const Context context = on(device_index_);
  Call call(kWhat, context);
  call.begin();
  check(cudaMemcpyAsync(data_, host, bytes_, cudaMemcpyHostToDevice, call.stream()), kWhat);
}

void DeviceMemory::copy_to(void* host) const { copy_to_host(host, data_, bytes_, device_index_); }

void copy_to_host(void* host, const void* memory, std::size_t bytes, int device_index) {
  const Context context = on(device_index);
  Call call(kWhat, context);
  call.begin();
  check(cudaMemcpyAsync(host, memory, bytes, cudaMemcpyDeviceToHost, call.stream()), kWhat);
  check(cudaStreamSynchronize(call.stream()), kWhat);
}

void copy_rows(const ByteRows& to, const ByteRows& from, std::size_t width, std::size_t count,
               int device_index) {
  const Context context = on(device_index);
  Call call(kWhat, context);
  call.begin();
  check(cudaMemcpy2DAsync(to.data, to.pitch, from.data, from.pitch, width, count,
                          cudaMemcpyDeviceToDevice, call.stream()),
        kWhat);
}

void synchronize(int device_index) {
  const Context context = on(device_index);
  Call call(kWhat, context);
  call.begin();
  check(cudaStreamSynchronize(call.stream()), kWhat);
}

}  // namespace superpix::cuda
