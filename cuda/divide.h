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

/// The cells along an axis: as Axis.
struct CellEdges {
  int length;
  int cells;
  unsigned long long per_cells, per_length;  // reciprocals, times 2^64, rounded down

  explicit CellEdges(const Axis& axis)
      : length(axis.length),
        cells(axis.cells),
        per_cells(~0ULL / static_cast<unsigned long long>(axis.cells)),
        per_length(~0ULL / static_cast<unsigned long long>(axis.length)) {}

  __device__ __forceinline__ int begin(int cell) const {
    return quotient(static_cast<unsigned long long>(cell) * length + cells - 1, cells, per_cells);
  }
  __device__ __forceinline__ int cell_of(int i) const {
    return quotient(static_cast<unsigned long long>(i) * cells, length, per_length);
  }

 private:
  __device__ __forceinline__ static int quotient(unsigned long long n, int divisor,
                                                 unsigned long long reciprocal) {
    const auto d = static_cast<unsigned long long>(divisor);
    const unsigned long long q = __umul64hi(n, reciprocal);  // or one too little
    return static_cast<int>(q + (n - q * d >= d ? 1 : 0));
  }
};

}  // namespace superpix::cuda
