// SPDX-License-Identifier: Apache-2.0
/// @file
/// How many threads the CPU kernels use.
#pragma once

#include <superpix/export.h>

namespace superpix {

/// Sets the number of threads for all later calls of this process. n >= 1; 0 goes back to the
/// default. Throws InvalidArgument for a negative n. Safe to call from any thread.
SUPERPIX_API void set_num_threads(int n);

/// The number of threads that an op asks for: what was set, else the environment variable
/// SUPERPIX_NUM_THREADS as it was at the first call, else the processors that this process may run
/// on. No more than 64 ever work.
SUPERPIX_API int get_num_threads() noexcept;

}  // namespace superpix
