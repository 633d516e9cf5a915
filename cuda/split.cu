// SPDX-License-Identifier: Apache-2.0
//
// Regions above max_size are rare. A block looks for them among its share of the nodes, and floods
// each that it finds, part after part, as the CPU does: the next part begins at the first pixel
// beside earlier ones that is left. The pixels of one distance from the start are a level, and are
// found together. To have the CPU's order, by which parts end within a level: a pixel belongs to
// the first of its neighbours in the level before, by a minimum over their ranks, and pixels are
// lined up by a prefix sum over what belongs to each.
//
// A part is a node of its own: its start, whose place among the nodes no other needs.
#include "split.h"

#include "scan.h"
#include "shared.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::uint32_t kFree = ~0U;
constexpr std::uint32_t kFreeNode = ~0U - 1;

/// What is known of a pixel of a region that is split, in `last_z` of its place among the nodes.
constexpr std::int32_t kIsListed = 1;  // in the list of nodes
constexpr std::int32_t kIsQueued = 2;  // among the starts

/// How a pixel's entry in the map tells the start of its part before all are found.
__device__ __forceinline__ std::int32_t part_of(std::int32_t start) { return -2 - start; }

struct SplitMemory {
  std::int32_t scratch[kBlockScanScratch];
  std::int32_t large[kThreads];
  std::int32_t num_large;
  std::int32_t begin;  // of the region's pixels in the scratch arrays
  std::int32_t start;  // of the next part, and its place among the starts
  std::int32_t found;
};

/// Floods one region.
class Splitter {
 public:
  __device__ Splitter(const Regions& r, const SplitScratch& s, const FixedColors& colors,
                      std::int32_t* labels, SplitMemory& m, std::int32_t root)
      : r_(r), s_(s), colors_(colors), labels_(labels), m_(m), root_(root) {}

  /// Adds to num_large, unless it is nullptr, how many parts are not fragments.
  __device__ void split(std::int32_t* num_large) {
    const Node node = r_.nodes[root_];
    size_ = node.size;
    const std::int64_t parts = (size_ + r_.max_size - 1) / r_.max_size;
    part_size_ = static_cast<std::int32_t>((size_ + parts - 1) / parts);
    if (threadIdx.x == 0) m_.begin = atomicAdd(&r_.counters->num_queued, size_);
    __syncthreads();
    flooded_ = s_.flooded + m_.begin;
    starts_ = s_.starts + m_.begin;
    prepare(Box(r_.volume, node));
    if (threadIdx.x == 0) starts_[0] = root_;
    __syncthreads();
    std::int32_t next = 0;
    num_starts_ = 1;
    while (num_flooded_ < size_) {
      next = find_start(next);
      flood(m_.start);
    }
    finish(num_large);
  }

 private:
  /// Lets the map tell what belongs to the region, pixel by pixel, and what is left of it.
  __device__ void prepare(const Box& box) {
    for (auto i = static_cast<std::int32_t>(threadIdx.x); i < box.count; i += kThreads) {
      const std::int32_t p = Pixel(r_.volume, box, i).index;
      const std::int32_t node = r_.map[p];
      if (node < 0 || find_root(r_.nodes, node) != root_) continue;
      s_.claim[p] = node == p ? kFreeNode : kFree;
      r_.map[p] = root_;
    }
    __syncthreads();
    for (auto i = static_cast<std::int32_t>(threadIdx.x); i < box.count; i += kThreads) {
      const std::int32_t p = Pixel(r_.volume, box, i).index;
      if (r_.map[p] != root_) continue;
      r_.nodes[p].up = root_;
      r_.nodes[p].last_z = s_.claim[p] == kFreeNode ? kIsListed : 0;
      s_.claim[p] = kFree;
    }
    __syncthreads();
  }

  /// Leaves the first start from `next` on that is not flooded in m_.start, and returns the place
  /// after it.
  __device__ std::int32_t find_start(std::int32_t next) {
    for (;; next += kThreads) {
      const std::int32_t i = next + static_cast<std::int32_t>(threadIdx.x);
      const std::int32_t p = i < num_starts_ ? starts_[i] : -1;
      const bool is_left = p >= 0 && r_.map[p] == root_;
      std::int32_t count = 0;
      const std::int32_t before = block_sum_before(is_left ? 1 : 0, m_.scratch, &count);
      if (is_left && before == 0) {
        m_.start = p;
        m_.found = i;
      }
      __syncthreads();
      if (count > 0) return m_.found + 1;
    }
  }

  __device__ void flood(std::int32_t start) {
    const std::int32_t first = num_flooded_;
    std::int32_t level = num_flooded_;
    num_flooded_ += 1;
    std::int32_t end = num_flooded_;
    if (threadIdx.x == 0) {
      flooded_[first] = start;
      r_.map[start] = part_of(start);
      r_.nodes[start].up = start;
      if ((r_.nodes[start].last_z & kIsListed) == 0) {
        const std::int32_t i = atomicAdd(&r_.counters->num_parts, 1);
        r_.list[r_.counters->num_nodes + i] = start;
      }
      if (labels_ != nullptr) labels_[start] = labels_[root_];
    }
    __syncthreads();
    while (level < end) {
      claim_level(level, end);
      __syncthreads();
      for (std::int32_t begin = level; begin < end; begin += kThreads) {
        take_claimed(start, level, begin + static_cast<std::int32_t>(threadIdx.x), end,
                     first + part_size_ - num_flooded_);
      }
      level = end;
      end = num_flooded_;
    }
  }

  __device__ static std::uint32_t rank(std::int32_t i, int neighbor) {
    return static_cast<std::uint32_t>(i) * Pixel::kNeighbors + static_cast<std::uint32_t>(neighbor);
  }

  /// Every pixel of a level claims its neighbours, and the first gets each.
  __device__ void claim_level(std::int32_t level, std::int32_t end) {
    for (std::int32_t i = level + static_cast<std::int32_t>(threadIdx.x); i < end; i += kThreads) {
      const Pixel p(r_.volume, flooded_[i]);
#pragma unroll
      for (int n = 0; n < Pixel::kNeighbors; ++n) {
        const std::int32_t q = p.neighbor(r_.volume, n);
        if (q >= 0 && r_.map[q] == root_) atomicMin(&s_.claim[q], rank(i - level, n));
      }
    }
  }

  /// What pixel i of a level, one of each thread, got: the first `room` of all become part, the
  /// others are where parts may start.
  __device__ void take_claimed(std::int32_t start, std::int32_t level, std::int32_t i,
                               std::int32_t end, std::int32_t room) {
    std::int32_t got[Pixel::kNeighbors];
    std::int32_t count = 0;
    const Pixel p(r_.volume, i < end ? flooded_[i] : root_);
#pragma unroll
    for (int n = 0; n < Pixel::kNeighbors; ++n) {
      const std::int32_t q = i < end ? p.neighbor(r_.volume, n) : -1;
      const bool is_own = q >= 0 && r_.map[q] == root_ && s_.claim[q] == rank(i - level, n);
      got[n] = is_own ? q : -1;
      count += is_own ? 1 : 0;
    }
    std::int32_t total = 0;
    std::int32_t place = block_sum_before(count, m_.scratch, &total);
    std::int32_t num_new = 0;
#pragma unroll
    for (int n = 0; n < Pixel::kNeighbors; ++n) {
      const std::int32_t q = got[n];
      if (q < 0) continue;
      if (place++ < room) {
        r_.map[q] = part_of(start);
        flooded_[num_flooded_ + place - 1] = q;
        got[n] = -1;
        continue;
      }
      s_.claim[q] = kFree;
      std::int32_t* state = &r_.nodes[q].last_z;
      if ((*state & kIsQueued) != 0) {
        got[n] = -1;
      } else {
        *state |= kIsQueued;
        ++num_new;
      }
    }
    num_flooded_ += total < room ? total : room;
    if (total > room) {
      std::int32_t total_new = 0;
      std::int32_t at = num_starts_ + block_sum_before(num_new, m_.scratch, &total_new);
#pragma unroll
      for (int n = 0; n < Pixel::kNeighbors; ++n) {
        if (got[n] >= 0) starts_[at++] = got[n];
      }
      num_starts_ += total_new;
    }
    __syncthreads();
  }

  /// Makes nodes of the parts.
  __device__ void finish(std::int32_t* num_large) {
    const std::int32_t fields = r_.fields();
    const double scale = colors_.scale();
    const auto thread = static_cast<std::int32_t>(threadIdx.x);
    for (std::int32_t i = thread; i < size_; i += kThreads) {
      const std::int32_t p = flooded_[i];
      if (r_.map[p] != part_of(p)) continue;
      const Pixel at(r_.volume, p);
      r_.nodes[p] = {p, 0, p, at.z, at.y, at.y, at.x, at.x};
      for (std::int32_t f = 0; f < fields; ++f) {
        r_.sums[static_cast<std::int64_t>(p) * fields + f] = 0;
      }
    }
    __syncthreads();
    for (std::int32_t i = thread; i < size_; i += kThreads) {
      const Pixel p(r_.volume, flooded_[i]);
      const std::int32_t part = part_of(r_.map[p.index]);
      Node* node = &r_.nodes[part];
      atomicAdd(&node->size, 1);
      atomicMin(&node->first, p.index);
      atomicMax(&node->last_z, p.z);
      atomicMin(&node->first_y, p.y);
      atomicMax(&node->last_y, p.y);
      atomicMin(&node->first_x, p.x);
      atomicMax(&node->last_x, p.x);
      std::int64_t* sums = r_.sums + static_cast<std::int64_t>(part) * fields;
      if (r_.positions != 0) {
        add_to(sums, p.y);
        add_to(sums + 1, p.x);
      }
      for (std::int32_t c = 0; c < r_.channels; ++c) {
        add_to(sums + r_.positions + c, colors_.at(p.index, c, scale));
      }
    }
    __syncthreads();
    for (std::int32_t i = thread; i < size_; i += kThreads) {
      const std::int32_t p = flooded_[i];
      const std::int32_t part = part_of(r_.map[p]);
      if (part == p && num_large != nullptr && r_.nodes[p].size >= r_.min_size) {
        atomicAdd(num_large, 1);
      }
      r_.map[p] = part;
    }
    __syncthreads();
  }

  const Regions& r_;
  const SplitScratch& s_;
  const FixedColors& colors_;
  std::int32_t* labels_;
  SplitMemory& m_;
  std::int32_t root_;
  std::int32_t size_ = 0;
  std::int32_t part_size_ = 0;
  std::int32_t* flooded_ = nullptr;  // pixels of parts, in the order in which they were found
  std::int32_t* starts_ = nullptr;
  std::int32_t num_flooded_ = 0;
  std::int32_t num_starts_ = 0;
};

/// Splits what is too large, and counts the regions of each label that are not fragments.
__global__ void __launch_bounds__(kThreads)
    split_kernel(const Regions r, const SplitScratch scratch, const FixedColors colors,
                 const LabelMeans means, std::int32_t* labels) {
  auto& m = *shared_memory<SplitMemory>();
  const std::int32_t count = r.counters->num_nodes;
  for (std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kThreads; begin < count;
       begin += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    if (threadIdx.x == 0) m.num_large = 0;
    __syncthreads();
    const std::int64_t i = begin + threadIdx.x;
    const std::int32_t node = i < count ? r.list[i] : -1;
    // Parts that other blocks have made meanwhile point to themselves.
    if (node >= 0 && read_fresh(&r.nodes[node].up) < 0) {
      const std::int32_t size = r.nodes[node].size;
      if (r.max_size > 0 && size > r.max_size) {
        m.large[atomicAdd(&m.num_large, 1)] = node;
      } else if (means.means != nullptr && size >= r.min_size) {
        atomicAdd(&means.num_large[means.labels[node]], 1);
      }
    }
    __syncthreads();
    while (m.num_large > 0) {
      const std::int32_t root = m.large[m.num_large - 1];
      std::int32_t* num_large =
          means.means != nullptr ? &means.num_large[means.labels[root]] : nullptr;
      Splitter(r, scratch, colors, labels, m, root).split(num_large);
      if (threadIdx.x == 0) --m.num_large;
      __syncthreads();
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads)
    mean_kernel(const Regions r, const FixedColors colors, const LabelMeans means) {
  const std::int32_t count = r.counters->num_nodes + r.counters->num_parts;
  const double scale = colors.scale();
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    const std::int32_t node = r.list[i];
    if (!is_root(node, r.nodes[node].up) || r.nodes[node].size < r.min_size) continue;
    const std::int64_t label = means.labels[node];
    if (means.num_large[label] != 1) continue;
    const auto size = static_cast<double>(r.nodes[node].size);
    std::int64_t* sums = r.sums + static_cast<std::int64_t>(node) * r.fields() + r.positions;
    for (std::int32_t c = 0; c < r.channels; ++c) {
      const double mean = __dmul_rn(means.means[label * r.channels + c], scale);
      sums[c] = __double2ll_rn(__dmul_rn(mean, size));
    }
  }
}

}  // namespace

void split_regions(const Call& call, const Regions& regions, const SplitScratch& scratch,
                   const StageColors& colors, const LabelMeans& means, std::int32_t* labels) {
  const bool has_means = means.means != nullptr && regions.channels > 0;
  if (regions.max_size == 0 && !has_means) return;
  const FixedColors fixed(colors);
  const std::int64_t blocks = blocks_for_nodes(regions.volume, kThreads);
  call.launch(split_kernel, blocks, kThreads, sizeof(SplitMemory), regions, scratch, fixed, means,
              labels);
  if (has_means) call.launch(mean_kernel, blocks, kThreads, 0, regions, fixed, means);
}

}  // namespace superpix::cuda
