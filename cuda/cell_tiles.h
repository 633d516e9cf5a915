// SPDX-License-Identifier: Apache-2.0
//
// How the cells of a grid are shared out over blocks: a block takes a strip of neighbouring cells
// where they are small, one cell, or a piece of one where they are large. So there are blocks
// enough for all multiprocessors, and enough to do for each.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "divide.h"
#include "grid.h"

namespace superpix::cuda {

/// What one block has.
struct CellTile {
  int row, column;  // the first cell
  int cells;        // side by side from there
  int piece;        // of each cell
  unsigned begin;   // the first pixel of the piece, counted along the rows of the cell
};

struct CellTiles {
  /// Pixels of a cell that are assigned together (kTurnGroup on the CPU), in at most three turns.
  static constexpr int kGroup = 64;
  static constexpr int kMostTurns = 3;
  static constexpr int kMostCells = 32;

  Grid grid;
  CellEdges edges_y, edges_x;
  std::int64_t capacity;  // pixels that a cell has room for: those of the largest, and some
  int strip;              // cells of a block
  int strips;             // of a row of cells
  int pieces;             // of a cell; one where strips have more cells
  int piece_pixels;       // whole rounds of turns

  explicit CellTiles(const Grid& cells) : grid(cells), edges_y(cells.y), edges_x(cells.x) {
    constexpr std::int64_t kStripPixels = 1024;
    constexpr std::int64_t kPieceRounds = 12;
    constexpr std::int64_t kRound = kMostTurns * kGroup;
    const std::int64_t most = static_cast<std::int64_t>(grid.y.longest()) * grid.x.longest();
    const std::int64_t multiple = most < 512 ? 4 : 64;  // large cells begin where sectors do
    capacity = (most + multiple - 1) / multiple * multiple;
    strip = static_cast<int>(
        std::clamp<std::int64_t>(kStripPixels / capacity, 1, std::min(kMostCells, grid.x.cells)));
    strips = (grid.x.cells + strip - 1) / strip;
    const std::int64_t rounds = (most + kRound - 1) / kRound;
    const std::int64_t wanted = (rounds + kPieceRounds - 1) / kPieceRounds;
    const std::int64_t piece_rounds = (rounds + wanted - 1) / wanted;
    pieces = static_cast<int>((rounds + piece_rounds - 1) / piece_rounds);
    piece_pixels = static_cast<int>(piece_rounds * kRound);
  }

  std::int64_t num_blocks() const {
    return static_cast<std::int64_t>(grid.y.cells) * strips * pieces;
  }

  /// How many fours of pixels a cell of a tile has at most when the groups of 64 have their turn
  /// one after the other.
  __host__ __device__ int fours(int num_turns) const {
    const std::int64_t pixels = num_turns > 1 ? piece_pixels / num_turns : piece_pixels;
    return static_cast<int>((pixels < capacity ? pixels : capacity) / 4);
  }

  __device__ CellTile tile(unsigned block) const {
    const unsigned of_pieces = static_cast<unsigned>(pieces);
    const auto place = static_cast<int>(block / of_pieces);
    CellTile t{};
    t.piece = static_cast<int>(block % of_pieces);
    t.row = place / strips;
    t.column = place % strips * strip;
    t.cells = min(strip, grid.x.cells - t.column);
    t.begin = static_cast<unsigned>(t.piece) * static_cast<unsigned>(piece_pixels);
    return t;
  }
};

/// A cell of a tile: the pixels from its corner on.
struct CellBox {
  int y, x;
  int height, width;

  __device__ unsigned size() const { return static_cast<unsigned>(height) * width; }
};

__device__ __forceinline__ CellBox cell_box(const CellTiles& tiles, int row, int column) {
  CellBox box{};
  box.y = tiles.edges_y.begin(row);
  box.x = tiles.edges_x.begin(column);
  box.height = tiles.edges_y.begin(row + 1) - box.y;
  box.width = tiles.edges_x.begin(column + 1) - box.x;
  return box;
}

}  // namespace superpix::cuda
