// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/soft_slic.h>

#include <cstdint>

namespace superpix::cpu {

/// Arguments of superpix/soft_slic.h, checked. R is float or double.
template <class R>
struct SoftSlicArgs {
  std::int64_t batch, channels, height, width;
  const R* features;
  const R* initial_centers;  // or nullptr
  R* association;            // or nullptr
  R* centers;
  R* history;
};

template <class R>
struct SoftSlicGradients {
  std::int64_t batch, channels, height, width;
  const R* features;
  const R* history;
  const R* association;  // or nullptr
  const R* centers;      // or nullptr
  R* features_out;
  R* initial_out;  // or nullptr
};

template <class R>
void soft_slic(const SoftSlicArgs<R>& args, const SoftSlicParams& params, int num_threads);
template <class R>
void soft_slic_backward(const SoftSlicGradients<R>& args, const SoftSlicParams& params,
                        int num_threads);

}  // namespace superpix::cpu
