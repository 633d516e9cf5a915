// SPDX-License-Identifier: Apache-2.0
#define SUPERPIX_KERNELS kernels_v3
#define SUPERPIX_KERNELS_NAME "x86-64-v3"
#include "cpu/kernels_impl.h"
