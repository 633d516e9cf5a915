// SPDX-License-Identifier: Apache-2.0
//
// Merging in rounds of two launches; round i is for fragments of 2^i to 2^(i+1) - 1 pixels.
//
// 1. Every such fragment picks a neighbour, and nothing else changes. A group of lanes, or a block,
//    goes through the pixels in the box of a fragment and counts in a table in shared memory what
//    they touch. What there is no room for is left for another walk: each takes only neighbours
//    whose hash lies in an interval, which is halved until they fit. That is rare: in its round, no
//    neighbour of a fragment is smaller than it.
// 2. Picks are followed to where they end: at a region that picked nothing, or at two that picked
//    each other, as costs are the same from both sides. All that lies on the way joins that region,
//    and no thread needs to know what the others do.
#include "merge.h"

#include <algorithm>
#include <bit>

#include "merge_cost.h"
#include "shared.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr std::int32_t kNone = -1;

/// The neighbours of one fragment, and along how many faces each touches it.
template <int kPlaces>
struct Table {
  std::int32_t root[kPlaces];
  std::int32_t length[kPlaces];

  /// Whether there was room.
  __device__ bool add(std::int32_t neighbor, std::uint32_t hash) {
    constexpr std::uint32_t kMask = kPlaces - 1;
    std::uint32_t place = (hash ^ hash >> 15) & kMask;
    for (int i = 0; i < kPlaces; ++i) {
      const std::int32_t old = atomicCAS(&root[place], kNone, neighbor);
      if (old == kNone || old == neighbor) {
        atomicAdd(&length[place], 1);
        return true;
      }
      place = (place + 1) & kMask;
    }
    return false;
  }
};

/// A neighbour and what it costs to join it. Costs are not negative, so that their bits are in
/// their order.
struct Choice {
  unsigned long long cost = ~0ULL;
  std::int32_t first = 0;  // pixel, of the neighbour
  std::int32_t root = kNone;

  __device__ void take_better(const Choice& other) {
    const bool better = other.root != kNone && (root == kNone || other.cost < cost ||
                                                (other.cost == cost && other.first < first));
    if (better) *this = other;
  }
};

/// The better of each lane's and that of the lane `step` away.
__device__ __forceinline__ void take_better_of(Choice& best, unsigned mask, int step, int lanes) {
  Choice other;
  other.cost = __shfl_xor_sync(mask, best.cost, step, lanes);
  other.first = __shfl_xor_sync(mask, best.first, step, lanes);
  other.root = __shfl_xor_sync(mask, best.root, step, lanes);
  best.take_better(other);
}

/// Some lanes of a warp that walk together.
template <int kLanesOfGroup>
struct LaneGroup {
  static constexpr int kLanes = kLanesOfGroup;
  using Neighbors = Table<kLanes == kWarp ? 128 : 32>;

  unsigned mask;
  int lane;

  __device__ void sync() const { __syncwarp(mask); }
  __device__ bool all(bool predicate) const { return __all_sync(mask, predicate) != 0; }
  /// The best of all lanes, for lane 0.
  __device__ Choice best(Choice choice) const {
#pragma unroll
    for (int step = kLanes / 2; step > 0; step /= 2) take_better_of(choice, mask, step, kLanes);
    return choice;
  }
};

/// A block that walks together.
template <int kLanesOfGroup>
struct BlockGroup {
  static constexpr int kLanes = kLanesOfGroup;
  using Neighbors = Table<256>;

  Choice* scratch;  // [kLanes / kWarp], shared
  int lane;

  __device__ void sync() const { __syncthreads(); }
  __device__ bool all(bool predicate) const { return __syncthreads_or(predicate ? 0 : 1) == 0; }
  __device__ Choice best(Choice choice) const {
#pragma unroll
    for (int step = kWarp / 2; step > 0; step /= 2) take_better_of(choice, ~0U, step, kWarp);
    if (lane % kWarp == 0) scratch[lane / kWarp] = choice;
    __syncthreads();
    for (int i = 1; i < kLanes / kWarp; ++i) choice.take_better(scratch[i]);
    return choice;
  }
};

/// How costs are computed.
struct Costs {
  FixedColors colors;
  double kappa;
};

/// As find_root(), where nothing but roots changes meanwhile: old values are as good.
__device__ __forceinline__ std::int32_t find_root_again(const Node* nodes, std::int32_t node) {
  for (;;) {
    const std::int32_t up = nodes[node].up;
    if (is_root(node, up)) return node;
    node = up;
  }
}

/// Lets a group choose for one fragment; the result is lane 0's.
template <class Group>
__device__ Choice choose(const Regions& r, const MergeCost& cost, std::int32_t fragment,
                         typename Group::Neighbors& table, const Group& group) {
  constexpr int kPlaces = sizeof(table.root) / sizeof(table.root[0]);
  constexpr std::uint64_t kAllHashes = std::uint64_t{1} << 32;
  const Volume v = r.volume;
  const Box box(v, r.nodes[fragment]);
  Choice best;
  std::uint64_t begin = 0;
  std::uint64_t length = kAllHashes;
  while (begin < kAllHashes) {
    const std::uint64_t end = begin + length < kAllHashes ? begin + length : kAllHashes;
    for (int i = group.lane; i < kPlaces; i += Group::kLanes) {
      table.root[i] = kNone;
      table.length[i] = 0;
    }
    group.sync();
    bool fits = true;
    for (std::int32_t i = group.lane; i < box.count && fits; i += Group::kLanes) {
      const Pixel p(v, box, i);
      const std::int32_t node = r.map[p.index];
      if (node < 0 || find_root_again(r.nodes, node) != fragment) continue;
      std::int32_t others[Pixel::kNeighbors];
#pragma unroll
      for (int n = 0; n < Pixel::kNeighbors; ++n) {
        const std::int32_t q = p.neighbor(v, n);
        others[n] = q < 0 ? kOutside : r.map[q];
      }
#pragma unroll
      for (int n = 0; n < Pixel::kNeighbors; ++n) {
        if (others[n] < 0 || others[n] == node) continue;
        const std::int32_t neighbor = find_root_again(r.nodes, others[n]);
        if (neighbor == fragment) continue;
        const std::uint32_t hash = static_cast<std::uint32_t>(neighbor) * 0x9E3779B1U;
        if (hash >= begin && hash < end) fits = table.add(neighbor, hash) && fits;
      }
    }
    group.sync();
    if (group.all(fits)) {
#pragma unroll 1
      for (int i = group.lane; i < kPlaces; i += Group::kLanes) {
        const std::int32_t root = table.root[i];
        if (root == kNone) continue;
        best.take_better({cost(r, fragment, root, table.length[i]), r.nodes[root].first, root});
      }
      begin = end;
    } else {
      length /= 2;
    }
    group.sync();
  }
  return group.best(best);
}

/// Whether a node of the list is a root that picks in `round`: 2^round pixels are the least,
/// 2^(round + 1) - 1 the most that a fragment picks with. Picks of earlier rounds are forgotten.
__device__ __forceinline__ bool picks_in(const Regions& r, std::int32_t node, int round) {
  const std::int32_t up = r.nodes[node].up;
  if (is_root(node, up)) {
    const std::int32_t size = r.nodes[node].size;
    if (size < r.min_size && size >> round == 1) return true;
    if (up != kRoot) r.nodes[node].up = kRoot;
  } else {
    // The way to the root stays short.
    const std::int32_t next = r.nodes[up].up;
    if (!is_root(up, next)) r.nodes[node].up = next;
  }
  return false;
}

__device__ __forceinline__ void write_pick(const Regions& r, std::int32_t fragment,
                                           const Choice& choice) {
  r.nodes[fragment].up = choice.root != kNone ? picked(choice.root) : kRoot;
}

/// For small fragments: groups of lanes walk by themselves.
template <int kLanes>
__global__ void __launch_bounds__(kThreads)
    pick_kernel(const Regions r, const Costs costs, int round) {
  using Group = LaneGroup<kLanes>;
  constexpr std::int64_t kGroups = kThreads / kLanes;
  auto& table = shared_memory<typename Group::Neighbors>()[threadIdx.x / kLanes];
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int shift = static_cast<int>(threadIdx.x) % kWarp - lane;
  const Group group{(~0U >> (kWarp - kLanes)) << shift, lane};
  const MergeCost cost(costs.colors, costs.kappa);
  const std::int32_t count = r.counters->num_nodes + r.counters->num_parts;
  // Neighbours in the list, which are neighbours in the image, go to different groups.
  const std::int64_t groups = gridDim.x * kGroups;
  for (std::int64_t first = blockIdx.x * kGroups + threadIdx.x / kLanes; first < count;
       first += groups * kLanes) {
    const std::int64_t i = first + groups * lane;
    const std::int32_t node = i < count ? r.list[i] : kNone;
    const bool picks = i < count && picks_in(r, node, round);
    unsigned waiting = __ballot_sync(group.mask, picks) >> shift;
    while (waiting != 0) {
      const int from = __ffs(static_cast<int>(waiting)) - 1;
      waiting &= waiting - 1;
      const std::int32_t fragment = __shfl_sync(group.mask, node, from, kLanes);
      const Choice choice = choose(r, cost, fragment, table, group);
      if (lane == 0) write_pick(r, fragment, choice);
    }
  }
}

template <int kLanes>
struct BlockMemory {
  typename BlockGroup<kLanes>::Neighbors table;
  Choice scratch[kLanes / kWarp];
  std::int32_t waiting[kLanes];
  std::int32_t num_waiting;
};

/// For large ones: blocks do.
template <int kLanes>
__global__ void __launch_bounds__(kLanes)
    pick_large_kernel(const Regions r, const Costs costs, int round) {
  auto& m = *shared_memory<BlockMemory<kLanes>>();
  const auto thread = static_cast<int>(threadIdx.x);
  const BlockGroup<kLanes> group{m.scratch, thread};
  const MergeCost cost(costs.colors, costs.kappa);
  const std::int32_t count = r.counters->num_nodes + r.counters->num_parts;
  const std::int64_t blocks = gridDim.x;
  for (std::int64_t first = blockIdx.x; first < count; first += blocks * kLanes) {
    if (thread == 0) m.num_waiting = 0;
    __syncthreads();
    const std::int64_t i = first + blocks * thread;
    if (i < count) {
      const std::int32_t node = r.list[i];
      if (picks_in(r, node, round)) m.waiting[atomicAdd(&m.num_waiting, 1)] = node;
    }
    __syncthreads();
    for (int k = 0; k < m.num_waiting; ++k) {
      const std::int32_t fragment = m.waiting[k];
      const Choice choice = choose(r, cost, fragment, m.table, group);
      if (thread == 0) write_pick(r, fragment, choice);
      __syncthreads();
    }
    __syncthreads();
  }
}

/// What a root picked, or kNone.
__device__ __forceinline__ std::int32_t pick_of(std::int32_t up) {
  return up < kRoot ? -2 - up : kNone;
}

/// The region in which a node that picked ends up.
__device__ std::int32_t end_of_picks(const Node* nodes, std::int32_t node) {
  for (;;) {
    const std::int32_t up = read_fresh(&nodes[node].up);
    if (up >= 0) {  // has joined already, and points further down the way
      node = up;
      continue;
    }
    const std::int32_t next = pick_of(up);
    if (next == kNone) return node;
    const std::int32_t back = read_fresh(&nodes[next].up);
    // The lower of two that picked each other stays, and the other may have joined it already.
    if (back == node) return node;
    if (pick_of(back) == node) return min(node, next);
    node = next;
  }
}

__global__ void __launch_bounds__(kThreads) unite_kernel(const Regions r) {
  const std::int32_t count = r.counters->num_nodes + r.counters->num_parts;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    const std::int32_t node = r.list[i];
    if (pick_of(read_fresh(&r.nodes[node].up)) == kNone) continue;
    const std::int32_t end = end_of_picks(r.nodes, node);
    if (end == node) continue;
    add_node(r, node, end);
    *const_cast<volatile std::int32_t*>(&r.nodes[node].up) = end;
  }
}

}  // namespace

void merge_fragments(const Call& call, const Regions& regions, const StageColors& colors,
                     double kappa) {
  if (regions.min_size <= 1) return;
  const std::int64_t most = std::min(regions.min_size - 1, regions.volume.num_pixels());
  const int rounds = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(most)));
  const Costs costs{FixedColors(colors), kappa};
  const Volume& v = regions.volume;
  for (int round = 0; round < rounds; ++round) {
    // About as many lanes as there are pixels in the box of a fragment. Few are large.
    const std::int64_t blocks = blocks_for_nodes(v, kThreads / kWarp);
    if (round < 3) {
      call.launch(pick_kernel<8>, blocks_for_nodes(v, kThreads / 8), kThreads,
                  kThreads / 8 * sizeof(LaneGroup<8>::Neighbors), regions, costs, round);
    } else if (round < 5) {
      call.launch(pick_kernel<kWarp>, blocks, kThreads,
                  kThreads / kWarp * sizeof(LaneGroup<kWarp>::Neighbors), regions, costs, round);
    } else if (round < 7) {
      call.launch(pick_large_kernel<128>, blocks, 128, sizeof(BlockMemory<128>), regions, costs,
                  round);
    } else {
      call.launch(pick_large_kernel<512>, std::min<std::int64_t>(blocks, 132 * 4), 512,
                  sizeof(BlockMemory<512>), regions, costs, round);
    }
    call.launch(unite_kernel, blocks_for_nodes(v, kThreads), kThreads, 0, regions);
  }
}

}  // namespace superpix::cuda
