// SPDX-License-Identifier: Apache-2.0
//
// The superpixels around a strip, which its pixels belong to: how a block keeps them in shared
// memory, a group of channels at a time.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "element.h"
#include "grid.h"
#include "soft_pool_strips.h"

namespace superpix::cuda {

/// Three rows of superpixels, from one column before a strip to one after it, in row-major order.
class Neighborhood {
 public:
  __device__ Neighborhood(const Piece& piece, const Grid& grid)
      : row_(piece.row - 1), column_(piece.column - 1), width_(piece.width + 2), grid_(grid) {}

  __device__ int size() const { return 3 * width_; }
  /// Where the candidate of a slot is for the strip's first cell; by one later for the next cell.
  __device__ int place(int slot) const { return slot / 3 * width_ + slot % 3; }

  /// Calls f(place, superpixel or -1, channel, step) so that the block's threads share all
  /// superpixels and channels: each is to take every step-th channel from the one given on.
  template <class F>
  __device__ void for_each(F f) const {
    const auto thread = static_cast<int>(threadIdx.x);
    const auto threads = static_cast<int>(blockDim.x);
    const int places = min(size(), threads);
    const int channel = thread / places;
    const int step = threads / places;
    if (channel >= step) return;
    for (int place = thread - channel * places; place < size(); place += places) {
      const int row = row_ + place / width_;
      const int column = column_ + place % width_;
      const bool exists = row >= 0 && row < grid_.y.cells && column >= 0 && column < grid_.x.cells;
      f(place, exists ? row * grid_.x.cells + column : -1, channel, step);
    }
  }

 private:
  int row_, column_, width_;
  const Grid& grid_;
};

/// How many channels a thread reads before it goes on to write them to shared memory.
inline constexpr int kStagedTogether = 3;

/// From one superpixel's channels to the next one's: an odd number of accesses of 16 bytes, so that
/// those to neighbours fall into different banks.
template <class R>
__host__ __device__ int channel_stride(int group) {
  return ((group + kPackSize<R> - 1) / kPackSize<R> | 1) * kPackSize<R>;
}

/// Strips for kernels whose threads own a pack each: of some cache lines, and of enough pixels for
/// a block where cells are small.
inline Strips strips_of_pixels(const Grid& grid, int pack_size, int threads) {
  constexpr int kPixelsInRow = 64;
  const std::int64_t cell = static_cast<std::int64_t>(grid.y.longest()) * grid.x.longest();
  const std::int64_t cells = std::max((kPixelsInRow + grid.x.longest() - 1) / grid.x.longest(),
                                      static_cast<int>(threads * pack_size / cell));
  return {grid, pack_size, std::min<std::int64_t>(cells, threads), threads};
}
/// As many threads as a piece has packs, in whole warps.
inline int threads_for(const Strips& strips) { return (strips.longest_piece() + 31) / 32 * 32; }

/// Whether the pieces of an image are too few to keep a device busy, so that channels must be
/// shared out, too. No matter how many images there are: results do not depend on it.
inline bool are_few(const Strips& strips) { return strips.pieces_of_image() < 256; }

/// The most superpixels that are around a strip.
inline int most_places(const Strips& strips) { return 3 * (strips.longest_width() + 2); }

/// How many of the channels are done at a time.
template <class R>
int channel_group(const Strips& strips, int channels) {
  constexpr int kMost = 32;
  constexpr int kBytes = 12 * 1024;
  const int fit =
      kBytes / (most_places(strips) * static_cast<int>(sizeof(R))) / kPackSize<R> * kPackSize<R>;
  return std::min(std::clamp(fit - kPackSize<R>, kPackSize<R>, kMost), channels);
}

}  // namespace superpix::cuda
