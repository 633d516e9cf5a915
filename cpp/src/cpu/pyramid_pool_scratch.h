// SPDX-License-Identifier: Apache-2.0
//
// What pyramid_pool_kernels.h works in: some rows of elements of at most 8 bytes, and as many more
// for maxima. Internal linkage, as kernels of every instruction set use it.
#pragma once

#include <cstdint>

namespace superpix::cpu {
namespace {

/// Elements from one row to the next: whole blocks of sixteen, and one that stores may touch.
inline std::int64_t row_stride(std::int64_t width) { return (width + 15) / 16 * 16 + 16; }

/// As many as fit the first-level cache, at least one.
inline std::int64_t rows_in_scratch(std::int64_t width) {
  constexpr std::int64_t kElements = 2048;
  constexpr std::int64_t kMostRows = 16;
  const std::int64_t rows = kElements / row_stride(width);
  return rows < 1 ? 1 : rows > kMostRows ? kMostRows : rows;
}

inline std::int64_t scratch_bytes(std::int64_t width) {
  return rows_in_scratch(width) * row_stride(width) * 8;
}

}  // namespace
}  // namespace superpix::cpu
