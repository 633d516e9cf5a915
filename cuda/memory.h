// SPDX-License-Identifier: Apache-2.0
//
// Memory of a device, for callers that have none of their own, and copies of it: the ops take what
// they are given. All on the default stream; all throw CudaError, or DeviceUnavailable if the build
// or the machine has no such device. Exported, but for superpix's own Python module alone.
#pragma once

#include <superpix/export.h>

#include <cstddef>

namespace superpix::cuda {

/// Memory of a device, aligned to 256 bytes.
class SUPERPIX_API DeviceMemory {
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

/// Copies memory of a device to the host, and waits until it is there.
SUPERPIX_API void copy_to_host(void* host, const void* memory, std::size_t bytes, int device_index);

/// Rows of bytes in the memory of a device.
struct ByteRows {
  void* data;
  std::size_t pitch;  // from one row to the next
};

/// Copies `count` rows of `width` bytes within a device, whose pitches are below 2^31; does not
/// wait.
SUPERPIX_API void copy_rows(const ByteRows& to, const ByteRows& from, std::size_t width,
                            std::size_t count, int device_index);

/// Waits for what was enqueued on the default stream of a device.
SUPERPIX_API void synchronize(int device_index);

}  // namespace superpix::cuda
