// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/connectivity.h>
#include <superpix/slic.h>
#include <superpix/types.h>

#include <cstdint>

#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// superpix/slic.h on the CPU. image [D,H,W,C] and mask [D,H,W] have been validated.
std::int64_t slic(const ArrayView& image, const ArrayView* mask, std::int32_t* labels,
                  const SlicParams& params, int num_threads);

// What follows from shapes and parameters, for every device.

/// The just noticeable squared difference of the merging rule in units of m^2: 1 in CIELAB at the
/// default compactness 10. In these units every rule after the clustering scales with m.
inline constexpr double kMergingKappa = 0.01;

/// Of the refinement, in the same units, chosen on BSDS500's training images (docs/accuracy.md): of
/// (pixels / S)^2, and of a neighbour.
inline constexpr double kRefinePositionWeight = 0.25;
inline constexpr double kRefineSmoothness = 0.02;

/// S: the largest side of a cell, on average.
double step_of(const CellGrid& grid);

/// How clusters are connected. mean_size: of a superpixel, in pixels.
ConnectivityParams connectivity_params(const SlicParams& params, double mean_size);

/// Whether connected superpixels are refined, and clusters smoothed before.
bool is_refined(const CellGrid& grid, const SlicParams& params);

}  // namespace superpix::cpu
