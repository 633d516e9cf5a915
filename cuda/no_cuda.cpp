// SPDX-License-Identifier: Apache-2.0
//
// Linked in place of the CUDA sources: the same symbols, and the answer that there is nothing.
#include <superpix/device.h>

#include "color.h"
#include "connectivity.h"
#include "hard_labels.h"
#include "slic.h"

namespace superpix {

bool built_with_cuda() noexcept { return false; }
bool cuda_available() noexcept { return false; }
std::vector<std::string> cuda_devices() { return {}; }

// Never called: cpp/src/detail/check_device.h throws before.
namespace cuda {

void rgb_to_lab(const ArrayView&, const ArrayView&, const Context&) {}
std::int64_t enforce_connectivity(const ArrayView&, const ArrayView*, const ArrayView&,
                                  const ConnectivityParams&, const Context&) {
  return -1;
}
void hard_labels(const ArrayView&, const ArrayView&, const HardLabelsParams&, const Context&) {}
std::int64_t slic(const ArrayView&, const ArrayView*, std::int32_t*, const SlicParams&,
                  const Context&) {
  return 0;
}

}  // namespace cuda

}  // namespace superpix
