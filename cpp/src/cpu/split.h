// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/components.h"

namespace superpix::cpu {

/// What splitting did.
struct Split {
  std::vector<std::int32_t> wholes;  // for each part, the component that it was of; by its piece
  std::vector<std::uint8_t> bands;   // [bands], not 0 where there are pixels of parts
};

/// Splits components above max_size into parts: connected, at most max_size pixels, flooded from
/// the first pixel that is left, as many pixels as make the parts equal. `labels` [D,H,W] is
/// overwritten; in bands with parts, part i is num_pieces + i, all else the least of its pieces.
Split split_components(const Components& components, std::int64_t max_size, std::int32_t* labels,
                       int num_threads);

}  // namespace superpix::cpu
