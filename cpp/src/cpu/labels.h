// SPDX-License-Identifier: Apache-2.0
//
// Where the labels of a volume lie, and how. Rows are numbered z * H + y.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// Labels as callers have them: int32 [D,H,W], negative outside. Not the owner.
class LabelImage {
 public:
  using Value = std::int32_t;
  static constexpr Value kOutside = -1;

  LabelImage(std::int32_t* labels, const Extent& shape) : labels_(labels), shape_(shape) {}

  const Extent& shape() const { return shape_; }
  Value* row(std::int64_t r) const { return labels_ + r * shape_[2]; }
  static bool is_outside(Value value) { return value < 0; }
  static std::int32_t label(std::int64_t, std::int64_t, Value value) { return value; }
  static Value value_of_cell(std::int64_t cell) { return static_cast<std::int32_t>(cell); }

 private:
  std::int32_t* labels_;
  Extent shape_;
};

/// Labels of a plane as one byte each, a quarter of the memory and four times the pixels in a
/// register. A label is the index of a cell, and no pixel is far from the cell that it is named
/// after: the last three bits of the cell's row and column tell it from all others nearby.
class LabelTags {
 public:
  using Value = std::uint8_t;
  static constexpr Value kOutside = 255;

  /// Whether tags are unambiguous, for labels of the cell of a pixel within 4 pixels, or of one
  /// next to it.
  static bool can_name(const CellGrid& grid) {
    const auto fits = [&](int axis) {
      return grid.shape()[axis] >= 2 * grid.cells()[axis] || grid.cells()[axis] <= 4;
    };
    return grid.shape()[0] == 1 && fits(1) && fits(2);
  }

  explicit LabelTags(const CellGrid& grid)
      : grid_(grid),
        stride_((grid.shape()[2] + 2 * kPadding - 1) / kPadding * kPadding),
        rows_(cells_of_coordinates(1)),
        columns_(cells_of_coordinates(2)),
        tags_(grid.shape()[1] * stride_ + kPadding) {}

  const Extent& shape() const { return grid_.shape(); }
  /// Row r: readable kPadding elements before it and past its end.
  Value* row(std::int64_t r) const { return tags_.data() + kPadding + r * stride_; }
  static bool is_outside(Value tag) { return tag == kOutside; }

  Value value_of_cell(std::int64_t cell) const {
    return static_cast<Value>((cell / grid_.cells()[2] % 8) << 3 | cell % grid_.cells()[2] % 8);
  }

  /// What `tag` stands for at row r, column x.
  std::int32_t label(std::int64_t r, std::int64_t x, Value tag) const {
    const auto nearest = [](std::int32_t cell, std::int32_t bits) {
      return cell + ((bits - cell + 3) & 7) - 3;
    };
    return nearest(rows_[r], tag >> 3) * static_cast<std::int32_t>(grid_.cells()[2]) +
           nearest(columns_[x], tag & 7);
  }

  static constexpr std::int64_t kPadding = 64;

 private:
  std::vector<std::int32_t> cells_of_coordinates(int axis) const {
    std::vector<std::int32_t> cells;
    const std::vector<std::int32_t>& edges = grid_.edges(axis);
    for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
      cells.insert(cells.end(), edges[i + 1] - edges[i], static_cast<std::int32_t>(i));
    }
    return cells;
  }

  const CellGrid& grid_;
  std::int64_t stride_;
  std::vector<std::int32_t> rows_;     // the row of cells of each row
  std::vector<std::int32_t> columns_;  // the column of cells of each column
  mutable Buffer<Value> tags_;
};

}  // namespace superpix::cpu
