// SPDX-License-Identifier: Apache-2.0
#define SUPERPIX_SSE4  // MSVC has no macro for it
#define SUPERPIX_KERNELS kernels_v2
#define SUPERPIX_KERNELS_NAME "x86-64-v2"
#include "cpu/kernels_impl.h"
