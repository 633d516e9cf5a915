// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/components.h"

namespace superpix::cpu {

/// Which components become one so that none is below min_size but those without a neighbour (the
/// rule is step 3 in superpix/connectivity.h). Returns for each component the least of those that
/// it is one with now. `unit` is that of the colours that were summed.
std::vector<std::int32_t> merge_fragments(const Components& components, std::int64_t min_size,
                                          double unit, double kappa, int num_threads);

}  // namespace superpix::cpu
