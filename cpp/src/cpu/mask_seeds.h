// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/types.h>

#include <array>
#include <cstdint>
#include <vector>

#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// The cells of a grid over a masked volume, and which of them start a superpixel.
struct MaskSeeds {
  Extent cells;
  std::vector<std::uint8_t> has_seed;  // [cells]
  std::int64_t count = 0;              // seeds
  std::int64_t num_pixels = 0;         // inside the mask
};

/// A grid in which about `num_segments` cells lie in the mask ([D,H,W] bool, any strides). A cell
/// has a seed when the mask covers half of it, or when otherwise a part of the mask would have no
/// seed in the cells around it. Cells of the latter kind take turns, 4 (z % 2) + 2 (y % 2) + x % 2,
/// so that those of a turn do not touch, and could be asked in any order. Throws InvalidArgument
/// ("op: message") when the mask is false everywhere.
MaskSeeds place_mask_seeds(const ArrayView& mask, const std::array<double, 3>& spacing,
                           std::int64_t num_segments, const char* op);

}  // namespace superpix::cpu
