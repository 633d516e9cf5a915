// SPDX-License-Identifier: Apache-2.0
/// @file
/// Adaptive pooling at several resolutions in one pass: the pyramid of PSPNet.
#pragma once

#include <superpix/types.h>

#include <cstdint>
#include <vector>

namespace superpix {

/// What pooling makes of the pixels of a window.
enum class PyramidReduce : std::uint8_t {
  kMean,  ///< Their mean.
  kMax    ///< Their maximum.
};

/// The levels of the pyramid.
struct PyramidPoolParams {
  /// Level l has bins[l] x bins[l] windows. Each from 1 to 32768; any order, repeats allowed; may
  /// be more than there are pixels. T = sum of b * b must be below 2^31.
  std::vector<std::int64_t> bins = {1, 2, 3, 6};
  /// Mean or maximum.
  PyramidReduce reduce = PyramidReduce::kMean;
};

/// The mean or the maximum of each window of each level, after Zhao et al., "Pyramid Scene Parsing
/// Network" (CVPR 2017). Window (i, j) of a level of b x b is rows floor(i H / b) to
/// ceil((i + 1) H / b) and columns alike, end excluded, as in torch.nn.AdaptiveAvgPool2d and
/// AdaptiveMaxPool2d: windows overlap where b does not divide the size. Every pixel is read once;
/// on CUDA once more for each level of more than 16 x 16.
///
/// @param[in]  features  [B,C,H,W] float16, bfloat16, float32 or float64, C-contiguous; H, W >= 1,
///                       H * W < 2^31.
/// @param[out] pooled    [B,C,T], dtype of features, C-contiguous: level after level, the windows
///                       of a level in row-major order.
/// @param[out] indices   nullptr, or for the maximum [B,C,T] int32 or int64, C-contiguous: where
///                       it is, as y * W + x. Of equal pixels the first in row-major order.
/// @param[in]  params    levels, and what is made of a window.
/// @param[in]  context   where and how to run.
///
/// NaN makes the mean NaN, and is greater than all else: the last NaN of a window is its maximum.
/// Means of float64 are summed in float64, all others at least in float32, with errors that do not
/// grow with the size of the plane. The bits of a result depend neither on the number of threads
/// nor on the position in the batch. Time is that of reading the features once; beyond the
/// arguments there are some rows of sums for each thread.
/// Throws InvalidArgument, InvalidType, DeviceUnavailable, CudaError.
SUPERPIX_API void pyramid_pool(const ArrayView& features, const ArrayView& pooled,
                               const ArrayView* indices, const PyramidPoolParams& params,
                               const Context& context = {});

/// T, the number of windows of all levels. Throws InvalidArgument where bins are out of range.
SUPERPIX_API std::int64_t pyramid_pool_size(const std::vector<std::int64_t>& bins);

/// The gradient of pyramid_pool(): a pixel gets from every window that it is in (mean) or that has
/// it as its maximum, summed at least in float32. Every pixel is written once.
///
/// @param[in]  grad_pooled    [B,C,T], C-contiguous.
/// @param[in]  indices        For the maximum: as pyramid_pool() wrote them; else nullptr.
/// @param[out] grad_features  [B,C,H,W], dtype of grad_pooled, C-contiguous.
/// @param[in]  params         as in pyramid_pool().
/// @param[in]  context        where and how to run.
/// Throws as pyramid_pool(), and InvalidArgument if an index is not that of a pixel. On CUDA, where
/// that would need waiting, indices that are not of a pixel of their window give nothing.
SUPERPIX_API void pyramid_pool_backward(const ArrayView& grad_pooled, const ArrayView* indices,
                                        const ArrayView& grad_features,
                                        const PyramidPoolParams& params,
                                        const Context& context = {});

}  // namespace superpix
