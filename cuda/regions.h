// SPDX-License-Identifier: Apache-2.0
//
// Regions of a volume while they are found, split and merged: what lies in the workspace, and how
// a pixel finds its region.
//
// A node is a set of pixels that hang together, and goes by the number of one of them. At first
// these are the components within a tile; nodes point to others that they have become part of, and
// what does not is the root of a region. Arrays have a place for every pixel, as every pixel may be
// a node, but there are few nodes, listed in `list`: nothing but the list is gone through.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "vectors.h"

namespace superpix::cuda {

/// The sides of a volume; a plane has depth 1.
struct Volume {
  int depth;
  int height;
  int width;

  __host__ __device__ std::int64_t plane() const {
    return static_cast<std::int64_t>(height) * width;
  }
  __host__ __device__ std::int64_t num_pixels() const { return depth * plane(); }
};

struct alignas(16) Node {
  /// Another node, on the way to the root. Of a root: itself, or kRoot, or its pick (picked()).
  std::int32_t up;
  // Of the region, at its root; of a node that is none, as it was when it became part of another.
  std::int32_t size;
  std::int32_t first;  // pixel
  // The box of its pixels, which begins in the plane of the first one.
  std::int32_t last_z, first_y, last_y, first_x, last_x;
};
static_assert(sizeof(Node) == 32);

inline constexpr std::int32_t kOutside = -1;
inline constexpr std::int32_t kRoot = -1;

/// What `up` of a root is that picked a node, and which it picked.
__host__ __device__ inline std::int32_t picked(std::int32_t node) { return -2 - node; }

/// What is counted on the device. All zero at first.
struct Counters {
  std::int32_t num_nodes;   // in the list
  std::int32_t num_parts;   // in the list, after them: those that splitting made
  std::int32_t num_queued;  // pixels of regions that are split
  std::int32_t num_done;    // blocks of a launch
  std::int32_t num_labels;
};
inline constexpr std::int64_t kNumCounters = sizeof(Counters) / sizeof(std::int32_t);

struct Regions {
  Volume volume;
  std::int32_t channels;
  /// Fields of sums: y and x if they are wanted, then the channels.
  std::int32_t positions;  // 2 or 0
  std::int64_t min_size;
  std::int64_t max_size;

  std::int32_t* map;   // [N], the node of each pixel, or kOutside
  Node* nodes;         // [N]
  std::int64_t* sums;  // [N][fields()]
  std::int32_t* list;  // [N], nodes
  Counters* counters;

  __host__ __device__ std::int32_t fields() const { return positions + channels; }
};

/// How many blocks go through a list of nodes whose length only the device knows, `per_block` at a
/// time: enough for a node every 16 pixels, but no more than a GPU can hold.
inline std::int64_t blocks_for_nodes(const Volume& volume, std::int64_t per_block) {
  constexpr std::int64_t kPixels = 16;
  constexpr std::int64_t kMost = 132 * 8;
  return std::min(blocks_for(volume.num_pixels(), per_block * kPixels), kMost);
}

/// A value that other threads write: read from memory each time.
template <class T>
__device__ __forceinline__ T read_fresh(const T* from) {
  return *static_cast<const volatile T*>(from);
}

__device__ __forceinline__ bool is_root(std::int32_t node, std::int32_t up) {
  return up < 0 || up == node;
}

__device__ __forceinline__ std::int32_t find_root(const Node* nodes, std::int32_t node) {
  for (;;) {
    const std::int32_t up = read_fresh(&nodes[node].up);
    if (is_root(node, up)) return node;
    node = up;
  }
}

__device__ __forceinline__ void add_to(std::int64_t* sum, std::int64_t value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(sum), static_cast<unsigned long long>(value));
}

/// Adds what is known of node `from` to node `to`.
__device__ __forceinline__ void add_node(const Regions& r, std::int32_t from, std::int32_t to) {
  const Node node = r.nodes[from];
  Node* root = &r.nodes[to];
  atomicAdd(&root->size, node.size);
  atomicMin(&root->first, node.first);
  atomicMax(&root->last_z, node.last_z);
  atomicMin(&root->first_y, node.first_y);
  atomicMax(&root->last_y, node.last_y);
  atomicMin(&root->first_x, node.first_x);
  atomicMax(&root->last_x, node.last_x);
  const std::int32_t fields = r.fields();
  const std::int64_t* terms = r.sums + static_cast<std::int64_t>(from) * fields;
  std::int64_t* sums = r.sums + static_cast<std::int64_t>(to) * fields;
  for (std::int32_t i = 0; i < fields; ++i) add_to(sums + i, terms[i]);
}

/// The pixels in the box of a node, numbered in raster order.
struct Box {
  std::int32_t z, y, x;
  std::int32_t height, width;
  std::int32_t count;

  __device__ Box(const Volume& volume, const Node& node)
      : z(static_cast<std::int32_t>(node.first / volume.plane())),
        y(node.first_y),
        x(node.first_x),
        height(node.last_y - node.first_y + 1),
        width(node.last_x - node.first_x + 1),
        count((node.last_z - z + 1) * height * width) {}
};

/// A pixel and where it is.
struct Pixel {
  std::int32_t index;
  std::int32_t z, y, x;

  __device__ Pixel(const Volume& v, std::int32_t pixel) : index(pixel) {
    const auto plane = static_cast<std::int32_t>(v.plane());
    z = pixel / plane;
    y = (pixel - z * plane) / v.width;
    x = pixel - z * plane - y * v.width;
  }
  __device__ Pixel(const Volume& v, const Box& box, std::int32_t i) {
    const std::int32_t row = i / box.width;
    x = box.x + i - row * box.width;
    z = box.z + row / box.height;
    y = box.y + row % box.height;
    index = static_cast<std::int32_t>(z * v.plane() + static_cast<std::int64_t>(y) * v.width + x);
  }

  /// The neighbours across a face, in raster order.
  static constexpr int kNeighbors = 6;
  /// One of them, or -1 where there is none.
  __device__ std::int32_t neighbor(const Volume& v, int i) const {
    const auto plane = static_cast<std::int32_t>(v.plane());
    switch (i) {
      case 0:
        return z > 0 ? index - plane : -1;
      case 1:
        return y > 0 ? index - v.width : -1;
      case 2:
        return x > 0 ? index - 1 : -1;
      case 3:
        return x + 1 < v.width ? index + 1 : -1;
      case 4:
        return y + 1 < v.height ? index + v.width : -1;
      default:
        return z + 1 < v.depth ? index + plane : -1;
    }
  }
};

}  // namespace superpix::cuda
