// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "cpu/components.h"

namespace superpix::cpu {

/// Unites pairs of components until there are no more than max_segments, or none has a neighbour
/// (the rule is step 4 in superpix/connectivity.h). Sets are flat, before and after. `unit` is that
/// of the colours that were summed.
void merge_pairs(Components& components, std::int64_t max_segments, double unit, double kappa,
                 int num_threads);

}  // namespace superpix::cpu
