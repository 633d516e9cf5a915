// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>
#include <superpix/device.h>

#include <cstdio>

namespace superpix {
namespace {

// No driver, no device, a driver that is too old: for the caller all of this is "none".
int num_devices() noexcept {
  int n = 0;
  return cudaGetDeviceCount(&n) == cudaSuccess ? n : 0;
}

}  // namespace

bool built_with_cuda() noexcept { return true; }

bool cuda_available() noexcept { return num_devices() > 0; }

std::vector<std::string> cuda_devices() {
  std::vector<std::string> lines;
  for (int i = 0; i < num_devices(); ++i) {
    cudaDeviceProp p;
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) continue;
    char line[400];
    std::snprintf(line, sizeof line, "%s, compute capability %d.%d, %.1f GiB", p.name, p.major,
                  p.minor, static_cast<double>(p.totalGlobalMem) / (1 << 30));
    lines.emplace_back(line);
  }
  return lines;
}

}  // namespace superpix
