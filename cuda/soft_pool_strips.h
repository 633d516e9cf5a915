// SPDX-License-Identifier: Apache-2.0
//
// How the kernels of soft pooling share out images. Cells that lie side by side are a strip, so
// that rows of memory are long even where cells are narrow. Its pixels are taken in raster order,
// in packs of N neighbours that one access moves and that lie in one cell; a block takes a piece of
// a strip, which is a number of packs. N is 1 where cells do not begin at multiples of more.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "element.h"
#include "grid.h"
#include "vectors.h"

namespace superpix::cuda {

/// What all arguments of an op have in common.
struct SoftPoolShape {
  std::int64_t batch;
  int channels;
  Grid grid;
};

/// A piece of a strip.
struct Piece {
  std::int64_t image;
  int row;            // of cells
  int column, width;  // first cell, and how many
  int y, x;           // first pixel of the strip
  int row_packs;      // packs in a row of the strip
  int begin, end;     // packs of the piece
};

class Strips {
 public:
  /// Strips of at most `cells` cells, in as few pieces of about the same size as have at most
  /// `most_packs` packs of `pack_size` pixels.
  Strips(const Grid& grid, int pack_size, std::int64_t cells, int most_packs)
      : grid_(grid), strips_{grid.x.cells, static_cast<int>((grid.x.cells + cells - 1) / cells)} {
    const std::int64_t width =
        (static_cast<std::int64_t>(strips_.longest()) * grid.x.length + grid.x.cells - 1) /
        grid.x.cells;
    const std::int64_t packs = (width + pack_size - 1) / pack_size * grid.y.longest();
    num_pieces_ = static_cast<int>((packs + most_packs - 1) / most_packs);
    packs_ = static_cast<int>((packs + num_pieces_ - 1) / num_pieces_);
  }

  __host__ __device__ const Grid& grid() const { return grid_; }
  /// The most cells that a strip has.
  int longest_width() const { return strips_.longest(); }
  /// The most packs that a piece has.
  int longest_piece() const { return packs_; }
  int pieces_of_strip() const { return num_pieces_; }
  std::int64_t pieces_of_image() const {
    return static_cast<std::int64_t>(grid_.y.cells) * strips_.cells * num_pieces_;
  }

  /// The pieces of all images, strip by strip.
  template <int N>
  __device__ Piece piece(int i) const {
    Piece piece;
    const int strip = i / num_pieces_;
    piece.begin = (i - strip * num_pieces_) * packs_;
    const int row = strip / strips_.cells;  // of all images
    const int s = strip - row * strips_.cells;
    const int image = row / grid_.y.cells;
    piece.image = image;
    piece.row = row - image * grid_.y.cells;
    piece.column = strips_.begin(s);
    piece.width = strips_.begin(s + 1) - piece.column;
    piece.y = grid_.y.begin(piece.row);
    piece.x = grid_.x.begin(piece.column);
    piece.row_packs = (grid_.x.begin(piece.column + piece.width) - piece.x) / N;
    piece.end =
        min(piece.begin + packs_, piece.row_packs * (grid_.y.begin(piece.row + 1) - piece.y));
    return piece;
  }

 private:
  Grid grid_;
  Axis strips_;  // columns of cells as a row of strips
  int num_pieces_;
  int packs_;
};

/// A pack of a piece.
struct PackOfPixels {
  int pixel;   // the first one's place in the plane
  int column;  // of cells
};
template <int N>
__device__ __forceinline__ PackOfPixels pack_of(const Piece& piece, int i, const Grid& grid) {
  const int row = i / piece.row_packs;
  const int x = piece.x + (i - row * piece.row_packs) * N;
  return {(piece.y + row) * grid.x.length + x, grid.x.cell_of(x)};
}

/// 1 / x, or 0 where that could overflow.
__device__ __forceinline__ float inverse_or_zero(float x) {
  return x < 0x1p-126F && -x < 0x1p-126F ? 0.0F : 1.0F / x;
}
__device__ __forceinline__ double inverse_or_zero(double x) {
  return x < 0x1p-1022 && -x < 0x1p-1022 ? 0.0 : 1.0 / x;
}

/// The associations of a pack, from the first one of its image and its pixel on: 0 for candidates
/// that do not exist.
template <int N, class S>
__device__ __forceinline__ void load_weights(const S* from, const Grid& grid, int row, int column,
                                             ComputeType<S> (&weights)[kCandidates][N]) {
  const std::int64_t plane = grid.num_pixels();
#pragma unroll
  for (int slot = 0; slot < kCandidates; ++slot) {
    Pack<S, N> pack = {};
    if (grid.candidate(row, column, slot) >= 0) pack = load_pack<N>(from + slot * plane);
#pragma unroll
    for (int n = 0; n < N; ++n) weights[slot][n] = widen(pack.element[n]);
  }
}

/// Divides the weights of each pixel by their sum. What they were multiplied with goes to
/// `inverses`.
template <int N, class R>
__device__ __forceinline__ void normalize(R (&weights)[kCandidates][N], R (&inverses)[N]) {
#pragma unroll
  for (int n = 0; n < N; ++n) {
    R total = weights[0][n];
#pragma unroll
    for (int slot = 1; slot < kCandidates; ++slot) total += weights[slot][n];
    inverses[n] = inverse_or_zero(total);
#pragma unroll
    for (int slot = 0; slot < kCandidates; ++slot) weights[slot][n] *= inverses[n];
  }
}
template <int N, class R>
__device__ __forceinline__ void normalize(R (&weights)[kCandidates][N]) {
  R inverses[N];
  normalize(weights, inverses);
}

/// Calls f with the N, as a type, of pixels that make a pack of S, given the arrays of planes that
/// are read or written in packs.
template <class S, class F>
void with_pixel_pack(const Axis& x, std::initializer_list<const void*> addresses, F f) {
  constexpr int kMost = std::min(4, kPackSize<S>);
  bool aligned = x.length % x.cells == 0 && x.length / x.cells % kMost == 0;
  for (const void* address : addresses) {
    aligned = aligned && is_aligned(address, kMost * sizeof(S));
  }
  if (aligned) {
    f(std::integral_constant<int, kMost>{});
  } else {
    f(std::integral_constant<int, 1>{});
  }
}

}  // namespace superpix::cuda
