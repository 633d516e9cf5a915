// SPDX-License-Identifier: Apache-2.0
#include "pyramid_chunks.h"

#include <algorithm>
#include <bit>

namespace superpix::cuda {
namespace {

// Rows of a thread: enough loads at a time, and few enough to be added in float.
constexpr std::int64_t kRows = 16;
constexpr std::int64_t kTileColumns = 1024;
constexpr std::int64_t kSmallPlaneBytes = std::int64_t{64} * 1024;
constexpr std::int64_t kSmallPlaneHeight = 1024;
constexpr std::int64_t kSharedBytes = std::int64_t{48} * 1024;
// Of a block with several planes: more would leave the last blocks alone.
constexpr std::int64_t kAccesses = 192;

bool is_small(std::int64_t height, std::int64_t width, std::size_t item_size) {
  return height * width * static_cast<std::int64_t>(item_size) <= kSmallPlaneBytes &&
         height <= kSmallPlaneHeight;
}

/// Parts of the strips of large planes, so that all threads have something to do.
int parts_of(std::int64_t width, std::size_t item_size) {
  constexpr std::int64_t kAccessBytes = 16;
  const std::int64_t bytes = std::min(width, kTileColumns) * static_cast<std::int64_t>(item_size);
  return static_cast<int>(
      std::max<std::int64_t>(1, kPyramidThreads / blocks_for(bytes, kAccessBytes)));
}

/// The smallest power of two that is enough lanes for n columns of a cell.
Divisor lanes_for(std::int64_t n) {
  constexpr std::int64_t kColumnsOfLane = 8;
  const std::int64_t lanes = std::clamp<std::int64_t>(n / kColumnsOfLane, 1, 32);
  return Divisor(static_cast<int>(std::bit_ceil(static_cast<std::uint64_t>(lanes))));
}

void share_out_threads(int pack_size, PyramidChunks& chunks) {
  const int line_threads = std::min(chunks.columns / pack_size, kPyramidThreads);
  chunks.line_threads = Divisor(line_threads);
  chunks.lines_at_once = std::min(kPyramidThreads / line_threads, chunks.lines());
}

PyramidChunks planes_in_blocks(const Pyramid& pyramid, std::int64_t width) {
  PyramidChunks chunks{};
  chunks.planes = 1;
  chunks.pieces = pyramid.rows.num_pieces;
  chunks.columns = static_cast<int>(width);
  chunks.lanes = lanes_for(width / pyramid.columns.num_pieces.value());
  return chunks;
}

PyramidChunks blocks_in_planes(const Pyramid& pyramid, std::int64_t width, int parts) {
  PyramidChunks chunks{};
  chunks.planes = 1;
  chunks.parts = Divisor(parts);
  chunks.columns = static_cast<int>(std::min(width, kTileColumns));
  chunks.row_chunks = pyramid.rows.num_pieces;
  chunks.tiles = Divisor(static_cast<int>(blocks_for(width, kTileColumns)));
  chunks.lanes = lanes_for(chunks.columns * parts / pyramid.columns.num_pieces.value());
  return chunks;
}

}  // namespace

std::int64_t longest_pyramid_piece(std::int64_t height, std::int64_t width, std::size_t item_size) {
  return kRows * (is_small(height, width, item_size) ? 1 : parts_of(width, item_size));
}

PyramidChunks pyramid_chunks(const Pyramid& pyramid, std::int64_t height, std::int64_t width,
                             std::size_t item_size, int pack_size,
                             const std::function<std::size_t(const PyramidChunks&)>& shared_bytes) {
  if (is_small(height, width, item_size)) {
    PyramidChunks chunks = planes_in_blocks(pyramid, width);
    const auto bytes = static_cast<std::int64_t>(shared_bytes(chunks));
    if (bytes <= kSharedBytes) {
      const std::int64_t accesses = chunks.pieces.value() * (width / pack_size);
      const std::int64_t planes = std::min(kAccesses / accesses, kSharedBytes / bytes);
      chunks.planes = static_cast<int>(std::max<std::int64_t>(1, planes));
      share_out_threads(pack_size, chunks);
      return chunks;
    }
  }
  const int parts = is_small(height, width, item_size) ? 1 : parts_of(width, item_size);
  PyramidChunks chunks = blocks_in_planes(pyramid, width, parts);
  share_out_threads(pack_size, chunks);
  return chunks;
}

}  // namespace superpix::cuda
