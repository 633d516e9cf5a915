// SPDX-License-Identifier: Apache-2.0
/// @file
/// Pooling over hard labels: features -> one value a segment and channel, and back.
#pragma once

#include <superpix/types.h>

#include <cstdint>

namespace superpix {

/// What pooling makes of the pixels of a segment.
enum class Reduce : std::uint8_t {
  kSum,   ///< Their sum.
  kMean,  ///< Their mean.
  kMax,   ///< Their maximum.
  kMin    ///< Their minimum.
};

/// pooled[b,c,k] = sum, mean, maximum or minimum of features[b,c] over segment k of image b, which
/// is where labels[b] is k.
///
/// Labels may have a higher resolution than the features: pixel (y, x) of [Hl,Wl] then lies in cell
/// (floor(y * H / Hl), floor(x * W / Wl)). Sum and mean count a cell once for every pixel of the
/// segment in it, and the mean divides by the number of pixels: the superpixel pooling layer of
/// Kwak et al., "Weakly Supervised Semantic Segmentation Using Superpixel Pooling Network" (AAAI
/// 2017). Maximum and minimum are those of the cells that the segment touches.
///
/// @param[in]  features  [B,C,H,W] float16, bfloat16, float32 or float64, C-contiguous; H, W >= 1.
/// @param[in]  labels    [B,Hl,Wl] int32 or int64, C-contiguous, Hl >= H, Wl >= W. From 0 to K - 1,
///                       or -1: the pixel belongs to no segment.
/// @param[out] pooled    [B,C,K], dtype of features, K >= 1. 0 where a segment has no pixels.
/// @param[out] saved     nullptr, or pool_saved_layout(): what pool_backward() needs. Not written
///                       where there are no channels.
/// @param[in]  reduce    sum, mean, maximum or minimum.
/// @param[in]  context   where and how to run.
///
/// Sums are made in double precision from float32 sums of at most 64 neighbouring pixels (float64:
/// of float64 sums), so that the error does not grow with the size of a segment. NaN in a segment
/// makes its sum, mean, maximum and minimum NaN. No image has more than 2^31 - 1 pixels or labels.
///
/// The bits of a result depend neither on the number of threads, nor on the instruction set, nor on
/// the other images and channels. Memory beyond the arguments, for each thread: the most of 25 MiB,
/// 16 K bytes and, if K is small, 6 bytes a pixel of one image; if the resolutions differ, also 16
/// bytes for every cell and segment that meet.
///
/// On CUDA, labels are not checked, as that would mean to wait for the device: pixels whose labels
/// are not from 0 to K - 1 belong to no segment. Counts, indices, maxima and minima are those of
/// the CPU, sums agree with its sums as far as rounding goes: float32 sums are of pixels of a tile
/// of 1024, none of which goes through more than 40 additions. The workspace has about 14 bytes for
/// every pixel of the labels (or 12 and, if that is more, 4 for every segment), and for every
/// channel of 16 of these pixels a value, of maxima and minima also its index. Throws
/// InvalidArgument, InvalidType, DeviceUnavailable, CudaError.
SUPERPIX_API void pool(const ArrayView& features, const ArrayView& labels, const ArrayView& pooled,
                       const ArrayView* saved, Reduce reduce, const Context& context = {});

/// dtype and shape of `saved` of pool(), without memory. It is int32, which holds both exactly:
/// mean: [B,K], the number of pixels; maximum, minimum: [B,C,K], y * W + x of the first cell that
/// has the extreme value (of the first NaN, if there is one), -1 for a segment without pixels;
/// sum: [0].
SUPERPIX_API ArrayView pool_saved_layout(std::int64_t batch, std::int64_t channels,
                                         std::int64_t num_segments, Reduce reduce);

/// The gradient of pool(). That of a maximum or minimum goes to the first cell that has it.
///
/// @param[in]  grad_pooled    [B,C,K] float16, bfloat16, float32 or float64, C-contiguous.
/// @param[in]  labels         as in pool().
/// @param[in]  saved          as pool() wrote it; nullptr is fine for sums.
/// @param[out] grad_features  [B,C,H,W], dtype of grad_pooled.
/// @param[in]  reduce         as in pool().
/// @param[in]  context        where and how to run.
///
/// Throws as pool(), and InvalidArgument if `saved` has an index that is not of a cell. Its counts
/// are taken as they are, and for maxima and minima labels are not read. On CUDA indices are not
/// checked; that of a cell that its segment does not have is ignored.
SUPERPIX_API void pool_backward(const ArrayView& grad_pooled, const ArrayView& labels,
                                const ArrayView* saved, const ArrayView& grad_features,
                                Reduce reduce, const Context& context = {});

/// out[b,c,y,x] = pooled[b,c,labels[b,y,x]], and 0 where the label is -1.
///
/// @param[in]  pooled   [B,C,K] float16, bfloat16, float32 or float64, C-contiguous, K >= 1.
/// @param[in]  labels   [B,H,W] int32 or int64, C-contiguous, from -1 to K - 1.
/// @param[out] out      [B,C,H,W], dtype of pooled.
/// @param[in]  context  where and how to run.
/// Throws as pool().
SUPERPIX_API void unpool(const ArrayView& pooled, const ArrayView& labels, const ArrayView& out,
                         const Context& context = {});

/// The gradient of unpool(): sums over the segments.
///
/// @param[in]  grad_out     [B,C,H,W] float16, bfloat16, float32 or float64, C-contiguous.
/// @param[in]  labels       as in unpool().
/// @param[out] grad_pooled  [B,C,K], dtype of grad_out.
/// @param[in]  context      where and how to run.
/// Throws as pool().
SUPERPIX_API void unpool_backward(const ArrayView& grad_out, const ArrayView& labels,
                                  const ArrayView& grad_pooled, const Context& context = {});

}  // namespace superpix
