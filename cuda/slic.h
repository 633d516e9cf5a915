// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/slic.h>

#include <cstdint>

namespace superpix::cuda {

/// superpix/slic.h on CUDA, for checked arguments: image [D,H,W,C] and mask [D,H,W] or nullptr,
/// with params.seed_grid.
std::int64_t slic(const ArrayView& image, const ArrayView* mask, std::int32_t* labels,
                  const SlicParams& params, const Context& context);

}  // namespace superpix::cuda
