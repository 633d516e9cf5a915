// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "element.h"
#include "soft_pool_strips.h"

namespace superpix::cuda {

/// Values of pixels from those of superpixels: sums over the candidates of weights times centers.
template <class S>
struct MixArgs {
  const S* association;                    // [B,9,H,W]
  bool normalize;                          // whether weights are associations over their sum
  const S* centers;                        // [B,D,K]
  const detail::ComputeType<S>* divisors;  // [B,K] what centers are divided by, or nullptr
  detail::ComputeType<S> eps;              // added to divisors
  S* values;                               // [B,D,H,W]
};

template <class S>
void mix_centers(const Call& call, const SoftPoolShape& shape, const MixArgs<S>& args);

}  // namespace superpix::cuda
