// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/soft_pool.h>

#include <cstdint>

#include "detail/half.h"

namespace superpix::cpu {

/// Arguments of superpix/soft_pool.h, checked, for arrays of type S.
struct SoftPoolShape {
  std::int64_t batch, channels, height, width, rows, columns;
};

template <class S>
struct SoftPoolArgs {
  const S* values;
  const S* association;
  S* pooled;
  detail::ComputeType<S>* weights;  // or nullptr
};

template <class S>
struct SoftPoolGradients {
  const S* values;
  const S* association;
  const S* pooled;
  const detail::ComputeType<S>* weights;
  const S* pooled_in;
  S* values_out;       // or nullptr
  S* association_out;  // or nullptr
};

template <class S>
struct SoftUnpoolArgs {
  const S* centers;
  const S* association;
  S* out;
};

template <class S>
struct SoftUnpoolGradients {
  const S* centers;
  const S* association;
  const S* in;
  S* centers_out;      // or nullptr
  S* association_out;  // or nullptr
};

template <class S>
void soft_pool(const SoftPoolShape& shape, const SoftPoolArgs<S>& args, double eps,
               int num_threads);
template <class S>
void soft_pool_backward(const SoftPoolShape& shape, const SoftPoolGradients<S>& args, double eps,
                        int num_threads);
template <class S>
void soft_unpool(const SoftPoolShape& shape, const SoftUnpoolArgs<S>& args, bool normalize,
                 int num_threads);
template <class S>
void soft_unpool_backward(const SoftPoolShape& shape, const SoftUnpoolGradients<S>& args,
                          bool normalize, int num_threads);

}  // namespace superpix::cpu
