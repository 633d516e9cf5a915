// SPDX-License-Identifier: Apache-2.0
//
// Linked in place of the CUDA sources: the same symbols, and the answer that there is nothing.
#include <superpix/device.h>

#include "hard_labels.h"
#include "pool.h"

namespace superpix {

bool built_with_cuda() noexcept { return false; }
bool cuda_available() noexcept { return false; }
std::vector<std::string> cuda_devices() { return {}; }

// Never called: cpp/src/detail/check_device.h throws before.
namespace cuda {

void hard_labels(const ArrayView&, const ArrayView&, const HardLabelsParams&, const Context&) {}
void pool(const char*, const ArrayView&, const ArrayView&, const ArrayView&, std::int32_t*, Reduce,
          const Context&) {}
void unpool(const char*, const ArrayView&, const ArrayView&, const std::int32_t*, const ArrayView&,
            Reduce, const Context&) {}

}  // namespace cuda

}  // namespace superpix
