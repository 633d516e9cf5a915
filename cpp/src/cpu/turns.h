// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// On the way, iterations need not assign every pixel: clusters are means of all their pixels at
/// any time, and a third of these shows as well where they are to move. The pixels of a cell, in
/// groups of kTurnGroup (kernels.h), wait for so many turns; in cells of few pixels for one.
inline int num_turns(const CellGrid& grid) {
  constexpr std::int64_t kFew = 192;
  return grid.shape()[0] == 1 && grid.num_pixels() > kFew * grid.num_cells() ? 3 : 1;
}

/// Whether iteration i of n, from 0, assigns one turn only. The last two assign all pixels.
inline bool is_partial(int i, int n) { return i + 2 < n; }

}  // namespace superpix::cpu
