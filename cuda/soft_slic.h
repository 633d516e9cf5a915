// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/soft_slic.h>

namespace superpix::cuda {

/// superpix/soft_slic.h on CUDA, for checked arguments.
void soft_slic(const ArrayView& features, const ArrayView* initial_centers,
               const ArrayView* association, const ArrayView& centers, const ArrayView* history,
               const SoftSlicParams& params, const Context& context);
void soft_slic_backward(const ArrayView& features, const ArrayView& history,
                        const ArrayView* grad_association, const ArrayView* grad_centers,
                        const ArrayView& grad_features, const ArrayView* grad_initial,
                        const SoftSlicParams& params, const Context& context);

}  // namespace superpix::cuda
