// SPDX-License-Identifier: Apache-2.0
//
// The regions are the nodes of a graph, whose edges are the borders between them. Two launches
// bring the edges together in a hash table and list them. Then one block goes through the list in
// rounds, as the host cannot know how many it takes: there are few edges, and few rounds. What
// merging made one border becomes one edge through the table again.
//
// The order of the list is left open; nothing depends on it.
#include "merge_pairs.h"

#include "merge_cost.h"
#include "shared.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRoundThreads = 1024;
constexpr unsigned long long kNoCost = ~0ULL;
constexpr std::int32_t kLast = 0x7fffffff;  // above all pixels
constexpr std::int32_t kNone = -1;

using Count = unsigned long long;

/// A table of borders, as large as it is given room for.
struct Table {
  Count* keys;
  std::int32_t* borders;
  Count places;

  __device__ void add(std::int32_t a, std::int32_t b, std::int32_t border) const {
    const Count key = static_cast<Count>(a + 1) << 32 | static_cast<std::uint32_t>(b + 1);
    Count place = __umul64hi(key * 0x9E3779B97F4A7C15ULL, places);
    for (;;) {
      const Count old = atomicCAS(&keys[place], 0ULL, key);
      if (old == 0 || old == key) break;
      place = place + 1 < places ? place + 1 : 0;
    }
    atomicAdd(&borders[place], border);
  }

  /// Puts what lies at a place on a list, and leaves the place empty.
  __device__ void move(Count place, Edge* edges, Count* num_edges) const {
    const Count key = keys[place];
    if (key == 0) return;
    edges[atomicAdd(num_edges, 1ULL)] = {static_cast<std::int32_t>(key >> 32) - 1,
                                         static_cast<std::int32_t>(key & 0xffffffffU) - 1,
                                         borders[place], kNone, kNoCost};
    keys[place] = 0;
    borders[place] = 0;
  }
};

/// Adds the border of two roots to a table.
__device__ __forceinline__ void add_border(const Regions& r, const Table& table, std::int32_t a,
                                           std::int32_t b, std::int32_t border) {
  const bool in_order = r.nodes[a].first < r.nodes[b].first;
  table.add(in_order ? a : b, in_order ? b : a, border);
}

/// Every pixel looks at those to its right, below and behind it.
__global__ void __launch_bounds__(kThreads)
    border_kernel(const Regions r, const PairScratch s, Count places) {
  const Table table{s.keys, s.borders, places};
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= r.volume.num_pixels()) return;
  const Pixel p(r.volume, static_cast<std::int32_t>(index));
  const std::int32_t node = r.map[p.index];
  if (node < 0) return;
  const std::int32_t root = find_root(r.nodes, node);
#pragma unroll
  for (int i = Pixel::kNeighbors / 2; i < Pixel::kNeighbors; ++i) {
    const std::int32_t q = p.neighbor(r.volume, i);
    const std::int32_t other = q < 0 ? kOutside : r.map[q];
    if (other < 0 || other == node) continue;
    const std::int32_t neighbor = find_root(r.nodes, other);
    if (neighbor != root) add_border(r, table, root, neighbor, 1);
  }
}

/// Lists the edges, and counts the regions.
__global__ void __launch_bounds__(kThreads)
    list_kernel(const Regions r, const PairScratch s, Count places) {
  const Table table{s.keys, s.borders, places};
  const std::int32_t num_nodes = r.counters->num_nodes + r.counters->num_parts;
  const Count i = static_cast<Count>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < places) table.move(i, s.edges, &s.counters->num_edges);
  if (i < static_cast<Count>(num_nodes)) {
    const std::int32_t node = r.list[i];
    if (is_root(node, read_fresh(&r.nodes[node].up))) atomicAdd(&s.counters->num_regions, 1);
  }
}

/// What the block shares in a round.
struct Round {
  Count num_edges;
  Count num_listed;
  Count num_chosen;  // by one end or both; by both
  Count num_mutual;
  Count wanted;       // edges that merge
  Count last_cost;    // of the last edge that merges
  Count last_places;  // first pixels of its ends
  Count histogram[256];
  std::int32_t done;
};

/// One round after the other, by all threads of a block.
class PairMerger {
 public:
  __device__ PairMerger(const Regions& r, const PairScratch& s, const MergeCost& cost, Round& round)
      : r_(r), s_(s), cost_(cost), round_(round) {}

  __device__ void run(std::int64_t surplus) {
    const Count num_edges = s_.counters->num_edges;
    if (threadIdx.x == 0) round_.num_edges = num_edges;
    __syncthreads();
    while (surplus > 0 && round_.num_edges > 0) {
      choose();
      const Count half = (num_candidates() + 1) / 2;
      const Count wanted = half < static_cast<Count>(surplus) ? half : static_cast<Count>(surplus);
      find_last(wanted);
      unite();
      simplify();
      surplus -= static_cast<std::int64_t>(wanted);
    }
  }

 private:
  /// Calls f(edge) for all edges, and waits for all threads.
  template <class F>
  __device__ void for_each_edge(F f) const {
    const Count count = round_.num_edges;
    for (Count i = threadIdx.x; i < count; i += blockDim.x) f(s_.edges[i]);
    __syncthreads();
  }

  __device__ std::int32_t first(std::int32_t root) const { return r_.nodes[root].first; }

  /// Computes costs, and lets every region choose its least edge.
  __device__ void choose() const {
    for_each_edge([&](Edge& edge) {
      s_.best_cost[edge.a] = s_.best_cost[edge.b] = kNoCost;
      s_.best_first[edge.a] = s_.best_first[edge.b] = kLast;
    });
    for_each_edge([&](Edge& edge) {
      edge.cost = cost_(r_, edge.a, edge.b, edge.border);
      atomicMin(&s_.best_cost[edge.a], edge.cost);
      atomicMin(&s_.best_cost[edge.b], edge.cost);
    });
    for_each_edge([&](Edge& edge) {
      if (edge.cost == s_.best_cost[edge.a]) atomicMin(&s_.best_first[edge.a], first(edge.b));
      if (edge.cost == s_.best_cost[edge.b]) atomicMin(&s_.best_first[edge.b], first(edge.a));
    });
  }

  /// How many of its ends chose an edge.
  __device__ int choices(const Edge& edge) const {
    const bool of_a = edge.cost == s_.best_cost[edge.a] && first(edge.b) == s_.best_first[edge.a];
    const bool of_b = edge.cost == s_.best_cost[edge.b] && first(edge.a) == s_.best_first[edge.b];
    return (of_a ? 1 : 0) + (of_b ? 1 : 0);
  }

  /// Counts the edges that both ends chose; where these are few, those that one of them did.
  __device__ Count num_candidates() {
    constexpr Count kFew = 8;
    if (threadIdx.x == 0) round_.num_chosen = round_.num_mutual = 0;
    __syncthreads();
    for_each_edge([&](Edge& edge) {
      const int count = choices(edge);
      if (count > 0) atomicAdd(&round_.num_chosen, 1ULL);
      if (count > 1) atomicAdd(&round_.num_mutual, 1ULL);
    });
    // Of those chosen by both, each was chosen twice.
    needed_ = kFew * round_.num_mutual < round_.num_chosen + round_.num_mutual ? 1 : 2;
    return needed_ == 1 ? round_.num_chosen : round_.num_mutual;
  }

  __device__ Count places_of(const Edge& edge) const {
    return static_cast<Count>(first(edge.a)) << 32 | static_cast<std::uint32_t>(first(edge.b));
  }

  /// Finds the last of the `wanted` least candidates, by cost and first pixels, digit by digit.
  __device__ void find_last(Count wanted) {
    constexpr int kBits = 8;
    constexpr int kDigits = 64 / kBits;
    if (threadIdx.x == 0) {
      round_.wanted = wanted;
      round_.last_cost = round_.last_places = 0;
      round_.done = 0;
    }
    for (int digit = 0; digit < 2 * kDigits; ++digit) {
      const bool in_cost = digit < kDigits;
      const int shift = 64 - kBits * (digit % kDigits + 1);
      for (int i = static_cast<int>(threadIdx.x); i < 1 << kBits; i += kRoundThreads) {
        round_.histogram[i] = 0;
      }
      __syncthreads();
      if (round_.done != 0) break;
      for_each_edge([&](Edge& edge) {
        if (choices(edge) < needed_ || (!in_cost && edge.cost != round_.last_cost)) return;
        const Count value = in_cost ? edge.cost : places_of(edge);
        const Count known = in_cost ? round_.last_cost : round_.last_places;
        const bool matches = digit % kDigits == 0 || (value ^ known) >> (shift + kBits) == 0;
        if (matches) atomicAdd(&round_.histogram[value >> shift & ((1U << kBits) - 1)], 1ULL);
      });
      if (threadIdx.x == 0) {
        Count bin = 0;
        while (round_.histogram[bin] < round_.wanted) round_.wanted -= round_.histogram[bin++];
        const bool done = round_.histogram[bin] == round_.wanted;
        // What begins like this is all among them.
        const Count rest = done ? (Count{1} << shift) - 1 : 0;
        (in_cost ? round_.last_cost : round_.last_places) |= bin << shift | rest;
        if (done && in_cost) round_.last_places = ~Count{0};
        round_.done = done ? 1 : 0;
      }
      __syncthreads();
    }
    __syncthreads();
  }

  /// Joins the ends of all candidates up to the last.
  __device__ void unite() const {
    for_each_edge([&](Edge& edge) {
      if (choices(edge) < needed_ || edge.cost > round_.last_cost) return;
      if (edge.cost == round_.last_cost && places_of(edge) > round_.last_places) return;
      edge.gone = hook(edge.a, edge.b);
    });
    // All that goes is hooked by now: sums go where they stay.
    for_each_edge([&](Edge& edge) {
      if (edge.gone != kNone) add_node(r_, edge.gone, find_root(r_.nodes, edge.gone));
    });
  }

  /// Makes one tree of two, and returns the root that is none any more.
  __device__ std::int32_t hook(std::int32_t a, std::int32_t b) const {
    for (;;) {
      a = find_root(r_.nodes, a);
      b = find_root(r_.nodes, b);
      const std::int32_t gone = max(a, b);
      std::int32_t* up = &r_.nodes[gone].up;
      const std::int32_t old = read_fresh(up);
      if (is_root(gone, old) && atomicCAS(up, old, min(a, b)) == old) return gone;
    }
  }

  /// Lets edges name roots, each two of them once.
  __device__ void simplify() {
    // The table need not be larger than that.
    const Count count = round_.num_edges;
    const Table table{s_.keys, s_.borders, count + count / 4 + 1};
    for_each_edge([&](Edge& edge) {
      const std::int32_t a = find_root(r_.nodes, edge.a);
      const std::int32_t b = find_root(r_.nodes, edge.b);
      if (a != b) add_border(r_, table, a, b, edge.border);
    });
    if (threadIdx.x == 0) round_.num_listed = 0;
    __syncthreads();
    for (Count i = threadIdx.x; i < table.places; i += blockDim.x) {
      table.move(i, s_.edges, &round_.num_listed);
    }
    __syncthreads();
    if (threadIdx.x == 0) round_.num_edges = round_.num_listed;
    __syncthreads();
  }

  const Regions& r_;
  const PairScratch& s_;
  const MergeCost& cost_;
  Round& round_;
  int needed_ = 2;  // choices of a candidate
};

__global__ void __launch_bounds__(kRoundThreads)
    merge_kernel(const Regions r, const PairScratch s, const FixedColors colors, double kappa,
                 std::int64_t max_segments) {
  const MergeCost cost(colors, kappa);
  PairMerger(r, s, cost, *shared_memory<Round>()).run(s.counters->num_regions - max_segments);
}

}  // namespace

void PairScratch::take(Call& call, const Volume& v) {
  edges = call.take<Edge>(faces(v));
  keys = call.take<unsigned long long>(places(v));
  borders = call.take<std::int32_t>(places(v));
  best_cost = call.take<unsigned long long>(v.num_pixels());
  best_first = call.take<std::int32_t>(v.num_pixels());
  counters = call.take<Counters>(1);
}

void merge_pairs(const Call& call, const Regions& regions, const PairScratch& scratch,
                 const StageColors& colors, double kappa, std::int64_t max_segments) {
  const Volume& v = regions.volume;
  const std::int64_t places = PairScratch::places(v);
  call.clear(scratch.keys, places);
  call.clear(scratch.borders, places);
  call.clear(scratch.counters, 1);
  call.launch(border_kernel, blocks_for(v.num_pixels(), kThreads), kThreads, 0, regions, scratch,
              static_cast<Count>(places));
  call.launch(list_kernel, blocks_for(places, kThreads), kThreads, 0, regions, scratch,
              static_cast<Count>(places));
  call.launch(merge_kernel, 1, kRoundThreads, sizeof(Round), regions, scratch, FixedColors(colors),
              kappa, max_segments);
}

}  // namespace superpix::cuda
