// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/connectivity.h>

#include "cpu/components.h"

namespace superpix::cpu {

/// superpix/connectivity.h in place, over labels [D,H,W]. `colors` and `label_totals`
/// (components.h) may be nullptr. Returns the sums over the pixels of each label, from start_label
/// on.
RegionSums enforce_connectivity(std::int32_t* labels, const Extent& shape,
                                const ColorSource* colors, const std::int64_t* label_totals,
                                double kappa, const ConnectivityParams& params, int num_threads);

}  // namespace superpix::cpu
