// SPDX-License-Identifier: Apache-2.0
//
// The candidate that each pixel of a row of an image belongs to most.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/doubles.h"
#include "cpu/simd/halves.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

/// Bits for the lanes that are NaN.
inline std::uint32_t nan_lanes(Floats a) {
  const Ints infinite = ints(0x7f800000);
  return ~bits(equal(max(bits_of(a) & ints(0x7fffffff), infinite), infinite)) & 0xffffU;
}

/// The labels of up to 16 pixels of a cell; writes 16.
template <class S>
inline void label_block(const S* association, std::int64_t plane, const LabelSegment& segment,
                        std::int64_t n, std::int32_t* labels) {
  Floats best = load_first(association + segment.slots[0] * plane, n);
  std::uint32_t best_is_nan = nan_lanes(best);
  Ints label = ints(segment.labels[0]);
  for (int j = 1; j < segment.count; ++j) {
    const Floats value = load_first(association + segment.slots[j] * plane, n);
    const std::uint32_t is_nan = nan_lanes(value);
    const Mask wins = mask_of_bits(bits(less(best, value)) | (is_nan & ~best_is_nan));
    best_is_nan |= is_nan;
    best = select(wins, value, best);
    label = select(wins, ints(segment.labels[j]), label);
  }
  store(labels, label);
}

inline void label_block(const double* association, std::int64_t plane, const LabelSegment& segment,
                        std::int64_t n, std::int32_t* labels) {
  for (std::int64_t i = 0; i < n && i < kLanes; ++i) {
    double best = association[segment.slots[0] * plane + i];
    labels[i] = segment.labels[0];
    for (int j = 1; j < segment.count; ++j) {
      const double value = association[segment.slots[j] * plane + i];
      if (best < value || (value != value && best == best)) {
        best = value;
        labels[i] = segment.labels[j];
      }
    }
  }
}

template <class S>
void label_row(const S* association, std::int64_t plane, const LabelSegment* segments, int count,
               std::int32_t* labels) {
  for (int i = 0; i < count; ++i) {
    const LabelSegment& segment = segments[i];
    for (std::int64_t x = 0; x < segment.width; x += kLanes) {
      label_block(association + x, plane, segment, segment.width - x, labels + x);
    }
    association += segment.width;
    labels += segment.width;
  }
}

}  // namespace
}  // namespace superpix::cpu
