// SPDX-License-Identifier: Apache-2.0
#include "pyramid_chunks.h"

#include <algorithm>
#include <bit>

namespace superpix::cuda {
namespace {

// Of a group: enough loads at a time, and few enough to be added in float.
constexpr int kRows = 16;
constexpr int kTileColumns = 512;
constexpr int kAccessBytes = 16;
constexpr std::int64_t kSmallPlaneBytes = std::int64_t{64} * 1024;
constexpr std::int64_t kSharedBytes = std::int64_t{48} * 1024;
// Of a block with several planes: more would leave the last blocks alone.
constexpr int kThreadsOfPlanes = 128;

int parts(int n, int size) { return n / size + (n % size != 0 ? 1 : 0); }

/// Tiles of at most `most`, as equal as multiples of `unit` can be.
PyramidTiles tiles_of(int length, int most, int unit) {
  if (length <= most) return {Divisor(length), Divisor(1)};
  const int count = parts(length, most);
  const int size = parts(parts(length, count), unit) * unit;
  return {Divisor(size), Divisor(parts(length, size))};
}

/// The most pieces that a tile has a part of.
int most_pieces(const PyramidAxis& axis, int tile_size) {
  int most = 1;
  int tile = -1;
  int pieces = 1;
  for (int i = 1; i < axis.num_pieces.value(); ++i) {
    if (axis.edge[i] % tile_size == 0) continue;
    pieces = axis.edge[i] / tile_size == tile ? pieces + 1 : 2;
    tile = axis.edge[i] / tile_size;
    most = std::max(most, pieces);
  }
  return most;
}

/// All but what depends on the size of accesses.
PyramidChunks chunks_of(const Pyramid& pyramid, int groups, int most_columns) {
  // So that tiles begin where an access can, of any dtype.
  constexpr int kUnit = 8;
  constexpr int kColumnsOfLane = 8;
  PyramidChunks chunks{};
  chunks.planes = 1;
  chunks.rows = tiles_of(pyramid.rows.length(), groups * kRows, 1);
  chunks.columns = tiles_of(pyramid.columns.length(), most_columns, kUnit);
  chunks.groups = Divisor(std::min(groups, chunks.rows.size.value()));
  chunks.group_rows = Divisor(parts(chunks.rows.size.value(), chunks.groups.value()));
  chunks.strips = most_pieces(pyramid.rows, chunks.rows.size.value());
  const int lanes = chunks.columns.size.value() / pyramid.columns.num_pieces.value();
  chunks.lanes = Divisor(static_cast<int>(
      std::bit_ceil(static_cast<unsigned>(std::clamp(lanes / kColumnsOfLane, 1, 32)))));
  return chunks;
}

void share_out_threads(int pack_size, PyramidChunks& chunks) {
  const int group_threads =
      std::min(parts(chunks.columns.size.value(), pack_size), kPyramidThreads);
  chunks.group_threads = Divisor(group_threads);
  chunks.groups_at_once =
      std::min(kPyramidThreads / group_threads, chunks.planes * chunks.groups.value());
}

}  // namespace

PyramidChunks pyramid_chunks(const Pyramid& pyramid, std::size_t item_size, int pack_size,
                             const std::function<std::size_t(const PyramidChunks&)>& shared_bytes) {
  const auto bytes_of = [&](const PyramidChunks& chunks) {
    return static_cast<std::int64_t>(shared_bytes(chunks));
  };
  const int height = pyramid.rows.length();
  const int width = pyramid.columns.length();
  const auto item_bytes = static_cast<int>(item_size);
  if (std::int64_t{height} * width * item_bytes <= kSmallPlaneBytes) {
    PyramidChunks chunks = chunks_of(pyramid, parts(height, kRows), width);
    const std::int64_t bytes = bytes_of(chunks);
    if (bytes <= kSharedBytes) {
      const std::int64_t threads = chunks.groups.value() * std::int64_t{width / pack_size};
      chunks.planes = static_cast<int>(
          std::max<std::int64_t>(1, std::min(kThreadsOfPlanes / threads, kSharedBytes / bytes)));
      share_out_threads(pack_size, chunks);
      return chunks;
    }
  }
  for (int columns = std::min(width, kTileColumns);; columns = parts(columns, 2)) {
    const int groups = std::max(1, kPyramidThreads / parts(columns * item_bytes, kAccessBytes));
    PyramidChunks chunks = chunks_of(pyramid, groups, columns);
    if (bytes_of(chunks) > kSharedBytes && columns > 1) continue;
    share_out_threads(pack_size, chunks);
    return chunks;
  }
}

}  // namespace superpix::cuda
