// SPDX-License-Identifier: Apache-2.0
//
// The grid of cells that superpixels start from. A plane is a volume of depth 1.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace superpix::cpu {

/// z, y, x.
using Extent = std::array<std::int64_t, 3>;

/// A partition of a volume into cells[0] x cells[1] x cells[2] boxes whose sides differ by at most
/// one: coordinate i of an axis of n lies in cell floor(i * cells / n).
///
/// Cell by cell storage: the pixels of a cell lie together, in raster order, and the cells follow
/// each other in raster order, so that a kernel walks through memory in one go.
class CellGrid {
 public:
  CellGrid(Extent shape, Extent cells);

  const Extent& shape() const { return shape_; }
  const Extent& cells() const { return cells_; }
  std::int64_t num_cells() const { return cells_[0] * cells_[1] * cells_[2]; }
  std::int64_t num_pixels() const { return shape_[0] * shape_[1] * shape_[2]; }

  struct Box {
    Extent begin, end;
    std::int64_t offset;  // of its first pixel in cell by cell storage
    std::int64_t side(int axis) const { return end[axis] - begin[axis]; }
    std::int64_t size() const { return side(0) * side(1) * side(2); }
  };
  Box box(std::int64_t cell) const;
  Extent position(std::int64_t cell) const {
    return {cell / (cells_[1] * cells_[2]), cell / cells_[2] % cells_[1], cell % cells_[2]};
  }

  /// The first coordinate of each cell along an axis, and the size of the axis at the end.
  const std::vector<std::int32_t>& edges(int axis) const { return edges_[axis]; }
  std::int64_t cell_of(int axis, std::int64_t coordinate) const {
    return coordinate * cells_[axis] / shape_[axis];
  }
  std::int64_t longest_side(int axis) const;

  /// Calls f(neighbour, slot) for the cells that touch `cell`, itself among them, in raster order.
  /// Slots number the 3 x 3 x 3 neighbourhood (3 x 3 where the depth is one cell of a plane).
  template <class F>
  void for_each_neighbor(std::int64_t cell, F f) const {
    const Extent at = position(cell);
    const bool plane = shape_[0] == 1;
    for (std::int64_t dz = plane ? 0 : -1; dz <= (plane ? 0 : 1); ++dz) {
      for (std::int64_t dy = -1; dy <= 1; ++dy) {
        for (std::int64_t dx = -1; dx <= 1; ++dx) {
          const std::int64_t z = at[0] + dz, y = at[1] + dy, x = at[2] + dx;
          if (z < 0 || y < 0 || x < 0 || z >= cells_[0] || y >= cells_[1] || x >= cells_[2]) {
            continue;
          }
          const auto slot = static_cast<int>(((plane ? 0 : dz + 1) * 3 + dy + 1) * 3 + dx + 1);
          f((z * cells_[1] + y) * cells_[2] + x, slot);
        }
      }
    }
  }
  /// The slot of the cell itself, and of `to` as seen from a cell for which it has slot s: num - s.
  int own_slot() const { return shape_[0] == 1 ? 4 : 13; }

 private:
  Extent shape_;
  Extent cells_;
  std::array<std::vector<std::int32_t>, 3> edges_;
};

/// Cells for about `num_segments` superpixels: as near that number as a grid can come whose cells
/// are nearly cubes (sides within a factor of 4/3 of each other) in units of `spacing`.
Extent choose_cells(const Extent& shape, const std::array<double, 3>& spacing,
                    std::int64_t num_segments);

}  // namespace superpix::cpu
