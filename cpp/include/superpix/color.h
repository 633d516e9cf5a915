// SPDX-License-Identifier: Apache-2.0
/// @file
/// sRGB to CIELAB.
#pragma once

#include <superpix/types.h>

namespace superpix {

/// Converts sRGB to CIE 1976 L*a*b* (illuminant D65, 2 degree observer; IEC 61966-2-1 for the
/// transfer curve), as scikit-image does: L* in [0, 100], a* and b* roughly in [-108, 99].
///
/// @param[in]  image    [..., 3], up to 4 dimensions, any strides. uint8 counts in 1/255, uint16 in
///                      1/65535; float16, float32 and float64 are taken as they are, nominally in
///                      [0, 1].
/// @param[out] lab      float32, the same shape, C-contiguous; must not overlap image.
/// @param[in]  context  where and how to run.
///
/// Agrees with a float64 evaluation to 2e-4 for values in [0, 1]. The bits of the result do not
/// depend on the number of threads nor on the instruction set, and are the same on CUDA. A pixel is
/// read and written once; there is no working memory to speak of.
/// Throws InvalidArgument or InvalidType for arrays that are not as above, DeviceUnavailable,
/// CudaError.
SUPERPIX_API void rgb_to_lab(const ArrayView& image, const ArrayView& lab,
                             const Context& context = {});

}  // namespace superpix
