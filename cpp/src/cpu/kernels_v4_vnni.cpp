// SPDX-License-Identifier: Apache-2.0
#define SUPERPIX_KERNELS kernels_v4_vnni
#define SUPERPIX_KERNELS_NAME "x86-64-v4-vnni"
#include "cpu/kernels_impl.h"
