// SPDX-License-Identifier: Apache-2.0
//
// An iteration of SLIC in integers, one kernel. Every cell keeps what it gives to each of its nine
// candidates: sums over pixels, in integers, so that their order does not matter. A block takes a
// tile of cells. It gathers the clusters in and around the tile from the sums of the last
// iteration, nine cells each; makes candidates of them, in shared memory; assigns its pixels; and
// writes the cells' new sums. As on the CPU, these follow from the old ones by what goes from one
// candidate to another, which is little: only pixels that change sides cost atomic additions, in
// shared memory, and none for the cell's own cluster, with which most pixels are, and which gets
// what the others lose. The last iteration writes the labels, too.
//
// Neighbours read the sums that a block replaces, so there are two of them that take turns. Where
// several blocks share a cell they add to its new sums, which must be 0 before: then there are
// three, the third of which is cleared for the next iteration.
#pragma once

#include <cstdint>

#include "call.h"
#include "cluster_labels.h"
#include "grid.h"
#include "integer_image.h"
#include "slic_u8.h"

namespace superpix::cuda {

/// What a cell sums up for a candidate. Positions count 1 / unit pixels from the cell's corner.
enum IntegerField { kLightness, kA, kB, kY, kX, kCount, kFields };
inline constexpr int kCellSums = kCandidates * kFields;

template <class Sum>
struct IntegerIteration {
  IntegerImage image;
  const long long* cell_colors;  // [cells][3]
  std::uint8_t* codes;
  const Sum* sums;  // [cells][9][kFields]; in iteration 0 not there yet
  Sum* next_sums;
  Sum* cleared_sums;  // or nullptr
  const IntegerCenter* centers;
  IntegerCenter* next_centers;
  int* changed;  // the iteration that first changed a pixel of each cell, if seeds are perturbed
  int number;    // from 0
  int turn, num_turns;
  int fours;  // of pixels that a cell of a tile has in a turn
  int unit;
  float weight_y, weight_x;  // position -> weighted position
  float norm_y, norm_x;      // weighted position, squared -> its share of the bias
  bool is_last;
  ClusterLabels labels;  // written if this is the last
};

inline constexpr int kIterationThreads = 128;  // of a block

/// Enqueues it. Sum is int or long long.
template <class Sum>
void iterate(const Call& call, const IntegerIteration<Sum>& it);

}  // namespace superpix::cuda
