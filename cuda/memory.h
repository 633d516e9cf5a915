// SPDX-License-Identifier: Apache-2.0
//
// Memory of a device, for callers that have none of their own: the ops take what they are given.
#pragma once

#include <cstddef>

namespace superpix::cuda {

/// Memory of a device, ordered by its default stream, aligned to 256 bytes. Throws CudaError, or
/// DeviceUnavailable if the build or the machine has no such device.
class DeviceMemory {
 public:
  DeviceMemory(std::size_t bytes, int device_index);
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();

  void* data() const { return data_; }
  std::size_t size() const { return bytes_; }
  /// Copies size() bytes from the host.
  void copy_from(const void* host);
  /// Copies size() bytes to the host, and waits until they are there.
  void copy_to(void* host) const;

 private:
  std::size_t bytes_;
  int device_index_;
  void* data_ = nullptr;
};

/// Waits for what was enqueued on the default stream of a device. Throws as DeviceMemory.
void synchronize(int device_index);

}  // namespace superpix::cuda
