// SPDX-License-Identifier: Apache-2.0
//
// What a block makes in shared memory before it assigns pixels: the clusters in and around its
// tile, and of them the candidates of its cells.
#pragma once

#include <cuda_runtime.h>

#include <climits>
#include <cstddef>
#include <cstdint>

#include "cell_tiles.h"
#include "cpu/kernels.h"
#include "divide.h"
#include "grid.h"
#include "shared.h"
#include "slic_u8.h"
#include "slic_u8_iteration.h"
#include "slic_u8_sums.h"

namespace superpix::cuda {

inline constexpr int kLowBits = 15;  // of a score: the code of the candidate, 15 - slot
static_assert(kLowBits == cpu::kLowBits);

struct alignas(16) Candidate {
  int bias, lightness, a, b;
  int right;  // what a score gains from one pixel to the next in a row,
  int down;   // from one row to the next,
  int wrap;   // and besides `right` from the end of a row to the beginning of the next
  int unused;
};

/// Where a block keeps things in shared memory. Its cells are `strip` at most.
struct IterationShared {
  Candidate* candidates;   // [strip][9]
  CellBox* boxes;          // [strip]
  long long* totals;       // [3][strip + 2][kFields], of the clusters in and around the tile
  IntegerCenter* centers;  // [3][strip + 2]
  int* sums;               // [strip][9][kFields], the old ones: see kSumsAreShared
  int* moved;              // [strip][9][kFields], what is added to these, own clusters left out
  int* changed;            // [strip]
  Divisor* widths;         // [strip]
  // In the last iteration only:
  int* values;      // [strip][9], what stands for the candidates
  unsigned* codes;  // [strip][fours]

  static std::size_t bytes(const CellTiles& tiles, bool is_last) {
    const auto strip = static_cast<std::size_t>(tiles.strip);
    const std::size_t clusters = 3 * (strip + 2);
    const std::size_t of_last =
        is_last ? kCandidates * sizeof(int) + static_cast<std::size_t>(tiles.fours(1)) * 4 : 0;
    return strip * (kCandidates * sizeof(Candidate) + sizeof(CellBox) +
                    (2 * kCellSums + 1) * sizeof(int) + sizeof(Divisor) + of_last) +
           clusters * (kFields * sizeof(long long) + sizeof(IntegerCenter));
  }
  __device__ explicit IterationShared(int strip) {
    const int clusters = 3 * (strip + 2);
    candidates = shared_memory<Candidate>();
    boxes = reinterpret_cast<CellBox*>(candidates + strip * kCandidates);
    totals = reinterpret_cast<long long*>(boxes + strip);
    centers = reinterpret_cast<IntegerCenter*>(totals + clusters * kFields);
    sums = reinterpret_cast<int*>(centers + clusters);
    moved = sums + strip * kCellSums;
    changed = moved + strip * kCellSums;
    widths = reinterpret_cast<Divisor*>(changed + strip);
    values = reinterpret_cast<int*>(widths + strip);
    codes = reinterpret_cast<unsigned*>(values + strip * kCandidates);
  }
};

/// Whether sums fit shared memory, where the first piece of a cell keeps them in the meantime.
template <class Sum>
inline constexpr bool kSumsAreShared = sizeof(Sum) == sizeof(int);

/// Whether a pixel of the cells around cluster (row, column) has changed before.
template <class Sum>
__device__ bool has_changed_around(const IntegerIteration<Sum>& it, int row, int column) {
  const Grid& grid = it.image.tiles.grid;
  bool any = false;
  for (int slot = 0; slot < kCandidates; ++slot) {
    const int cell = grid.candidate(row, column, slot);
    any = any || (cell >= 0 && it.changed[cell] < it.number);
  }
  return any;
}

/// What the pixels of a cell with this corner are compared with: the greater the score
///     bias + lightness * L + a * A + b * B + right * x + down * y,
/// the nearer. All is a multiple of 16 but the bias, whose low bits are the code of the slot.
template <class Sum>
__device__ Candidate candidate_of(const IntegerIteration<Sum>& it, const IntegerCenter& center,
                                  const CellBox& box, int slot) {
  const auto weighted = [](int position, int corner, float weight) {
    return __float2int_rn(__fmul_rn(static_cast<float>(position - kPositionStep * corner), weight));
  };
  const int wy = weighted(center.y, box.y, it.weight_y);
  const int wx = weighted(center.x, box.x, it.weight_x);
  const auto fy = static_cast<float>(wy);
  const auto fx = static_cast<float>(wx);
  // The weighted position is rounded once; the bias is of the position that this stands for.
  const int half_norm_xy = __float2int_rn(
      __fadd_rn(__fmul_rn(__fmul_rn(fy, fy), it.norm_y), __fmul_rn(__fmul_rn(fx, fx), it.norm_x)));
  const int bias = -16 * (half_norm_xy + (center.half_norm >> 4));
  const int down = it.unit * wy;
  const int right = it.unit * wx;
  return {bias | (kLowBits - slot),
          center.lightness,
          center.a,
          center.b,
          right,
          down,
          down - box.width * right,
          0};
}

/// Makes the candidates of a tile, and of its first piece the clusters.
template <bool kIsFirst, class Sum>
__device__ void make_candidates(const IntegerIteration<Sum>& it, const CellTile& tile,
                                const IterationShared& shared) {
  const CellTiles& tiles = it.image.tiles;
  const Grid& grid = tiles.grid;
  const int thread = static_cast<int>(threadIdx.x);
  // The clusters in and around the tile, column by column.
  const int clusters = 3 * (tile.cells + 2);
  const auto row_of = [&](int cluster) { return tile.row - 1 + cluster % 3; };
  const auto column_of = [&](int cluster) { return tile.column - 1 + cluster / 3; };
  const auto exists = [&](int cluster) {
    const int row = row_of(cluster);
    const int column = column_of(cluster);
    return row >= 0 && row < grid.y.cells && column >= 0 && column < grid.x.cells;
  };
#pragma unroll 1
  for (int i = thread; i < clusters * kFields; i += kIterationThreads) {
    const int cluster = i / kFields;
    if (!exists(cluster)) continue;
    const int row = row_of(cluster);
    const int column = column_of(cluster);
    shared.totals[i] = kIsFirst
                           ? start_total(tiles, it.cell_colors, it.unit, row, column, i % kFields)
                           : gather(it, row, column, i % kFields);
  }
#pragma unroll 1
  for (int i = thread; i < tile.cells * kCellSums; i += kIterationThreads) {
    shared.moved[i] = 0;
    if (kSumsAreShared<Sum> && tile.piece == 0) {
      shared.sums[i] = static_cast<int>(last_sum<kIsFirst>(it, tile, i));
    }
  }
  if (thread < tile.cells) {
    const CellBox box = cell_box(tiles, tile.row, tile.column + thread);
    shared.boxes[thread] = box;
    shared.changed[thread] = 0;
    shared.widths[thread] = Divisor(box.width);
  }
  __syncthreads();
#pragma unroll 1
  for (int cluster = thread; cluster < clusters; cluster += kIterationThreads) {
    if (!exists(cluster)) continue;
    const int row = row_of(cluster);
    const int column = column_of(cluster);
    const int k = row * grid.x.cells + column;
    const long long* const totals = shared.totals + cluster * kFields;
    // A cluster without pixels stays where it is; so does a seed until a pixel around it changes.
    const bool stands =
        totals[kCount] == 0 || (it.changed != nullptr && !has_changed_around(it, row, column));
    const IntegerCenter center = stands ? it.centers[k] : center_of(totals, it.unit);
    shared.centers[cluster] = center;
    const bool is_own =
        row == tile.row && column >= tile.column && column < tile.column + tile.cells;
    if (is_own && tile.piece == 0) it.next_centers[k] = center;
  }
  __syncthreads();
#pragma unroll 1
  for (int i = thread; i < tile.cells * kCandidates; i += kIterationThreads) {
    const int cell = i / kCandidates;
    const int slot = i % kCandidates;
    const int cluster = 3 * (cell + slot % 3) + slot / 3;
    shared.candidates[i] = exists(cluster)
                               ? candidate_of(it, shared.centers[cluster], shared.boxes[cell], slot)
                               : Candidate{INT_MIN | (kLowBits - slot), 0, 0, 0, 0, 0, 0, 0};
    if (it.is_last) {
      const int k = row_of(cluster) * grid.x.cells + column_of(cluster);
      shared.values[i] = it.labels.value_of(k, grid.x.cells);
    }
  }
}

}  // namespace superpix::cuda
