// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// Blurs a volume [D,H,W] in place with a Gaussian of standard deviation sigma (z, y, x), cut off
/// at four of them, the volume continued by reflection about its edges (d c b a | a b c d | d c b
/// a).
void gaussian_blur(float* volume, const Extent& shape, const std::array<double, 3>& sigma,
                   int num_threads);

}  // namespace superpix::cpu
