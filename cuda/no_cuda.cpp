// SPDX-License-Identifier: Apache-2.0
//
// Linked in place of the CUDA sources: the same symbols, and the answer that there is nothing.
#include <superpix/device.h>
#include <superpix/error.h>

#include "color.h"
#include "connectivity.h"
#include "hard_labels.h"
#include "memory.h"
#include "pool.h"
#include "pyramid_pool.h"
#include "slic.h"
#include "soft_pool.h"
#include "soft_slic.h"

namespace superpix {

bool built_with_cuda() noexcept { return false; }
bool cuda_available() noexcept { return false; }
std::vector<std::string> cuda_devices() { return {}; }

namespace cuda {

// The ops are never called: cpp/src/detail/check_device.h throws before.

void rgb_to_lab(const ArrayView&, const ArrayView&, const Context&) {}
std::int64_t enforce_connectivity(const ArrayView&, const ArrayView*, const ArrayView&,
                                  const ConnectivityParams&, const Context&) {
  return -1;
}
void hard_labels(const ArrayView&, const ArrayView&, const HardLabelsParams&, const Context&) {}
void pyramid_pool(const ArrayView&, const ArrayView&, const ArrayView*, const PyramidPoolParams&,
                  const Context&) {}
void pyramid_pool_backward(const ArrayView&, const ArrayView*, const ArrayView&,
                           const PyramidPoolParams&, const Context&) {}

void soft_slic(const ArrayView&, const ArrayView*, const ArrayView*, const ArrayView&,
               const ArrayView*, const SoftSlicParams&, const Context&) {}
void soft_slic_backward(const ArrayView&, const ArrayView&, const ArrayView*, const ArrayView*,
                        const ArrayView&, const ArrayView*, const SoftSlicParams&, const Context&) {
}

void soft_pool(const ArrayView&, const ArrayView&, const ArrayView&, const ArrayView*,
               const SoftPoolParams&, const Context&) {}
void soft_pool_backward(const ArrayView&, const ArrayView&, const ArrayView&, const ArrayView&,
                        const ArrayView&, const ArrayView*, const ArrayView*, const SoftPoolParams&,
                        const Context&) {}
void soft_unpool(const ArrayView&, const ArrayView&, const ArrayView&, const SoftUnpoolParams&,
                 const Context&) {}
void soft_unpool_backward(const ArrayView&, const ArrayView&, const ArrayView&, const ArrayView*,
                          const ArrayView*, const SoftUnpoolParams&, const Context&) {}
void pool(const char*, const ArrayView&, const ArrayView&, const ArrayView&, std::int32_t*, Reduce,
          const Context&) {}
void unpool(const char*, const ArrayView&, const ArrayView&, const std::int32_t*, const ArrayView&,
            Reduce, const Context&) {}
std::int64_t slic(const ArrayView&, const ArrayView*, std::int32_t*, const SlicParams&,
                  const Context&) {
  return 0;
}

namespace {
[[noreturn]] void refuse() {
  throw DeviceUnavailable("superpix was built without CUDA (SUPERPIX_CUDA=ON builds it in)");
}
}  // namespace

DeviceMemory::DeviceMemory(std::size_t bytes, int device_index)
    : bytes_(bytes), device_index_(device_index) {
  refuse();
}
DeviceMemory::~DeviceMemory() = default;
void DeviceMemory::copy_from(const void*) {}
void DeviceMemory::copy_to(void*) const {}
void copy_to_host(void*, const void*, std::size_t, int) { refuse(); }
void copy_rows(const ByteRows&, const ByteRows&, std::size_t, std::size_t, int) { refuse(); }
void synchronize(int) { refuse(); }

}  // namespace cuda

}  // namespace superpix
