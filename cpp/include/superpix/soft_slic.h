// SPDX-License-Identifier: Apache-2.0
/// @file
/// Soft SLIC: SLIC in which every pixel belongs to nine superpixels in part, and which has
/// gradients. All of its iterations are one op.
#pragma once

#include <superpix/types.h>

#include <cstdint>

namespace superpix {

/// The grid of superpixels, and how often it is improved.
struct SoftSlicParams {
  /// Superpixels along y and x, >= 1 and at most as many as pixels: K = rows * columns of them. Row
  /// floor(y * rows / H) and column floor(x * columns / W) is the cell of a pixel. Its candidates
  /// are the superpixels of the 3 x 3 cells around its own, fixed for all iterations.
  std::int64_t rows = 1;
  /// See rows.
  std::int64_t columns = 1;
  /// Iterations v, >= 1.
  int num_iter = 10;
  /// Squared distances are divided by it; > 0, finite, and its inverse as well.
  double temperature = 1.0;
  /// Backward only: how many iterations, from the last on, gradients go back through; 0 for all.
  int grad_iter = 0;
};

/// A superpixel whose pixels weigh less than this in all keeps its centre for the iteration.
inline constexpr double kLeastSoftWeight = 1e-3;

/// For t = 1 ... v, with F_p the features of pixel p and S_i the centre of superpixel i:
///     A_pi = softmax over the candidates i of p of -|F_p - S_i|^2 / temperature,
///     S_i  = sum over p of A_pi F_p / Z_i,    Z_i = sum over p of A_pi,
/// after Jampani et al., "Superpixel Sampling Networks" (ECCV 2018), with A as in the published
/// code: normalised over superpixels first. S starts as `initial_centers` or as the means of cells.
///
/// @param[in]  features         [B,C,H,W] float16, bfloat16, float32 or float64, C-contiguous, C
///                              from 1 to 65536, H W < 2^31. 16-bit features are computed with in
///                              float32.
/// @param[in]  initial_centers  nullptr, or [B,C,K], dtype of features, C-contiguous.
/// @param[out] association      nullptr, or [B,9,H,W], dtype of features: the last A. Channel
///                              3 (dy + 1) + dx + 1 is the superpixel dy cells below the pixel's
///                              own and dx to the right; 0 where there is none.
/// @param[out] centers          [B,C,K], dtype of features: the last S. K is row-major.
/// @param[out] history          nullptr, or soft_slic_history_size() elements, float32 (float64 for
///                              float64 features): the centres of all iterations, which
///                              soft_slic_backward() needs.
/// @param[in]  params           grid, iterations, temperature.
/// @param[in]  context          where and how to run.
///
/// The bits of a result depend neither on the number of threads nor on the position in the batch.
/// On the CPU, denormal numbers count as 0. Features that are not finite make the results near them
/// NaN. Memory beyond the arguments, in elements of float32 (float64 for float64 features):
/// 3 B K (C + 1), for C up to 64 also at most 70,000 a thread, B K (C + 1) if initial_centers are
/// given, and the history if it is not.
/// Throws InvalidArgument, InvalidType, DeviceUnavailable, CudaError.
SUPERPIX_API void soft_slic(const ArrayView& features, const ArrayView* initial_centers,
                            const ArrayView* association, const ArrayView& centers,
                            const ArrayView* history, const SoftSlicParams& params,
                            const Context& context = {});

/// Elements of `history` for `batch` images of `channels` channels: [v + 1][B][K][C + 1], with Z
/// after each centre.
SUPERPIX_API std::int64_t soft_slic_history_size(std::int64_t batch, std::int64_t channels,
                                                 const SoftSlicParams& params);

/// The gradient of soft_slic(). Associations are computed anew from the history, so that no array
/// of the size of the association is needed for each iteration.
///
/// @param[in]  features          as in soft_slic().
/// @param[in]  history           as soft_slic() wrote it, with the same parameters.
/// @param[in]  grad_association  nullptr for zero, or [B,9,H,W], dtype of features.
/// @param[in]  grad_centers      nullptr for zero, or [B,C,K], dtype of features.
/// @param[out] grad_features     [B,C,H,W], dtype of features. Includes what comes through the
///                               means that S starts as, unless grad_initial is given.
/// @param[out] grad_initial      nullptr if initial_centers was, else [B,C,K], dtype of features:
///                               the gradient of initial_centers. 0 if grad_iter ends before them.
/// @param[in]  params            as in soft_slic().
/// @param[in]  context           where and how to run.
///
/// Memory beyond the arguments as in soft_slic(), and (v + 1) B K C elements.
/// Throws as soft_slic().
SUPERPIX_API void soft_slic_backward(const ArrayView& features, const ArrayView& history,
                                     const ArrayView* grad_association,
                                     const ArrayView* grad_centers, const ArrayView& grad_features,
                                     const ArrayView* grad_initial, const SoftSlicParams& params,
                                     const Context& context = {});

}  // namespace superpix
