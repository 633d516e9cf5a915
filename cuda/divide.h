// SPDX-License-Identifier: Apache-2.0
//
// Divisions by numbers that many threads divide by, as multiplications with their reciprocals.
#pragma once

#include <cuda_runtime.h>

#include "grid.h"

namespace superpix::cuda {

/// Divides n < 2^31.
struct Divisor {
  unsigned value;
  unsigned reciprocal;  // times 2^32, rounded down

  Divisor() = default;
  __host__ __device__ explicit Divisor(int divisor)
      : value(static_cast<unsigned>(divisor)), reciprocal(~0U / value) {}

  /// The quotient; what is left goes to `rest`.
  __device__ __forceinline__ unsigned divide(unsigned n, unsigned* rest) const {
    unsigned quotient = __umulhi(n, reciprocal);  // or one too little
    unsigned left = n - quotient * value;
    if (left >= value) {
      ++quotient;
      left -= value;
    }
    *rest = left;
    return quotient;
  }
};

/// Where the cells along an axis begin: as Axis::begin().
struct CellEdges {
  int length;
  int cells;
  unsigned long long reciprocal;  // of `cells`, times 2^64, rounded down

  explicit CellEdges(const Axis& axis)
      : length(axis.length),
        cells(axis.cells),
        reciprocal(~0ULL / static_cast<unsigned long long>(axis.cells)) {}

  __device__ __forceinline__ int begin(int cell) const {
    const auto divisor = static_cast<unsigned long long>(cells);
    const unsigned long long product = static_cast<unsigned long long>(cell) * length + divisor - 1;
    const unsigned long long quotient = __umul64hi(product, reciprocal);  // or one too little
    return static_cast<int>(quotient + (product - quotient * divisor >= divisor ? 1 : 0));
  }
};

}  // namespace superpix::cuda
