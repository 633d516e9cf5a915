// SPDX-License-Identifier: Apache-2.0
//
// SLIC in single precision on the device, for everything that the integer path does not take.
#pragma once

#include <superpix/slic.h>

#include <cstdint>

#include "call.h"
#include "cluster_labels.h"
#include "float_volume.h"

namespace superpix::cuda {

/// Clusters a FloatVolume: first takes what that needs of the workspace, then enqueues the work.
class FloatClustering {
 public:
  /// `step` is S.
  FloatClustering(Call& call, const FloatVolume& volume, double step, int num_turns,
                  const SlicParams& params);

  /// Once the volume is made.
  void enqueue(const Call& call, const ClusterLabels& labels) const;
  /// Then writes the mean features of each cluster, [cells][channels].
  void enqueue_means(const Call& call, double* means) const;

  /// On the device.
  struct Memory {
    std::uint8_t* slots = nullptr;     // [D*H*W], see slic_float.cu
    long long* sums = nullptr;         // [cells][slots][channels + dims + 1], see slic_float.cu
    double* centers = nullptr;         // [cells][channels + dims]; positions in pixels
    float* greatest_colors = nullptr;  // SLICO, [cells]: the squared difference that counts as 1
    int* seen_colors = nullptr;        // SLICO, [cells]: bits of the greatest seen so far
    std::uint8_t* has_seed = nullptr;  // mask, [cells]
  };

 private:
  const FloatVolume volume_;
  double step_;
  int num_turns_;
  const SlicParams& params_;
  Memory memory_;
};

}  // namespace superpix::cuda
