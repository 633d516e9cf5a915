// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

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

/// Bits for the first n of 64 pixels.
inline std::uint64_t first_pixels(std::int64_t n) {
  return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
}

/// A pixel without any neighbour of its own label needs but two that agree, the northern or western
/// pair before others.
std::int64_t find_majorities(const std::uint8_t* row, const std::uint8_t* above,
                             const std::uint8_t* below, std::int64_t n, PixelTag* out) {
  constexpr std::uint8_t kOutside = 255;
  std::int64_t count = 0;
  for (std::int64_t x = 1; x + 1 < n; x += 64) {
    const Ints own = load(row + x);
    const Ints west = load(row + x - 1);
    const Ints east = load(row + x + 1);
    const Ints north = load(above + x);
    const Ints south = load(below + x);
    const auto same = [](Ints a, Ints b) { return ~differing_bytes(a, b); };
    const std::uint64_t like_north = same(own, north);
    const std::uint64_t like_south = same(own, south);
    const std::uint64_t like_west = same(own, west);
    const std::uint64_t like_east = same(own, east);
    const std::uint64_t alone = ~(like_north | like_south | like_west | like_east);
    const std::uint64_t vertical = same(north, south);
    const std::uint64_t horizontal = same(west, east);
    const std::uint64_t north_west = same(north, west);
    const std::uint64_t north_east = same(north, east);
    const std::uint64_t south_west = same(south, west);
    const std::uint64_t take_north =
        (vertical & (north_west | north_east)) | (alone & (vertical | north_west | north_east));
    const std::uint64_t take_west =
        (horizontal & (north_west | south_west)) | (alone & (horizontal | south_west));
    const std::uint64_t take_south = alone & same(south, east);
    std::uint64_t changes = (take_north & ~like_north) | (~take_north & take_west & ~like_west) |
                            (~take_north & ~take_west & take_south);
    for (changes &= first_pixels(n - 1 - x); changes != 0; changes &= changes - 1) {
      const int i = lowest_bit(changes);
      const std::uint8_t tag = (take_north >> i & 1U) != 0  ? above[x + i]
                               : (take_west >> i & 1U) != 0 ? row[x + i - 1]
                                                            : below[x + i];
      out[count] = {static_cast<std::int32_t>(x + i), tag};
      count += row[x + i] != kOutside && tag != kOutside ? 1 : 0;
    }
  }
  return count;
}

/// Writes the positions of the bits that are set; returns how many.
inline std::int64_t list_bits(const std::uint64_t* words, std::int64_t num_words,
                              std::int32_t* positions) {
  std::int64_t count = 0;
  for (std::int64_t word = 0; word < num_words; ++word) {
    for (std::uint64_t rest = words[word]; rest != 0; rest &= rest - 1) {
      positions[count++] = static_cast<std::int32_t>(64 * word + lowest_bit(rest));
    }
  }
  return count;
}

std::int64_t find_runs(const std::int32_t* row, std::int64_t n, std::int32_t* starts,
                       std::uint64_t* out) {
  if (n == 0) return 0;
  const std::int64_t words = (n + 63) / 64;
  for (std::int64_t word = 0; word < words; ++word) out[word] = 0;
  out[0] = 1;
  std::int64_t i = 1;
  for (; i + kLanes <= n; i += kLanes) set_bits(out, i, differs_from_left(row + i));
  for (; i < n; ++i) set_bits(out, i, row[i] != row[i - 1] ? 1 : 0);
  return list_bits(out, words, starts);
}

std::int64_t find_tag_runs(const std::uint8_t* row, std::int64_t n, std::int32_t* starts,
                           std::uint64_t* out) {
  if (n == 0) return 0;
  const std::int64_t words = (n + 63) / 64;
  for (std::int64_t word = 0; word < words; ++word) {
    const std::uint8_t* p = row + 64 * word;
    out[word] = differing_bytes(load(p), load(p - 1)) & first_pixels(n - 64 * word);
  }
  out[0] |= 1;
  return list_bits(out, words, starts);
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
