// SPDX-License-Identifier: Apache-2.0
//
// Pooling over labels, 16 channels at a time. Channels lie in planes, but what is done to a pixel
// depends on its label, so pixels are brought into rows of 16 channels first, by transposing in
// registers; a row is then added to that of its label in one go, and it is all the same how long
// the runs of equal labels are.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd/doubles.h"
#include "cpu/simd/halves.h"
#include "cpu/simd/rows.h"
#include "cpu/simd/simd.h"

namespace superpix::cpu {
namespace {

// Sixteen streams are more than the hardware foresees: how far ahead planes are asked for, in
// bytes. Stores need it, too: a line is read before it is written.
constexpr int kPrefetchBytes = 512;

inline void prefetch_read(const void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p);
#else
  (void)p;
#endif
}
inline void prefetch_write(void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p, 1);
#else
  (void)p;
#endif
}

inline Floats wide(float x) { return floats(x); }
inline Doubles wide(double x) { return doubles(x); }

/// Bit i is set where label i of a tile differs from the one before it, which must be readable.
inline std::uint64_t find_changes(const std::int32_t* labels) {
  std::uint64_t changes = 0;
  for (int i = 0; i < kPoolTile; i += kLanes) {
    changes |= static_cast<std::uint64_t>(differs_from_left(labels + i)) << i;
  }
  return changes;
}

template <class L>
std::int64_t find_label_runs(const L* labels, std::int64_t n, LabelRun* runs) {
  std::int64_t count = 0;
  for (std::int64_t at = 0; at < n; at += kPoolTile) {
    std::int32_t copy[1 + kPoolTile];
    const std::int32_t* tile = copy + 1;
    const int size = static_cast<int>(n - at < kPoolTile ? n - at : kPoolTile);
    bool is_copied = at == 0 || size < kPoolTile;
    if constexpr (sizeof(L) == sizeof *tile) {
      if (!is_copied) tile = labels + at;
    } else {
      is_copied = true;
    }
    if (is_copied) {
      copy[0] = 0;
      for (int i = 0; i < kPoolTile; ++i) {
        copy[1 + i] = i < size ? static_cast<std::int32_t>(labels[at + i]) : 0;
      }
    }
    std::uint64_t starts = find_changes(tile) | 1;
    if (size < kPoolTile) starts &= (std::uint64_t{1} << size) - 1;
    while (starts != 0) {
      const int begin = lowest_bit(starts);
      starts &= starts - 1;
      const int end = starts != 0 ? lowest_bit(starts) : size;
      runs[count] = {static_cast<std::int32_t>(at + begin), end - begin, tile[begin], 1};
      count += tile[begin] >= 0 ? 1 : 0;
    }
  }
  return count;
}

bool are_labels(const std::int32_t* labels, std::int64_t n, std::int32_t num_segments) {
  const auto most = static_cast<std::uint32_t>(num_segments);
  std::uint32_t outside = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    outside |= static_cast<std::uint32_t>(labels[i]) + 1U > most ? 1U : 0U;
  }
  return outside == 0;
}

bool are_wide_labels(const std::int64_t* labels, std::int64_t n, std::int32_t num_segments) {
  const auto most = static_cast<std::uint64_t>(num_segments);
  std::uint64_t outside = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    outside |= static_cast<std::uint64_t>(labels[i]) + 1U > most ? 1U : 0U;
  }
  return outside == 0;
}

/// Planes -> rows of the pixels of a tile, [kPoolTile][16].
template <class S, class R>
inline void load_tile(const PoolPlanes<const S>& planes, std::int64_t at, R* tile) {
  using V = decltype(load(tile));
  for (std::int64_t i = 0; i < kPoolTile && at + i < planes.n; i += kLanes, tile += 16 * kLanes) {
    const S* p = planes.first + at + i;
    const std::int64_t n = planes.n - at - i;
    V rows[kLanes];
    if (n >= kLanes && planes.channels == kLanes) {
      for (int c = 0; c < kLanes; ++c, p += planes.stride) {
        rows[c] = load(p);
        prefetch_read(reinterpret_cast<const char*>(p) + kPrefetchBytes);
      }
    } else {
      for (int c = 0; c < planes.channels; ++c, p += planes.stride) rows[c] = load_first(p, n);
      for (int c = planes.channels; c < kLanes; ++c) rows[c] = wide(R{0});
    }
    transpose(rows);
    for (int k = 0; k < kLanes; ++k) store(tile + k * kLanes, rows[k]);
  }
}

/// Rows of up to 16 pixels -> planes.
template <class S, class V>
inline void store_rows(const PoolPlanes<S>& planes, std::int64_t at, V* rows) {
  transpose(rows);
  S* p = planes.first + at;
  const std::int64_t n = planes.n - at;
  if constexpr (std::is_same_v<S, float>) {
    if (planes.streams && n >= kLanes) {
      for (int c = 0; c < planes.channels; ++c, p += planes.stride) stream(p, rows[c]);
      return;
    }
  }
  if (n >= kLanes && planes.channels == kLanes) {
    for (int c = 0; c < kLanes; ++c, p += planes.stride) {
      prefetch_write(reinterpret_cast<char*>(p) + kPrefetchBytes);
      store(p, rows[c]);
    }
  } else {
    for (int c = 0; c < planes.channels; ++c, p += planes.stride) store_first(p, rows[c], n);
  }
}

template <class S>
void sum_runs(const PoolPlanes<const S>& planes, const LabelRun* runs, std::int64_t count,
              double* sums) {
  using R = ComputeType<S>;
  alignas(64) R tile[kPoolTile * kLanes];
  const LabelRun* run = runs;
  const LabelRun* last = runs + count;
  for (std::int64_t at = 0; run != last; at += kPoolTile) {
    if (run->begin >= at + kPoolTile) continue;
    load_tile(planes, at, tile);
    for (; run != last && run->begin < at + kPoolTile; ++run) {
      const R* row = tile + (run->begin - at) * kLanes;
      auto total = load(row);
      for (int i = 1; i < run->length; ++i) total = total + load(row + i * kLanes);
      add_products(sums + std::int64_t{run->label} * kLanes, total,
                   static_cast<double>(run->weight));
    }
  }
}

template <class S>
void best_runs(const PoolPlanes<const S>& planes, const LabelRun* runs, std::int64_t count,
               bool least, std::int64_t first_index, ComputeType<S>* best, std::int32_t* indices) {
  using R = ComputeType<S>;
  alignas(64) R tile[kPoolTile * kLanes];
  using V = decltype(load(best));
  const V sign = wide(least ? R{-1} : R{1});  // the least is the greatest of what is negated
  const LabelRun* run = runs;
  const LabelRun* last = runs + count;
  for (std::int64_t at = 0; run != last; at += kPoolTile) {
    if (run->begin >= at + kPoolTile) continue;
    load_tile(planes, at, tile);
    for (; run != last && run->begin < at + kPoolTile; ++run) {
      const R* row = tile + (run->begin - at) * kLanes;
      R* value = best + std::int64_t{run->label} * kLanes;
      std::int32_t* index = indices + std::int64_t{run->label} * kLanes;
      auto here = static_cast<std::int32_t>(first_index + run->begin);
      // The first pixel of a segment is its best whatever it is.
      const bool is_new = index[0] < 0;
      V greatest = is_new ? load(row) * sign : load(value);
      Ints where = is_new ? ints(here) : load(index);
      for (int i = 0; i < run->length; ++i, ++here, row += kLanes) {
        const V v = load(row) * sign;
        const Mask better = is_better(v, greatest);
        greatest = select(better, v, greatest);
        where = select(better, ints(here), where);
      }
      store(value, greatest);
      store(index, where);
    }
  }
}

/// Row label + 1 of the table to every pixel; row 0 is for those without a label.
template <class S, class L>
void put_labels(const ComputeType<S>* table, const L* labels, const PoolPlanes<S>& planes) {
  using V = decltype(load(table));
  for (std::int64_t at = 0; at < planes.n; at += kLanes) {
    const std::int64_t n = planes.n - at;
    V rows[kLanes];
    if (n >= kLanes) {
      for (int i = 0; i < kLanes; ++i) {
        rows[i] = load(table + (std::int64_t{labels[at + i]} + 1) * kLanes);
      }
    } else {
      for (int i = 0; i < kLanes; ++i) {
        rows[i] = load(table + (i < n ? (std::int64_t{labels[at + i]} + 1) * kLanes : 0));
      }
    }
    store_rows(planes, at, rows);
  }
  if (planes.streams) finish_streams();
}

/// Every pixel gets the sum over its runs of weight * row label + 1 of the table.
template <class S>
void put_runs(const ComputeType<S>* table, const LabelRun* runs, std::int64_t count,
              const PoolPlanes<S>& planes) {
  using R = ComputeType<S>;
  using V = decltype(load(table));
  alignas(64) R tile[kPoolTile * kLanes];
  const LabelRun* run = runs;
  const LabelRun* last = runs + count;
  for (std::int64_t at = 0; at < planes.n; at += kPoolTile) {
    for (int i = 0; i < kPoolTile * kLanes; ++i) tile[i] = R{0};
    for (; run != last && run->begin < at + kPoolTile; ++run) {
      const V term =
          wide(static_cast<R>(run->weight)) * load(table + (std::int64_t{run->label} + 1) * kLanes);
      R* row = tile + (run->begin - at) * kLanes;
      for (int i = 0; i < run->length; ++i, row += kLanes) store(row, load(row) + term);
    }
    for (std::int64_t i = 0; i < kPoolTile && at + i < planes.n; i += kLanes) {
      V rows[kLanes];
      for (int k = 0; k < kLanes; ++k) rows[k] = load(tile + (i + k) * kLanes);
      store_rows(planes, at + i, rows);
    }
  }
  if (planes.streams) finish_streams();
}

template <class S>
constexpr PoolKernels<S> pool_kernels_of() {
  return {sum_runs<S>, best_runs<S>, put_labels<S, std::int32_t>, put_labels<S, std::int64_t>,
          put_runs<S>};
}

}  // namespace
}  // namespace superpix::cpu
