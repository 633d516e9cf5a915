// SPDX-License-Identifier: Apache-2.0
//
// Products of small matrices with the pixels of strips, as in row_kernels.h, but with values that
// are read and written where they lie in an image: nine products a value are too few to pay for a
// copy. Strips are those of cells side by side, and channels the outer loop, so that memory is
// gone through in long runs.
#pragma once

#include "cpu/kernels.h"
#include "cpu/row_kernels.h"
#include "cpu/simd/halves.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

// What fits the registers, as in row_kernels.h.
template <class R>
struct SoftPoolTile {
  static constexpr int kSumRows = 3;
  static constexpr int kSumChannels = 1;
  static constexpr int kMixChannels = 3;
  static constexpr int kMixBlocks = 1;
  static constexpr int kGradientRows = 3;
  static constexpr int kGradientBlocks = 1;
};
#if defined(__AVX512BW__)
template <>
struct SoftPoolTile<float> {
  static constexpr int kSumRows = 9;
  static constexpr int kSumChannels = 3;
  static constexpr int kMixChannels = 2;
  static constexpr int kMixBlocks = 8;
  static constexpr int kGradientRows = 9;
  static constexpr int kGradientBlocks = 3;
};
#endif

/// Calls f.operator()<n>(i) for parts [i, i + n) of [0, count), n <= kMost, of about equal size.
template <int kMost, class F>
inline void for_parts(int count, F f) {
  const int parts = (count + kMost - 1) / kMost;
  for (int part = 0; part < parts; ++part) {
    const int i = part * count / parts;
    const int next = (part + 1) * count / parts;
    with_size<kMost>(next - i, [&]<int kSize>() { f.template operator()<kSize>(i); });
  }
}

/// Calls f(piece) for the pieces of block b.
template <class F>
inline void for_pieces(const PixelBlocks& blocks, int b, F f) {
  const PixelPiece* piece = blocks.pieces + (b > 0 ? blocks.ends[b - 1] : 0);
  const PixelPiece* end = blocks.pieces + blocks.ends[b];
  do {
    f(*piece);
  } while (++piece != end);
}

/// Block b of kCount channels. The same pixels `ahead` elements further are asked for.
template <int kCount, class S, class V>
inline void load_block(const PixelBlocks& pixels, int b, const S* first, std::int64_t plane,
                       std::int64_t ahead, V* values) {
  for (int n = 0; n < kCount; ++n) values[n] = broadcast(ComputeType<S>{0});
  for_pieces(pixels, b, [&](const PixelPiece& piece) {
    for (int n = 0; n < kCount; ++n) {
      const S* channel = first + n * plane;
      prefetch_line(channel + ahead + piece.offset);
      values[n] = load_lanes(channel, piece.offset, piece.lanes, values[n]);
    }
  });
}

template <class S, int kRows, int kCount>
inline void sum_values_tile(const SoftPoolStrip<ComputeType<S>>& strip, int j, int c,
                            const Channels<const S>& values) {
  using V = decltype(load(strip.association));
  const std::int64_t stride = kLanes * strip.pixels.count;
  const ComputeType<S>* rows = strip.association + j * stride;
  const S* first = values.first + c * values.plane + strip.offset;
  V total[kRows][kCount];
  for (int m = 0; m < kRows; ++m) {
    for (int n = 0; n < kCount; ++n) total[m][n] = broadcast(ComputeType<S>{0});
  }
  for (int b = 0; b < strip.pixels.count; ++b) {
    V value[kCount];
    load_block<kCount>(strip.pixels, b, first, values.plane, kCount * values.plane, value);
    for (int m = 0; m < kRows; ++m) {
      const V w = load(rows + m * stride + b * kLanes);
      for (int n = 0; n < kCount; ++n) total[m][n] = multiply_add(w, value[n], total[m][n]);
    }
  }
  ComputeType<S>* sums = strip.sums + j * values.count + c;
  for (int m = 0; m < kRows; ++m) {
    for (int n = 0; n < kCount; ++n) sums[m * values.count + n] = sum(total[m][n]);
  }
}

template <class S>
void sum_values(const SoftPoolStrip<ComputeType<S>>* strips, int num_strips,
                Channels<const S> values) {
  using Tile = SoftPoolTile<ComputeType<S>>;
  for_parts<Tile::kSumChannels>(values.count, [&]<int kCount>(int c) {
    for (int i = 0; i < num_strips; ++i) {
      for_parts<Tile::kSumRows>(strips[i].num_candidates, [&]<int kRows>(int j) {
        sum_values_tile<S, kRows, kCount>(strips[i], j, c, values);
      });
    }
  });
}

template <class S, int kCount, int kBlocks>
inline void mix_values_tile(const SoftPoolStrip<ComputeType<S>>& strip, int c, int b,
                            const Channels<S>& values) {
  using V = decltype(load(strip.association));
  V total[kCount][kBlocks];
  for (int m = 0; m < kCount; ++m) {
    for (int n = 0; n < kBlocks; ++n) total[m][n] = broadcast(ComputeType<S>{0});
  }
  const ComputeType<S>* row = strip.association + b * kLanes;
  for (int k = 0; k < strip.num_candidates; ++k, row += kLanes * strip.pixels.count) {
    V weight[kBlocks];
    for (int n = 0; n < kBlocks; ++n) weight[n] = load(row + n * kLanes);
    const ComputeType<S>* center = strip.centers[k] + c;
    for (int m = 0; m < kCount; ++m) {
      const V value = broadcast(center[m]);
      for (int n = 0; n < kBlocks; ++n) total[m][n] = multiply_add(value, weight[n], total[m][n]);
    }
  }
  S* first = values.first + c * values.plane + strip.offset;
  for (int n = 0; n < kBlocks; ++n) {
    for_pieces(strip.pixels, b + n, [&](const PixelPiece& piece) {
      for (int m = 0; m < kCount; ++m) {
        prefetch_line(first + (m + kCount) * values.plane + piece.offset);
        store_lanes(first + m * values.plane, piece.offset, piece.lanes, total[m][n]);
      }
    });
  }
}

template <class S>
void mix_values(const SoftPoolStrip<ComputeType<S>>* strips, int num_strips, Channels<S> values) {
  using Tile = SoftPoolTile<ComputeType<S>>;
  for_parts<Tile::kMixChannels>(values.count, [&]<int kCount>(int c) {
    for (int i = 0; i < num_strips; ++i) {
      const SoftPoolStrip<ComputeType<S>>& strip = strips[i];
      for_parts<Tile::kMixBlocks>(strip.pixels.count, [&]<int kBlocks>(int b) {
        mix_values_tile<S, kCount, kBlocks>(strip, c, b, values);
      });
    }
  });
}

template <class S, int kRows, int kBlocks>
inline void mix_gradients_tile(const SoftPoolStrip<ComputeType<S>>& strip, int j, int b,
                               const Channels<const S>& values) {
  using V = decltype(load(strip.association));
  const std::int64_t stride = kLanes * strip.pixels.count;
  ComputeType<S>* rows = strip.gradient + j * stride + b * kLanes;
  V total[kRows][kBlocks];
  for (int m = 0; m < kRows; ++m) {
    for (int n = 0; n < kBlocks; ++n) {
      total[m][n] = strip.bias != nullptr ? broadcast(strip.bias[j + m])
                                          : load(rows + m * stride + n * kLanes);
    }
  }
  const S* channel = values.first + strip.offset;
  const ComputeType<S>* coefficients = strip.coefficients + j;
  for (int c = 0; c < values.count; ++c) {
    const V origin = broadcast(strip.origin[c]);
    V value[kBlocks];
    for (int n = 0; n < kBlocks; ++n) {
      load_block<1>(strip.pixels, b + n, channel, values.plane, values.count * values.plane,
                    &value[n]);
      value[n] = value[n] - origin;
    }
    for (int m = 0; m < kRows; ++m) {
      const V coefficient = broadcast(coefficients[m]);
      for (int n = 0; n < kBlocks; ++n) {
        total[m][n] = multiply_add(coefficient, value[n], total[m][n]);
      }
    }
    channel += values.plane;
    coefficients += strip.num_candidates;
  }
  for (int m = 0; m < kRows; ++m) {
    for (int n = 0; n < kBlocks; ++n) store(rows + m * stride + n * kLanes, total[m][n]);
  }
}

template <class S>
void mix_gradients(const SoftPoolStrip<ComputeType<S>>* strips, int num_strips,
                   Channels<const S> values) {
  using Tile = SoftPoolTile<ComputeType<S>>;
  for (int i = 0; i < num_strips; ++i) {
    const SoftPoolStrip<ComputeType<S>>& strip = strips[i];
    for_parts<Tile::kGradientRows>(strip.num_candidates, [&]<int kRows>(int j) {
      for_parts<Tile::kGradientBlocks>(strip.pixels.count, [&]<int kBlocks>(int b) {
        mix_gradients_tile<S, kRows, kBlocks>(strip, j, b, values);
      });
    });
  }
}

}  // namespace
}  // namespace superpix::cpu
