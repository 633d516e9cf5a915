// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/slic.h>
#include <superpix/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "cpu/cell_grid.h"
#include "cpu/integer_image.h"

namespace superpix::cpu {

/// The weights and units of the integer path.
struct IntegerScale {
  LabQuantization quantization;
  /// Squared weight of one pixel along y and x, in units of the squared quantised colour.
  double weight_y;
  double weight_x;
  /// Positions in the kernel count 1 / unit pixels: a multiple of 16.
  std::int32_t unit;
};

/// The scale with which all of a call's arithmetic fits, or nothing: compactness so small, or cells
/// so large, that int16 positions would be too coarse. Then the float path does it.
std::optional<IntegerScale> integer_scale(const CellGrid& grid, const SlicParams& params,
                                          double step);

/// Clusters `image`. The label of a pixel, in `out`, is the index of the cell that its cluster
/// started in. Returns the mean quantised L, a, b of each cluster, [cells][3]. Labels is LabelImage
/// or LabelTags.
template <class Labels>
std::vector<double> slic_u8(const IntegerImage& image, const IntegerScale& scale,
                            const SlicParams& params, const Labels& out, int num_threads);

}  // namespace superpix::cpu
