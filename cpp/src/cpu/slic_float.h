// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/slic.h>

#include <cstdint>
#include <vector>

#include "cpu/float_volume.h"

namespace superpix::cpu {

/// Clusters `volume`. The label of a pixel, in `out`, is the index of the cell that its cluster
/// started in; outside the mask it is outside. `has_seed` (empty: every cell) tells the cells with
/// a cluster; with a mask, clusters first spread over it by position alone. `step` is S.
/// Returns the mean features of each cluster, [cells][channels]. Labels is LabelImage or LabelTags.
template <class Labels>
std::vector<double> slic_float(const FloatVolume& volume, const std::vector<std::uint8_t>& has_seed,
                               const SlicParams& params, double step, const Labels& out,
                               int num_threads);

}  // namespace superpix::cpu
