// SPDX-License-Identifier: Apache-2.0
//
// Which pixels a block of pyramid pooling has, and which of them a thread. A block has one or more
// small planes, or of a large plane a piece of rows by a tile of columns, about 64 KiB. A thread
// has neighbouring columns, as many as one access moves, of a strip, which is a piece of rows of a
// plane, or of a line, which is a part of a strip where there are more threads than columns. None
// of this depends on the batch or on where the arrays lie, so that sums are the same everywhere.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>

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
  /// Threads that share a line, and how many of them do so at a time.
  Divisor line_threads;
  int lines_at_once;

  __host__ __device__ bool holds_planes() const {
    return row_chunks.value() == 1 && tiles.value() == 1;
  }
  /// At most.
  __host__ __device__ int strips() const { return planes * pieces.value(); }
  __host__ __device__ int lines() const { return strips() * parts.value(); }

  std::int64_t blocks(std::int64_t num_planes) const {
    return blocks_for(num_planes, planes) * row_chunks.value() * tiles.value();
  }
  int threads() const { return (line_threads.value() * lines_at_once + 31) / 32 * 32; }
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
    column_pieces = {0, pyramid.columns.num_pieces.value()};
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
  int first_line, first_pack;

  __device__ PyramidThread(const PyramidChunks& chunks, int num_lines) {
    const int thread = static_cast<int>(threadIdx.x);
    first_line = thread / chunks.line_threads;
    first_pack = thread - first_line * chunks.line_threads.value();
    if (first_line >= chunks.lines_at_once) first_line = num_lines;  // nothing is left for it
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

/// How long pieces of rows are at most, for elements of item_size bytes.
std::int64_t longest_pyramid_piece(std::int64_t height, std::int64_t width, std::size_t item_size);

/// For accesses of pack_size columns; shared_bytes(chunks) says what a block needs.
PyramidChunks pyramid_chunks(const Pyramid& pyramid, std::int64_t height, std::int64_t width,
                             std::size_t item_size, int pack_size,
                             const std::function<std::size_t(const PyramidChunks&)>& shared_bytes);

}  // namespace superpix::cuda
