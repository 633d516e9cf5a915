// SPDX-License-Identifier: Apache-2.0
//
// The integer assignment step. Minimising |p - c|^2 over c is maximising p.c - |c|^2 / 2, which for
// five dimensions is three multiply-adds of int16 pairs. The sums over the members of a cluster are
// not made anew: only pixels that changed sides move, exactly.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

// AVX-512 has the registers for four blocks of 16 pixels; then a candidate is loaded once for 64.
#if defined(__AVX512BW__)
inline constexpr int kBlocksAtOnce = 4;
#else
inline constexpr int kBlocksAtOnce = 1;
#endif

// Blocks after which the lanes are emptied: until then their sums of int16 values fit int32.
inline constexpr std::int64_t kBlocksPerFlush = 1024;

void sum_integer_colors(const std::int16_t* la, const std::int16_t* b, std::int64_t n,
                        std::int64_t* sums) {
  sums[0] = sums[1] = sums[2] = 0;
  Ints lightness = ints(0), a = ints(0), b_sum = ints(0);
  const Ints low = ints(pack_pair(1, 0));
  const Ints high = ints(pack_pair(0, 1));
  const auto add_block = [&](const std::int16_t* la_here, const std::int16_t* b_here) {
    const Ints pairs = load_pairs(la_here);
    lightness = dot(lightness, pairs, low);
    a = dot(a, pairs, high);
    b_sum = b_sum + load_shorts(b_here);
  };
  const auto flush = [&] {
    sums[0] += sum(lightness);
    sums[1] += sum(a);
    sums[2] += sum(b_sum);
    lightness = a = b_sum = ints(0);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    add_block(la + 2 * i, b + i);
    if ((i / kLanes + 1) % kBlocksPerFlush == 0) flush();
  }
  if (i < n) {  // nothing past the last is read: another thread may be writing it
    std::int16_t la_rest[2 * kLanes] = {};
    std::int16_t b_rest[kLanes] = {};
    std::memcpy(la_rest, la + 2 * i, 4 * static_cast<std::size_t>(n - i));
    std::memcpy(b_rest, b + i, 2 * static_cast<std::size_t>(n - i));
    add_block(la_rest, b_rest);
  }
  flush();
}

/// Takes pixel i from one candidate's sums and gives it to another's.
inline void move_pixel(const IntegerCell& cell, std::int64_t i, IntegerSums& from,
                       IntegerSums& to) {
  std::uint32_t la, xy;
  std::uint16_t b;
  std::memcpy(&la, cell.la + 2 * i, sizeof la);
  std::memcpy(&xy, cell.xy + 2 * i, sizeof xy);
  std::memcpy(&b, cell.b + i, sizeof b);
  constexpr std::uint64_t kOne = 1U << 16;
  move_shorts(&from.lightness, &to.lightness, la | std::uint64_t{xy} << 32, b | kOne);
}

/// What a cell's pixels are compared with: the clusters of the nine cells around it, by slot. The
/// score of pixel p is la.la + b.b + xy.xy + bias, the greater the nearer. Its low bits are the
/// code, as all other terms are multiples of 16.
struct Candidates {
  /// Not inlined, so that the kernel loads them lane by lane from memory, which costs it nothing.
  SUPERPIX_NOINLINE explicit Candidates(const IntegerCell& cell) {
    const IntegerClusters& all = *cell.clusters;
    const std::int32_t s = all.stride;
    const std::int32_t around[kLanes] = {-s - 1, -s, -s + 1, -1, 0, 1, s - 1, s, s + 1};
    const Ints at = load(around) + ints(cell.index);
    const auto weighted = [&](const std::int32_t* positions, std::int32_t corner, float weight) {
      return to_ints(to_floats(gather(positions, at) - ints(corner)) * floats(weight));
    };
    const Ints wy = weighted(all.y, cell.corner_y, all.weight_y);
    const Ints wx = weighted(all.x, cell.corner_x, all.weight_x);
    const Floats fy = to_floats(wy);
    const Floats fx = to_floats(wx);
    // The weighted position is rounded once; the bias is of the position that this stands for.
    const Ints half_norm_xy = to_ints(fy * fy * floats(all.position_norm_y * (1.0F / 16.0F)) +
                                      fx * fx * floats(all.position_norm_x * (1.0F / 16.0F)));
    const Ints half_norm = gather(all.half_norm, at);
    const std::int32_t codes[kLanes] = {15, 14, 13, 12, 11, 10, 9, 8, 7};
    const Ints none = ints(-1);
    const Ints score = ints(0) - shift_left<4>(half_norm_xy + shift_right<4>(half_norm));
    const Mask missing = equal(half_norm, none);
    store(la, gather(all.la, at));
    store(b, gather(all.b, at));
    store(xy, select(missing, ints(0), (wx & ints(0xffff)) | shift_left<16>(wy)));
    store(bias, select(missing, ints(INT32_MIN), score) | load(codes));
  }

  std::int32_t la[kLanes];
  std::int32_t b[kLanes];
  std::int32_t xy[kLanes];
  std::int32_t bias[kLanes];
};

/// The greatest score of kCount blocks from pixel i on; its low bits are the winner's code.
template <int kCount>
inline void best_scores(const IntegerCell& cell, const Candidates& candidates, std::int64_t i,
                        Ints* best) {
  Ints la[kCount], b[kCount], xy[kCount], most[kCount];
  for (int k = 0; k < kCount; ++k) {
    const std::int64_t at = i + k * kLanes;
    la[k] = load_pairs(cell.la + 2 * at);
    b[k] = load_shorts(cell.b + at);
    xy[k] = load_pairs(cell.xy + 2 * at);
    most[k] = ints(INT32_MIN);
  }
  for (int j = 0; j < 9; ++j) {
    const Ints c_la = ints(candidates.la[j]);
    const Ints c_b = ints(candidates.b[j]);
    const Ints c_xy = ints(candidates.xy[j]);
    const Ints bias = ints(candidates.bias[j]);
    for (int k = 0; k < kCount; ++k) {
      most[k] = max(most[k], dot(dot(dot(bias, la[k], c_la), b[k], c_b), xy[k], c_xy));
    }
  }
  for (int k = 0; k < kCount; ++k) best[k] = most[k];
}

/// Assigns the group of 64 pixels from i on, of which the first n exist.
inline bool assign_group(const IntegerCell& cell, const Candidates& candidates, std::int64_t i,
                         std::int64_t n) {
  Ints best[4];
  if (n > 64 - kLanes) {
    for (int k = 0; k < 4; k += kBlocksAtOnce) {
      best_scores<kBlocksAtOnce>(cell, candidates, i + k * kLanes, best + k);
    }
  } else {
    for (int k = 0; k < 4; ++k) {
      if (k * kLanes < n) {
        best_scores<1>(cell, candidates, i + k * kLanes, best + k);
      } else {
        best[k] = ints(0);
      }
    }
  }
  const Ints low = ints(kLowBits);
  const Ints codes = (best[0] & low) | shift_left<8>(best[1] & low) |
                     shift_left<16>(best[2] & low) | shift_left<24>(best[3] & low);
  const Ints old_codes = load(cell.codes + i);
  std::uint64_t changed = differing_bytes(codes, old_codes);
  if (n < 64) changed &= existing_bytes(n);
  if (changed == 0) return false;
  store(cell.codes + i, codes);

  std::uint8_t to[64];
  std::uint8_t from[64];
  store(to, codes);
  store(from, old_codes);
  for (; changed != 0; changed &= changed - 1) {
    const int byte = lowest_bit(changed);
    const int pixel = (byte & 3) * kLanes + (byte >> 2);
    move_pixel(cell, i + pixel, cell.sums[kLowBits - from[byte]], cell.sums[kLowBits - to[byte]]);
  }
  return true;
}

bool assign_integer_cell(const IntegerCell& cell) {
  const Candidates candidates(cell);
  bool any = false;
  for (std::int64_t i = kTurnGroup * cell.turn; i < cell.n; i += kTurnGroup * cell.num_turns) {
    any |= assign_group(cell, candidates, i, cell.n - i);
  }
  return any;
}

/// Calls f(i, values) with what the table has for the codes of pixels i to i + 15.
template <class F>
inline void for_each_decoded(const std::uint8_t* codes, std::int64_t n, const std::int32_t* table,
                             F f) {
  const Ints low = ints(kLowBits);
  for (std::int64_t i = 0; i < n; i += 64) {
    const Ints group = load(codes + i);
    f(i, lookup(table, group & low));
    f(i + 16, lookup(table, shift_right<8>(group) & low));
    f(i + 32, lookup(table, shift_right<16>(group) & low));
    f(i + 48, lookup(table, shift_right<24>(group) & low));
  }
}

void labels_from_codes(const std::uint8_t* codes, std::int64_t n, const std::int32_t* table,
                       std::int32_t* out) {
  for_each_decoded(codes, n, table, [&](std::int64_t i, Ints labels) { store(out + i, labels); });
}

void tags_from_codes(const std::uint8_t* codes, std::int64_t n, const std::int32_t* table,
                     std::uint8_t* out) {
  for_each_decoded(codes, n, table, [&](std::int64_t i, Ints tags) { store_bytes(out + i, tags); });
}

}  // namespace
}  // namespace superpix::cpu
