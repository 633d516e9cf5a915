// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace superpix::cpu {

/// Uninitialised memory for n elements. Large ones are asked for in huge pages: the first touch of
/// every 4 KiB page costs more than the work that some of our loops do on it.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t n) : size_(n) {
    const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(T);
    const std::size_t alignment = bytes >= kHuge ? kHuge : 64;
    void* p = ::operator new (bytes, std::align_val_t{alignment});
#ifdef __linux__
    if (bytes >= kHuge) madvise(p, bytes / kHuge * kHuge, MADV_HUGEPAGE);
#endif
    data_ = {static_cast<T*>(p), Free{alignment}};
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](std::int64_t i) { return data_.get()[i]; }
  const T& operator[](std::int64_t i) const { return data_.get()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  std::int64_t size() const { return size_; }

 private:
  static constexpr std::size_t kHuge = std::size_t{1} << 21;
  struct Free {
    std::size_t alignment = 64;
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{alignment}); }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t size_ = 0;
};

}  // namespace superpix::cpu
