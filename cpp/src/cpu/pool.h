// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/pool.h>

#include <cstdint>

#include "cpu/label_maps.h"

namespace superpix::cpu {

/// Arguments of superpix/pool.h, checked. S is float, double, detail::Half or detail::BFloat16.
template <class S>
struct PoolArgs {
  LabelArray labels;
  std::int64_t channels, num_segments;
  const S* features;
  S* pooled;
  std::int32_t* saved;  // or nullptr
};

template <class S>
void pool(const PoolArgs<S>& args, Reduce reduce, int num_threads);

template <class S>
struct UnpoolArgs {
  LabelArray labels;
  std::int64_t channels, num_segments;
  const S* pooled;
  const std::int32_t* counts;  // nullptr, or [B,K]: pooled is divided by it
  S* out;
};

/// A cell gets the sum of `pooled` over its pixels.
template <class S>
void unpool(const UnpoolArgs<S>& args, int num_threads);

template <class S>
struct BestGradientArgs {
  std::int64_t batch, channels, num_segments, cells;
  bool may_meet;  // several segments may have the same cell
  const S* pooled;
  const std::int32_t* indices;
  S* out;
};

/// The gradient of a maximum or minimum.
template <class S>
void put_best_gradients(const BestGradientArgs<S>& args, int num_threads);

}  // namespace superpix::cpu
