// SPDX-License-Identifier: Apache-2.0
//
// A uint8 RGB image as quantised CIELAB on the device, cell by cell; as IntegerImage on the CPU.
#pragma once

#include <superpix/slic.h>
#include <superpix/types.h>

#include <cstdint>

#include "call.h"
#include "cell_tiles.h"
#include "cpu/kernels.h"
#include "element.h"

namespace superpix::cuda {

/// The pixels of a cell lie together, in raster order, and every cell has room for as many as the
/// largest one.
struct IntegerImage {
  CellTiles tiles;
  std::int32_t* la;  // [cells][capacity], L in the low half, a in the high one
  std::int16_t* b;   // [cells][capacity]

  __host__ __device__ std::int64_t first(int cell) const { return cell * tiles.capacity; }

  /// Where pixel (y, x) is stored.
  __device__ std::int64_t place(int y, int x) const {
    const int row = tiles.edges_y.cell_of(y);
    const int column = tiles.edges_x.cell_of(x);
    const CellBox box = cell_box(tiles, row, column);
    return first(row * tiles.grid.x.cells + column) +
           static_cast<std::int64_t>(y - box.y) * box.width + (x - box.x);
  }
};

/// Makes an IntegerImage: first takes what that needs of the workspace, then enqueues the work.
class IntegerImageMaker {
 public:
  /// With a raster, the colours are stored in the order of the image, too.
  IntegerImageMaker(Call& call, const CellTiles& tiles, const SlicParams& params, bool with_raster);

  const IntegerImage& image() const { return image_; }
  /// L, a, b summed up over the pixels of each cell, [cells][3].
  const long long* sums() const { return sums_; }
  /// L, a, b, 0 for every pixel [H*W], or nullptr.
  const Pack<std::int16_t, 4>* raster() const { return raster_; }

  /// Converts `rgb` ([H,W,3] uint8, any strides).
  void enqueue(const Call& call, const ArrayView& rgb, cpu::LabQuantization quantization) const;

 private:
  const SlicParams& params_;
  IntegerImage image_;
  Pack<std::int16_t, 4>* raster_;
  long long* sums_;
  float* linear_;       // [256], byte value -> linear light
  unsigned* extremes_;  // [kExtremes], see extremes_kernel
};

}  // namespace superpix::cuda
