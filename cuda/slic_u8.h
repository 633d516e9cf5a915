// SPDX-License-Identifier: Apache-2.0
//
// SLIC in integers on the device: the labels of cpu/slic_u8.h, bit for bit.
#pragma once

#include <superpix/slic.h>

#include <cstdint>

#include "call.h"
#include "cluster_labels.h"
#include "cpu/slic_u8.h"
#include "integer_image.h"

namespace superpix::cuda {

/// A cluster, in the units of IntegerClusters on the CPU.
struct IntegerCenter {
  int lightness, a, b, half_norm;
  int y, x;
};

/// Clusters an IntegerImage: first takes what that needs of the workspace, then enqueues the work.
class IntegerClustering {
 public:
  IntegerClustering(Call& call, const IntegerImageMaker& maker, const cpu::IntegerScale& scale,
                    int num_turns, const SlicParams& params);

  /// Once the image is made.
  void enqueue(const Call& call, const ClusterLabels& labels) const;
  /// Then writes the mean quantised L, a, b of each cluster, [cells][3].
  void enqueue_means(const Call& call, double* means) const;

  /// On the device.
  struct Memory {
    std::uint8_t* codes = nullptr;                   // [cells][capacity]: 15 - slot
    void* sums[3] = {nullptr, nullptr, nullptr};     // slic_u8_iteration.h tells why three
    IntegerCenter* centers[2] = {nullptr, nullptr};  // [cells]
    int* changed = nullptr;                          // [cells], if seeds are perturbed
  };

 private:
  const IntegerImageMaker& maker_;
  const cpu::IntegerScale& scale_;
  int num_turns_;
  const SlicParams& params_;
  Memory memory_;
};

}  // namespace superpix::cuda
