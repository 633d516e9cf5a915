// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/slic.h>
#include <superpix/types.h>

#include <cstdint>

namespace superpix::cpu {

/// superpix/slic.h on the CPU. image [D,H,W,C] and mask [D,H,W] have been validated.
std::int64_t slic(const ArrayView& image, const ArrayView* mask, std::int32_t* labels,
                  const SlicParams& params, int num_threads);

}  // namespace superpix::cpu
