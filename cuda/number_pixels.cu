// SPDX-License-Identifier: Apache-2.0
//
// Two launches, a block for a chunk of pixels in both: one counts what is inside, the other adds up
// the counts of the chunks before and numbers its own. Without a mask there is nothing to count.
#include "number_pixels.h"

#include <algorithm>

#include "scan.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;

__device__ bool is_inside(const AnyMask& mask, const Volume& v, std::int64_t p) {
  if (p >= v.num_pixels()) return false;
  const std::int64_t row = p / v.width;
  return mask.contains(row / v.height, row % v.height, p % v.width);
}

__global__ void __launch_bounds__(kThreads)
    count_kernel(Volume volume, AnyMask mask, std::int64_t chunk, std::int32_t* counts) {
  auto* const scratch = shared_memory<std::int32_t>();
  const std::int64_t begin = blockIdx.x * chunk;
  std::int32_t count = 0;
  for (std::int64_t i = threadIdx.x; i < chunk; i += kThreads) {
    count += is_inside(mask, volume, begin + i) ? 1 : 0;
  }
  std::int32_t total = 0;
  block_sum_before(count, scratch, &total);
  if (threadIdx.x == 0) counts[blockIdx.x] = total;
}

/// `counts` is nullptr where everything is inside.
__global__ void __launch_bounds__(kThreads)
    number_kernel(Volume volume, AnyMask mask, std::int64_t chunk,
                  const std::int32_t* __restrict__ counts, std::int32_t start_label,
                  std::int32_t* __restrict__ labels) {
  auto* const scratch = shared_memory<std::int32_t>();
  const std::int64_t begin = blockIdx.x * chunk;
  if (counts == nullptr) {
    for (std::int64_t i = threadIdx.x; i < chunk && begin + i < volume.num_pixels();
         i += kThreads) {
      labels[begin + i] = static_cast<std::int32_t>(start_label + begin + i);
    }
    return;
  }
  std::int32_t before = 0;
  for (unsigned i = threadIdx.x; i < blockIdx.x; i += kThreads) before += counts[i];
  std::int32_t next = 0;  // the rank of the first pixel that is still to be numbered
  block_sum_before(before, scratch, &next);
  for (std::int64_t i = 0; i < chunk; i += kThreads) {
    const std::int64_t p = begin + i + threadIdx.x;
    const bool inside = is_inside(mask, volume, p);
    std::int32_t total = 0;
    const std::int32_t rank = block_sum_before(inside ? 1 : 0, scratch, &total);
    if (p < volume.num_pixels()) labels[p] = (inside ? next + rank : -1) + start_label;
    next += total;
  }
}

}  // namespace

PixelNumbering::PixelNumbering(Call& call, const Volume& volume, const AnyMask& mask)
    : volume_(volume), mask_(mask) {
  constexpr std::int64_t kLeast = 4096;
  const std::int64_t pixels = std::max(kLeast, blocks_for(volume.num_pixels(), kMostChunks));
  chunk_ = blocks_for(pixels, kThreads) * kThreads;
  if (mask.leaves_out()) {
    counts_ = call.take<std::int32_t>(blocks_for(volume.num_pixels(), chunk_));
  }
}

void PixelNumbering::enqueue(const Call& call, std::int32_t start_label,
                             std::int32_t* labels) const {
  constexpr std::size_t kShared = kBlockScanScratch * sizeof(std::int32_t);
  const std::int64_t blocks = blocks_for(volume_.num_pixels(), chunk_);
  if (counts_ != nullptr) {
    call.launch(count_kernel, blocks, kThreads, kShared, volume_, mask_, chunk_, counts_);
  }
  call.launch(number_kernel, blocks, kThreads, kShared, volume_, mask_, chunk_, counts_,
              start_label, labels);
}

}  // namespace superpix::cuda
