// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "call.h"
#include "element.h"
#include "soft_pool_strips.h"

namespace superpix::cuda {

/// Values of superpixels from those of pixels: sums over the pixels of weights times values.
template <class S>
struct SumArgs {
  const S* values;                 // [B,D,H,W]
  const S* association;            // [B,9,H,W]
  bool normalize;                  // whether weights are associations over their sum
  bool average;                    // whether the sums are divided by those of the weights
  detail::ComputeType<S> eps;      // added to these
  S* sums;                         // [B,D,K]
  detail::ComputeType<S>* totals;  // [B,K] the sums of the weights, or nullptr
};

/// How many partial sums, of the type that is computed in, sum_pixels() works with: 9 (D + 1), or 9
/// D without average, for every 512 pixels of a cell or less; none where cells have less than 32.
std::int64_t num_partial_sums(const SoftPoolShape& shape, bool average);

template <class S>
void sum_pixels(const Call& call, const SoftPoolShape& shape, const SumArgs<S>& args,
                detail::ComputeType<S>* partials);

}  // namespace superpix::cuda
