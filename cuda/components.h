// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "connectivity_stage.h"

namespace superpix::cuda {

/// Finds the regions of equal labels under 4- (6-) connectivity, and what is summed over each. The
/// root of a region is its first pixel. Of tags, the label of each node is written to `out`.
void find_components(const Call& call, const Regions& regions, const StageInput& input,
                     std::int32_t* out);

}  // namespace superpix::cuda
