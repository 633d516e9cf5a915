// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/soft_slic.h>

#include <cstdint>

#include "detail/half.h"

namespace superpix::cpu {

/// Arguments of superpix/soft_slic.h, checked, for features of type S.
template <class S>
struct SoftSlicArgs {
  std::int64_t batch, channels, height, width;
  const S* features;
  const S* initial_centers;  // or nullptr
  S* association;            // or nullptr
  S* centers;
  detail::ComputeType<S>* history;
};

template <class S>
struct SoftSlicGradients {
  std::int64_t batch, channels, height, width;
  const S* features;
  const detail::ComputeType<S>* history;
  const S* association;  // or nullptr
  const S* centers;      // or nullptr
  S* features_out;
  S* initial_out;  // or nullptr
};

template <class S>
void soft_slic(const SoftSlicArgs<S>& args, const SoftSlicParams& params, int num_threads);
template <class S>
void soft_slic_backward(const SoftSlicGradients<S>& args, const SoftSlicParams& params,
                        int num_threads);

}  // namespace superpix::cpu
