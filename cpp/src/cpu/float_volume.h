// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/slic.h>
#include <superpix/types.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "cpu/buffer.h"
#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// An image or volume as float32 features, stored cell by cell, within a cell channel by channel.
/// Features are colours divided by the compactness, so that the distance of SLIC is
/// |feature difference|^2 + |position difference / S|^2.
struct FloatVolume {
  CellGrid grid;
  int channels = 0;
  Buffer<float> features;
  Buffer<std::uint8_t> outside;  // by pixel, cell by cell, not 0 where masked out; empty: no mask

  /// Where the cell's pixels start in `outside` and slots, and (times channels) in `features`.
  std::int64_t begin(const CellGrid::Box& box, std::int64_t cell) const {
    return (box.offset + 15) / 16 * 16 + 16 * cell;
  }
  /// Pixels from one channel of a cell to the next.
  static std::int64_t stride(std::int64_t cell_size) { return (cell_size + 15) / 16 * 16; }

  std::int64_t padded_size() const { return grid.num_pixels() + 32 * (grid.num_cells() + 1); }
};

/// Reads `image` ([D,H,W,C], any dtype and strides): value range, CIELAB, blur, 1 / compactness.
/// Throws InvalidArgument where an unmasked value is not finite.
FloatVolume make_float_volume(const ArrayView& image, const ArrayView* mask, const CellGrid& grid,
                              const SlicParams& params, int num_threads);

/// A pixel's features, found by its position.
class PixelFeatures {
 public:
  explicit PixelFeatures(const FloatVolume& volume) : volume_(volume) {}

  struct Place {
    const float* first;   // channel 0
    std::int64_t stride;  // to the next channel
  };
  Place at(std::int64_t z, std::int64_t y, std::int64_t x) const {
    const CellGrid& grid = volume_.grid;
    const std::int64_t cell =
        (grid.cell_of(0, z) * grid.cells()[1] + grid.cell_of(1, y)) * grid.cells()[2] +
        grid.cell_of(2, x);
    const CellGrid::Box box = grid.box(cell);
    const std::int64_t stride = FloatVolume::stride(box.size());
    return {&volume_.features[volume_.begin(box, cell) * volume_.channels] +
                ((z - box.begin[0]) * box.side(1) + (y - box.begin[1])) * box.side(2) + x -
                box.begin[2],
            stride};
  }

 private:
  const FloatVolume& volume_;
};

}  // namespace superpix::cpu
