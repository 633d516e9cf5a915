// SPDX-License-Identifier: Apache-2.0
//
// The grid of cells of a volume, on host and device; as CellGrid on the CPU. A plane has depth 1.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cpu/cell_grid.h"
#include "divide.h"
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
  CellEdges edges_z, edges_y, edges_x;

  explicit VolumeGrid(const cpu::CellGrid& grid)
      : z(axis(grid, 0)), y(axis(grid, 1)), x(axis(grid, 2)), edges_z(z), edges_y(y), edges_x(x) {}

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

  __device__ VolumeBox box(int plane, int row, int column) const {
    VolumeBox b{edges_z.begin(plane), edges_y.begin(row), edges_x.begin(column), 0, 0, 0};
    b.depth = edges_z.begin(plane + 1) - b.z;
    b.height = edges_y.begin(row + 1) - b.y;
    b.width = edges_x.begin(column + 1) - b.x;
    return b;
  }

  /// The number of a pixel in raster order, below 2^31.
  __host__ __device__ int pixel(int at_z, int at_y, int at_x) const {
    return (at_z * y.length + at_y) * x.length + at_x;
  }

 private:
  static Axis axis(const cpu::CellGrid& grid, int i) {
    return {static_cast<int>(grid.shape()[i]), static_cast<int>(grid.cells()[i])};
  }
};

}  // namespace superpix::cuda
