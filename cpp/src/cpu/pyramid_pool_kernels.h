// SPDX-License-Identifier: Apache-2.0
//
// Reductions of the cells that a plane is cut into, and the other way round. The pixels of a row of
// cells are brought together as they lie in memory, sixteen columns at a time. That leaves one row,
// of which every cell takes its part; this is done for several rows of cells at once, as what was
// just written cannot be read at other boundaries without delay.
#pragma once

#include "cpu/kernels.h"
#include "cpu/maximum.h"
#include "cpu/pyramid_pool_scratch.h"
#include "cpu/row_kernels.h"
#include "cpu/simd/doubles.h"
#include "cpu/simd/halves.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

/// Calls f.template operator()<kBlocks, kIsNarrow>(columns) for groups of kBlocks blocks of sixteen
/// columns, the first columns of which are given, until all columns are covered. The last block may
/// overlap the one before. Rows of less than sixteen are narrow.
template <class F>
inline void for_column_blocks(std::int64_t width, F f) {
  constexpr int kMostBlocks = 4;
  if (width < kLanes) {
    const std::int64_t first = 0;
    f.template operator()<1, true>(&first);
    return;
  }
  for (std::int64_t x = 0; x < width; x += kMostBlocks * kLanes) {
    const std::int64_t left = (width - x + kLanes - 1) / kLanes;
    with_size<kMostBlocks>(left < kMostBlocks ? static_cast<int>(left) : kMostBlocks,
                           [&]<int kBlocks>() {
                             std::int64_t columns[kBlocks];
                             for (int b = 0; b < kBlocks; ++b) {
                               const std::int64_t at = x + b * kLanes;
                               columns[b] = at + kLanes <= width ? at : width - kLanes;
                             }
                             f.template operator()<kBlocks, false>(columns);
                           });
  }
}

/// Sixteen columns; those that a narrow row does not have are 0.
template <bool kIsNarrow, class S>
inline auto load_columns(const S* p, std::int64_t width) {
  if constexpr (kIsNarrow) {
    return load_first(p, width);
  } else {
    return load(p);
  }
}

/// Calls f(first, end) for groups of rows of cells, for which a scratch has room.
template <class F>
inline void for_row_groups(const CellRows& cells, F f) {
  const std::int64_t most = rows_in_scratch(cells.width);
  for (std::int64_t r = 0; r < cells.num_rows; r += most) {
    f(r, r + most < cells.num_rows ? r + most : cells.num_rows);
  }
}

/// to[x] = sum of rows[y][x] over y.
template <class S>
inline void sum_rows(const S* rows, std::int64_t height, std::int64_t width, ComputeType<S>* to) {
  for_column_blocks(width, [&]<int kBlocks, bool kIsNarrow>(const std::int64_t* columns) {
    using V = decltype(load(rows));
    V total[kBlocks];
    const S* row = rows;
    for (int b = 0; b < kBlocks; ++b) total[b] = load_columns<kIsNarrow>(row + columns[b], width);
    for (std::int64_t y = 1; y < height; ++y) {
      row += width;
      for (int b = 0; b < kBlocks; ++b) {
        total[b] = total[b] + load_columns<kIsNarrow>(row + columns[b], width);
      }
    }
    for (int b = 0; b < kBlocks; ++b) store(to + columns[b], total[b]);
  });
}

/// The sum of n elements, of which no more than 20 are added one after the other before they are
/// double.
template <class R>
inline double sum_of(const R* p, std::int64_t n) {
  constexpr std::int64_t kGroup = 16 * kLanes;
  if (n == 1) return static_cast<double>(*p);  // where windows overlap
  double total = 0.0;
  for (std::int64_t i = 0; i < n; i += kGroup) {
    const std::int64_t end = n - i < kGroup ? n : i + kGroup;
    auto lanes = load_first(p + i, end - i);
    for (std::int64_t k = i + kLanes; k < end; k += kLanes) {
      lanes = lanes + load_first(p + k, end - k);
    }
    total += static_cast<double>(sum(lanes));
  }
  return total;
}

template <class S>
void sum_cells(const S* plane, const CellRows& cells, void* scratch, double* sums) {
  auto* const rows = static_cast<ComputeType<S>*>(scratch);
  const std::int64_t stride = row_stride(cells.width);
  for_row_groups(cells, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t r = first; r < end; ++r) {
      const std::int64_t y = cells.row_edges[r];
      sum_rows(plane + y * cells.width, cells.row_edges[r + 1] - y, cells.width,
               rows + (r - first) * stride);
    }
    for (std::int64_t r = first; r < end; ++r) {
      for (std::int64_t c = 0; c < cells.num_columns; ++c) {
        const std::int64_t x = cells.column_edges[c];
        *sums++ = sum_of(rows + (r - first) * stride + x, cells.column_edges[c + 1] - x);
      }
    }
  });
}

/// The maxima of columns as two rows: those of sixteen columns, the row of each given.
inline void put_maxima(Floats value, Ints row, std::int64_t width, std::int64_t first_index,
                       std::int32_t* orders, std::int32_t* lows) {
  alignas(64) static constexpr std::int32_t kRamp[kLanes] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                             8, 9, 10, 11, 12, 13, 14, 15};
  const Mask nan = is_nan(value);
  const Floats zero = floats(0.0F);
  const Floats unsigned_zero = value + zero;  // -0 equals 0
  const Ints b = bits_of(unsigned_zero);
  const Ints order = select(less(unsigned_zero, zero), bit_xor(b, ints(0x7fffffff)), b);
  const Ints index = multiply(row, static_cast<std::int32_t>(width)) +
                     ints(static_cast<std::int32_t>(first_index)) + load(kRamp);
  store(orders, select(nan, ints(kOrderOfNan), order));
  store(lows, select(nan, index, ints(kLastIndex) - index));
}

/// The maxima of the columns of a row of cells.
template <class S>
inline void max_rows(const S* rows, std::int64_t height, std::int64_t width,
                     std::int64_t first_index, std::int32_t* orders, std::int32_t* lows) {
  for_column_blocks(width, [&]<int kBlocks, bool kIsNarrow>(const std::int64_t* columns) {
    Floats best[kBlocks];
    Ints best_row[kBlocks];
    const S* row = rows;
    for (int b = 0; b < kBlocks; ++b) {
      best[b] = load_columns<kIsNarrow>(row + columns[b], width);
      best_row[b] = ints(0);
    }
    for (std::int64_t y = 1; y < height; ++y) {
      row += width;
      const Ints here = ints(static_cast<std::int32_t>(y));
      for (int b = 0; b < kBlocks; ++b) {
        const Floats value = load_columns<kIsNarrow>(row + columns[b], width);
        const Mask takes = either(less(best[b], value), is_nan(value));
        best[b] = select(takes, value, best[b]);
        best_row[b] = select(takes, here, best_row[b]);
      }
    }
    for (int b = 0; b < kBlocks; ++b) {
      put_maxima(best[b], best_row[b], width, first_index + columns[b], orders + columns[b],
                 lows + columns[b]);
    }
  });
}

template <class S>
void max_cells(const S* plane, const CellRows& cells, void* scratch, Maximum<S>* maxima) {
  auto* const orders = static_cast<std::int32_t*>(scratch);
  const std::int64_t stride = row_stride(cells.width);
  std::int32_t* const lows = orders + rows_in_scratch(cells.width) * stride;
  for_row_groups(cells, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t r = first; r < end; ++r) {
      const std::int64_t y = cells.row_edges[r];
      const std::int64_t at = (r - first) * stride;
      max_rows(plane + y * cells.width, cells.row_edges[r + 1] - y, cells.width, y * cells.width,
               orders + at, lows + at);
    }
    for (std::int64_t r = first; r < end; ++r) {
      const std::int64_t at = (r - first) * stride;
      for (std::int64_t c = 0; c < cells.num_columns; ++c) {
        std::int64_t x = at + cells.column_edges[c];
        std::int64_t best = maximum_of(orders[x], lows[x]);
        for (++x; x < at + cells.column_edges[c + 1]; ++x) {
          best = greater(best, maximum_of(orders[x], lows[x]));
        }
        *maxima++ = best;
      }
    }
  });
}

template <>
void max_cells(const double* plane, const CellRows& cells, void* /*scratch*/, WideMaximum* maxima) {
  for (std::int64_t r = 0; r < cells.num_rows; ++r) {
    for (std::int64_t c = 0; c < cells.num_columns; ++c) {
      const std::int64_t corner = cells.row_edges[r] * cells.width + cells.column_edges[c];
      WideMaximum best{plane[corner], corner};
      for (std::int64_t y = cells.row_edges[r]; y < cells.row_edges[r + 1]; ++y) {
        const std::int64_t row = y * cells.width;
        for (std::int64_t x = cells.column_edges[c]; x < cells.column_edges[c + 1]; ++x) {
          const double value = plane[row + x];
          if (value > best.value || value != value) best = {value, row + x};
        }
      }
      *maxima++ = best;
    }
  }
}

inline void copy_bytes(const std::uint8_t* from, std::int64_t n, std::uint8_t* to) {
  constexpr std::int64_t kBlock = 4 * kLanes;
  if (n < kBlock) {
    std::memcpy(to, from, static_cast<std::size_t>(n));
    return;
  }
  for (std::int64_t i = 0; i + kBlock < n; i += kBlock) store(to + i, load(from + i));
  store(to + n - kBlock, load(from + n - kBlock));
}

template <class S>
void fill_cells(const double* values, const CellRows& cells, void* scratch, S* plane) {
  auto* const rows = static_cast<S*>(scratch);
  const std::int64_t stride = row_stride(cells.width);
  for_row_groups(cells, [&](std::int64_t first, std::int64_t end) {
    for (std::int64_t r = first; r < end; ++r) {
      S* row = rows + (r - first) * stride;
      for (std::int64_t c = 0; c < cells.num_columns; ++c) {
        const auto value = broadcast(static_cast<ComputeType<S>>(*values++));
        // Sixteen at a time: what is too much is overwritten next, and a row has room after it.
        for (std::int64_t x = cells.column_edges[c]; x < cells.column_edges[c + 1]; x += kLanes) {
          store(row + x, value);
        }
      }
    }
    for (std::int64_t r = first; r < end; ++r) {
      const auto* from = reinterpret_cast<const std::uint8_t*>(rows + (r - first) * stride);
      auto* to = reinterpret_cast<std::uint8_t*>(plane + cells.row_edges[r] * cells.width);
      const auto n = cells.width * static_cast<std::int64_t>(sizeof(S));
      for (std::int64_t y = cells.row_edges[r]; y < cells.row_edges[r + 1]; ++y, to += n) {
        copy_bytes(from, n, to);
      }
    }
  });
}

}  // namespace
}  // namespace superpix::cpu
