// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/types.h>

namespace superpix::cpu {

/// superpix/color.h; the arguments have been validated.
void rgb_to_lab(const ArrayView& rgb, float* lab, int num_threads);

}  // namespace superpix::cpu
