// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "element.h"
#include "soft_pool_strips.h"

namespace superpix::cuda {

/// Gradients of associations: products of what pixels and superpixels have, over all channels.
template <class S>
struct AssociationGradientArgs {
  const S* values;   // [B,D,H,W] V of soft_pool, or the gradient of soft_unpool's output
  const S* centers;  // [B,D,K] the gradient of soft_pool's output, or S of soft_unpool
  // Of soft_pool: values (V - P) times centers / (Z + eps). Else nullptr.
  const S* pooled;                         // [B,D,K] P
  const detail::ComputeType<S>* divisors;  // [B,K] Z
  detail::ComputeType<S> eps;
  // Of soft_unpool with normalisation, else nullptr.
  const S* association;  // [B,9,H,W]
  S* gradient;           // [B,9,H,W], 0 for candidates that do not exist
};

template <class S>
void association_gradient(const Call& call, const SoftPoolShape& shape,
                          const AssociationGradientArgs<S>& args);

}  // namespace superpix::cuda
