// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/connectivity.h>

namespace superpix::cuda {

/// superpix/connectivity.h on CUDA, for checked arguments. Returns -1.
std::int64_t enforce_connectivity(const ArrayView& labels, const ArrayView* image,
                                  const ArrayView& output, const ConnectivityParams& params,
                                  const Context& context);

}  // namespace superpix::cuda
