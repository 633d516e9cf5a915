// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/pyramid_pool.h>

namespace superpix::cuda {

// superpix/pyramid_pool.h on CUDA, for checked arguments.

void pyramid_pool(const ArrayView& features, const ArrayView& pooled, const ArrayView* indices,
                  const PyramidPoolParams& params, const Context& context);

void pyramid_pool_backward(const ArrayView& grad_pooled, const ArrayView* indices,
                           const ArrayView& grad_features, const PyramidPoolParams& params,
                           const Context& context);

}  // namespace superpix::cuda
