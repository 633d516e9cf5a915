// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/slic.h>
#include <superpix/types.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// An image or volume as float32 features, stored cell by cell, within a cell in blocks of 16
/// pixels, within a block channel by channel: a kernel reads them in one go.
/// Features are colours divided by the compactness, so that the distance of SLIC is
/// |feature difference|^2 + |position difference / S|^2.
struct FloatVolume {
  CellGrid grid;
  int channels = 0;
  float most = 0.0F;  // no feature is greater in magnitude
  Buffer<float> features;
  Buffer<std::uint8_t> outside;  // by pixel, cell by cell, not 0 where masked out; empty: no mask

  static constexpr std::int64_t kBlock = 16;

  /// Where the cell's pixels start in `outside` and slots, and (times channels) in `features`.
  std::int64_t begin(const CellGrid::Box& box, std::int64_t cell) const {
    return begin(box.offset, cell);
  }
  static std::int64_t begin(std::int64_t offset, std::int64_t cell) {
    return padded(offset) + kBlock * cell;
  }
  /// The pixels of whole blocks.
  static std::int64_t padded(std::int64_t n) { return (n + kBlock - 1) / kBlock * kBlock; }

  std::int64_t padded_size() const {
    return grid.num_pixels() + 2 * kBlock * (grid.num_cells() + 1);
  }
};

/// Reads `image` ([D,H,W,C], any dtype and strides): value range, CIELAB, blur, 1 / compactness.
/// Throws InvalidArgument where an unmasked value is not finite.
FloatVolume make_float_volume(const ArrayView& image, const ArrayView* mask, const CellGrid& grid,
                              const SlicParams& params, int num_threads);

/// A pixel's features, found by its position, without a division.
class PixelFeatures {
 public:
  explicit PixelFeatures(const FloatVolume& volume);

  struct Place {
    const float* first;  // channel 0; the next are FloatVolume::kBlock further each
    std::int64_t count;  // of pixels from here on that lie side by side
  };

 private:
  /// The cell of a coordinate along one axis.
  struct Span {
    std::int32_t begin, end, cell;
  };

 public:
  /// What the pixels of one row have in common.
  class Row {
   public:
    Row(const PixelFeatures& pixels, std::int64_t z, std::int64_t y)
        : pixels_(pixels), first_cell_(0), offset_(0), area_(0), row_in_cell_(0) {
      const CellGrid& grid = pixels.volume_.grid;
      const Span& plane = pixels.spans_[0][z];
      const Span& line = pixels.spans_[1][y];
      const std::int64_t depth = plane.end - plane.begin;
      const std::int64_t height = line.end - line.begin;
      first_cell_ = (plane.cell * grid.cells()[1] + line.cell) * grid.cells()[2];
      offset_ = (plane.begin * grid.shape()[1] + depth * line.begin) * grid.shape()[2];
      area_ = depth * height;
      row_in_cell_ = (z - plane.begin) * height + y - line.begin;
    }

    Place at(std::int64_t x) const {
      const FloatVolume& volume = pixels_.volume_;
      const Span& column = pixels_.spans_[2][x];
      const std::int64_t width = column.end - column.begin;
      const std::int64_t begin =
          FloatVolume::begin(offset_ + area_ * column.begin, first_cell_ + column.cell);
      const std::int64_t in_cell = row_in_cell_ * width + x - column.begin;
      const std::int64_t in_block = in_cell % FloatVolume::kBlock;
      return {&volume.features[(begin + in_cell - in_block) * volume.channels] + in_block,
              std::min(column.end - x, FloatVolume::kBlock - in_block)};
    }

   private:
    const PixelFeatures& pixels_;
    std::int64_t first_cell_;   // of the row of cells
    std::int64_t offset_;       // of its first pixel, without the pads
    std::int64_t area_;         // of a cell, across x
    std::int64_t row_in_cell_;  // of this row among those of a cell
  };

  Row row(std::int64_t z, std::int64_t y) const { return {*this, z, y}; }
  Place at(std::int64_t z, std::int64_t y, std::int64_t x) const { return row(z, y).at(x); }

 private:
  const FloatVolume& volume_;
  std::array<std::vector<Span>, 3> spans_;  // by coordinate
};

}  // namespace superpix::cpu
