// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/connectivity.h>

#include "cpu/components.h"

namespace superpix::cpu {

/// superpix/connectivity.h for labels that are a LabelImage or LabelTags, into `out` [D,H,W], which
/// may be their memory. `colors` and `label_means` (components.h) may be nullptr. Returns the sums
/// over the pixels of each label, from start_label on.
template <class Labels>
RegionSums enforce_connectivity(const Labels& labels, std::int32_t* out, const ColorSource* colors,
                                const double* label_means, double kappa,
                                const ConnectivityParams& params, int num_threads);

}  // namespace superpix::cpu
