// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace superpix::cuda {

/// Where clustering writes the clusters of pixels [D*H*W], and how: as labels, or for
/// ConnectivityStage as tags (cpu/labels.h).
struct ClusterLabels {
  std::int32_t* labels = nullptr;  // the index of the cell that a cluster started in, plus `first`
  std::int32_t first = 0;
  std::uint8_t* tags = nullptr;  // instead, if not nullptr

  /// What stands for the cluster of a cell, in a grid of so many columns.
  __device__ std::int32_t value_of(int cell, int columns) const {
    return tags != nullptr ? (cell / columns % 8) << 3 | cell % columns % 8 : cell + first;
  }
  /// What stands for no cluster.
  __device__ std::int32_t outside() const { return tags != nullptr ? 255 : first - 1; }
  __device__ void write(std::int64_t at, std::int32_t value) const {
    if (tags != nullptr) {
      tags[at] = static_cast<std::uint8_t>(value);
    } else {
      labels[at] = value;
    }
  }
};

}  // namespace superpix::cuda
