// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "call.h"
#include "fixed_colors.h"
#include "regions.h"

namespace superpix::cuda {

/// The border of two regions, which go by their roots.
struct Edge {
  std::int32_t a, b;  // the first pixel of a comes before that of b
  std::int32_t border;
  std::int32_t gone;        // the root that stopped being one when this edge was merged, or -1
  unsigned long long cost;  // its bits
};

/// What merging pairs works in.
struct PairScratch {
  /// All zero at first.
  struct Counters {
    unsigned long long num_edges;
    std::int32_t num_regions;
  };

  Edge* edges;                    // [faces()]
  unsigned long long* keys;       // [places()], all zero at first: both roots + 1, of an edge
  std::int32_t* borders;          // [places()], all zero at first
  unsigned long long* best_cost;  // [N], of roots: the least cost of an edge
  std::int32_t* best_first;       // [N], the least first pixel on the other side of such an edge
  Counters* counters;

  /// The most borders that there may be.
  static std::int64_t faces(const Volume& v) { return v.num_pixels() * (v.depth > 1 ? 3 : 2); }
  /// Of the table of borders.
  static std::int64_t places(const Volume& v) { return faces(v) + faces(v) / 4 + 1; }

  /// Takes the workspace for a volume, before call.begin().
  void take(Call& call, const Volume& v);
};

/// Unites pairs of regions until there are no more than max_segments, or none has a neighbour (the
/// rule is step 4 in superpix/connectivity.h).
void merge_pairs(const Call& call, const Regions& regions, const PairScratch& scratch,
                 const StageColors& colors, double kappa, std::int64_t max_segments);

}  // namespace superpix::cuda
