// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "cpu/components.h"

namespace superpix::cpu {

/// Unites components until none is below min_size but those without a neighbour (the rule is step 3
/// in superpix/connectivity.h). `unit` is that of the colours that were summed.
void merge_fragments(Components& components, std::int64_t min_size, double unit, double kappa,
                     int num_threads);

}  // namespace superpix::cpu
