// SPDX-License-Identifier: Apache-2.0
//
// Components within tiles of 32 x 32 pixels, the first of the launches of find_components().
#pragma once

#include <cstdint>

#include "call.h"
#include "fixed_colors.h"
#include "regions.h"

namespace superpix::cuda {

inline constexpr int kTileSide = 32;
inline constexpr int kTileThreads = 256;  // of the block that has a tile

/// Makes nodes of the components of each tile, lists them and sums up over them; the map says of
/// every pixel which has it. Of tags, which are smoothed first if `labels` says so, the label of
/// each node is written to `out`. For the types of component_labels.h.
template <class Labels>
void find_tile_components(const Call& call, const Regions& regions, const Labels& labels,
                          const StageColors& colors, std::int32_t* out);

}  // namespace superpix::cuda
