// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "fixed_colors.h"
#include "regions.h"

namespace superpix::cuda {

/// Unites regions until none is below min_size but those without a neighbour (the rule is step 3 in
/// superpix/connectivity.h).
void merge_fragments(const Call& call, const Regions& regions, const StageColors& colors,
                     double kappa);

}  // namespace superpix::cuda
