// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/hard_labels.h>

namespace superpix::cuda {

/// superpix/hard_labels.h on CUDA, for checked arguments.
void hard_labels(const ArrayView& association, const ArrayView& labels,
                 const HardLabelsParams& params, const Context& context);

}  // namespace superpix::cuda
