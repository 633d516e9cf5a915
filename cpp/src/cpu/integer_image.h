// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/slic.h>
#include <superpix/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/cell_grid.h"
#include "cpu/kernels.h"

namespace superpix::cpu {

/// A uint8 RGB image as quantised CIELAB, stored cell by cell.
struct IntegerImage {
  CellGrid grid;
  LabQuantization quantization;
  Buffer<std::int16_t> la;    // [N][2]
  Buffer<std::int16_t> b;     // [N]
  Buffer<std::int64_t> sums;  // [cells][3], L, a, b over the pixels of each cell

  /// Where pixel (y, x) is stored.
  std::int64_t offset(std::int64_t y, std::int64_t x) const {
    const Span& row = rows[y];
    const Span& column = columns[x];
    return row.begin * grid.shape()[2] + (row.end - row.begin) * column.begin +
           (y - row.begin) * (column.end - column.begin) + (x - column.begin);
  }
  /// The end of the cell that x lies in.
  std::int64_t cell_end(std::int64_t x) const { return columns[x].end; }

  /// The cells' extent along y for each row, along x for each column.
  struct Span {
    std::int32_t begin, end;
  };
  std::vector<Span> rows;
  std::vector<Span> columns;
};

/// Byte value -> linear light, `range` counting as 0 and 1.
std::array<float, 256> linear_light(std::pair<double, double> range);

/// Converts `rgb` ([H,W,3] uint8, any strides); `value_range` as in SlicParams.
IntegerImage make_integer_image(const ArrayView& rgb, const CellGrid& grid,
                                const std::optional<std::pair<double, double>>& value_range,
                                LabQuantization quantization, int num_threads);

}  // namespace superpix::cpu
