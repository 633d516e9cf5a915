// SPDX-License-Identifier: Apache-2.0
//
// What pooling brings together: sums, and best values with their places. Both are used in the same
// way: of the cells of a list (Part), and of a segment (Total).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "element.h"

namespace superpix::cuda {

/// Sums of a list in T, of a segment in double.
template <class T>
struct Sum {
  static constexpr bool kIsBest = false;

  T value = 0;

  __device__ void add(T v, int pixels, int /*cell*/) { value += static_cast<T>(pixels) * v; }
  template <class U>
  __device__ void merge(const Sum<U>& other) {
    value += static_cast<T>(other.value);
  }
  /// That of lane ^ bits.
  __device__ Sum of_lane_xor(int bits) const { return {__shfl_xor_sync(~0U, value, bits)}; }
};

/// The greatest value and the first cell that has it: NaN is greater than all others.
template <class T>
struct Best {
  static constexpr bool kIsBest = true;

  T value = 0;
  std::int32_t cell = -1;  // none yet

  __device__ void add(T v, int pixels, int from) {
    // Cells of a list ascend: the first of equals stays. !(v <= value) is true for NaN.
    if (pixels > 0 && (cell < 0 || (!(v <= value) && value == value))) {
      value = v;
      cell = from;
    }
  }
  __device__ void merge(const Best& other) {
    const bool is_better = !(other.value <= value) && value == value;
    const bool is_same = other.value == value || (other.value != other.value && value != value);
    if (other.cell >= 0 && (cell < 0 || is_better || (is_same && other.cell < cell))) {
      *this = other;
    }
  }
  __device__ Best of_lane_xor(int bits) const {
    return {__shfl_xor_sync(~0U, value, bits), __shfl_xor_sync(~0U, cell, bits)};
  }
};

/// Arrays of Parts in the workspace, and the Total that they are brought together in.
template <class T>
struct SumArray {
  using Part = Sum<T>;
  using Total = Sum<double>;

  T* values;

  template <class Call>
  static SumArray take(Call& call, std::int64_t count) {
    return {call.template take<T>(count)};
  }
  __device__ Sum<T> load(std::int64_t i) const { return {values[i]}; }
  __device__ void store(std::int64_t i, const Sum<T>& sum) const { values[i] = sum.value; }
};
template <class T>
struct BestArray {
  using Part = Best<T>;
  using Total = Best<T>;

  T* values;
  std::int32_t* cells;

  template <class Call>
  static BestArray take(Call& call, std::int64_t count) {
    return {call.template take<T>(count), call.template take<std::int32_t>(count)};
  }
  __device__ Best<T> load(std::int64_t i) const { return {values[i], cells[i]}; }
  __device__ void store(std::int64_t i, const Best<T>& best) const {
    values[i] = best.value;
    cells[i] = best.cell;
  }
};

}  // namespace superpix::cuda
