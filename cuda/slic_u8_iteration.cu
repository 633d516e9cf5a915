// SPDX-License-Identifier: Apache-2.0
#include "slic_u8_iteration.h"

#include <climits>
#include <type_traits>

#include "cpu/turns.h"
#include "slic_u8_candidates.h"
#include "slic_u8_sums.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

static_assert(CellTiles::kGroup == cpu::kTurnGroup);

/// Codes of a cell before anything is assigned, four pixels a word.
constexpr unsigned kOwnCodes = (kLowBits - kOwnSlot) * 0x01010101U;

/// A pixel of a cell.
struct Place {
  int y, x;
};

__device__ __forceinline__ Place place_of(unsigned pixel, const Divisor& width) {
  unsigned x = 0;
  const unsigned y = width.divide(pixel, &x);
  return {static_cast<int>(y), static_cast<int>(x)};
}

/// Gives all pixels of a tile, which lie together, to their own clusters.
template <class Sum>
__device__ void fill_codes(const IntegerIteration<Sum>& it, const CellTile& tile) {
  const CellTiles& tiles = it.image.tiles;
  const std::int64_t first =
      it.image.first(tile.row * tiles.grid.x.cells + tile.column) + tile.begin;
  const std::int64_t room = tiles.capacity - tile.begin;
  const std::int64_t pixels = tiles.pieces == 1           ? tile.cells * tiles.capacity
                              : room < tiles.piece_pixels ? room
                                                          : tiles.piece_pixels;
  auto* const codes = reinterpret_cast<unsigned*>(it.codes + first);
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < static_cast<int>(pixels / 4);
       i += kIterationThreads) {
    codes[i] = kOwnCodes;
  }
}

/// Writes what stands for the clusters of all pixels of a tile, neighbours by neighbours.
template <class Sum>
__device__ void write_labels(const IntegerIteration<Sum>& it, const CellTile& tile,
                             const IterationShared& shared) {
  const CellTiles& tiles = it.image.tiles;
  const auto* const codes = reinterpret_cast<const std::uint8_t*>(shared.codes);
  const int pixels = 4 * tiles.fours(1);
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < tile.cells * pixels; i += kIterationThreads) {
    const int cell = tiles.strip == 1 ? 0 : i / pixels;
    const CellBox box = shared.boxes[cell];
    const unsigned pixel = tile.begin + static_cast<unsigned>(i - cell * pixels);
    if (pixel >= box.size()) continue;
    const Place place = place_of(pixel, shared.widths[cell]);
    const int slot = kLowBits - codes[i];
    it.labels.write(
        static_cast<std::int64_t>(box.y + place.y) * tiles.grid.x.length + box.x + place.x,
        shared.values[cell * kCandidates + slot]);
  }
}

/// Products and sums wrap around, as those of the CPU.
__device__ __forceinline__ int plus_product(int sum, int a, int b) {
  return static_cast<int>(static_cast<unsigned>(sum) +
                          static_cast<unsigned>(a) * static_cast<unsigned>(b));
}

/// Four neighbouring pixels of a cell.
struct Four {
  int cell;  // of the tile
  unsigned pixel;
  Pack<std::int32_t, 4> la;
  Pack<std::int16_t, 4> b;
  unsigned codes;  // of their clusters
};

/// Number i of those of a tile that have their turn.
template <bool kIsFirst, class Sum>
__device__ __forceinline__ Four load_four(const IntegerIteration<Sum>& it, const CellTile& tile,
                                          std::int64_t first, int i) {
  const CellTiles& tiles = it.image.tiles;
  constexpr int kFoursOfGroup = CellTiles::kGroup / 4;
  Four four{};
  if (i >= tile.cells * it.fours) return four;
  four.cell = tiles.strip == 1 ? 0 : i / it.fours;
  i -= four.cell * it.fours;
  const int group = i / kFoursOfGroup * it.num_turns + it.turn;
  four.pixel =
      tile.begin + static_cast<unsigned>(CellTiles::kGroup * group + i % kFoursOfGroup * 4);
  if (four.pixel >= tiles.capacity) return four;
  const std::int64_t at = first + four.cell * tiles.capacity + four.pixel;
  four.la = load_pack<4>(it.image.la + at);
  four.b = load_pack<4>(it.image.b + at);
  four.codes = kIsFirst ? kOwnCodes : *reinterpret_cast<const unsigned*>(it.codes + at);
  return four;
}

template <bool kIsFirst, class Sum>
__global__ void __launch_bounds__(kIterationThreads, 8) iteration_kernel(IntegerIteration<Sum> it) {
  const CellTiles& tiles = it.image.tiles;
  const IterationShared shared(tiles.strip);
  const CellTile tile = tiles.tile(blockIdx.x);
  const int first_cell = tile.row * tiles.grid.x.cells + tile.column;
  const std::int64_t first = it.image.first(first_cell);
  const int thread = static_cast<int>(threadIdx.x);
  // What comes from memory is on its way while the candidates are made.
  Four next = load_four<kIsFirst>(it, tile, first, thread);
  if constexpr (kIsFirst) fill_codes(it, tile);
  if (it.is_last) {
    const int fours = tile.cells * tiles.fours(1);
#pragma unroll 1
    for (int i = thread; i < fours; i += kIterationThreads) shared.codes[i] = kOwnCodes;
  }
  make_candidates<kIsFirst>(it, tile, shared);
  __syncthreads();

#pragma unroll 1
  for (int i = thread; i < tile.cells * it.fours; i += kIterationThreads) {
    const Four four = next;
    next = load_four<kIsFirst>(it, tile, first, i + kIterationThreads);
    const CellBox box = shared.boxes[four.cell];
    const unsigned size = box.size();
    if (four.pixel >= size) continue;
    const Place place = place_of(four.pixel, shared.widths[four.cell]);
    bool wraps[4];  // whether a pixel is the first of a row
    int column = place.x;
#pragma unroll
    for (int k = 1; k < 4; ++k) {
      wraps[k] = ++column == box.width;
      if (wraps[k]) column = 0;
    }
    int lightness[4];
    int a[4];
    int best[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      lightness[k] = static_cast<std::int16_t>(four.la.element[k]);
      a[k] = four.la.element[k] >> 16;
      best[k] = INT_MIN;
    }
#pragma unroll
    for (int slot = 0; slot < kCandidates; ++slot) {
      const Candidate c = shared.candidates[four.cell * kCandidates + slot];
      int spatial = plus_product(plus_product(c.bias, c.right, place.x), c.down, place.y);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if (k > 0) {
          spatial = plus_product(spatial, c.right, 1);
          if (wraps[k]) spatial = plus_product(spatial, c.wrap, 1);
        }
        const int score =
            plus_product(plus_product(plus_product(spatial, c.lightness, lightness[k]), c.a, a[k]),
                         c.b, four.b.element[k]);
        best[k] = max(best[k], score);
      }
    }
    unsigned codes = 0;
#pragma unroll
    for (int k = 0; k < 4; ++k) codes |= (best[k] & kLowBits) << 8 * k;
    if (it.is_last) shared.codes[i] = codes;
    const unsigned exist = size - four.pixel >= 4 ? ~0U : (1U << 8 * (size - four.pixel)) - 1;
    unsigned differ = (codes ^ four.codes) & exist;
    if (differ == 0) continue;
    *reinterpret_cast<unsigned*>(it.codes + first + four.cell * tiles.capacity + four.pixel) =
        codes;
    shared.changed[four.cell] = 1;
    // Pixels that go from the same candidate to the same other one go together.
    while (differ != 0) {
      const int byte = (__ffs(static_cast<int>(differ)) - 1) / 8 * 8;
      const unsigned from = four.codes >> byte & kLowBits;
      const unsigned to = codes >> byte & kLowBits;
      int sums[kFields] = {};
      int y = place.y * it.unit;
      int x = place.x * it.unit;
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if (k > 0) {
          x = wraps[k] ? 0 : x + it.unit;
          y = wraps[k] ? y + it.unit : y;
        }
        const bool goes = (differ >> 8 * k & 255U) != 0 &&
                          (four.codes >> 8 * k & kLowBits) == from &&
                          (codes >> 8 * k & kLowBits) == to;
        if (!goes) continue;
        differ &= ~(255U << 8 * k);
        sums[kLightness] += lightness[k];
        sums[kA] += a[k];
        sums[kB] += four.b.element[k];
        sums[kY] += y;
        sums[kX] += x;
        sums[kCount] += 1;
      }
      int* const moved = shared.moved + four.cell * kCellSums;
      if (from != kLowBits - kOwnSlot) {
#pragma unroll
        for (int field = 0; field < kFields; ++field) {
          atomicSub(moved + (kLowBits - from) * kFields + field, sums[field]);
        }
      }
      if (to != kLowBits - kOwnSlot) {
#pragma unroll
        for (int field = 0; field < kFields; ++field) {
          atomicAdd(moved + (kLowBits - to) * kFields + field, sums[field]);
        }
      }
    }
  }
  __syncthreads();

#pragma unroll 1
  for (int i = thread; i < tile.cells * kCellSums; i += kIterationThreads) {
    const std::int64_t at = static_cast<std::int64_t>(first_cell) * kCellSums + i;
    Sum sum = shared.moved[i];
    if (i / kFields % kCandidates == kOwnSlot) {
      const int* const moved = shared.moved + i / kCellSums * kCellSums + i % kFields;
#pragma unroll
      for (int slot = 0; slot < kCandidates; ++slot) {
        if (slot != kOwnSlot) sum -= moved[slot * kFields];
      }
    }
    if (tile.piece == 0) {
      sum += kSumsAreShared<Sum> ? static_cast<Sum>(shared.sums[i])
                                 : static_cast<Sum>(last_sum<kIsFirst>(it, tile, i));
    }
    if (tiles.pieces == 1) {
      it.next_sums[at] = sum;
    } else if (sum != 0) {
      using Unsigned = std::make_unsigned_t<Sum>;
      atomicAdd(reinterpret_cast<Unsigned*>(it.next_sums + at), static_cast<Unsigned>(sum));
    }
    if (it.cleared_sums != nullptr && tile.piece == 0) it.cleared_sums[at] = 0;
  }
  if (it.changed != nullptr && thread < tile.cells && shared.changed[thread] != 0) {
    atomicMin(it.changed + first_cell + thread, it.number);
  }
  if (it.is_last) write_labels(it, tile, shared);
}

}  // namespace

template <class Sum>
void iterate(const Call& call, const IntegerIteration<Sum>& it) {
  const CellTiles& tiles = it.image.tiles;
  call.launch(it.number == 0 ? iteration_kernel<true, Sum> : iteration_kernel<false, Sum>,
              tiles.num_blocks(), kIterationThreads, IterationShared::bytes(tiles, it.is_last), it);
}

template void iterate(const Call&, const IntegerIteration<int>&);
template void iterate(const Call&, const IntegerIteration<long long>&);

}  // namespace superpix::cuda
