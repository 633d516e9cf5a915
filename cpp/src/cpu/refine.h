// SPDX-License-Identifier: Apache-2.0
//
// Border refinement of connected superpixels (docs/accuracy.md).
//
// A pixel with neighbours of other labels takes the label of one of its 4 neighbours when that has
// the lesser
//     |f - mean f|^2 + weight_y (y - mean y)^2 + weight_x (x - mean x)^2 - smoothness * n,
// f being its colour and n the number of its 8 neighbours with that label, provided that the
// superpixel it leaves stays connected: that its 4 neighbours with the old label hang together
// within the 8. The even rows are done at once, then the odd ones; in a row the even columns, then
// those odd ones next to none that changed: so no change depends on another, and any can be taken
// back. That makes a round, after which the means are taken anew. Of the rows done at once, a
// superpixel gets all pixels back that it lost, if fewer than min_size would be left of it without
// what it gained: what is taken back does not depend on an order.
#pragma once

#include <cstdint>

#include "cpu/colors.h"

namespace superpix::cpu {

struct RefineParams {
  std::int32_t start_label;
  std::int64_t min_size;
  double weight_y, weight_x;  // of a squared pixel
  double smoothness;
  int rounds;
};

/// Refines `labels` ([H,W]; start_label, start_label + 1, ... each connected; start_label - 1 is
/// outside), over whose pixels `sums` were taken. No superpixel shrinks below min_size.
/// Colors is IntegerColors, VolumeColors or InterleavedColors.
template <class Colors>
void refine(std::int32_t* labels, std::int64_t height, std::int64_t width, RegionSums sums,
            const Colors& colors, const RefineParams& params, int num_threads);

}  // namespace superpix::cpu
