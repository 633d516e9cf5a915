// SPDX-License-Identifier: Apache-2.0
/// @file
/// From pixels to superpixels and back, every pixel belonging to nine superpixels in part.
///
/// On CUDA, sums have another order than on the CPU, one that depends on the shapes and on whether
/// arrays are aligned to 16 bytes. soft_pool() and soft_unpool_backward() need workspace there: at
/// most 9 (D + 1) / 32 numbers per pixel, float32 (float64 for float64 values).
///
/// Time is that of reading the arrays once, with 9 D multiplications a pixel. No memory beyond the
/// arguments on the CPU grows with the number of pixels.
#pragma once

#include <superpix/types.h>

#include <cstdint>

namespace superpix {

/// How soft_pool() takes means.
struct SoftPoolParams {
  /// Superpixels along y, >= 1 and at most as many as pixels; the cell of a pixel and its
  /// candidates are as in soft_slic.h.
  std::int64_t rows = 1;
  /// Superpixels along x.
  std::int64_t columns = 1;
  /// What is added to the weight of a superpixel; >= 0, finite. 1e-8 of the 16 x 16 pixels of a
  /// cell, 256e-8, is what Yang et al. ("Superpixel Segmentation with Fully Convolutional
  /// Networks", CVPR 2020) add.
  double eps = 1e-12;
};

/// How soft_unpool() takes means.
struct SoftUnpoolParams {
  /// As in SoftPoolParams.
  std::int64_t rows = 1;
  /// As in SoftPoolParams.
  std::int64_t columns = 1;
  /// Whether associations are divided by their sum over the candidates that exist. If not, what a
  /// pixel gives to superpixels beyond the grid counts as 0, as in Yang et al.
  bool normalize = true;
};

/// The mean of the pixels of each superpixel, weighted by their association Q:
///     P_i = sum over p of Q_pi V_p / (Z_i + eps),    Z_i = sum over p of Q_pi.
/// Candidates that do not exist are left out, whatever their association says. A superpixel
/// without weight gets 0 if eps > 0.
///
/// @param[in]  values       [B,D,H,W] float16, bfloat16, float32 or float64, C-contiguous, D from 1
///                          to 65536, H W < 2^31. 16-bit values are computed with in float32.
/// @param[in]  association  [B,9,H,W], dtype of values, C-contiguous. Channel 3 (dy + 1) + dx + 1
///                          is the superpixel dy cells below the pixel's own and dx to the right.
/// @param[out] pooled       [B,D,K], dtype of values, K = rows * columns in row-major order: P.
/// @param[out] weights      nullptr, or [B,K] float32 (float64 for float64 values): Z, which
///                          soft_pool_backward() needs.
/// @param[in]  params       the grid, and what is added to weights.
/// @param[in]  context      where and how to run.
///
/// The bits of a result depend neither on the number of threads nor on the position in the batch.
/// Throws InvalidArgument, InvalidType, DeviceUnavailable, CudaError.
SUPERPIX_API void soft_pool(const ArrayView& values, const ArrayView& association,
                            const ArrayView& pooled, const ArrayView* weights,
                            const SoftPoolParams& params, const Context& context = {});

/// The gradient of soft_pool(), G being that of P:
///     dL/dV_p  = sum over i of Q_pi G_i / (Z_i + eps),
///     dL/dQ_pi = G_i . (V_p - P_i) / (Z_i + eps); 0 for candidates that do not exist.
///
/// @param[in]  values, association  as in soft_pool().
/// @param[in]  pooled, weights      as soft_pool() wrote them.
/// @param[in]  grad_pooled          [B,D,K], dtype of values: G.
/// @param[out] grad_values          nullptr, or [B,D,H,W], dtype of values.
/// @param[out] grad_association     nullptr, or [B,9,H,W], dtype of values.
/// @param[in]  params               as in soft_pool().
/// @param[in]  context              where and how to run.
/// Throws as soft_pool().
SUPERPIX_API void soft_pool_backward(const ArrayView& values, const ArrayView& association,
                                     const ArrayView& pooled, const ArrayView& weights,
                                     const ArrayView& grad_pooled, const ArrayView* grad_values,
                                     const ArrayView* grad_association,
                                     const SoftPoolParams& params, const Context& context = {});

/// The mean of the superpixels of each pixel, weighted by its association Q:
///     O_p = sum over i of Q_pi S_i / R_p,    R_p = sum over i of Q_pi, or 1 without `normalize`.
/// Candidates that do not exist are left out of both sums. O_p is 0 where R_p is, or would
/// overflow 1 / R_p.
///
/// @param[in]  centers      [B,D,K] float16, bfloat16, float32 or float64, C-contiguous, D from 1
///                          to 65536.
/// @param[in]  association  [B,9,H,W], dtype of centers, C-contiguous; as in soft_pool().
/// @param[out] out          [B,D,H,W], dtype of centers: O.
/// @param[in]  params       the grid, and whether associations are normalised.
/// @param[in]  context      where and how to run.
///
/// The bits of a result depend neither on the number of threads nor on the position in the batch.
/// Throws InvalidArgument, InvalidType, DeviceUnavailable, CudaError.
SUPERPIX_API void soft_unpool(const ArrayView& centers, const ArrayView& association,
                              const ArrayView& out, const SoftUnpoolParams& params,
                              const Context& context = {});

/// The gradient of soft_unpool(), G being that of O:
///     dL/dS_i  = sum over p of Q_pi G_p / R_p,
///     dL/dQ_pi = G_p . (S_i - O_p) / R_p, or G_p . S_i without `normalize`;
/// 0 for candidates that do not exist and where O_p is 0 for want of R_p.
///
/// @param[in]  centers, association  as in soft_unpool().
/// @param[in]  grad_out              [B,D,H,W], dtype of centers: G.
/// @param[out] grad_centers          nullptr, or [B,D,K], dtype of centers.
/// @param[out] grad_association      nullptr, or [B,9,H,W], dtype of centers.
/// @param[in]  params                as in soft_unpool().
/// @param[in]  context               where and how to run.
/// Throws as soft_unpool().
SUPERPIX_API void soft_unpool_backward(const ArrayView& centers, const ArrayView& association,
                                       const ArrayView& grad_out, const ArrayView* grad_centers,
                                       const ArrayView* grad_association,
                                       const SoftUnpoolParams& params, const Context& context = {});

}  // namespace superpix
