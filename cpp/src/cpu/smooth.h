// SPDX-License-Identifier: Apache-2.0
//
// A majority filter for labels, before they are made connected: a pixel of which three 4-neighbours
// share another label takes that label; so does one that has no neighbour of its own label and two
// that share another. It dissolves single pixels and bumps one pixel wide, which are half of all
// fragments, for a fraction of what connectivity spends on each.
#pragma once

#include "cpu/labels.h"

namespace superpix::cpu {

/// Filters `tags` in two passes, each first the even rows and then the odd ones; what lies at the
/// edge of the image stays.
void smooth(const LabelTags& tags, int num_threads);

}  // namespace superpix::cpu
