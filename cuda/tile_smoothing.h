// SPDX-License-Identifier: Apache-2.0
//
// The majority filter of tags (cpu/smooth.h) on a tile, which is read with a halo of 4 pixels, as
// far as its four steps look. A thread filters four pixels at a time, as bytes of a word.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "component_labels.h"
#include "regions.h"
#include "tile_components.h"

namespace superpix::cuda {

// What is looked at: rows of bytes, four to a word, with a word more on either side.
inline constexpr int kHalo = 4;
inline constexpr int kHaloRows = kTileSide + 2 * kHalo;
inline constexpr int kHaloWords = kHaloRows / 4;
inline constexpr int kHaloStride = kHaloWords + 2;
inline constexpr int kHaloSize = kHaloRows * kHaloStride;  // words
inline constexpr std::uint32_t kAllOutside = ~0U;          // a word of kTagOutside

/// Of each byte, the highest bit tells whether it is equal in both. Other bits are anything.
__device__ __forceinline__ std::uint32_t equal_bytes(std::uint32_t a, std::uint32_t b) {
  constexpr std::uint32_t kLow = 0x7f7f7f7fU;
  const std::uint32_t differ = a ^ b;
  return ~(((differ & kLow) + kLow) | differ);
}

/// Bytes of 255 where the highest bit of a byte is set.
__device__ __forceinline__ std::uint32_t bytes_of(std::uint32_t flags) {
  const std::uint32_t ones = flags >> 7 & 0x01010101U;
  return (ones << 8) - ones;
}

/// What the majority filter makes of four pixels (cpu/label_kernels.h, find_majorities). What it
/// takes from whom excludes each other, and who takes a tag equal to its own keeps it.
__device__ __forceinline__ std::uint32_t majorities(std::uint32_t own, std::uint32_t north,
                                                    std::uint32_t west, std::uint32_t east,
                                                    std::uint32_t south) {
  const std::uint32_t alone = ~(equal_bytes(own, north) | equal_bytes(own, south) |
                                equal_bytes(own, west) | equal_bytes(own, east));
  const std::uint32_t vertical = equal_bytes(north, south);
  const std::uint32_t horizontal = equal_bytes(west, east);
  const std::uint32_t north_west = equal_bytes(north, west);
  const std::uint32_t north_any = north_west | equal_bytes(north, east);
  const std::uint32_t south_west = equal_bytes(south, west);
  const std::uint32_t take_north = (vertical & north_any) | (alone & (vertical | north_any));
  const std::uint32_t take_west = ~take_north & ((horizontal & (north_west | south_west)) |
                                                 (alone & (horizontal | south_west)));
  const std::uint32_t take_south = ~take_north & ~take_west & alone & equal_bytes(south, east);
  const std::uint32_t from_north = bytes_of(take_north);
  const std::uint32_t from_west = bytes_of(take_west);
  const std::uint32_t from_south = bytes_of(take_south);
  const std::uint32_t taken = (north & from_north) | (west & from_west) | (south & from_south) |
                              (own & ~(from_north | from_west | from_south));
  const std::uint32_t outside =
      bytes_of(equal_bytes(own, kAllOutside) | equal_bytes(taken, kAllOutside));
  return (own & outside) | (taken & ~outside);
}

/// The byte of `halo` where smooth_tile() leaves the tag of a row and column of the tile.
__device__ __forceinline__ int halo_byte(int row, int column) {
  return 4 * ((row + kHalo) * kHaloStride + 1) + kHalo + column;
}

/// Reads the tags of the tile at (y0, x0) and its halo, and filters them; for all threads of a
/// block. `halo` is two buffers of kHaloSize, of which the first has the result.
__device__ inline void smooth_tile(const std::uint8_t* tags, const Volume& v, int y0, int x0,
                                   std::uint32_t* halo) {
  const auto thread = static_cast<int>(threadIdx.x);
  const bool words = v.width % 4 == 0 && reinterpret_cast<std::uintptr_t>(tags) % 4 == 0;
  for (int i = thread; i < kHaloRows * kHaloWords; i += kTileThreads) {
    const int row = i / kHaloWords;
    const int column = i - row * kHaloWords;
    const int y = y0 - kHalo + row;
    const int x = x0 - kHalo + 4 * column;
    std::uint32_t word = kAllOutside;
    if (y >= 0 && y < v.height) {
      const std::uint8_t* from = tags + static_cast<std::int64_t>(y) * v.width + x;
      if (words) {
        if (x >= 0 && x < v.width) word = *reinterpret_cast<const std::uint32_t*>(from);
      } else {
        for (int j = 0; j < 4; ++j) {
          const bool exists = x + j >= 0 && x + j < v.width;
          if (exists) word ^= (std::uint32_t{from[j]} ^ kTagOutside) << 8 * j;
        }
      }
    }
    halo[row * kHaloStride + 1 + column] = word;
  }
  __syncthreads();
  // Two passes, each first the even rows and then the odd ones, a word each thread; y0 and kHalo
  // are even. Each step reads old rows of its own parity and writes new ones to the other buffer,
  // where the next finds them. What a step gets wrong for want of a wider halo is one pixel further
  // in after each, and does not come as far as the tile.
  static_assert(kHaloRows / 2 * kHaloWords <= kTileThreads);
  const int column = thread % kHaloWords;
  std::uint32_t inner = 0;  // bytes that are not at the edge of the image, where labels stay
  for (int j = 0; j < 4; ++j) {
    const int x = x0 - kHalo + 4 * column + j;
    if (x > 0 && x < v.width - 1) inner |= 0xffU << 8 * j;
  }
  std::uint32_t* even = halo;
  std::uint32_t* odd = halo;
#pragma unroll 1
  for (int step = 0; step < 4; ++step) {
    const bool is_even = step % 2 == 0;
    const std::uint32_t* old = is_even ? even : odd;
    const std::uint32_t* others = is_even ? odd : even;
    std::uint32_t* to = old == halo ? halo + kHaloSize : halo;
    const int row = 2 + step + thread / kHaloWords * 2;
    if (row <= kHaloRows - 2 - step) {
      const int y = y0 - kHalo + row;
      const int at = row * kHaloStride + 1 + column;
      const std::uint32_t own = old[at];
      std::uint32_t result = own;
      if (y > 0 && y < v.height - 1) {
        const std::uint32_t west = own << 8 | old[at - 1] >> 24;
        const std::uint32_t east = own >> 8 | old[at + 1] << 24;
        result = majorities(own, others[at - kHaloStride], west, east, others[at + kHaloStride]);
        result = (result & inner) | (own & ~inner);
      }
      to[at] = result;
    }
    (is_even ? even : odd) = to;
    __syncthreads();
  }
}

}  // namespace superpix::cuda
