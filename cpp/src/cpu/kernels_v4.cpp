// SPDX-License-Identifier: Apache-2.0
#define SUPERPIX_KERNELS kernels_v4
#define SUPERPIX_KERNELS_NAME "x86-64-v4"
#include "cpu/kernels_impl.h"
