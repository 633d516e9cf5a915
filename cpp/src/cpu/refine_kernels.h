// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

/// Whether a pixel may leave its superpixel, by which of its 8 neighbours belong to it: bits go
/// round from the north-west, so that odd bits are the 4 neighbours. It may when these form exactly
/// one group that is connected through the 8.
struct MayLeave {
  std::int32_t by_ring[256];
  constexpr MayLeave() : by_ring{} {
    for (int ring = 0; ring < 256; ++ring) {
      int groups = 0;
      for (int i = 1; i < 8; i += 2) {
        const bool here = (ring >> i & 1) != 0;
        const bool joined = (ring >> ((i + 1) % 8) & 1) != 0 && (ring >> ((i + 2) % 8) & 1) != 0;
        if (here && !joined) ++groups;
      }
      by_ring[ring] = groups == 1 ? 1 : 0;
    }
  }
};
inline constexpr MayLeave kMayLeave;

/// L, a, b of 16 pixels.
inline void read_colors(const IntegerRow& row, Ints x, Floats* colors) {
  const Ints begin = gather(row.columns, x + x);
  const Ints width = gather(row.columns + 1, x + x) - begin;
  const Ints at = ints(row.offset) + multiply(begin, row.cell_height) +
                  multiply(width, row.y_in_cell) + (x - begin);
  const Floats unit = floats(row.unit);
  colors[0] = unit * to_floats(gather_shorts(row.la, at + at));
  colors[1] = unit * to_floats(gather_shorts(row.la + 1, at + at));
  colors[2] = unit * to_floats(gather_shorts(row.b, at));
}

int refine_pixels(const BorderPixels& p, BorderChange* changes) {
  const Ints x = load(p.x);
  const Ints own = gather(p.row, x);
  const Ints around[8] = {gather(p.above - 1, x), gather(p.above, x),     gather(p.above + 1, x),
                          gather(p.row + 1, x),   gather(p.below + 1, x), gather(p.below, x),
                          gather(p.below - 1, x), gather(p.row - 1, x)};
  Ints ring = ints(0);
  for (int i = 0; i < 8; ++i) ring = ring | zero_unless(equal(around[i], own), ints(1 << i));
  const Ints outside = ints(p.start_label - 1);
  std::uint32_t lanes = first_lanes(p.count) & ~bits(equal(own, outside)) &
                        bits(equal(gather(kMayLeave.by_ring, ring), ints(1)));
  if (lanes == 0) return 0;

  const Ints image_x = x + ints(p.first_x);
  Floats lab[3];
  if (p.colors == nullptr) read_colors(p.integer, image_x, lab);
  const auto cost = [&](Ints candidate) {
    Ints same = ints(0);
    for (const Ints& label : around) {
      same = same + zero_unless(equal(label, candidate), ints(1));
    }
    const Ints index = multiply(candidate - ints(p.start_label), p.stride);
    Floats d = floats(0.0F);
    for (int c = 0; c < p.channels; ++c) {
      const Floats difference =
          (p.colors == nullptr ? lab[c] : load(p.colors + c * kLanes)) - gather(p.means + c, index);
      d = d + difference * difference;
    }
    const Floats dy = floats(p.y) - gather(p.means + p.channels, index);
    const Floats dx = to_floats(image_x) - gather(p.means + p.channels + 1, index);
    return d + floats(p.weight_y) * (dy * dy) + floats(p.weight_x) * (dx * dx) -
           floats(p.lambda) * to_floats(same);
  };
  Ints best = own;
  Floats least = cost(own);
  for (int i = 1; i < 8; i += 2) {
    const std::uint32_t valid =
        lanes & ~bits(equal(around[i], own)) & ~bits(equal(around[i], outside));
    if (valid == 0) continue;
    const Ints candidate = select(mask_of_bits(valid), around[i], own);
    const Floats c = cost(candidate);
    const Mask better = less(c, least);
    best = select(better, candidate, best);
    least = select(better, c, least);
  }
  lanes &= ~bits(equal(best, own));
  std::int32_t from[kLanes];
  std::int32_t to[kLanes];
  store(from, own);
  store(to, best);
  int n = 0;
  for (; lanes != 0; lanes &= lanes - 1) {
    const int lane = lowest_bit(lanes);
    p.row[p.x[lane]] = to[lane];
    changes[n++] = {static_cast<std::int32_t>(p.y), p.first_x + p.x[lane], from[lane], to[lane]};
  }
  return n;
}

}  // namespace
}  // namespace superpix::cpu
