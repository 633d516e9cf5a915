// SPDX-License-Identifier: Apache-2.0
//
// Numbering in three launches: every root sets the bit of its first pixel, and the last block to
// finish sums over chunks of bits; every node counts the bits before that of its root; every pixel
// takes the number of its node.
#include "numbering.h"

#include "scan.h"
#include "shared.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 4;  // chunks that are summed at a time

__global__ void __launch_bounds__(kThreads)
    flag_kernel(const Regions r, const Numbering numbering, std::int64_t words_per_chunk,
                int num_chunks) {
  const std::int32_t count = r.counters->num_nodes + r.counters->num_parts;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    const std::int32_t node = r.list[i];
    if (!is_root(node, r.nodes[node].up)) continue;
    const std::int32_t first = r.nodes[node].first;
    atomicOr(&numbering.is_first[first / 32], 1U << first % 32);
    atomicAdd(&numbering.chunks[first / 32 / words_per_chunk], 1);
  }
  auto* scratch = shared_memory<std::int32_t>();
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    const auto last = static_cast<std::int32_t>(gridDim.x) - 1;
    scratch[kBlockScanScratch] = atomicAdd(&r.counters->num_done, 1) == last ? 1 : 0;
    __threadfence();
  }
  __syncthreads();
  if (scratch[kBlockScanScratch] == 0) return;
  std::int32_t before = 0;
  for (int begin = 0; begin < num_chunks; begin += kThreads * kPerThread) {
    const int first = begin + static_cast<int>(threadIdx.x) * kPerThread;
    std::int32_t counts[kPerThread];
    std::int32_t sum = 0;
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      counts[i] = first + i < num_chunks ? read_fresh(&numbering.chunks[first + i]) : 0;
      sum += counts[i];
    }
    std::int32_t total = 0;
    sum = before + block_sum_before(sum, scratch, &total);
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      if (first + i < num_chunks) numbering.chunks[first + i] = sum;
      sum += counts[i];
    }
    before += total;
  }
  if (threadIdx.x == 0) r.counters->num_labels = before;
}

__global__ void __launch_bounds__(kThreads)
    number_kernel(const Regions r, const Numbering numbering, std::int64_t words_per_chunk,
                  std::int32_t start_label, std::int32_t* roots) {
  const std::int32_t count = r.counters->num_nodes + r.counters->num_parts;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    const std::int32_t node = r.list[i];
    const std::int32_t root = find_root(r.nodes, node);
    const std::int32_t first = r.nodes[root].first;
    const std::int64_t chunk = first / 32 / words_per_chunk;
    std::int32_t number = numbering.chunks[chunk];
    const std::int64_t last = first / 32;
#pragma unroll 4
    for (std::int64_t word = chunk * words_per_chunk; word < last; ++word) {
      number += __popc(numbering.is_first[word]);
    }
    number += __popc(numbering.is_first[last] & ((1U << first % 32) - 1));
    r.nodes[node].first_y = start_label + number;
    if (roots != nullptr && root == node) roots[number] = root;
  }
}

template <int N>
__global__ void __launch_bounds__(kThreads)
    write_kernel(const Regions r, std::int32_t outside, std::int32_t* out) {
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (i >= r.volume.num_pixels()) return;
  const auto nodes = load_pack<N>(r.map + i);
  Pack<std::int32_t, N> labels;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const std::int32_t node = nodes.element[j];
    labels.element[j] = node < 0                                ? outside
                        : j > 0 && node == nodes.element[j - 1] ? labels.element[j - 1]
                                                                : r.nodes[node].first_y;
  }
  store_pack(out + i, labels);
}

}  // namespace

void number_regions(const Call& call, const Regions& regions, const Numbering& numbering,
                    std::int32_t start_label, std::int32_t* roots) {
  const Volume& v = regions.volume;
  const std::int64_t words_per_chunk = Numbering::words_per_chunk(v);
  const auto num_chunks = static_cast<int>(blocks_for(Numbering::words(v), words_per_chunk));
  const std::int64_t blocks = blocks_for_nodes(v, kThreads);
  call.launch(flag_kernel, blocks, kThreads, (kBlockScanScratch + 1) * sizeof(std::int32_t),
              regions, numbering, words_per_chunk, num_chunks);
  call.launch(number_kernel, blocks, kThreads, 0, regions, numbering, words_per_chunk, start_label,
              roots);
}

void write_labels(const Call& call, const Regions& regions, std::int32_t outside,
                  std::int32_t* out) {
  const std::int64_t n = regions.volume.num_pixels();
  with_pack<std::int32_t>(n, {regions.map, out}, [&](auto size) {
    constexpr int kN = decltype(size)::value;
    call.launch(write_kernel<kN>, blocks_for(n, kThreads * kN), kThreads, 0, regions, outside, out);
  });
}

}  // namespace superpix::cuda
