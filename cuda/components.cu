// SPDX-License-Identifier: Apache-2.0
//
// Components in three launches.
//
// 1. Those within tiles become nodes (tile_components.h).
// 2. A thread takes a pair of pixels on the two sides of a border between tiles, and unites their
//    nodes if it is the first of a row of such pairs.
// 3. A thread takes a node, and adds it to its root.
#include "components.h"

#include "component_labels.h"
#include "tile_components.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;

/// The lower root stays one, whoever comes first.
__device__ __forceinline__ void unite_nodes(Node* nodes, std::int32_t a, std::int32_t b) {
  for (;;) {
    a = find_root(nodes, a);
    b = find_root(nodes, b);
    if (a == b) return;
    const std::int32_t high = max(a, b);
    const std::int32_t low = min(a, b);
    const std::int32_t old = atomicMin(&nodes[high].up, low);
    if (old == high) return;
    a = old;
    b = low;
  }
}

/// Pairs of pixels on the two sides of borders between tiles: first those side by side, then those
/// one above the other, then those of neighbouring planes, all of which are borders.
struct Seams {
  std::int64_t beside, between, behind;  // how many

  __host__ __device__ explicit Seams(const Volume& v)
      : beside(static_cast<std::int64_t>((v.width - 1) / kTileSide) * v.height * v.depth),
        between(static_cast<std::int64_t>((v.height - 1) / kTileSide) * v.width * v.depth),
        behind((v.depth - 1) * v.plane()) {}
  __host__ __device__ std::int64_t count() const { return beside + between + behind; }
};

template <class Labels>
__global__ void __launch_bounds__(kThreads)
    seam_kernel(const Regions r, const Labels labels, const std::int32_t* out) {
  const Volume v = r.volume;
  const Seams seams(v);
  std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  std::int32_t p = 0;
  std::int32_t q = 0;       // beyond the border
  std::int32_t before = 0;  // from a pixel to the one before it along the border; 0 at a corner
  if (i < seams.beside) {
    // Neighbouring threads take neighbouring rows: what is the same as the row above is left out.
    const auto rows = static_cast<std::int64_t>(v.height) * v.depth;
    const std::int64_t row = i % rows;
    q = static_cast<std::int32_t>(row * v.width + (i / rows + 1) * kTileSide);
    p = q - 1;
    before = row % v.height % kTileSide != 0 ? v.width : 0;
  } else if (i -= seams.beside; i < seams.between) {
    const auto borders = static_cast<std::int64_t>((v.height - 1) / kTileSide);
    const auto x = static_cast<std::int32_t>(i % v.width);
    const std::int64_t z = i / v.width / borders;
    const std::int64_t y = (i / v.width % borders + 1) * kTileSide;
    q = static_cast<std::int32_t>(z * v.plane() + y * v.width + x);
    p = q - v.width;
    before = x % kTileSide != 0 ? 1 : 0;
  } else if (i -= seams.between; i < seams.behind) {
    p = static_cast<std::int32_t>(i);
    q = static_cast<std::int32_t>(i + v.plane());
    before = p % v.width % kTileSide != 0 ? 1 : 0;
  } else {
    return;
  }
  const std::int32_t a = r.map[p];
  const std::int32_t b = r.map[q];
  if (a < 0 || b < 0) return;
  if (before != 0 && r.map[p - before] == a && r.map[q - before] == b) return;
  if (labels.are_equal(v, out, p, q, a, b)) unite_nodes(r.nodes, a, b);
}

__global__ void __launch_bounds__(kThreads) join_kernel(const Regions r) {
  const std::int32_t count = r.counters->num_nodes;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    const std::int32_t node = r.list[i];
    const std::int32_t root = find_root(r.nodes, node);
    if (root == node) {
      r.nodes[node].up = kRoot;
    } else {
      add_node(r, node, root);
      r.nodes[node].up = root;
    }
  }
}

template <class Labels>
void find(const Call& call, const Regions& regions, const Labels& labels, const StageInput& input,
          std::int32_t* out) {
  const Volume& v = regions.volume;
  find_tile_components(call, regions, labels, input.colors, out);
  call.launch(seam_kernel<Labels>, blocks_for(Seams(v).count(), kThreads), kThreads, 0, regions,
              labels, out);
  call.launch(join_kernel, blocks_for_nodes(v, kThreads), kThreads, 0, regions);
}

}  // namespace

void find_components(const Call& call, const Regions& regions, const StageInput& input,
                     std::int32_t* out) {
  if (input.kind == StageInput::Labels::kIntegers) {
    const auto item = static_cast<std::int64_t>(item_size(input.dtype));
    const bool aligned = is_aligned(input.labels, static_cast<std::uintptr_t>(item)) &&
                         input.stride_z % item == 0 && input.stride_y % item == 0 &&
                         input.stride_x % item == 0;
    find(call, regions,
         IntegerLabels{static_cast<const char*>(input.labels), input.dtype, aligned, input.stride_z,
                       input.stride_y, input.stride_x},
         input, out);
  } else {
    find(call, regions,
         TagLabels{static_cast<const std::uint8_t*>(input.labels), input.grid,
                   input.kind == StageInput::Labels::kTagsToSmooth},
         input, out);
  }
}

}  // namespace superpix::cuda
