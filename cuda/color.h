// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/types.h>

namespace superpix::cuda {

/// superpix/color.h on CUDA, for checked arguments.
void rgb_to_lab(const ArrayView& rgb, const ArrayView& lab, const Context& context);

}  // namespace superpix::cuda
