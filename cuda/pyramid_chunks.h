// SPDX-License-Identifier: Apache-2.0
//
// Which pixels a block of pyramid pooling has, and which of them a thread. A block has one or more
// small planes, or of a large plane a piece of rows by a tile of columns, about 64 KiB. A thread
// has neighbouring columns, as many as one access moves, of a piece of rows, or of one of its parts
// where rows are short. None of this depends on the batch or on where the arrays lie, so that sums
// are the same everywhere.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "pyramid_axes.h"
#include "vectors.h"

namespace superpix::cuda {

inline constexpr int kPyramidThreads = 256;

struct PyramidChunks {
  /// What a block has: planes, pieces of rows, each in so many parts, and columns.
  int planes;
  int pieces;
  int parts;
  int columns;
  /// How many blocks have a plane.
  int row_chunks;
  int tiles;
  /// Threads that share a cell: a power of two, at most 32.
  int lanes;

  __host__ __device__ bool holds_planes() const { return row_chunks == 1 && tiles == 1; }
  std::int64_t blocks(std::int64_t num_planes) const {
    return blocks_for(num_planes, planes) * row_chunks * tiles;
  }
  /// Most lines that a block has.
  __host__ __device__ int lines() const { return planes * pieces * parts; }
  /// Threads for lines of `packs` accesses each.
  int threads(int packs) const {
    const std::int64_t tasks = static_cast<std::int64_t>(lines()) * packs;
    return static_cast<int>(std::min<std::int64_t>(kPyramidThreads, (tasks + 31) / 32 * 32));
  }
};

/// Of a block.
struct PyramidChunk {
  std::int64_t first_plane;
  int num_planes;
  int first_piece;
  int tile;
  Span columns;
  /// Pieces of columns that lie in the tile, some in part.
  Span column_pieces;

  __device__ PyramidChunk(const Pyramid& pyramid, const PyramidChunks& chunks,
                          std::int64_t planes) {
    const int block = static_cast<int>(blockIdx.x);
    const int rest = block / chunks.tiles;
    tile = block - rest * chunks.tiles;
    const int group = rest / chunks.row_chunks;
    first_piece = (rest - group * chunks.row_chunks) * chunks.pieces;
    first_plane = static_cast<std::int64_t>(group) * chunks.planes;
    const std::int64_t left = planes - first_plane;
    num_planes = left < chunks.planes ? static_cast<int>(left) : chunks.planes;
    columns.begin = tile * chunks.columns;
    const int width = pyramid.columns.length() - columns.begin;
    columns.end = columns.begin + (width < chunks.columns ? width : chunks.columns);
    column_pieces = {pyramid.columns.piece_of(columns.begin),
                     pyramid.columns.piece_of(columns.end - 1) + 1};
  }
  /// Of all planes: plane after plane, piece after piece.
  __device__ int num_strips(const PyramidChunks& chunks) const {
    return num_planes * chunks.pieces;
  }
  /// What of a piece of columns lies in the tile, from the beginning of the tile on.
  __device__ Span columns_of(const Pyramid& pyramid, int piece) const {
    const int begin = pyramid.columns.edge[piece];
    const int end = pyramid.columns.edge[piece + 1];
    return {(begin < columns.begin ? columns.begin : begin) - columns.begin,
            (end < columns.end ? end : columns.end) - columns.begin};
  }
};

/// A thread's columns: part of a strip, from column x of the tile on.
struct PyramidTask {
  int line;
  int strip;
  int plane;
  int x;
  Span rows;

  __device__ PyramidTask(const Pyramid& pyramid, const PyramidChunks& chunks,
                         const PyramidChunk& chunk, int task, int packs, int pack_size) {
    line = task / packs;
    x = (task - line * packs) * pack_size;
    strip = line / chunks.parts;
    const int part = line - strip * chunks.parts;
    plane = strip / chunks.pieces;
    const int piece = chunk.first_piece + strip - plane * chunks.pieces;
    rows = pyramid.rows.pixels({piece, piece + 1});
    const int height = rows.size() / chunks.parts;
    const int larger = rows.size() - height * chunks.parts;
    rows.begin += part * height + (part < larger ? part : larger);
    rows.end = rows.begin + height + (part < larger ? 1 : 0);
  }
};

namespace pyramid_detail {

// Rows of a thread: enough loads at a time, and few enough to be added in float.
inline constexpr std::int64_t kRows = 16;
inline constexpr std::int64_t kTileColumns = 1024;
inline constexpr std::int64_t kSmallPlaneBytes = std::int64_t{64} * 1024;
inline constexpr std::int64_t kSmallPlaneHeight = 1024;
inline constexpr std::int64_t kSharedBytes = std::int64_t{48} * 1024;
// Of a block with several planes: more would leave the last blocks alone.
inline constexpr std::int64_t kTasks = 192;

template <class S>
bool is_small(std::int64_t height, std::int64_t width) {
  return height * width * static_cast<std::int64_t>(sizeof(S)) <= kSmallPlaneBytes &&
         height <= kSmallPlaneHeight;
}

/// Parts of the pieces of large planes, so that all threads have something to do.
template <class S>
int parts_of(std::int64_t width) {
  const std::int64_t packs = blocks_for(std::min(width, kTileColumns), kPackSize<S>);
  return static_cast<int>(std::max<std::int64_t>(1, kPyramidThreads / packs));
}

}  // namespace pyramid_detail

/// How long pieces of rows are at most.
template <class S>
std::int64_t longest_pyramid_piece(std::int64_t height, std::int64_t width) {
  const bool is_small = pyramid_detail::is_small<S>(height, width);
  return pyramid_detail::kRows * (is_small ? 1 : pyramid_detail::parts_of<S>(width));
}

/// The smallest power of two of threads that is enough for n, at most a warp.
inline int pyramid_lanes(std::int64_t n) {
  return static_cast<int>(
      std::bit_ceil(static_cast<std::uint64_t>(std::clamp<std::int64_t>(n, 1, 32))));
}

/// For threads with pack_size columns each; shared_bytes(chunks) says what a block needs.
template <class S, class SharedBytes>
PyramidChunks pyramid_chunks(const Pyramid& pyramid, std::int64_t height, std::int64_t width,
                             int pack_size, SharedBytes shared_bytes) {
  namespace detail = pyramid_detail;
  constexpr std::int64_t kColumnsOfLane = 8;
  const int num_rows = pyramid.rows.num_pieces;
  const int num_columns = pyramid.columns.num_pieces;
  if (detail::is_small<S>(height, width)) {
    PyramidChunks chunks{1,
                         num_rows,
                         1,
                         static_cast<int>(width),
                         1,
                         1,
                         pyramid_lanes(width / num_columns / kColumnsOfLane)};
    const auto bytes = static_cast<std::int64_t>(shared_bytes(chunks));
    if (bytes <= detail::kSharedBytes) {
      const std::int64_t planes =
          std::min(detail::kTasks / (num_rows * (width / pack_size)), detail::kSharedBytes / bytes);
      chunks.planes = static_cast<int>(std::max<std::int64_t>(1, planes));
      return chunks;
    }
  }
  const std::int64_t columns = std::min(width, detail::kTileColumns);
  const int parts = detail::is_small<S>(height, width) ? 1 : detail::parts_of<S>(width);
  return {1,
          1,
          parts,
          static_cast<int>(columns),
          num_rows,
          static_cast<int>(blocks_for(width, columns)),
          pyramid_lanes(columns * parts / num_columns / kColumnsOfLane)};
}

}  // namespace superpix::cuda
