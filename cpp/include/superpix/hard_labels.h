// SPDX-License-Identifier: Apache-2.0
/// @file
/// From soft superpixels to labels.
#pragma once

#include <superpix/types.h>

#include <cstdint>

namespace superpix {

/// The grid of superpixels.
struct HardLabelsParams {
  /// Superpixels along y, as in SoftSlicParams.
  std::int64_t rows = 1;
  /// Superpixels along x.
  std::int64_t columns = 1;
};

/// The superpixel that each pixel belongs to most. The cell of a pixel and its candidates are as in
/// soft_slic.h; those that do not exist are left out, whatever their association says. The lowest
/// channel wins ties, and NaN counts as the greatest value.
///
/// @param[in]  association  [B,9,H,W] float16, bfloat16, float32 or float64, C-contiguous.
/// @param[out] labels       [B,H,W] int32 or int64, C-contiguous, in [0, rows * columns): row-major
///                          indices of superpixels.
/// @param[in]  params       the grid.
/// @param[in]  context      where and how to run.
///
/// The result depends neither on the number of threads nor on the instruction set. Time is that of
/// reading the association once; beyond the arguments there is one row of labels for each thread.
/// Throws InvalidArgument, InvalidType, DeviceUnavailable, CudaError.
SUPERPIX_API void hard_labels(const ArrayView& association, const ArrayView& labels,
                              const HardLabelsParams& params, const Context& context = {});

}  // namespace superpix
