// SPDX-License-Identifier: Apache-2.0
//
// A majority filter for labels, before they are made connected: a pixel of which three 4-neighbours
// share another label takes that label; so does one that has no neighbour of its own label and two
// that share another. It dissolves single pixels and bumps one pixel wide, which are half of all
// fragments, for a fraction of what connectivity spends on each.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/colors.h"
#include "cpu/labels.h"

namespace superpix::cpu {

/// Filters `tags` in two passes, each first the even rows and then the odd ones; what lies at the
/// edge of the image stays. `label_totals` ([labels][channels]), if not empty, are kept equal to
/// the sums of `colors` over each label. Colors is IntegerColors or VolumeColors.
template <class Colors>
void smooth(const LabelTags& tags, const Colors& colors, std::vector<std::int64_t>& label_totals,
            int num_threads);

}  // namespace superpix::cpu
