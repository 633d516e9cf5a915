// SPDX-License-Identifier: Apache-2.0
//
// How pyramid pooling cuts planes. Wherever a window of any level begins or ends, an axis is cut
// into pieces, so that every window is made of whole cells, a cell being a piece of rows by a piece
// of columns. The table of all this goes to kernels by value: no copy, no memory.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "divisor.h"

namespace superpix::cuda {

/// [begin, end).
struct Span {
  int begin, end;

  __host__ __device__ int size() const { return end - begin; }

  __device__ bool contains(int i) const { return i >= begin && i < end; }
};

struct PyramidAxis {
  static constexpr int kMostPieces = 128;
  static constexpr int kMostBins = 64;

  Divisor num_pieces;
  /// Where pieces begin, and the length of the axis.
  int edge[kMostPieces + 1];
  /// The pieces of each bin, of one level after the other.
  std::uint8_t begin[kMostBins];
  std::uint8_t end[kMostBins];

  __host__ __device__ int length() const { return edge[num_pieces.value()]; }
  __device__ Span pieces(int bin) const { return {begin[bin], end[bin]}; }
  __device__ Span pixels(Span pieces) const { return {edge[pieces.begin], edge[pieces.end]}; }
  /// What of a piece lies in a span.
  __device__ Span pixels_in(int piece, Span span) const {
    return {max(edge[piece], span.begin), min(edge[piece + 1], span.end)};
  }

  /// The piece that a coordinate lies in.
  __device__ int piece_of(int coordinate) const {
    int first = 0;
    int last = num_pieces.value() - 1;
    while (first < last) {
      const int middle = (first + last + 1) / 2;
      if (edge[middle] <= coordinate) {
        first = middle;
      } else {
        last = middle - 1;
      }
    }
    return first;
  }
};

/// Some b x b windows of a plane.
struct PyramidLevel {
  Divisor bins;
  /// Where the windows lie among those of all levels that the caller asked for.
  int first_output;
  /// Of this level in PyramidAxis, and among the windows of the levels in the table.
  int first_bin = 0;
  int first_window = 0;
};

/// A window: the bins that it is, among those of all levels, and its place in the output.
struct PyramidWindow {
  int row_bin, column_bin;
  int output;
};

struct Pyramid {
  static constexpr int kMostLevels = 16;

  PyramidAxis rows, columns;
  int num_levels;
  /// Of all these levels.
  Divisor num_bins;
  Divisor num_windows;
  PyramidLevel levels[kMostLevels];

  __device__ PyramidWindow window(int t) const {
    int l = 0;
    while (l + 1 < num_levels && t >= levels[l + 1].first_window) ++l;
    const PyramidLevel& level = levels[l];
    const int offset = t - level.first_window;
    const int i = offset / level.bins;
    const int j = offset - i * level.bins.value();
    return {level.first_bin + i, level.first_bin + j, level.first_output + offset};
  }
  /// Of a window.
  __device__ Span row_pixels(const PyramidWindow& window) const {
    return rows.pixels(rows.pieces(window.row_bin));
  }
  __device__ Span column_pixels(const PyramidWindow& window) const {
    return columns.pixels(columns.pieces(window.column_bin));
  }
};

/// The table for some levels, if it has room for them.
std::optional<Pyramid> pyramid_of(std::int64_t height, std::int64_t width,
                                  const std::vector<PyramidLevel>& levels);

/// All levels, in the order of their outputs.
std::vector<PyramidLevel> pyramid_levels(const std::vector<std::int64_t>& bins);

}  // namespace superpix::cuda
