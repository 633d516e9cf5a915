// SPDX-License-Identifier: Apache-2.0
//
// The integer assignment step. Minimising |p - c|^2 over c is maximising p.c - |c|^2 / 2, which for
// five dimensions is three multiply-adds of int16 pairs (kernels.h, IntegerCandidate). The sums
// over the members of a cluster are not made anew: only pixels that changed sides move, exactly.
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

// Changed pixels in a group from which on vector sums are cheaper than one pixel after another.
inline constexpr int kManyChanged = 12;

/// Sums per code and lane, for groups in which many pixels change.
class LaneSums {
 public:
  /// Adds (sign 1) or takes away (sign -1) the pixels of the lanes in `lanes`, each for its code.
  void move(std::uint32_t lanes, Ints codes, Ints la, Ints b, Ints xy, int sign) {
    const Ints low = ints(pack_pair(sign, 0));
    const Ints high = ints(pack_pair(0, sign));
    std::int32_t values[kLanes];
    store(values, codes);
    while (lanes != 0) {
      const int slot = kLowBits - values[lowest_bit(lanes)];
      const std::uint32_t same = bits(equal(codes, ints(kLowBits - slot))) & lanes;
      lanes &= ~same;
      if ((used_ >> slot & 1U) == 0) {
        used_ |= 1U << slot;
        counts_[slot] = 0;
        for (Ints& field : fields_[slot]) field = ints(0);
      }
      Ints* fields = fields_[slot];
      const Mask m = mask_of_bits(same);
      const Ints la_here = zero_unless(m, la);
      const Ints xy_here = zero_unless(m, xy);
      fields[0] = dot(fields[0], la_here, low);
      fields[1] = dot(fields[1], la_here, high);
      fields[2] = dot(fields[2], zero_unless(m, b), low);
      fields[3] = dot(fields[3], xy_here, low);
      fields[4] = dot(fields[4], xy_here, high);
      counts_[slot] += sign * count_bits(same);
    }
  }

  void flush(IntegerSums* sums) {
    for (; used_ != 0; used_ &= used_ - 1) {
      const int slot = lowest_bit(used_);
      sums[slot].lightness += sum(fields_[slot][0]);
      sums[slot].a += sum(fields_[slot][1]);
      sums[slot].b += sum(fields_[slot][2]);
      sums[slot].x += sum(fields_[slot][3]);
      sums[slot].y += sum(fields_[slot][4]);
      sums[slot].count += counts_[slot];
    }
  }

 private:
  Ints fields_[9][5];
  std::int32_t counts_[9];
  std::uint32_t used_ = 0;
};

// Groups after which the lanes are emptied: until then their sums of int16 values fit int32.
inline constexpr std::int64_t kGroupsPerFlush = 1024;

void start_integer_cell(const IntegerCell& cell, int slot) {
  Ints la = ints(0), a = ints(0), b = ints(0), x = ints(0), y = ints(0);
  const Ints low = ints(pack_pair(1, 0));
  const Ints high = ints(pack_pair(0, 1));
  IntegerSums& sums = cell.sums[slot];
  for (std::int64_t i = 0; i < cell.n; i += kLanes) {
    const Mask m = mask_of_bits(first_lanes(cell.n - i));
    const Ints la_here = zero_unless(m, load_pairs(cell.la + 2 * i));
    const Ints xy_here = zero_unless(m, load_pairs(cell.xy + 2 * i));
    la = dot(la, la_here, low);
    a = dot(a, la_here, high);
    b = b + zero_unless(m, load_shorts(cell.b + i));
    x = dot(x, xy_here, low);
    y = dot(y, xy_here, high);
    if ((i / kLanes + 1) % kGroupsPerFlush == 0 || i + kLanes >= cell.n) {
      sums.lightness += sum(la);
      sums.a += sum(a);
      sums.b += sum(b);
      sums.x += sum(x);
      sums.y += sum(y);
      la = a = b = x = y = ints(0);
    }
  }
  sums.count += cell.n;
  const std::int32_t code = kLowBits - slot;
  const Ints all = ints(code | code << 8 | code << 16 | code << 24);
  for (std::int64_t i = 0; i < cell.n; i += 64) store(cell.codes + i, all);
}

inline void move_pixel(const IntegerCell& cell, std::int64_t i, IntegerSums& from,
                       IntegerSums& to) {
  const std::int64_t l = cell.la[2 * i];
  const std::int64_t a = cell.la[2 * i + 1];
  const std::int64_t b = cell.b[i];
  const std::int64_t x = cell.xy[2 * i];
  const std::int64_t y = cell.xy[2 * i + 1];
  from.lightness -= l, to.lightness += l;
  from.a -= a, to.a += a;
  from.b -= b, to.b += b;
  from.x -= x, to.x += x;
  from.y -= y, to.y += y;
  from.count -= 1, to.count += 1;
}

/// The greatest score of kCount blocks from pixel i on; its low bits are the winner's code.
template <int kCount>
inline void best_scores(const IntegerCell& cell, std::int64_t i, Ints* best) {
  Ints la[kCount], b[kCount], xy[kCount], most[kCount];
  for (int k = 0; k < kCount; ++k) {
    const std::int64_t at = i + k * kLanes;
    la[k] = load_pairs(cell.la + 2 * at);
    b[k] = load_shorts(cell.b + at);
    xy[k] = load_pairs(cell.xy + 2 * at);
    most[k] = ints(INT32_MIN);
  }
  for (int j = 0; j < cell.num_candidates; ++j) {
    const IntegerCandidate& candidate = cell.candidates[j];
    const Ints c_la = ints(candidate.la);
    const Ints c_b = ints(candidate.b);
    const Ints c_xy = ints(candidate.xy);
    const Ints bias = ints(candidate.bias);
    for (int k = 0; k < kCount; ++k) {
      most[k] = max(most[k], dot(dot(dot(bias, la[k], c_la), b[k], c_b), xy[k], c_xy));
    }
  }
  for (int k = 0; k < kCount; ++k) best[k] = most[k];
}

/// Assigns the group of 64 pixels from i on, of which the first n exist.
inline bool assign_group(const IntegerCell& cell, std::int64_t i, std::int64_t n, LaneSums& moved) {
  Ints best[4];
  if (n > 64 - kLanes) {
    for (int k = 0; k < 4; k += kBlocksAtOnce) {
      best_scores<kBlocksAtOnce>(cell, i + k * kLanes, best + k);
    }
  } else {
    for (int k = 0; k < 4; ++k) {
      if (k * kLanes < n) {
        best_scores<1>(cell, i + k * kLanes, best + k);
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

  if (count_bits(changed) >= kManyChanged) {
    const auto block = [&](Ints c, int k) {
      return (k == 0   ? c
              : k == 1 ? shift_right<8>(c)
              : k == 2 ? shift_right<16>(c)
                       : shift_right<24>(c)) &
             ints(255);
    };
    for (int k = 0; k < 4; ++k) {
      const std::int64_t at = i + k * kLanes;
      if (at >= i + n) break;
      const Ints to = block(codes, k);
      const Ints from = block(old_codes, k);
      const std::uint32_t lanes = ~bits(equal(to, from)) & first_lanes(i + n - at);
      const Ints la = load_pairs(cell.la + 2 * at);
      const Ints b = load_shorts(cell.b + at);
      const Ints xy = load_pairs(cell.xy + 2 * at);
      moved.move(lanes, to, la, b, xy, 1);
      moved.move(lanes, from, la, b, xy, -1);
    }
    return true;
  }
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
  LaneSums moved;
  bool any = false;
  std::int64_t groups = 0;
  for (std::int64_t i = 0; i < cell.n; i += 64) {
    any |= assign_group(cell, i, cell.n - i, moved);
    if (++groups % kGroupsPerFlush == 0) moved.flush(cell.sums);
  }
  moved.flush(cell.sums);
  return any;
}

void labels_from_codes(const std::uint8_t* codes, std::int64_t n, const std::int32_t* table,
                       std::int32_t* out) {
  const Ints low = ints(kLowBits);
  for (std::int64_t i = 0; i < n; i += 64) {
    const Ints group = load(codes + i);
    store(out + i, lookup(table, group & low));
    store(out + i + 16, lookup(table, shift_right<8>(group) & low));
    store(out + i + 32, lookup(table, shift_right<16>(group) & low));
    store(out + i + 48, lookup(table, shift_right<24>(group) & low));
  }
}

}  // namespace
}  // namespace superpix::cpu
