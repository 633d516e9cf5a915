// SPDX-License-Identifier: Apache-2.0
//
// The grid of cells of superpixels, on host and device; as CellGrid on the CPU.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace superpix::cuda {

/// One axis: coordinate i lies in cell floor(i * cells / length).
struct Axis {
  int length;
  int cells;

  __host__ __device__ int cell_of(int i) const {
    const auto product = static_cast<std::uint64_t>(i) * static_cast<std::uint64_t>(cells);
    // A division of 64 bits takes several times as long, and is rarely needed.
    return product >> 32 == 0 ? static_cast<int>(static_cast<std::uint32_t>(product) /
                                                 static_cast<std::uint32_t>(length))
                              : static_cast<int>(product / static_cast<std::uint64_t>(length));
  }
  /// The first coordinate of a cell; the length for the one after the last.
  __host__ __device__ int begin(int cell) const {
    const auto divisor = static_cast<std::uint32_t>(cells);
    const std::uint64_t product =
        static_cast<std::uint64_t>(cell) * static_cast<std::uint64_t>(length) + (divisor - 1);
    return product >> 32 == 0 ? static_cast<int>(static_cast<std::uint32_t>(product) / divisor)
                              : static_cast<int>(product / divisor);
  }
  /// The most coordinates that a cell has.
  __host__ __device__ int longest() const { return (length + cells - 1) / cells; }
};

/// The candidates of a pixel are the superpixels of the 3 x 3 cells around its own: slot
/// 3 (dy + 1) + dx + 1 is dy cells below and dx to the right.
inline constexpr int kCandidates = 9;

struct Grid {
  Axis y;
  Axis x;

  __host__ __device__ int num_cells() const { return y.cells * x.cells; }
  __host__ __device__ std::int64_t num_pixels() const {
    return static_cast<std::int64_t>(y.length) * x.length;
  }
  /// The superpixel of a slot as seen from cell (row, column), or -1 where there is none.
  __host__ __device__ int candidate(int row, int column, int slot) const {
    const int r = row + slot / 3 - 1;
    const int c = column + slot % 3 - 1;
    const bool exists = r >= 0 && r < y.cells && c >= 0 && c < x.cells;
    return exists ? r * x.cells + c : -1;
  }
};

}  // namespace superpix::cuda
