// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/slic.h>

#include <cstdint>
#include <vector>

#include "cpu/float_volume.h"

namespace superpix::cpu {

/// Clusters `volume`; labels [D,H,W] get the index of the cell that each pixel's cluster started
/// in, -1 outside the mask. `has_seed` (empty: every cell) tells the cells with a cluster; with a
/// mask, clusters first spread over it by position alone. `step` is S.
/// Returns the sums of the features over each label, [cells][channels], up to rounding.
std::vector<double> slic_float(const FloatVolume& volume, const std::vector<std::uint8_t>& has_seed,
                               const SlicParams& params, double step, std::int32_t* labels,
                               int num_threads);

}  // namespace superpix::cpu
