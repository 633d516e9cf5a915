// SPDX-License-Identifier: Apache-2.0
//
// Centres of soft superpixels, [batch][cells][fields]: what they start from, how they gather what
// cells give, how callers have them.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "call.h"
#include "soft_slic_cell.h"

namespace superpix::cuda {

/// The means of all cells, with 0 after each, in `means` or in workspace of their own.
template <class S>
class CellMeans {
 public:
  using R = ComputeType<S>;

  CellMeans(Call& call, const SoftSlicPlan& plan, R* means);
  void find(const Call& call, const S* features) const;
  const R* data() const { return means_; }

 private:
  SoftSlicPlan plan_;
  int parts_;  // of a cell that are summed separately
  R* sums_;    // [batch][cells][parts][channels]
  R* means_;
};

/// [batch][C][cells] -> the first C of [batch][cells][fields]; 0 in a field after them.
template <class S>
void copy_from_planes(const Call& call, const SoftSlicPlan& plan, const S* planes, int fields,
                      ComputeType<S>* centers);
/// The other way round.
template <class S>
void copy_to_planes(const Call& call, const SoftSlicPlan& plan, const ComputeType<S>* centers,
                    int fields, S* planes);

inline constexpr int kGatherRows = 8;
inline constexpr int kGatherThreads = kGatherRows * kWarp;

/// What a superpixel gets from the parts of its nine cells. A block gathers 32 fields: its warps
/// take the slots in turns, and the first adds up what they have, in order.
template <class R>
struct Gather {
  std::int64_t center;
  int field;
  R total;
  R weight;        // total of the last field
  bool is_writer;  // whether this thread has the totals

  __device__ Gather(const SoftSlicPlan& plan, const R* sums) {
    const Grid& grid = plan.grid;
    const int tiles = (plan.fields() + kWarp - 1) / kWarp;
    center = static_cast<int>(blockIdx.x) / tiles;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int row = static_cast<int>(threadIdx.x) / kWarp;
    field = static_cast<int>(blockIdx.x) % tiles * kWarp + lane;
    const int superpixel = static_cast<int>(center % grid.num_cells());
    const std::int64_t image = center - superpixel;
    const int read = min(field, plan.channels);
    total = 0;
    weight = 0;
    for (int i = row; i < kCandidates * plan.slots(); i += kGatherRows) {
      const int neighbor = i / plan.slots();
      const int cell =
          grid.candidate(superpixel / grid.x.cells, superpixel % grid.x.cells, neighbor);
      if (cell < 0) continue;
      // Seen from there, this superpixel is on the other side.
      const std::int64_t slot = (image + cell) * plan.slots() + (i - neighbor * plan.slots());
      const R* from = sums + (slot * kCandidates + kCandidates - 1 - neighbor) * plan.fields();
      total += from[read];
      weight += from[plan.channels];
    }
    R* totals = shared_memory<R>();
    R* weights = totals + kGatherThreads;
    totals[threadIdx.x] = total;
    if (lane == 0) weights[row] = weight;
    __syncthreads();
    for (int r = 1; r < kGatherRows && row == 0; ++r) {
      total += totals[r * kWarp + lane];
      weight += weights[r];
    }
    is_writer = row == 0 && field < plan.fields();
  }
};

/// Launches a kernel that begins with Gather.
template <class R, class Kernel, class... Arguments>
void launch_gather(const Call& call, const SoftSlicPlan& plan, Kernel kernel,
                   Arguments... arguments) {
  const std::int64_t tiles = blocks_for(plan.fields(), kWarp);
  call.launch(kernel, plan.batch * plan.grid.num_cells() * tiles, kGatherThreads,
              (kGatherThreads + kGatherRows) * sizeof(R), plan, arguments...);
}

}  // namespace superpix::cuda
