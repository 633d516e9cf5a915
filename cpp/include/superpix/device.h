// SPDX-License-Identifier: Apache-2.0
/// @file
/// What this build and this machine offer.
#pragma once

#include <superpix/export.h>

#include <string>
#include <vector>

namespace superpix {

/// Whether the library was compiled with its CUDA backend.
SUPERPIX_API bool built_with_cuda() noexcept;

/// Whether the library was compiled with CUDA and a usable device and driver are there. Never
/// throws: no driver is an answer, not an error.
SUPERPIX_API bool cuda_available() noexcept;

/// One line for each CUDA device: its name, compute capability and memory. Empty without CUDA.
SUPERPIX_API std::vector<std::string> cuda_devices();

/// The instruction set whose kernels run: "generic", "x86-64-v2", "x86-64-v3", "x86-64-v4" or
/// "x86-64-v4-vnni". The environment variable SUPERPIX_SIMD forces one of simd_available(), for
/// tests. Labels do not depend on it. Throws InvalidArgument when SUPERPIX_SIMD names none of them.
SUPERPIX_API std::string simd_level();

/// The instruction sets that this build has kernels for and this processor can run, best last.
SUPERPIX_API std::vector<std::string> simd_available();

}  // namespace superpix
