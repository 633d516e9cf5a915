// SPDX-License-Identifier: Apache-2.0
//
// Merging in rounds of two launches; round i is for fragments of 2^i to 2^(i+1) - 1 pixels.
//
// 1. Every such fragment picks a neighbour, and nothing else changes. A group of lanes goes through
//    the pixels in the box of a fragment and counts in a table in shared memory what they touch.
//    What there is no room for is left for another walk: each takes only neighbours whose hash lies
//    in an interval, which is halved until they fit. That is rare: in its round, no neighbour of a
//    fragment is smaller than it.
// 2. Picks are followed to where they end: at a region that picked nothing, or at two that picked
//    each other, as costs are the same from both sides. All that lies on the way joins that region,
//    and no thread needs to know what the others do.
//
// Costs are computed in float64, operation by operation as on the CPU (cpu/merge.cpp).
#include "merge.h"

#include <algorithm>
#include <bit>

#include "shared.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr std::int32_t kNone = -1;

/// How many lanes walk together, and how many neighbours they have room for.
template <int kLanes>
constexpr int kPlaces = kLanes == kWarp ? 128 : 32;

/// The neighbours of one fragment, and along how many faces each touches it.
template <int kLanes>
struct Table {
  std::int32_t root[kPlaces<kLanes>];
  std::int32_t length[kPlaces<kLanes>];

  /// Whether there was room.
  __device__ bool add(std::int32_t neighbor, std::uint32_t hash) {
    constexpr std::uint32_t kMask = kPlaces<kLanes> - 1;
    std::uint32_t place = (hash ^ hash >> 15) & kMask;
    for (int i = 0; i < kPlaces<kLanes>; ++i) {
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

/// How costs are computed.
struct Costs {
  FixedColors colors;
  double kappa;
};

__device__ double cost(const Regions& r, double kappa, double squared_unit, std::int32_t a,
                       std::int32_t b, std::int32_t length) {
  const std::int32_t fields = r.fields();
  const std::int64_t* sums_a = r.sums + static_cast<std::int64_t>(a) * fields + r.positions;
  const std::int64_t* sums_b = r.sums + static_cast<std::int64_t>(b) * fields + r.positions;
  const auto s = static_cast<double>(r.nodes[a].size);
  const auto t = static_cast<double>(r.nodes[b].size);
  const double scale_a = __ddiv_rn(1.0, s);
  const double scale_b = __ddiv_rn(1.0, t);
  double difference = 0.0;
  for (std::int32_t c = 0; c < r.channels; ++c) {
    const double d = __dsub_rn(__dmul_rn(static_cast<double>(sums_a[c]), scale_a),
                               __dmul_rn(static_cast<double>(sums_b[c]), scale_b));
    difference = __dadd_rn(difference, __dmul_rn(d, d));
  }
  return __ddiv_rn(
      __dmul_rn(__dadd_rn(kappa, __dmul_rn(difference, squared_unit)), __dmul_rn(s, t)),
      __dmul_rn(__dadd_rn(s, t), static_cast<double>(length)));
}

/// Lets the kLanes lanes of `mask` choose together for one fragment; the result is lane 0's.
template <int kLanes>
__device__ Choice choose(const Regions& r, double kappa, double squared_unit, std::int32_t fragment,
                         Table<kLanes>& table, unsigned mask, int lane) {
  constexpr std::uint64_t kAllHashes = std::uint64_t{1} << 32;
  const Volume v = r.volume;
  const Box box(v, r.nodes[fragment]);
  Choice best;
  std::uint64_t begin = 0;
  std::uint64_t length = kAllHashes;
  while (begin < kAllHashes) {
    const std::uint64_t end = begin + length < kAllHashes ? begin + length : kAllHashes;
    for (int i = lane; i < kPlaces<kLanes>; i += kLanes) {
      table.root[i] = kNone;
      table.length[i] = 0;
    }
    __syncwarp(mask);
    bool fits = true;
    for (std::int32_t i = lane; i < box.count && fits; i += kLanes) {
      const Pixel p(v, box, i);
      const std::int32_t node = r.map[p.index];
      if (node < 0 || find_root(r.nodes, node) != fragment) continue;
#pragma unroll
      for (int n = 0; n < Pixel::kNeighbors; ++n) {
        const std::int32_t q = p.neighbor(v, n);
        if (q < 0) continue;
        const std::int32_t other = r.map[q];
        if (other < 0 || other == node) continue;
        const std::int32_t neighbor = find_root(r.nodes, other);
        if (neighbor == fragment) continue;
        const std::uint32_t hash = static_cast<std::uint32_t>(neighbor) * 0x9E3779B1U;
        if (hash >= begin && hash < end) fits = table.add(neighbor, hash) && fits;
      }
    }
    __syncwarp(mask);
    if (__all_sync(mask, fits)) {
      for (int i = lane; i < kPlaces<kLanes>; i += kLanes) {
        const std::int32_t root = table.root[i];
        if (root == kNone) continue;
        const double c = cost(r, kappa, squared_unit, fragment, root, table.length[i]);
        best.take_better(
            {static_cast<unsigned long long>(__double_as_longlong(c)), r.nodes[root].first, root});
      }
      begin = end;
    } else {
      length /= 2;
    }
    __syncwarp(mask);
  }
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) {
    Choice other;
    other.cost = __shfl_xor_sync(mask, best.cost, step, kLanes);
    other.first = __shfl_xor_sync(mask, best.first, step, kLanes);
    other.root = __shfl_xor_sync(mask, best.root, step, kLanes);
    best.take_better(other);
  }
  return best;
}

/// `round`: 2^round pixels are the least, 2^(round + 1) - 1 the most that a fragment picks with.
template <int kLanes>
__global__ void __launch_bounds__(kThreads)
    pick_kernel(const Regions r, const Costs costs, int round) {
  auto* tables = shared_memory<Table<kLanes>>();
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int shift = static_cast<int>(threadIdx.x) % kWarp - lane;
  const unsigned mask = (kLanes == kWarp ? ~0U : (1U << kLanes % kWarp) - 1) << shift;
  const double unit = costs.colors.unit();
  const double squared_unit = __dmul_rn(unit, unit);
  const std::int32_t count = r.counters->num_nodes + r.counters->num_parts;
  const auto group = static_cast<std::int64_t>(threadIdx.x) / kLanes;
  constexpr std::int64_t kGroups = kThreads / kLanes;
  // Few nodes are dealt out one to a group, many by as many as it has lanes.
  const std::int64_t groups = gridDim.x * kGroups;
  const std::int64_t at_once = min((count + groups - 1) / groups, std::int64_t{kLanes});
  for (std::int64_t begin = (blockIdx.x * kGroups + group) * at_once; begin < count;
       begin += groups * at_once) {
    std::int32_t node = kNone;
    bool picks = false;
    if (lane < at_once && begin + lane < count) {
      node = r.list[begin + lane];
      const std::int32_t up = read_fresh(&r.nodes[node].up);
      if (is_root(node, up)) {
        const std::int32_t size = r.nodes[node].size;
        picks = size < r.min_size && size >> round == 1;
        if (!picks && up != kRoot) r.nodes[node].up = kRoot;
      } else {
        // The way to the root stays short.
        const std::int32_t next = read_fresh(&r.nodes[up].up);
        if (!is_root(up, next)) r.nodes[node].up = next;
      }
    }
    unsigned waiting = __ballot_sync(mask, picks) >> shift;
    while (waiting != 0) {
      const int from = __ffs(static_cast<int>(waiting)) - 1;
      waiting &= waiting - 1;
      const std::int32_t fragment = __shfl_sync(mask, node, from, kLanes);
      const Choice choice = choose<kLanes>(r, costs.kappa, squared_unit, fragment,
                                           tables[threadIdx.x / kLanes], mask, lane);
      if (lane == 0) r.nodes[fragment].up = choice.root != kNone ? picked(choice.root) : kRoot;
    }
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
  for (int round = 0; round < rounds; ++round) {
    const auto pick = [&](auto kernel, int lanes, std::size_t table) {
      const int groups = kThreads / lanes;
      call.launch(kernel, blocks_for_nodes(regions.volume, groups), kThreads, groups * table,
                  regions, costs, round);
    };
    if (round < 3) {
      pick(pick_kernel<8>, 8, sizeof(Table<8>));
    } else {
      pick(pick_kernel<kWarp>, kWarp, sizeof(Table<kWarp>));
    }
    call.launch(unite_kernel, blocks_for_nodes(regions.volume, kThreads), kThreads, 0, regions);
  }
}

}  // namespace superpix::cuda
