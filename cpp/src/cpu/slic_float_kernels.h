// SPDX-License-Identifier: Apache-2.0
//
// The float assignment step, for any number of channels and two or three dimensions. Positions are
// further channels. Sums are kept per lane and added up in a fixed order, so that they are the same
// on every instruction set.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

// Candidates whose distances are held in registers at once.
#if defined(__AVX512BW__)
inline constexpr int kGroup = 9;
#else
inline constexpr int kGroup = 3;
#endif

// Blocks after which the lanes' single precision sums are emptied into double precision.
inline constexpr std::int64_t kFloatBlocksPerFlush = 64;

/// Sums per slot, channel and lane. The memory is the caller's: [27][fields][16].
class FloatLaneSums {
 public:
  FloatLaneSums(float* memory, int fields) : memory_(memory), fields_(fields) {}

  void add(std::uint32_t lanes, const std::int32_t* slots, const FloatCell& cell, std::int64_t i) {
    while (lanes != 0) {
      const std::int32_t slot = slots[lowest_bit(lanes)];
      std::uint32_t same = 0;
      for (int lane = 0; lane < kLanes; ++lane) {
        same |= (slots[lane] == slot ? 1U : 0U) << lane;
      }
      same &= lanes;
      lanes &= ~same;
      const Mask m = mask_of_bits(same);
      float* to = memory_ + static_cast<std::int64_t>(slot) * fields_ * kLanes;
      const bool fresh = (used_ >> slot & 1U) == 0;
      used_ |= 1U << slot;
      if (fresh) counts_[slot] = 0;
      for (std::uint32_t rest = same; rest != 0; rest &= rest - 1) ++counts_[slot];
      for (int field = 0; field < fields_; ++field) {
        const float* from = field < cell.channels
                                ? cell.features + field * cell.stride
                                : cell.coordinates + (field - cell.channels) * cell.stride;
        const Floats value = select(m, load(from + i), floats(0.0F));
        store(to + field * kLanes, fresh ? value : load(to + field * kLanes) + value);
      }
    }
  }

  void flush(double* sums) {
    for (; used_ != 0; used_ &= used_ - 1) {
      const int slot = lowest_bit(used_);
      double* to = sums + static_cast<std::int64_t>(slot) * (fields_ + 1);
      const float* from = memory_ + static_cast<std::int64_t>(slot) * fields_ * kLanes;
      for (int field = 0; field < fields_; ++field) {
        double s = 0.0;
        for (int lane = 0; lane < kLanes; ++lane) s += from[field * kLanes + lane];
        to[field] += s;
      }
      to[fields_] += counts_[slot];
    }
  }

 private:
  float* memory_;
  int fields_;
  std::int32_t counts_[kMaxCandidates];
  std::uint32_t used_ = 0;
};

struct Nearest {
  Floats distance;
  Floats slot;   // as a float: exact, and needs no second kind of select
  Floats color;  // SLICO: the squared colour difference to the nearest
};

/// Compares block i with kCount candidates from j on.
template <int kCount, bool kSlicZero>
inline void compare(const FloatCell& cell, std::int64_t i, int j, Nearest& nearest) {
  const int fields = cell.channels + cell.dims;
  const float* centers = cell.centers + static_cast<std::int64_t>(j) * fields;
  Floats distance[kCount];
  Floats color[kCount];
  for (int k = 0; k < kCount; ++k) distance[k] = floats(0.0F);
  const auto add_field = [&](Floats value, int field) {
    for (int k = 0; k < kCount; ++k) {
      const Floats d = value - floats(centers[k * fields + field]);
      distance[k] = distance[k] + d * d;
    }
  };
  for (int c = 0; c < cell.channels; ++c) add_field(load(cell.features + c * cell.stride + i), c);
  if constexpr (kSlicZero) {
    for (int k = 0; k < kCount; ++k) {
      color[k] = distance[k];
      distance[k] = distance[k] * floats(cell.color_weights[j + k]);
    }
  }
  for (int d = 0; d < cell.dims; ++d) {
    add_field(load(cell.coordinates + d * cell.stride + i), cell.channels + d);
  }
  for (int k = 0; k < kCount; ++k) {
    const Mask closer = less(distance[k], nearest.distance);
    nearest.distance = select(closer, distance[k], nearest.distance);
    nearest.slot = select(closer, floats(cell.center_slots[j + k]), nearest.slot);
    if constexpr (kSlicZero) nearest.color = select(closer, color[k], nearest.color);
  }
}

template <bool kSlicZero>
void assign_float_cell_as(const FloatCell& cell) {
  FloatLaneSums lane_sums(cell.scratch, cell.channels + cell.dims);
  for (std::int64_t i = 0; i < cell.n; i += kLanes) {
    // A pixel that no distance is less than infinity for, by overflow, goes to the first candidate.
    Nearest nearest{floats(__builtin_huge_valf()), floats(cell.center_slots[0]), floats(0.0F)};
    int j = 0;
    for (; j + kGroup <= cell.num_candidates; j += kGroup) {
      compare<kGroup, kSlicZero>(cell, i, j, nearest);
    }
    for (; j < cell.num_candidates; ++j) compare<1, kSlicZero>(cell, i, j, nearest);

    const Ints slots = to_ints(nearest.slot);
    store_bytes(cell.slots + i, slots);
    std::uint32_t lanes = first_lanes(cell.n - i);
    if (cell.outside != nullptr) lanes &= bits(equal(load_bytes(cell.outside + i), ints(0)));
    std::int32_t slot_values[kLanes];
    store(slot_values, slots);
    lane_sums.add(lanes, slot_values, cell, i);
    if ((i / kLanes + 1) % kFloatBlocksPerFlush == 0) lane_sums.flush(cell.sums);
    if constexpr (kSlicZero) {
      float color[kLanes];
      store(color, nearest.color);
      for (; lanes != 0; lanes &= lanes - 1) {
        const int lane = lowest_bit(lanes);
        float& most = cell.max_color[slot_values[lane]];
        if (color[lane] > most) most = color[lane];
      }
    }
  }
  lane_sums.flush(cell.sums);
}

void assign_float_cell(const FloatCell& cell) {
  if (cell.color_weights != nullptr) {
    assign_float_cell_as<true>(cell);
  } else {
    assign_float_cell_as<false>(cell);
  }
}

}  // namespace
}  // namespace superpix::cpu
