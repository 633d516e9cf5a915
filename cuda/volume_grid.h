// SPDX-License-Identifier: Apache-2.0
//
// The grid of cells of a volume, on host and device; as CellGrid on the CPU. A plane has depth 1.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cpu/cell_grid.h"
#include "grid.h"

namespace superpix::cuda {

struct VolumeBox {
  int z, y, x;  // the first pixel
  int depth, height, width;

  __host__ __device__ std::int64_t size() const {
    return static_cast<std::int64_t>(depth) * height * width;
  }
};

struct VolumeGrid {
  Axis z;
  Axis y;
  Axis x;

  static VolumeGrid of(const cpu::CellGrid& grid) {
    const auto axis = [&](int i) {
      return Axis{static_cast<int>(grid.shape()[i]), static_cast<int>(grid.cells()[i])};
    };
    return {axis(0), axis(1), axis(2)};
  }

  __host__ __device__ bool is_plane() const { return z.length == 1; }
  __host__ __device__ int num_cells() const { return z.cells * y.cells * x.cells; }
  __host__ __device__ std::int64_t num_pixels() const {
    return static_cast<std::int64_t>(z.length) * y.length * x.length;
  }
  std::int64_t most_pixels() const {
    return static_cast<std::int64_t>(z.longest()) * y.longest() * x.longest();
  }

  /// The candidates of a pixel are the superpixels of the cells around its own: slots number these
  /// from above on, row by row.
  __host__ __device__ int num_slots() const { return is_plane() ? 9 : 27; }
  __host__ __device__ int own_slot() const { return is_plane() ? 4 : 13; }

  /// Cell (plane, row, column), moved by what the slot stands for; -1 where there is none.
  __host__ __device__ int neighbor(int plane, int row, int column, int slot) const {
    const int p = plane + (is_plane() ? 0 : slot / 9 - 1);
    const int r = row + slot / 3 % 3 - 1;
    const int c = column + slot % 3 - 1;
    const bool exists = p >= 0 && p < z.cells && r >= 0 && r < y.cells && c >= 0 && c < x.cells;
    return exists ? (p * y.cells + r) * x.cells + c : -1;
  }
  __host__ __device__ int neighbor(int cell, int slot) const {
    return neighbor(cell / (y.cells * x.cells), cell / x.cells % y.cells, cell % x.cells, slot);
  }

  __host__ __device__ VolumeBox box(int cell) const {
    const int plane = cell / (y.cells * x.cells);
    const int row = cell / x.cells % y.cells;
    const int column = cell % x.cells;
    VolumeBox b{z.begin(plane), y.begin(row), x.begin(column), 0, 0, 0};
    b.depth = z.begin(plane + 1) - b.z;
    b.height = y.begin(row + 1) - b.y;
    b.width = x.begin(column + 1) - b.x;
    return b;
  }

  __host__ __device__ std::int64_t pixel(int at_z, int at_y, int at_x) const {
    return (static_cast<std::int64_t>(at_z) * y.length + at_y) * x.length + at_x;
  }
};

}  // namespace superpix::cuda
