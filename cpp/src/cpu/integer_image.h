// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/slic.h>
#include <superpix/types.h>

#include <cstdint>

#include "cpu/buffer.h"
#include "cpu/cell_grid.h"
#include "cpu/kernels.h"

namespace superpix::cpu {

/// A uint8 RGB image as quantised CIELAB, stored cell by cell.
struct IntegerImage {
  CellGrid grid;
  LabQuantization quantization;
  Buffer<std::int16_t> la;  // [N][2]
  Buffer<std::int16_t> b;   // [N]

  /// Where pixel (y, x) is stored.
  std::int64_t offset(std::int64_t y, std::int64_t x) const {
    const std::int64_t cy = grid.cell_of(1, y);
    const std::int64_t cx = grid.cell_of(2, x);
    const auto& ys = grid.edges(1);
    const auto& xs = grid.edges(2);
    const std::int64_t height = ys[cy + 1] - ys[cy];
    const std::int64_t width = xs[cx + 1] - xs[cx];
    return ys[cy] * grid.shape()[2] + height * xs[cx] + (y - ys[cy]) * width + (x - xs[cx]);
  }
};

/// Converts `rgb` ([H,W,3] uint8, any strides); `value_range` as in SlicParams.
IntegerImage make_integer_image(const ArrayView& rgb, const CellGrid& grid,
                                const std::optional<std::pair<double, double>>& value_range,
                                LabQuantization quantization, int num_threads);

}  // namespace superpix::cpu
