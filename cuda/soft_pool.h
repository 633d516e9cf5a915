// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/soft_pool.h>

namespace superpix::cuda {

/// superpix/soft_pool.h on CUDA, for checked arguments.
void soft_pool(const ArrayView& values, const ArrayView& association, const ArrayView& pooled,
               const ArrayView* weights, const SoftPoolParams& params, const Context& context);

void soft_pool_backward(const ArrayView& values, const ArrayView& association,
                        const ArrayView& pooled, const ArrayView& weights,
                        const ArrayView& grad_pooled, const ArrayView* grad_values,
                        const ArrayView* grad_association, const SoftPoolParams& params,
                        const Context& context);

void soft_unpool(const ArrayView& centers, const ArrayView& association, const ArrayView& out,
                 const SoftUnpoolParams& params, const Context& context);

void soft_unpool_backward(const ArrayView& centers, const ArrayView& association,
                          const ArrayView& grad_out, const ArrayView* grad_centers,
                          const ArrayView* grad_association, const SoftUnpoolParams& params,
                          const Context& context);

}  // namespace superpix::cuda
