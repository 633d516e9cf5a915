// SPDX-License-Identifier: Apache-2.0
//
// Label maps taken apart: in each tile of 1024 pixels, the cells of every label that is in it.
#pragma once

#include <cuda_runtime.h>
#include <superpix/types.h>

#include <cstdint>

#include "call.h"
#include "grid.h"

namespace superpix::cuda {

inline constexpr int kTilePixels = 1024;

/// Labels [B,Hl,Wl], int32 or int64, over feature maps [B,C,H,W].
struct LabelMaps {
  const void* data;
  bool is_wide;
  std::int32_t num_segments;
  std::int64_t batch;
  Axis y, x;  // pixels of the labels, cells of the features

  LabelMaps(const ArrayView& labels, const ArrayView& features, std::int64_t segments);

  __host__ __device__ std::int64_t pixels() const {
    return static_cast<std::int64_t>(y.length) * x.length;
  }
  __host__ __device__ std::int64_t cells() const {
    return static_cast<std::int64_t>(y.cells) * x.cells;
  }
  __host__ __device__ bool has_a_label_per_cell() const {
    return y.length == y.cells && x.length == x.cells;
  }
  /// The segment that a label names; -1 for any that names none.
  __device__ int segment(std::int64_t label) const {
    return static_cast<std::uint64_t>(label) < static_cast<std::uint64_t>(num_segments)
               ? static_cast<int>(label)
               : -1;
  }
  /// The segment of pixel i of the batch.
  __device__ int operator[](std::int64_t i) const {
    return segment(is_wide ? static_cast<const std::int64_t*>(data)[i]
                           : static_cast<const std::int32_t*>(data)[i]);
  }
};

/// A cell of a list, and how many pixels of the label it has: 1 where resolutions are the same.
struct TileCell {
  std::uint32_t bits;

  __device__ static TileCell of(int cell, int pixels) {
    return {static_cast<std::uint32_t>(cell) | static_cast<std::uint32_t>(pixels) << 10};
  }
  /// Its row and column in the tile, as row * width + column.
  __device__ int cell() const { return static_cast<int>(bits & 1023U); }
  __device__ int pixels() const { return static_cast<int>(bits >> 10); }
};

/// Where the list of a label is in its tile.
struct TileList {
  std::uint32_t bits;

  /// For 1 to 1024 cells and pixels.
  __device__ static TileList of(int begin, int cells, int pixels) {
    return {static_cast<std::uint32_t>(begin) | static_cast<std::uint32_t>(cells - 1) << 10 |
            static_cast<std::uint32_t>(pixels - 1) << 20};
  }
  __device__ int begin() const { return static_cast<int>(bits & 1023U); }
  __device__ int cells() const { return static_cast<int>(bits >> 10 & 1023U) + 1; }
  __device__ int pixels() const { return static_cast<int>(bits >> 20 & 1023U) + 1; }
};

/// In the workspace. A tile is a rectangle of pixels; those of an image are counted in raster
/// order, `tile` counts those of the batch. In every array a tile has room for kTilePixels
/// elements, as many as it can have lists and cells.
struct LabelTiles {
  int log_width;  // of a tile, in pixels
  int columns;    // tiles side by side
  int per_image;
  int log_span;  // a bit of `places` stands for 2^log_span tiles
  int words;     // of `places`, for each segment

  TileCell* cells;       // list after list; those of one in raster order
  std::int32_t* labels;  // of each list, ascending
  TileList* lists;
  std::int32_t* num_lists;  // [B * per_image]
  std::uint32_t* places;    // [B,K,words]: the tiles that have a list of the segment

  /// Takes what is needed from the workspace.
  LabelTiles(Call& call, const LabelMaps& maps);

  __host__ __device__ std::int64_t place(std::int64_t image, std::int64_t num_segments,
                                         std::int64_t segment) const {
    return (image * num_segments + segment) * words;
  }
  __device__ int first_row(int tile_of_image) const {
    return tile_of_image / columns << (10 - log_width);
  }
  __device__ int first_column(int tile_of_image) const {
    return tile_of_image % columns << log_width;
  }
  /// The first cell of a tile, as y * W + x.
  __device__ int origin(const LabelMaps& maps, int tile_of_image) const {
    return maps.y.cell_of(first_row(tile_of_image)) * maps.x.cells +
           maps.x.cell_of(first_column(tile_of_image));
  }
  /// How far a cell of a list is from there.
  __device__ int offset(const LabelMaps& maps, TileCell cell) const {
    return (cell.cell() >> log_width) * maps.x.cells + (cell.cell() & ((1 << log_width) - 1));
  }
};

/// Enqueues what fills `tiles`.
void find_label_tiles(const Call& call, const LabelMaps& maps, const LabelTiles& tiles);

}  // namespace superpix::cuda
