// SPDX-License-Identifier: Apache-2.0
//
// What components are found of: what a pixel is labelled with, and whether two nodes are of one
// label.
#pragma once

#include <cuda_runtime.h>
#include <superpix/types.h>

#include <cstdint>
#include <type_traits>

#include "grid.h"
#include "regions.h"

namespace superpix::cuda {

/// A caller's labels, of any integer type, anywhere in memory.
struct IntegerLabels {
  using Key = std::uint64_t;

  const char* data;
  DType dtype;
  bool aligned;
  std::int64_t stride_z, stride_y, stride_x;

  template <class T>
  __device__ static bool load(const char* from, bool is_aligned, Key* key) {
    T label;
    if (is_aligned) {
      label = *reinterpret_cast<const T*>(from);
    } else {
      std::uint64_t bits = 0;
      for (unsigned i = 0; i < sizeof(T); ++i) {
        bits |= std::uint64_t{static_cast<unsigned char>(from[i])} << 8 * i;
      }
      label = static_cast<T>(bits);
    }
    *key = static_cast<Key>(label);
    if constexpr (std::is_signed_v<T>) {
      return label >= 0;
    } else {
      return true;
    }
  }

  /// Whether a pixel has a label, and which.
  __device__ bool read(std::int32_t z, std::int32_t y, std::int32_t x, Key* key) const {
    const char* from = data + z * stride_z + y * stride_y + x * stride_x;
    switch (dtype) {
      case DType::kInt8:
        return load<std::int8_t>(from, aligned, key);
      case DType::kInt16:
        return load<std::int16_t>(from, aligned, key);
      case DType::kInt64:
        return load<std::int64_t>(from, aligned, key);
      case DType::kUInt8:
        return load<std::uint8_t>(from, aligned, key);
      case DType::kUInt16:
        return load<std::uint16_t>(from, aligned, key);
      case DType::kUInt32:
        return load<std::uint32_t>(from, aligned, key);
      case DType::kUInt64:
        return load<std::uint64_t>(from, aligned, key);
      default:
        return load<std::int32_t>(from, aligned, key);
    }
  }

  /// Whether two nodes, of pixels p and q, are of one label.
  __device__ bool are_equal(const Volume& v, const std::int32_t*, std::int32_t p, std::int32_t q,
                            std::int32_t, std::int32_t) const {
    const Pixel a(v, p);
    const Pixel b(v, q);
    Key key_a = 0;
    Key key_b = 0;
    read(a.z, a.y, a.x, &key_a);
    read(b.z, b.y, b.x, &key_b);
    return key_a == key_b;
  }
};

inline constexpr std::uint8_t kTagOutside = 255;

/// The tags of a plane.
struct TagLabels {
  using Key = std::uint8_t;

  const std::uint8_t* tags;
  Grid grid;
  bool smooth;

  /// The label of tag at (y, x): of the labels with it, that of the cell nearest by.
  __device__ std::int32_t label(std::int32_t y, std::int32_t x, Key tag) const {
    const auto nearest = [](int cell, int bits) { return cell + ((bits - cell + 3) & 7) - 3; };
    return nearest(grid.y.cell_of(y), tag >> 3) * grid.x.cells +
           nearest(grid.x.cell_of(x), tag & 7);
  }

  __device__ bool are_equal(const Volume&, const std::int32_t* label_of_node, std::int32_t,
                            std::int32_t, std::int32_t node, std::int32_t other) const {
    return label_of_node[node] == label_of_node[other];
  }
};

}  // namespace superpix::cuda
