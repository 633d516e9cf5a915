// SPDX-License-Identifier: Apache-2.0
#define SUPERPIX_KERNELS kernels_generic
#define SUPERPIX_KERNELS_NAME "generic"
#include "cpu/kernels_impl.h"
