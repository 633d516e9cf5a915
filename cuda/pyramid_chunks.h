// SPDX-License-Identifier: Apache-2.0
//
// Which pixels a block of pyramid pooling has, and which of them a thread. A block has one or more
// small planes, or a tile of a large one, of about 64 KiB. Its rows are cut into groups of at most
// 16, and a thread has neighbouring columns, as many as one access moves, of a group: as much as
// the others, wherever the pieces end. Groups and tiles depend neither on the batch nor on where
// the arrays lie, so that sums are the same everywhere.
//
// A piece that several groups have part of is a line of each of them: piece p (of those of the
// block) in group g is line p + g. No two lines are the same, as every step from one to the next
// leaves a piece or a group; where both end, there is a line that nobody has. Tiles share pieces in
// the same way.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

#include "divisor.h"
#include "pyramid_axes.h"
#include "vectors.h"

namespace superpix::cuda {

inline constexpr int kPyramidThreads = 256;

/// An axis of a plane, cut into tiles of one size; the last may be smaller.
struct PyramidTiles {
  Divisor size;
  Divisor count;

  __device__ Span span(int tile, int length) const {
    const int begin = tile * size.value();
    return {begin, begin + min(length - begin, size.value())};
  }
};

struct PyramidChunks {
  /// Of a block.
  int planes;
  PyramidTiles rows, columns;
  /// Of the rows of a tile: groups, and what a group has.
  Divisor groups;
  Divisor group_rows;
  /// Most pieces of rows that a tile has a part of.
  int strips;
  /// Threads that share a cell: a power of two, at most 32.
  Divisor lanes;
  /// Threads that share a group, and how many groups they have at a time.
  Divisor group_threads;
  int groups_at_once;

  __host__ __device__ bool holds_planes() const {
    return rows.count.value() == 1 && columns.count.value() == 1;
  }
  /// Of a plane of the block.
  __host__ __device__ int lines() const { return strips + groups.value() - 1; }

  std::int64_t blocks(std::int64_t num_planes) const {
    return blocks_for(num_planes, planes) * rows.count.value() * columns.count.value();
  }
  int threads() const { return (group_threads.value() * groups_at_once + 31) / 32 * 32; }
};

/// Of a block.
struct PyramidChunk {
  std::int64_t first_plane;
  int num_planes;
  int row_tile, column_tile;
  Span rows, columns;
  /// Pieces that the tile has a part of, and one more where there is none of the tile before.
  Span row_pieces, column_pieces;
  /// The first piece of rows of which there is a part.
  int first_strip;

  __device__ PyramidChunk(const Pyramid& pyramid, const PyramidChunks& chunks,
                          std::int64_t planes) {
    const int block = static_cast<int>(blockIdx.x);
    const int row = block / chunks.columns.count;
    const int group = row / chunks.rows.count;
    column_tile = block - row * chunks.columns.count.value();
    row_tile = row - group * chunks.rows.count.value();
    first_plane = static_cast<std::int64_t>(group) * chunks.planes;
    const std::int64_t left = planes - first_plane;
    num_planes = left < chunks.planes ? static_cast<int>(left) : chunks.planes;
    rows = {0, pyramid.rows.length()};
    columns = {0, pyramid.columns.length()};
    row_pieces = {0, pyramid.rows.num_pieces.value()};
    column_pieces = {0, pyramid.columns.num_pieces.value()};
    first_strip = 0;
    if (!chunks.holds_planes()) {
      rows = chunks.rows.span(row_tile, rows.end);
      columns = chunks.columns.span(column_tile, columns.end);
      row_pieces = pieces_of(pyramid.rows, rows);
      column_pieces = pieces_of(pyramid.columns, columns);
      first_strip = pyramid.rows.piece_of(rows.begin);
    }
  }

 private:
  __device__ static Span pieces_of(const PyramidAxis& axis, Span tile) {
    return {tile.begin > 0 ? axis.piece_of(tile.begin - 1) : 0, axis.piece_of(tile.end - 1) + 1};
  }
};

/// Groups of a block that a thread has: from `first` on, each so many after the one before.
struct PyramidThread {
  int first_group, first_pack;

  __device__ PyramidThread(const PyramidChunks& chunks) {
    const int thread = static_cast<int>(threadIdx.x);
    first_group = thread / chunks.group_threads;
    first_pack = thread - first_group * chunks.group_threads.value();
    // Nothing is left for this one.
    if (first_group >= chunks.groups_at_once) first_group = chunks.planes * chunks.groups.value();
  }
};

/// Rows of a plane of the block.
struct PyramidGroup {
  int plane;
  Span rows;
  /// The piece of rows that it begins with, and its line of the block.
  int piece;
  int line;

  __device__ PyramidGroup(const Pyramid& pyramid, const PyramidChunks& chunks,
                          const PyramidChunk& chunk, int i) {
    plane = i / chunks.groups;
    const int group = i - plane * chunks.groups.value();
    const int begin = min(group * chunks.group_rows.value(), chunk.rows.size());
    rows.begin = chunk.rows.begin + begin;
    rows.end = rows.begin + min(chunk.rows.size() - begin, chunks.group_rows.value());
    piece = rows.size() > 0 ? pyramid.rows.piece_of(rows.begin) : 0;
    line = plane * chunks.lines() + piece - chunk.first_strip + group;
  }
};

/// Calls f with the number of elements, as a type, that an access moves: 16 bytes where rows of
/// `width` elements from this address on allow it, else 4 bytes, else one element.
template <class S, class F>
void with_pyramid_pack(std::int64_t width, const void* address, F f) {
  constexpr int kWord = 4 / sizeof(S) > 1 ? 4 / sizeof(S) : 1;
  if (width % kPackSize<S> == 0 && is_aligned(address, 16)) {
    f(std::integral_constant<int, kPackSize<S>>{});
  } else if (width % kWord == 0 && is_aligned(address, sizeof(S) * kWord)) {
    f(std::integral_constant<int, kWord>{});
  } else if constexpr (kWord > 1) {
    f(std::integral_constant<int, 1>{});
  }
}

/// For elements of item_size bytes and accesses of pack_size columns; shared_bytes(chunks) says
/// what a block needs.
PyramidChunks pyramid_chunks(const Pyramid& pyramid, std::size_t item_size, int pack_size,
                             const std::function<std::size_t(const PyramidChunks&)>& shared_bytes);

}  // namespace superpix::cuda
