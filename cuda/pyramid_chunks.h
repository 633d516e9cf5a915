// SPDX-License-Identifier: Apache-2.0
//
// Which pixels a block of pyramid pooling has, and which of them a thread. A block has one or more
// small planes, or of a large plane a piece of rows by a tile of columns, about 64 KiB. A thread
// has neighbouring columns, as many as one access moves, of a strip, which is a piece of rows of a
// plane, or of a line, which is a part of a strip where there are more threads than columns. None
// of this depends on the batch or on where the arrays lie, so that sums are the same everywhere.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "divisor.h"
#include "pyramid_axes.h"
#include "vectors.h"

namespace superpix::cuda {

inline constexpr int kPyramidThreads = 256;

struct PyramidChunks {
  /// What a block has: planes, pieces of rows of each, parts of each of them, and columns.
  int planes;
  Divisor pieces;
  Divisor parts;
  int columns;
  /// How many blocks have a plane.
  Divisor row_chunks;
  Divisor tiles;
  /// Threads that share a cell: a power of two, at most 32.
  Divisor lanes;

  __host__ __device__ bool holds_planes() const {
    return row_chunks.value() == 1 && tiles.value() == 1;
  }
  /// At most.
  __host__ __device__ int strips() const { return planes * pieces.value(); }
  __host__ __device__ int lines() const { return strips() * parts.value(); }

  std::int64_t blocks(std::int64_t num_planes) const {
    return blocks_for(num_planes, planes) * row_chunks.value() * tiles.value();
  }
  /// For lines of so many accesses.
  int threads(int packs) const {
    const int of_line = std::min(packs, kPyramidThreads);
    const int lines_at_once = std::min(kPyramidThreads / of_line, lines());
    return (of_line * lines_at_once + 31) / 32 * 32;
  }
};

/// Of a block.
struct PyramidChunk {
  std::int64_t first_plane;
  int num_planes;
  int num_strips;
  int first_piece;
  int tile;
  Span columns;
  /// Pieces of columns that lie in the tile, some in part.
  Span column_pieces;

  __device__ PyramidChunk(const Pyramid& pyramid, const PyramidChunks& chunks,
                          std::int64_t planes) {
    const int block = static_cast<int>(blockIdx.x);
    const int row_chunk = block / chunks.tiles;
    const int group = row_chunk / chunks.row_chunks;
    tile = block - row_chunk * chunks.tiles.value();
    first_piece = (row_chunk - group * chunks.row_chunks.value()) * chunks.pieces.value();
    first_plane = static_cast<std::int64_t>(group) * chunks.planes;
    const std::int64_t left = planes - first_plane;
    num_planes = left < chunks.planes ? static_cast<int>(left) : chunks.planes;
    num_strips = num_planes * chunks.pieces.value();
    columns = {0, pyramid.columns.length()};
    column_pieces = {0, pyramid.columns.num_pieces};
    if (chunks.tiles.value() > 1) {
      columns.begin = tile * chunks.columns;
      columns.end = columns.begin + min(columns.end - columns.begin, chunks.columns);
      column_pieces = {pyramid.columns.piece_of(columns.begin),
                       pyramid.columns.piece_of(columns.end - 1) + 1};
    }
  }
  /// What of a piece of columns lies in the tile, from the beginning of the tile on.
  __device__ Span columns_of(const Pyramid& pyramid, int piece) const {
    return {max(pyramid.columns.edge[piece], columns.begin) - columns.begin,
            min(pyramid.columns.edge[piece + 1], columns.end) - columns.begin};
  }
};

/// What of a chunk a thread has: some lines, and of each some accesses.
struct PyramidThread {
  int first_line, line_step;
  int first_pack, pack_step;

  __device__ PyramidThread(int num_lines, int packs) {
    const int thread = static_cast<int>(threadIdx.x);
    const int num_threads = static_cast<int>(blockDim.x);
    pack_step = min(packs, num_threads);
    line_step = num_threads / pack_step;
    first_line = thread / pack_step;
    first_pack = thread - first_line * pack_step;
    if (first_line >= line_step) first_line = num_lines;  // nothing is left for this one
  }
};

struct PyramidLine {
  int strip;
  int plane;  // of the block
  Span rows;

  __device__ PyramidLine(const Pyramid& pyramid, const PyramidChunks& chunks,
                         const PyramidChunk& chunk, int line) {
    strip = line / chunks.parts;
    plane = strip / chunks.pieces;
    const int piece = chunk.first_piece + strip - plane * chunks.pieces.value();
    rows = pyramid.rows.pixels({piece, piece + 1});
    if (chunks.parts.value() > 1) {
      const int part = line - strip * chunks.parts.value();
      const int height = rows.size() / chunks.parts;
      const int larger = rows.size() - height * chunks.parts.value();
      rows.begin += part * height + min(part, larger);
      rows.end = rows.begin + height + (part < larger ? 1 : 0);
    }
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
inline constexpr std::int64_t kAccesses = 192;

template <class S>
bool is_small(std::int64_t height, std::int64_t width) {
  return height * width * static_cast<std::int64_t>(sizeof(S)) <= kSmallPlaneBytes &&
         height <= kSmallPlaneHeight;
}

/// Parts of the strips of large planes, so that all threads have something to do.
template <class S>
int parts_of(std::int64_t width) {
  const std::int64_t packs = blocks_for(std::min(width, kTileColumns), kPackSize<S>);
  return static_cast<int>(std::max<std::int64_t>(1, kPyramidThreads / packs));
}

/// The smallest power of two that is enough lanes for n columns of a cell.
inline Divisor lanes_for(std::int64_t n) {
  constexpr std::int64_t kColumnsOfLane = 8;
  const std::int64_t lanes = std::clamp<std::int64_t>(n / kColumnsOfLane, 1, 32);
  return Divisor(static_cast<int>(std::bit_ceil(static_cast<std::uint64_t>(lanes))));
}

}  // namespace pyramid_detail

/// How long pieces of rows are at most.
template <class S>
std::int64_t longest_pyramid_piece(std::int64_t height, std::int64_t width) {
  const bool is_small = pyramid_detail::is_small<S>(height, width);
  return pyramid_detail::kRows * (is_small ? 1 : pyramid_detail::parts_of<S>(width));
}

/// For threads with pack_size columns each; shared_bytes(chunks) says what a block needs.
template <class S, class SharedBytes>
PyramidChunks pyramid_chunks(const Pyramid& pyramid, std::int64_t height, std::int64_t width,
                             int pack_size, SharedBytes shared_bytes) {
  namespace detail = pyramid_detail;
  const int num_rows = pyramid.rows.num_pieces;
  const int num_columns = pyramid.columns.num_pieces;
  PyramidChunks chunks{};
  if (detail::is_small<S>(height, width)) {
    chunks.planes = 1;
    chunks.pieces = Divisor(num_rows);
    chunks.columns = static_cast<int>(width);
    chunks.lanes = detail::lanes_for(width / num_columns);
    const auto bytes = static_cast<std::int64_t>(shared_bytes(chunks));
    if (bytes <= detail::kSharedBytes) {
      const std::int64_t planes = std::min(detail::kAccesses / (num_rows * (width / pack_size)),
                                           detail::kSharedBytes / bytes);
      chunks.planes = static_cast<int>(std::max<std::int64_t>(1, planes));
      return chunks;
    }
  }
  const int parts = detail::is_small<S>(height, width) ? 1 : detail::parts_of<S>(width);
  chunks.planes = 1;
  chunks.pieces = Divisor(1);
  chunks.parts = Divisor(parts);
  chunks.columns = static_cast<int>(std::min(width, detail::kTileColumns));
  chunks.row_chunks = Divisor(num_rows);
  chunks.tiles = Divisor(static_cast<int>(blocks_for(width, detail::kTileColumns)));
  chunks.lanes = detail::lanes_for(std::int64_t{chunks.columns} * parts / num_columns);
  return chunks;
}

}  // namespace superpix::cuda
