// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

void labels_from_slots(const std::uint8_t* slots, std::int64_t n, const std::int32_t* table,
                       std::int32_t* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = table[slots[i]];
}

/// Sets bits from x on, of which there are at most 16.
inline void set_bits(std::uint64_t* out, std::int64_t x, std::uint64_t b) {
  out[x / 64] |= b << (x % 64);
  if (x % 64 > 64 - kLanes && b >> (64 - x % 64) != 0) out[x / 64 + 1] |= b >> (64 - x % 64);
}

void find_borders(const std::int32_t* row, const std::int32_t* above, const std::int32_t* below,
                  std::int64_t n, std::uint64_t* out) {
  if (above == nullptr) above = row;
  if (below == nullptr) below = row;
  for (std::int64_t word = 0; word < (n + 63) / 64; ++word) out[word] = 0;
  const auto scalar = [&](std::int64_t x) {
    const std::int32_t l = row[x];
    const bool differs = above[x] != l || below[x] != l || (x > 0 && row[x - 1] != l) ||
                         (x + 1 < n && row[x + 1] != l);
    if (differs) set_bits(out, x, 1);
  };
  if (n == 0) return;
  scalar(0);
  std::int64_t x = 1;
  for (; x + kLanes < n; x += kLanes) {
    const Ints here = load(row + x);
    const std::uint32_t same =
        bits(equal(here, load(row + x - 1))) & bits(equal(here, load(row + x + 1))) &
        bits(equal(here, load(above + x))) & bits(equal(here, load(below + x)));
    if (const std::uint32_t differs = ~same & 0xffffU; differs != 0) set_bits(out, x, differs);
  }
  for (; x < n; ++x) scalar(x);
}

/// What the majority filter makes of 16 pixels; returns the lanes that change. A pixel without any
/// neighbour of its own label needs but two that agree, the northern or western pair before others.
inline std::uint32_t majority_of_block(const std::int32_t* own_row, const std::int32_t* above,
                                       const std::int32_t* below, Ints* major) {
  const Ints own = load(own_row);
  const Ints west = load(own_row - 1);
  const Ints east = load(own_row + 1);
  const Ints north = load(above);
  const Ints south = load(below);
  const auto same = [](Ints a, Ints b) { return bits(equal(a, b)); };
  const std::uint32_t alone =
      ~(same(own, north) | same(own, west) | same(own, east) | same(own, south));
  const std::uint32_t vertical = same(north, south);
  const std::uint32_t horizontal = same(west, east);
  const std::uint32_t north_west = same(north, west);
  const std::uint32_t north_east = same(north, east);
  const std::uint32_t south_west = same(south, west);
  const std::uint32_t take_north =
      (vertical & (north_west | north_east)) | (alone & (vertical | north_west | north_east));
  const std::uint32_t take_west =
      (horizontal & (north_west | south_west)) | (alone & (horizontal | south_west));
  const std::uint32_t take_south = alone & same(south, east);
  *major = select(mask_of_bits(take_north), north, select(mask_of_bits(take_west), west, south));
  const std::uint32_t inside = same(shift_right<31>(own | *major), ints(0));
  return (take_north | take_west | take_south) & inside & ~same(own, *major);
}

std::int64_t find_majorities(const std::int32_t* row, const std::int32_t* above,
                             const std::int32_t* below, std::int64_t n, PixelLabel* out) {
  std::int64_t count = 0;
  const auto note = [&](std::int64_t x, std::uint32_t lanes, Ints major) {
    std::int32_t labels[kLanes];
    store(labels, major);
    for (; lanes != 0; lanes &= lanes - 1) {
      const int lane = lowest_bit(lanes);
      out[count++] = {static_cast<std::int32_t>(x + lane), labels[lane]};
    }
  };
  Ints major;
  std::int64_t x = 1;
  for (; x + kLanes < n; x += kLanes) {
    const std::uint32_t lanes = majority_of_block(row + x, above + x, below + x, &major);
    if (lanes != 0) note(x, lanes, major);
  }
  if (x + 1 < n) {
    const std::int64_t rest = n - x;  // with the pixel at the edge, which is a neighbour only
    std::int32_t padded[3][kLanes + 2] = {};
    const auto bytes = static_cast<std::size_t>(rest + 1) * sizeof *row;
    std::memcpy(padded[0], row + x - 1, bytes);
    std::memcpy(padded[1], above + x - 1, bytes);
    std::memcpy(padded[2], below + x - 1, bytes);
    const std::uint32_t lanes =
        majority_of_block(padded[0] + 1, padded[1] + 1, padded[2] + 1, &major);
    note(x, lanes & first_lanes(rest - 1), major);
  }
  return count;
}

std::int64_t find_runs(const std::int32_t* row, std::int64_t n, std::int32_t* starts,
                       std::uint64_t* out) {
  if (n == 0) return 0;
  for (std::int64_t word = 0; word < (n + 63) / 64; ++word) out[word] = 0;
  out[0] = 1;
  std::int64_t i = 1;
  for (; i + kLanes <= n; i += kLanes) set_bits(out, i, differs_from_left(row + i));
  for (; i < n; ++i) set_bits(out, i, row[i] != row[i - 1] ? 1 : 0);
  std::int64_t count = 0;
  for (std::int64_t word = 0; word < (n + 63) / 64; ++word) {
    for (std::uint64_t rest = out[word]; rest != 0; rest &= rest - 1) {
      starts[count++] = static_cast<std::int32_t>(64 * word + lowest_bit(rest));
    }
  }
  return count;
}

void fill_runs(const std::int32_t* starts, const std::int32_t* values, std::int64_t count,
               std::int64_t n, std::int32_t* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t end = i + 1 < count ? starts[i + 1] : n;
    std::int64_t x = starts[i];
    // Whole blocks, past the end of the run: the runs that follow write theirs over it.
    for (; x < end && x + kLanes <= n; x += kLanes) store(out + x, ints(values[i]));
    for (; x < end; ++x) out[x] = values[i];
  }
}

}  // namespace
}  // namespace superpix::cpu
