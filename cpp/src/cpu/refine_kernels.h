// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

/// The lanes whose pixel may leave its superpixel, by the lanes in which each of its 8 neighbours
/// belongs to it: `own` goes round from the north-west, so that odd entries are the 4 neighbours.
/// It may when these form exactly one group that is connected through the 8.
inline std::uint32_t may_leave(const std::uint32_t* own) {
  std::uint32_t once = 0;
  std::uint32_t twice = 0;
  for (int i = 1; i < 8; i += 2) {
    const std::uint32_t ends_group = own[i] & ~(own[(i + 1) % 8] & own[(i + 2) % 8]);
    twice |= once & ends_group;
    once |= ends_group;
  }
  return once & ~twice;
}

/// L, a, b of 16 pixels.
inline void read_colors(const IntegerRow& row, Ints x, Floats* colors) {
  Ints begin;
  Ints end;
  gather_two(row.columns, x + x, &begin, &end);
  const Ints width = end - begin;
  const Ints at = ints(row.offset) + multiply(begin, row.cell_height) +
                  multiply(width, row.y_in_cell) + (x - begin);
  const Floats unit = floats(row.unit);
  Ints lightness;
  Ints a;
  gather_two_shorts(row.la, at, &lightness, &a);
  colors[0] = unit * to_floats(lightness);
  colors[1] = unit * to_floats(a);
  colors[2] = unit * to_floats(gather_shorts(row.b, at));
}

int refine_pixels(const BorderPixels& p, BorderChange* changes) {
  const Ints x = load(p.x);
  Ints own;
  Ints around[8];  // from the north-west on
  gather_two(p.above - 1, x, &around[0], &around[1]);
  around[2] = gather(p.above + 1, x);
  gather_two(p.row - 1, x, &around[7], &own);
  around[3] = gather(p.row + 1, x);
  gather_two(p.below - 1, x, &around[6], &around[5]);
  around[4] = gather(p.below + 1, x);
  std::uint32_t belongs[8];
  for (int i = 0; i < 8; ++i) belongs[i] = bits(equal(around[i], own));
  const Ints outside = ints(p.start_label - 1);
  std::uint32_t lanes = first_lanes(p.count) & ~bits(equal(own, outside)) & may_leave(belongs);
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
    int c = 0;
    const auto add_channel = [&](Floats mean) {
      const Floats difference = (p.colors == nullptr ? lab[c] : load(p.colors + c * kLanes)) - mean;
      d = d + difference * difference;
      ++c;
    };
    Floats first;
    Floats second;
    while (c + 1 < p.channels) {
      gather_two(p.means + c, index, &first, &second);
      add_channel(first);
      add_channel(second);
    }
    if (c < p.channels) add_channel(gather(p.means + c, index));
    gather_two(p.means + p.channels, index, &first, &second);
    const Floats dy = floats(static_cast<float>(p.y)) - first;
    const Floats dx = to_floats(image_x) - second;
    return d + floats(p.weight_y) * (dy * dy) + floats(p.weight_x) * (dx * dx) -
           floats(p.smoothness) * to_floats(same);
  };
  // Lanes that have no say ask for a label that exists.
  const Ints asked = select(mask_of_bits(lanes), own, ints(p.start_label));
  Ints best = own;
  Floats least = cost(asked);
  // Each lane tries the labels of its 4 neighbours in turn, each label once. Most have but one.
  std::uint32_t untried[4];
  for (int i = 0; i < 4; ++i) {
    const Ints label = around[2 * i + 1];
    untried[i] = lanes & ~belongs[2 * i + 1] & ~bits(equal(label, outside));
  }
  while ((untried[0] | untried[1] | untried[2] | untried[3]) != 0) {
    Ints candidate = asked;
    std::uint32_t chosen = 0;
    for (int i = 0; i < 4; ++i) {
      candidate = select(mask_of_bits(untried[i] & ~chosen), around[2 * i + 1], candidate);
      chosen |= untried[i];
    }
    for (int i = 0; i < 4; ++i) untried[i] &= ~bits(equal(around[2 * i + 1], candidate));
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
    changes[n++] = {p.y, p.first_x + p.x[lane], from[lane], to[lane]};
  }
  return n;
}

}  // namespace
}  // namespace superpix::cpu
