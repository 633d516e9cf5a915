// SPDX-License-Identifier: Apache-2.0
//
// The float assignment step, for any number of channels and two or three dimensions. Positions are
// further channels. Sums are kept per lane and added up in a fixed order, so that they are the same
// on every instruction set.
//
// All is measured from one candidate, the origin o, which as a rule is the cell's own cluster. Of
// the candidates c, that with the least |f - c|^2 is that with the greatest
//     (f - o).(c - o) - |c - o|^2 / 2,
// which takes two operations a field instead of three, and none for the origin, whose score is 0.
// As f - o and c - o are small, the products lose no more digits than squared differences would.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

// Groups of candidates whose scores are held in registers at once.
#if defined(__AVX512BW__)
inline constexpr int kGroupsAtOnce = 2;
#else
inline constexpr int kGroupsAtOnce = 1;
#endif

// Fields whose sums are held in registers at once.
#if defined(__AVX2__)
inline constexpr int kFieldsAtOnce = 6;
#else
inline constexpr int kFieldsAtOnce = 2;
#endif

// A cell is done in strips of so many blocks: what is kept of a strip stays in the cache, and lanes
// sum no more than this in single precision.
inline constexpr std::int64_t kBlocksInStrip = 64;

/// Sums, per candidate, of what lies between its pixels in a strip and the origin. Which pixels
/// these are is only noted at first: then the sums stay in registers.
class FloatSums {
 public:
  explicit FloatSums(const FloatCell& cell)
      : fields_(cell.channels + cell.dims), origin_(cell.origin), strip_(cell.scratch) {}

  /// Block i of the strip, [fields][16] less the origin.
  float* block(std::int64_t i) { return strip_ + i * fields_ * kLanes; }

  /// Notes whose the lanes of block i are.
  void note(std::int64_t i, std::uint32_t lanes, Ints slots) {
    std::int32_t slot_values[kLanes];
    store(slot_values, slots);
    while (lanes != 0) {
      const std::int32_t slot = slot_values[lowest_bit(lanes)];
      const std::uint32_t same = bits(equal(slots, ints(slot))) & lanes;
      lanes &= ~same;
      used_ |= 1U << slot;
      members_[slot][num_members_[slot]++] = {static_cast<std::uint16_t>(i),
                                              static_cast<std::uint16_t>(same)};
    }
  }

  /// Adds the sums over the strip to sums [slots][fields + 1], and forgets them.
  void flush(double* sums) {
    for (; used_ != 0; used_ &= used_ - 1) {
      const int slot = lowest_bit(used_);
      double* to = sums + static_cast<std::int64_t>(slot) * (fields_ + 1);
      int count = 0;
      for (int i = 0; i < num_members_[slot]; ++i) count += count_bits(members_[slot][i].lanes);
      int field = 0;
      for (; field + kFieldsAtOnce <= fields_; field += kFieldsAtOnce) {
        add_fields<kFieldsAtOnce>(slot, field, count, to);
      }
      switch (fields_ - field) {
        case 1:
          add_fields<1>(slot, field, count, to);
          break;
        case 2:
          add_fields<2>(slot, field, count, to);
          break;
        case 3:
          add_fields<3>(slot, field, count, to);
          break;
        case 4:
          add_fields<4>(slot, field, count, to);
          break;
        case 5:
          add_fields<5>(slot, field, count, to);
          break;
        default:
          break;
      }
      to[fields_] += count;
      num_members_[slot] = 0;
    }
  }

 private:
  struct Members {
    std::uint16_t block, lanes;
  };

  template <int kCount>
  void add_fields(int slot, int field, int count, double* to) {
    Floats total[kCount];
    for (int f = 0; f < kCount; ++f) total[f] = floats(0.0F);
    for (int i = 0; i < num_members_[slot]; ++i) {
      const Members members = members_[slot][i];
      const Mask m = mask_of_bits(members.lanes);
      const float* from = block(members.block) + field * kLanes;
      for (int f = 0; f < kCount; ++f) {
        total[f] = total[f] + select(m, load(from + f * kLanes), floats(0.0F));
      }
    }
    for (int f = 0; f < kCount; ++f) {
      to[field + f] +=
          static_cast<double>(sum(total[f])) + static_cast<double>(count) * origin_[field + f];
    }
  }

  int fields_;
  const float* origin_;
  float* strip_;
  std::uint32_t used_ = 0;
  int num_members_[kMaxCandidates] = {};
  Members members_[kMaxCandidates][kBlocksInStrip];
};

// Floats from what is read to what is asked for: a page, beyond which the processor does not look.
inline constexpr std::int64_t kPrefetchAhead = 1024;

inline void prefetch(const float* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p);
#else
  (void)p;
#endif
}

/// Reads block i, less the origin, into [fields][16].
inline void read_block(const FloatCell& cell, std::int64_t i, float* block) {
  const float* origin = cell.origin;
  const float* from = cell.features + i * cell.channels;
  for (int c = 0; c < cell.channels; ++c, from += kLanes, block += kLanes) {
    prefetch(from + kPrefetchAhead);
    store(block, load(from) - floats(*origin++));
  }
  from = cell.coordinates + i * cell.dims;
  for (int d = 0; d < cell.dims; ++d, from += kLanes, block += kLanes) {
    store(block, load(from) - floats(*origin++));
  }
}

struct Best {
  Floats score;
  Ints slot;
};

/// Compares a block with kGroups groups of candidates from `group` on.
template <int kGroups>
inline void compare(const FloatCell& cell, const float* block, int group, Best& best) {
  constexpr int kCount = kGroups * kCandidateGroup;
  const int fields = cell.channels + cell.dims;
  const float* centers = cell.centers + group * fields * kCandidateGroup;
  Floats score[kCount];
  for (int k = 0; k < kCount; ++k) score[k] = floats(cell.biases[group * kCandidateGroup + k]);
  for (int field = 0; field < fields; ++field) {
    const Floats value = load(block + field * kLanes);
    for (int g = 0; g < kGroups; ++g) {
      const float* center = centers + (g * fields + field) * kCandidateGroup;
      for (int k = 0; k < kCandidateGroup; ++k) {
        Floats& s = score[g * kCandidateGroup + k];
        s = s + value * floats(center[k]);
      }
    }
  }
  // The greatest first, then whose it is: no comparison waits for the one before.
  Floats greatest[kCount];
  for (int k = 0; k < kCount; ++k) greatest[k] = score[k];
  for (int n = kCount / 2; n > 0; n /= 2) {
    for (int k = 0; k < n; ++k) greatest[k] = max(greatest[k], greatest[k + n]);
  }
  const std::int32_t* slots = cell.slots_of + group * kCandidateGroup;
  Ints slot = ints(slots[kCount - 1]);
  for (int k = kCount - 2; k >= 0; --k) {
    slot = select(less(score[k], greatest[0]), slot, ints(slots[k]));
  }
  const Mask closer = less(best.score, greatest[0]);
  best.score = select(closer, greatest[0], best.score);
  best.slot = select(closer, slot, best.slot);
}

inline Ints nearest_slots(const FloatCell& cell, const float* block) {
  // Where nothing is greater than 0, by overflow too, the pixel goes to the origin.
  Best best{floats(0.0F), ints(cell.origin_slot)};
  int group = 0;
  for (; group + kGroupsAtOnce <= cell.num_groups; group += kGroupsAtOnce) {
    compare<kGroupsAtOnce>(cell, block, group, best);
  }
  for (; group < cell.num_groups; ++group) compare<1>(cell, block, group, best);
  return best.slot;
}

struct Nearest {
  Floats distance;
  Floats color;  // the squared colour difference to the nearest
  Ints slot;
};

/// Compares a block with a group of candidates, colours weighted by candidate.
inline void compare_weighted(const FloatCell& cell, const float* block, int group,
                             Nearest& nearest) {
  const int fields = cell.channels + cell.dims;
  const float* centers = cell.centers + group * fields * kCandidateGroup;
  Floats distance[kCandidateGroup];
  Floats color[kCandidateGroup];
  for (int k = 0; k < kCandidateGroup; ++k) distance[k] = floats(0.0F);
  const auto add_field = [&](int field) {
    const Floats value = load(block + field * kLanes);
    for (int k = 0; k < kCandidateGroup; ++k) {
      const Floats d = value - floats(centers[field * kCandidateGroup + k]);
      distance[k] = distance[k] + d * d;
    }
  };
  for (int field = 0; field < cell.channels; ++field) add_field(field);
  for (int k = 0; k < kCandidateGroup; ++k) {
    color[k] = distance[k];
    distance[k] = distance[k] * floats(cell.color_weights[group * kCandidateGroup + k]);
  }
  for (int field = cell.channels; field < fields; ++field) add_field(field);
  for (int k = 0; k < kCandidateGroup; ++k) {
    const int candidate = group * kCandidateGroup + k;
    if (candidate >= cell.num_candidates) break;
    const Mask closer = less(distance[k], nearest.distance);
    nearest.distance = select(closer, distance[k], nearest.distance);
    nearest.color = select(closer, color[k], nearest.color);
    nearest.slot = select(closer, ints(cell.slots_of[candidate]), nearest.slot);
  }
}

inline Nearest nearest_weighted(const FloatCell& cell, const float* block) {
  // The origin itself is the first to compare with.
  Floats distance = floats(0.0F);
  const auto add_field = [&](int field) {
    const Floats d = load(block + field * kLanes);
    distance = distance + d * d;
  };
  for (int field = 0; field < cell.channels; ++field) add_field(field);
  const Floats color = distance;
  distance = distance * floats(cell.origin_weight);
  for (int field = cell.channels; field < cell.channels + cell.dims; ++field) add_field(field);
  Nearest nearest{distance, color, ints(cell.origin_slot)};
  for (int group = 0; group < cell.num_groups; ++group) {
    compare_weighted(cell, block, group, nearest);
  }
  return nearest;
}

/// The lanes of block i that are pixels inside the mask.
inline std::uint32_t lanes_inside(const FloatCell& cell, std::int64_t i) {
  const std::uint32_t lanes = first_lanes(cell.n - i);
  if (cell.outside == nullptr) return lanes;
  return lanes & bits(equal(load_bytes(cell.outside + i), ints(0)));
}

/// The first pixel of block i among those that have their turn.
inline std::int64_t pixel_of(const FloatCell& cell, std::int64_t i) {
  constexpr std::int64_t kBlocks = kTurnGroup / kLanes;
  return (i / kBlocks * cell.num_turns + cell.turn) * kTurnGroup + i % kBlocks * kLanes;
}

/// Calls f(first, number) for the strips of the blocks that have their turn.
template <class F>
inline void for_strips(const FloatCell& cell, F f) {
  for (std::int64_t first = 0; pixel_of(cell, first) < cell.n; first += kBlocksInStrip) {
    std::int64_t count = kBlocksInStrip;
    while (pixel_of(cell, first + count - 1) >= cell.n) --count;
    f(first, count);
  }
}

/// Keeps the greatest squared colour difference that goes to each slot.
inline void note_colors(std::uint32_t lanes, const Nearest& nearest, float* max_color) {
  float color[kLanes];
  std::int32_t slots[kLanes];
  store(color, nearest.color);
  store(slots, nearest.slot);
  for (; lanes != 0; lanes &= lanes - 1) {
    const int lane = lowest_bit(lanes);
    float& most = max_color[slots[lane]];
    if (color[lane] > most) most = color[lane];
  }
}

template <bool kWeighted>
void assign_float_cell_as(const FloatCell& cell) {
  const int fields = cell.channels + cell.dims;
  FloatSums float_sums(cell);
  for_strips(cell, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t b = 0; b < count; ++b) {
      const std::int64_t i = pixel_of(cell, first + b);
      float* block = float_sums.block(b);
      read_block(cell, i, block);
      if constexpr (kWeighted) {
        const Nearest nearest = nearest_weighted(cell, block);
        store_bytes(cell.slots + i, nearest.slot);
        note_colors(lanes_inside(cell, i), nearest, cell.max_color);
      } else {
        store_bytes(cell.slots + i, nearest_slots(cell, block));
      }
    }
    // Apart, because how many slots a block has is not to be foreseen: a wrong guess must not stop
    // the comparisons.
    for (std::int64_t b = 0; b < count; ++b) {
      const std::int64_t i = pixel_of(cell, first + b);
      const Ints slots = load_bytes(cell.slots + i);
      const Mask origin = equal(slots, ints(cell.origin_slot));
      float_sums.note(b, lanes_inside(cell, i) & ~bits(origin), slots);
    }
    float_sums.flush(cell.sums);
  });

  // Most pixels stay with the origin: what the others leave of the cell is its.
  double* rest = cell.sums + static_cast<std::int64_t>(cell.origin_slot) * (fields + 1);
  for (int field = 0; field <= fields; ++field) rest[field] = cell.totals[field];
  for (int i = 0; i < cell.num_candidates; ++i) {
    const double* given = cell.sums + static_cast<std::int64_t>(cell.slots_of[i]) * (fields + 1);
    if (given[fields] == 0.0) continue;
    for (int field = 0; field <= fields; ++field) rest[field] -= given[field];
  }
}

void assign_float_cell(const FloatCell& cell) {
  if (cell.color_weights != nullptr) {
    assign_float_cell_as<true>(cell);
  } else {
    assign_float_cell_as<false>(cell);
  }
}

void sum_float_cell(const FloatCell& cell) {
  FloatSums float_sums(cell);
  for_strips(cell, [&](std::int64_t first, std::int64_t count) {
    for (std::int64_t b = 0; b < count; ++b) {
      const std::int64_t i = pixel_of(cell, first + b);
      read_block(cell, i, float_sums.block(b));
      float_sums.note(b, lanes_inside(cell, i), ints(0));
    }
    float_sums.flush(cell.sums);
  });
}

void stretch_floats(const StridedFloats& in, std::int64_t n, float low, float scale, float* planes,
                    std::int64_t stride) {
  std::int32_t lane_offsets[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) {
    lane_offsets[lane] = lane * static_cast<std::int32_t>(in.step);
  }
  const Ints offsets = load(lane_offsets);
  for (int c = 0; c < in.channels; ++c) {
    const float* from = in.first + c;
    float* to = planes + c * stride;
    const auto block = [&](std::int64_t i) {
      const float* first = from + i * in.step;
      const Floats v = in.step == 1 ? load(first) : gather(first, offsets);
      store(to + i, (v - floats(low)) * floats(scale));
    };
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) block(i);
    if (i == n) continue;
    if (n >= kLanes) {
      block(n - kLanes);  // overlaps what is there already
    } else {
      for (; i < n; ++i) to[i] = (from[i * in.step] - low) * scale;
    }
  }
}

/// The least and greatest of n values; returns false, and leaves them open, where one is not
/// finite.
bool extremes_of_floats(const float* p, std::int64_t n, float* low, float* high) {
  const Ints magnitude = ints(0x7fffffff);
  Ints greatest_bits = ints(0);
  Floats most = floats(p[0]);
  Floats most_negated = floats(0.0F - p[0]);
  const auto block = [&](const float* from) {
    const Floats v = load(from);
    greatest_bits = max(greatest_bits, bits_of(v) & magnitude);
    most = max(v, most);
    most_negated = max(floats(0.0F) - v, most_negated);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) block(p + i);
  if (i < n) {
    float rest[kLanes];
    for (std::int64_t lane = 0; lane < kLanes; ++lane) rest[lane] = p[i + lane < n ? i + lane : i];
    block(rest);
  }
  std::int32_t bit_patterns[kLanes];
  float mosts[kLanes];
  float negated[kLanes];
  store(bit_patterns, greatest_bits);
  store(mosts, most);
  store(negated, most_negated);
  bool finite = true;
  *high = mosts[0];
  *low = 0.0F - negated[0];
  for (int lane = 0; lane < kLanes; ++lane) {
    finite = finite && bit_patterns[lane] < 0x7f800000;
    if (mosts[lane] > *high) *high = mosts[lane];
    if (0.0F - negated[lane] < *low) *low = 0.0F - negated[lane];
  }
  return finite;
}

}  // namespace
}  // namespace superpix::cpu
