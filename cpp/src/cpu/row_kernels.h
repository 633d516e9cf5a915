// SPDX-License-Identifier: Apache-2.0
//
// Products of small matrices with rows of pixels, which the soft ops are made of. A strip of pixels
// is [rows][stride]: a row for each channel or candidate, of `stride` pixels, a multiple of 16.
// Which pixel is which, and in which image, is not their business.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/doubles.h"
#include "cpu/simd/halves.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

inline Floats broadcast(float x) { return floats(x); }
inline Doubles broadcast(double x) { return doubles(x); }

/// e^x for x <= 0, relative error below 2e-7; 0 below -87; NaN for NaN.
inline Floats exp_nonpositive(Floats x) {
  const Floats least = floats(-87.0F);
  const Ints n = to_ints(max(x, least) * floats(1.44269504F));
  const Floats whole = to_floats(n);
  // ln 2 in two parts, of which the first is exact in few bits.
  const Floats r =
      multiply_add(whole, floats(-1.42860677e-6F), multiply_add(whole, floats(-0.693145752F), x));
  Floats p = floats(1.0F / 720.0F);
  p = multiply_add(p, r, floats(1.0F / 120.0F));
  p = multiply_add(p, r, floats(1.0F / 24.0F));
  p = multiply_add(p, r, floats(1.0F / 6.0F));
  p = multiply_add(p, r, floats(0.5F));
  p = multiply_add(p, r, floats(1.0F));
  p = multiply_add(p, r, floats(1.0F));
  const Floats power = floats_of_bits(shift_left<23>(n + ints(127)));
  return select(less(x, least), floats(0.0F), p * power);
}

// What fits the registers: AVX-512 has 32 of 16 floats, AVX2 16 of 8.
template <class R>
struct Tile {
  static constexpr int kRows = 3;    // of outputs
  static constexpr int kBlocks = 1;  // of 16 pixels
  static constexpr int kSumRows = 3;
  static constexpr int kSumColumns = 1;
};
#if defined(__AVX512BW__)
template <>
struct Tile<float> {
  static constexpr int kRows = 12;
  static constexpr int kBlocks = 2;
  static constexpr int kSumRows = 9;
  static constexpr int kSumColumns = 3;
};
#endif

/// out[m] = sum over k of coefficients[k][m] * in[k], plus out[m] or bias[m], for kRows rows from
/// `row` on and kBlocks blocks from pixel i on.
template <class R, int kRows, int kBlocks>
inline void mix_tile(const MixRows<R>& a, int row, std::int64_t i) {
  using V = decltype(load(a.in));
  constexpr int kLanesOfBlock = 16;
  V total[kRows][kBlocks];
  for (int m = 0; m < kRows; ++m) {
    for (int b = 0; b < kBlocks; ++b) {
      total[m][b] = a.bias != nullptr ? broadcast(a.bias[row + m])
                                      : load(a.out + (row + m) * a.stride + i + b * kLanesOfBlock);
    }
  }
  const R* coefficients = a.coefficients + row;
  const R* in = a.in + i;
  for (int k = 0; k < a.num_in; ++k) {
    V value[kBlocks];
    for (int b = 0; b < kBlocks; ++b) value[b] = load(in + b * kLanesOfBlock);
    for (int m = 0; m < kRows; ++m) {
      const V c = broadcast(coefficients[m]);
      for (int b = 0; b < kBlocks; ++b) total[m][b] = multiply_add(c, value[b], total[m][b]);
    }
    coefficients += a.num_out;
    in += a.stride;
  }
  for (int m = 0; m < kRows; ++m) {
    for (int b = 0; b < kBlocks; ++b) {
      store(a.out + (row + m) * a.stride + i + b * kLanesOfBlock, total[m][b]);
    }
  }
}

template <class R, int kRows>
void mix_group(const MixRows<R>& a, int row) {
  constexpr int kBlocks = Tile<R>::kBlocks;
  std::int64_t i = 0;
  for (; i + 16 * kBlocks <= a.stride; i += 16 * kBlocks) mix_tile<R, kRows, kBlocks>(a, row, i);
  for (; i < a.stride; i += 16) mix_tile<R, kRows, 1>(a, row, i);
}

/// Calls f(std::integral_constant-like size) for n in [1, kMost].
template <int kMost, class F>
inline void with_size(int n, F f) {
  if constexpr (kMost > 1) {
    if (n < kMost) {
      with_size<kMost - 1>(n, f);
      return;
    }
  }
  f.template operator()<kMost>();
}

template <class R>
void mix_rows(const MixRows<R>& a) {
  constexpr int kMost = Tile<R>::kRows;
  const int groups = (a.num_out + kMost - 1) / kMost;
  for (int g = 0; g < groups; ++g) {  // of about equal size
    const int row = g * a.num_out / groups;
    const int next = (g + 1) * a.num_out / groups;
    with_size<kMost>(next - row, [&]<int kRows>() { mix_group<R, kRows>(a, row); });
  }
}

/// sums[j][c] += weights[j] * in[c] block by block, for a tile of j and c.
template <class R, int kRows, int kColumns>
inline void sum_tile(const SumProducts<R>& a, int j, int c) {
  using V = decltype(load(a.in));
  V total[kRows][kColumns];
  const auto at = [&](int m, int n) { return a.sums + 16 * ((j + m) * (a.num_in + 1) + c + n); };
  for (int m = 0; m < kRows; ++m) {
    for (int n = 0; n < kColumns; ++n) total[m][n] = load(at(m, n));
  }
  for (std::int64_t i = 0; i < a.stride; i += 16) {
    V value[kColumns];
    for (int n = 0; n < kColumns; ++n) value[n] = load(a.in + (c + n) * a.stride + i);
    for (int m = 0; m < kRows; ++m) {
      const V w = load(a.weights + (j + m) * a.stride + i);
      for (int n = 0; n < kColumns; ++n) total[m][n] = multiply_add(w, value[n], total[m][n]);
    }
  }
  for (int m = 0; m < kRows; ++m) {
    for (int n = 0; n < kColumns; ++n) store(at(m, n), total[m][n]);
  }
}

template <class R>
void sum_products(const SumProducts<R>& a) {
  constexpr int kRows = Tile<R>::kSumRows;
  constexpr int kColumns = Tile<R>::kSumColumns;
  for (int j = 0; j < a.num_weights; j += kRows) {
    const int rows = a.num_weights - j < kRows ? a.num_weights - j : kRows;
    with_size<kRows>(rows, [&]<int kTileRows>() {
      int c = 0;
      for (; c + kColumns <= a.num_in; c += kColumns) sum_tile<R, kTileRows, kColumns>(a, j, c);
      for (; c < a.num_in; ++c) sum_tile<R, kTileRows, 1>(a, j, c);
    });
  }
  for (int j = 0; j < a.num_weights; ++j) {
    R* sums = a.sums + 16 * (j * (a.num_in + 1) + a.num_in);
    auto total = load(sums);
    for (std::int64_t i = 0; i < a.stride; i += 16) {
      total = total + load(a.weights + j * a.stride + i);
    }
    store(sums, total);
  }
}

/// sums[i] = the sum of lanes[i].
template <class R>
void add_lanes(const R* lanes, std::int64_t n, R* sums) {
  for (std::int64_t i = 0; i < n; ++i) sums[i] = sum(load(lanes + 16 * i));
}

/// The softmax over `count` rows of each pixel, in place; 0 from pixel n on.
template <class R>
void softmax_rows(R* rows, int count, std::int64_t stride, std::int64_t n) {
  for (std::int64_t i = 0; i < stride; i += 16) {
    auto most = load(rows + i);
    for (int j = 1; j < count; ++j) most = max(most, load(rows + j * stride + i));
    auto total = broadcast(R{0});
    for (int j = 0; j < count; ++j) {
      R* at = rows + j * stride + i;
      const auto e = exp_nonpositive(load(at) - most);
      total = total + e;
      store(at, e);
    }
    const auto scale = divide(broadcast(R{1}), total);
    for (int j = 0; j < count; ++j) {
      R* at = rows + j * stride + i;
      store(at, load(at) * scale);
    }
    for (std::int64_t k = n > i ? n - i : 0; k < 16; ++k) {
      for (int j = 0; j < count; ++j) rows[j * stride + i + k] = R{0};
    }
  }
}

/// The gradient through the softmax: rows[j] = weights[j] * (rows[j] - sum of weights * rows).
template <class R>
void softmax_gradient_rows(const R* weights, R* rows, int count, std::int64_t stride) {
  for (std::int64_t i = 0; i < stride; i += 16) {
    auto mean = broadcast(R{0});
    for (int j = 0; j < count; ++j) {
      mean = multiply_add(load(weights + j * stride + i), load(rows + j * stride + i), mean);
    }
    for (int j = 0; j < count; ++j) {
      R* at = rows + j * stride + i;
      store(at, load(weights + j * stride + i) * (load(at) - mean));
    }
  }
}

/// 1 / x, or 0 where that could overflow.
inline Floats inverse_or_zero(Floats x) {
  constexpr float kLeastNormal = 0x1p-126F;
  const Mask is_tiny = less(max(x, floats(0.0F) - x), floats(kLeastNormal));
  return select(is_tiny, floats(0.0F), divide(floats(1.0F), x));
}
inline Doubles inverse_or_zero(Doubles x) {
  constexpr double kLeastNormal = 0x1p-1022;
  return each_double([&](int i) {
    const bool is_tiny = x.v[i] < kLeastNormal && -x.v[i] < kLeastNormal;
    return is_tiny ? 0.0 : 1.0 / x.v[i];
  });
}

/// Divides the `count` rows of each pixel by their sum, in place; where that is 0, they become 0.
/// inverses [stride] are what the rows are multiplied with.
template <class R>
void normalize_rows(R* rows, int count, std::int64_t stride, R* inverses) {
  for (std::int64_t i = 0; i < stride; i += 16) {
    auto total = load(rows + i);
    for (int j = 1; j < count; ++j) total = total + load(rows + j * stride + i);
    const auto inverse = inverse_or_zero(total);
    store(inverses + i, inverse);
    for (int j = 0; j < count; ++j) {
      R* at = rows + j * stride + i;
      store(at, load(at) * inverse);
    }
  }
}

/// The gradient through normalize_rows(): rows[j] = inverses * (rows[j] - sum of weights * rows),
/// with the weights and inverses that it gave.
template <class R>
void normalization_gradient_rows(const R* weights, const R* inverses, R* rows, int count,
                                 std::int64_t stride) {
  for (std::int64_t i = 0; i < stride; i += 16) {
    auto mean = broadcast(R{0});
    for (int j = 0; j < count; ++j) {
      mean = multiply_add(load(weights + j * stride + i), load(rows + j * stride + i), mean);
    }
    const auto inverse = load(inverses + i);
    for (int j = 0; j < count; ++j) {
      R* at = rows + j * stride + i;
      store(at, inverse * (load(at) - mean));
    }
  }
}

/// Rows of an image -> rows of the strips of cells that lie side by side: value - origin.
template <class S>
void take_segments(const S* from, std::int64_t step, std::int64_t height,
                   const Segment<ComputeType<S>>* segments, int count) {
  for (std::int64_t y = 0; y < height; ++y, from += step) {
    const S* p = from;
    for (int i = 0; i < count; ++i) {
      const Segment<ComputeType<S>>& s = segments[i];
      const auto origin = broadcast(s.origin);
      ComputeType<S>* to = s.to + y * s.width;
      for (std::int64_t x = 0; x < s.width; x += 16) {
        store(to + x, load_first(p + x, s.width - x) - origin);
      }
      p += s.width;
    }
  }
}

/// Rows of the strips of cells that lie side by side -> rows of an image.
template <class S>
void put_segments(const RowSegment<ComputeType<S>>* segments, int count, std::int64_t step,
                  std::int64_t height, S* to) {
  for (std::int64_t y = 0; y < height; ++y, to += step) {
    S* p = to;
    for (int i = 0; i < count; ++i) {
      const RowSegment<ComputeType<S>>& s = segments[i];
      const ComputeType<S>* from = s.from + y * s.width;
      for (std::int64_t x = 0; x < s.width; x += 16) {
        store_first(p + x, load(from + x), s.width - x);
      }
      p += s.width;
    }
  }
}

/// A row of a strip -> a rectangle of an image.
template <class S>
void put_row(const ComputeType<S>* from, std::int64_t step, std::int64_t height, std::int64_t width,
             S* to) {
  for (std::int64_t y = 0; y < height; ++y, from += width, to += step) {
    for (std::int64_t x = 0; x < width; x += 16) store_first(to + x, load(from + x), width - x);
  }
}

}  // namespace
}  // namespace superpix::cpu
