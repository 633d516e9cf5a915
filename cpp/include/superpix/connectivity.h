// SPDX-License-Identifier: Apache-2.0
/// @file
/// Makes every label one connected component of a reasonable size.
#pragma once

#include <superpix/types.h>

#include <cstdint>

namespace superpix {

/// How labels become connected components.
struct ConnectivityParams {
  /// Components with fewer pixels than this join a neighbour.
  std::int64_t min_size = 0;
  /// Components with more pixels than this are split; 0 for no limit.
  std::int64_t max_size = 0;
  /// The first output label; pixels with a negative input label get start_label - 1. Above -2^31,
  /// and so small that as many labels as there are pixels stay below 2^31.
  std::int32_t start_label = 1;
  /// Rounds of border refinement after the merging, of [H,W] with an image.
  int refine_iter = 0;
  /// Of the refinement: what a squared pixel of distance counts, in squared units of the image;
  /// from 0 to 1e30.
  double position_weight = 0.0;
  /// Of the refinement: what a neighbour with the same label counts, in the same units and bounds.
  double smoothness = 2.0;
  /// While there are more components than this, neighbours join; 0 for no limit.
  std::int64_t max_segments = 0;
};

/// Relabels so that each label is exactly one 4-connected (2-D) or 6-connected (3-D) component.
///
/// 1. The components of equal non-negative labels are found.
/// 2. Those above max_size are cut into connected parts of about equal size, at most max_size.
/// 3. Fragments, the components below min_size, join a neighbour, the smallest first: in round r
///    all fragments below 2^r pixels pick at once, and every pick is carried out. A fragment of s
///    pixels picks the neighbour of t pixels with the least
///        (kappa + |mean colour difference|^2) * s t / (s + t) / (length of the shared border),
///    the lower first pixel winning ties: Ward's criterion over the border that disappears. Without
///    an image the colour difference is 0. A fragment without neighbours stays. Merged components
///    may exceed max_size.
/// 4. With max_segments, neighbours join in rounds until there are no more than that: each chooses
///    the neighbour that costs least, as in step 3, the lower first pixel winning ties. Of the
///    pairs that chose each other (or, if these are less than an eighth of the choices, of all that
///    were chosen) the half that costs least joins, rounded up, or less where that is enough; of
///    equal costs those with the lowest first pixels. Components without neighbours stay, so that
///    there may be more of them.
/// 5. Labels are numbered from start_label in raster order of their first pixels.
/// 6. With refine_iter, a border pixel takes the label of one of its 4 neighbours which has the
///    lesser
///        |colour - mean colour|^2 + position_weight |position - mean position|^2 - smoothness n,
///    n being the number of its 8 neighbours with that label, where the component that it leaves
///    stays connected and keeps min_size pixels; in the order that docs/accuracy.md tells. Labels
///    keep their numbers.
///
/// @param[in]  labels   [H,W] or [D,H,W], any integer dtype, any strides, at most 2^31 - 1 pixels;
///                      negative is ignored.
/// @param[in]  image    nullptr, or [H,W,C] / [D,H,W,C], float32, C-contiguous, finite: colours, in
///                      units in which kappa = 1 is a just noticeable squared difference (CIELAB).
/// @param[out] output   int32, the shape of labels, C-contiguous; may be the memory of labels that
///                      are int32 and C-contiguous.
/// @param[in]  params   sizes, first label, refinement.
/// @param[in]  context  where and how to run.
/// @return the number of labels in output; -1 on CUDA, where it would have to be waited for.
///
/// The result does not depend on the number of threads. Time O(N log N) at worst, O(N) in practice;
/// memory about 12 bytes for each horizontal run of equal labels, and 120 for each component (with
/// max_segments, 270).
/// On CUDA the labels are the same. That the image is finite is not checked there, as the answer
/// would have to be waited for; if it is not, which neighbour a fragment joins is not specified.
/// Time O(N) in practice; a fragment takes as long as a box around it has pixels, and components
/// above max_size are cut by one block each. Workspace about 40 bytes for each pixel, 8 for each of
/// its channels and, with max_size, another 12; with max_segments 90 more (volumes: 129), and one
/// block joins pairs; with refine_iter 43 more, and 4 for each channel.
/// Throws InvalidArgument, InvalidType, DeviceUnavailable, CudaError.
SUPERPIX_API std::int64_t enforce_connectivity(const ArrayView& labels, const ArrayView* image,
                                               const ArrayView& output,
                                               const ConnectivityParams& params,
                                               const Context& context = {});

}  // namespace superpix
