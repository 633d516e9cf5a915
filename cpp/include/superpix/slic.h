// SPDX-License-Identifier: Apache-2.0
/// @file
/// Simple linear iterative clustering (SLIC) superpixels and supervoxels.
#pragma once

#include <superpix/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace superpix {

/// The grid on which seeds are spread over a mask: all else that is computed depends on it. On the
/// CPU slic finds it; on CUDA it would have to wait for the mask's values.
struct SeedGrid {
  std::array<std::int64_t, 3> cells{1, 1, 1};  ///< Along z, y, x.
  std::int64_t num_seeds = 1;                  ///< Cells in which a superpixel starts.
  std::int64_t num_pixels = 1;                 ///< True values of the mask.
};

/// How slic() divides an image.
struct SlicParams {
  /// How many superpixels are wanted, >= 1. The grid of seeds comes as near as its cells can be
  /// kept nearly square; from the number of pixels on, every pixel is a label of its own.
  std::int64_t num_segments = 100;
  /// What one cell side of distance counts in units of colour: m in D below. Finite, > 0. With
  /// convert_to_lab these are units of CIELAB, of which 10 suits photographs. Without it channels
  /// are scaled to [0, 1] (value_range), and 10 leaves nothing but the grid: begin with 0.1.
  double compactness = 10.0;
  /// Rounds of assignment and update, >= 0; 0 gives the cells of the grid. In 2-D (not with
  /// slic_zero), where cells have more than 192 pixels on average, all but the last two rounds
  /// assign a third of the groups of 64 pixels of each cell, in turns.
  int max_num_iter = 10;
  /// Standard deviation of a Gaussian blur before all else, in pixels, for z, y, x; 2-D uses y, x.
  std::array<double, 3> sigma{0.0, 0.0, 0.0};
  /// Size of a voxel along z, y, x, from 1e-30 to 1e30: weights distances and shapes the cells.
  std::array<double, 3> spacing{1.0, 1.0, 1.0};
  /// Convert RGB to CIELAB first; the image must have 3 channels. For photographs (Python's slic
  /// does so for all images of 3 channels).
  bool convert_to_lab = false;
  /// The values that count as 0 and 1. Without it: the least and greatest value inside the mask, so
  /// that labels do not depend on scale and offset. Low < high, finite.
  std::optional<std::pair<double, double>> value_range;
  /// SLICO (SLIC Zero): every superpixel scales colour by the largest difference it met.
  bool slic_zero = false;
  /// Move the seeds to the lowest gradient in their 3 x 3 (3 x 3 x 3) neighbourhood.
  bool perturb_seeds = false;
  /// Make each label one connected component (superpix/connectivity.h).
  bool enforce_connectivity = true;
  /// Smallest component, in units of the mean superpixel size.
  double min_size_factor = 0.5;
  /// Largest component, in the same units. What is merged for being too small may exceed it.
  double max_size_factor = 3.0;
  /// Passes over the borders between connected superpixels, >= 0; 2-D without slic_zero only. With
  /// one or more, a majority filter comes before connectivity where cells have 2 pixels a side.
  int refine_iter = 1;
  /// The first label, 0 or 1; pixels outside the mask get start_label - 1.
  std::int32_t start_label = 1;
  /// CUDA with a mask only, and needed there: choose_seed_grid() of the mask.
  std::optional<SeedGrid> seed_grid;
};

/// SLIC after Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods"
/// (TPAMI 2012), on a fixed grid: a pixel chooses among the clusters of its own cell and the 8 (26)
/// around it, the one with the least
///     D = |colour difference|^2 / m^2 + |spatial difference|^2 / S^2,
/// S being the largest side of a cell in pixels; ties go to the first of them in raster order,
/// where the image is not computed in integers to its own cell's before. In CIELAB the squared
/// differences of a and b count kChromaWeight times. Clusters start as the means of their cells,
/// and one that loses all its pixels keeps its place. With enforce_connectivity, connectivity
/// follows, and in 2-D the smoothing before it and the border refinement after it of
/// docs/accuracy.md.
///
/// @param[in]  image    [H,W,C] or [D,H,W,C], any dtype, any strides, C from 1 to 65536, from 1
///                      to 2^31 - 1 pixels, finite inside the mask.
/// @param[in]  mask     nullptr, or bool [H,W] / [D,H,W], any strides, at least one true: where to
///                      segment. The seeds are spread over the mask.
/// @param[out] labels   int32 [H,W] / [D,H,W], C-contiguous.
/// @param[in]  params   how to divide.
/// @param[in]  context  where and how to run.
/// @return the number of labels with enforce_connectivity, or -1 where it would have to be waited
///         for, as on CUDA; without it the number of clusters, and labels may have gaps.
///
/// uint8 RGB that is converted to CIELAB (2-D, no mask, blur or slic_zero) is computed in integers.
/// Labels never depend on the number of threads nor on the instruction set. On CUDA they are the
/// same where they are computed in integers; elsewhere they are the same for every call, but sums
/// are rounded in other places than on the CPU, so that a pixel that is nearly as near to two
/// clusters may go to either. Values that are not finite, or a mask that params.seed_grid is not
/// of, cannot be refused there: they give labels that mean nothing.
///
/// Time is proportional to pixels * C * max_num_iter, whatever num_segments is. Memory beyond the
/// arguments on the CPU, in bytes for each pixel: about 7 where labels are computed in integers,
/// else 4 C + 8, with a blur 8 C + 8; up to 43 more where most pixels are fragments, as in white
/// noise; and 600 for each superpixel. Throws InvalidArgument, InvalidType, DeviceUnavailable,
/// CudaError.
SUPERPIX_API std::int64_t slic(const ArrayView& image, const ArrayView* mask,
                               const ArrayView& labels, const SlicParams& params,
                               const Context& context = {});

/// Spreads params.num_segments seeds over a mask, as slic does on the CPU, weighted by
/// params.spacing.
///
/// @param[in] mask    bool [H,W] / [D,H,W] in the memory of the CPU, any strides; one true at
///                    least.
/// @param[in] params  of slic(): num_segments and spacing matter.
/// @return what slic() wants as params.seed_grid.
///
/// Throws InvalidArgument, InvalidType.
SUPERPIX_API SeedGrid choose_seed_grid(const ArrayView& mask, const SlicParams& params);

/// Weight of the squared differences of a* and b* against that of L* (docs/accuracy.md).
inline constexpr double kChromaWeight = 3.0;

}  // namespace superpix
