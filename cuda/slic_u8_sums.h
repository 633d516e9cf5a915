// SPDX-License-Identifier: Apache-2.0
//
// What cells sum up in integers, and what clusters gather from it.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cell_tiles.h"
#include "cpu/kernels.h"
#include "grid.h"
#include "slic_u8.h"
#include "slic_u8_iteration.h"

namespace superpix::cuda {

inline constexpr int kOwnSlot = 4;       // of a cell's own cluster
inline constexpr int kColorStep = 16;    // colours of clusters are multiples of it
inline constexpr int kPositionStep = 8;  // positions of clusters count 1 / kPositionStep pixels
static_assert(kPositionStep == cpu::kPositionStep);

/// A sum of a cell whose pixels all are with their own cluster, as they are at first.
__device__ inline long long start_sum(const CellTiles& tiles, const long long* cell_colors,
                                      int unit, int row, int column, int field) {
  if (field <= kB) {
    return cell_colors[3 * (static_cast<std::int64_t>(row) * tiles.grid.x.cells + column) + field];
  }
  const CellBox box = cell_box(tiles, row, column);
  const auto count = static_cast<long long>(box.size());
  const int side = field == kY ? box.height : box.width;
  return field == kCount ? count : unit * (count * (side - 1) / 2);
}

/// The same for a cluster, positions from the corner of the image.
__device__ inline long long start_total(const CellTiles& tiles, const long long* cell_colors,
                                        int unit, int row, int column, int field) {
  const long long sum = start_sum(tiles, cell_colors, unit, row, column, field);
  if (field != kY && field != kX) return sum;
  const CellBox box = cell_box(tiles, row, column);
  return sum + static_cast<long long>(box.size()) * (field == kY ? box.y : box.x) * unit;
}

/// Sum i of the cells of a tile, [cells][9][kFields], before this iteration.
template <bool kIsFirst, class Sum>
__device__ long long last_sum(const IntegerIteration<Sum>& it, const CellTile& tile, int i) {
  const CellTiles& tiles = it.image.tiles;
  if constexpr (kIsFirst) {
    if (i / kFields % kCandidates != kOwnSlot) return 0;
    return start_sum(tiles, it.cell_colors, it.unit, tile.row, tile.column + i / kCellSums,
                     i % kFields);
  }
  const std::int64_t first = static_cast<std::int64_t>(tile.row) * tiles.grid.x.cells + tile.column;
  return it.sums[first * kCellSums + i];
}

/// The sum over all pixels of cluster (row, column), positions from the corner of the image.
template <class Sum>
__device__ long long gather(const IntegerIteration<Sum>& it, int row, int column, int field) {
  const CellTiles& tiles = it.image.tiles;
  const Grid& grid = tiles.grid;
  const bool is_y = field == kY;
  const bool is_position = is_y || field == kX;
  long long corners[3];  // of the cells before, here and after, along the axis of a position
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    const int corner =
        is_y ? tiles.edges_y.begin(row + i - 1) : tiles.edges_x.begin(column + i - 1);
    corners[i] = is_position ? static_cast<long long>(corner) * it.unit : 0;
  }
  long long total = 0;
#pragma unroll
  for (int slot = 0; slot < kCandidates; ++slot) {
    const int cell = grid.candidate(row, column, slot);
    if (cell < 0) continue;
    // Seen from there, this cluster is in the opposite slot.
    const int opposite = kCandidates - 1 - slot;
    const Sum* const sums =
        it.sums + (static_cast<std::int64_t>(cell) * kCandidates + opposite) * kFields;
    total += sums[field];
    if (is_position) total += sums[kCount] * (is_y ? corners[slot / 3] : corners[slot % 3]);
  }
  return total;
}

/// sum / n to the nearest multiple of `step`, in the operations of the CPU.
__device__ __forceinline__ int nearest_multiple(long long sum, double one_over_n, int step) {
  constexpr int kPositive = 1 << 20;  // truncation is floor from here on
  const double steps = __dmul_rn(static_cast<double>(sum), one_over_n) / step;
  return step * (static_cast<int>(__dadd_rn(steps, kPositive + 0.5)) - kPositive);
}

__device__ inline IntegerCenter center_at(int lightness, int a, int b, int y, int x) {
  const auto square = [](int value) { return static_cast<long long>(value) * value; };
  const auto half_norm = static_cast<int>((square(lightness) + square(a) + square(b)) / 2);
  return {lightness, a, b, half_norm, y, x};
}

/// The mean of a cluster that has pixels.
__device__ inline IntegerCenter center_of(const long long* totals, int unit) {
  const double scale = 1.0 / static_cast<double>(totals[kCount]);
  const double position_scale = scale * kPositionStep / unit;
  return center_at(nearest_multiple(totals[kLightness], scale, kColorStep),
                   nearest_multiple(totals[kA], scale, kColorStep),
                   nearest_multiple(totals[kB], scale, kColorStep),
                   nearest_multiple(totals[kY], position_scale, 1),
                   nearest_multiple(totals[kX], position_scale, 1));
}

}  // namespace superpix::cuda
