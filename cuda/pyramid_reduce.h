// SPDX-License-Identifier: Apache-2.0
//
// Mean and maximum, as what pyramid pooling needs of them: pixels of a column are reduced one after
// the other, the results (cells) in any order that is the same each time, and a window is finished.
#pragma once

#include <cuda_runtime.h>

#include <climits>
#include <cstdint>

#include "element.h"
#include "pyramid_axes.h"

namespace superpix::cuda {

/// The arrays that windows are written to.
template <class S>
struct PyramidOutput {
  S* pooled;
  /// Or nullptr.
  void* indices;
  bool is_64_bit;

  __device__ void put_index(std::int64_t i, int index) const {
    if (indices == nullptr) return;
    if (is_64_bit) {
      static_cast<std::int64_t*>(indices)[i] = index;
    } else {
      static_cast<std::int32_t*>(indices)[i] = index;
    }
  }
};

template <class T>
struct PyramidMean {
  using Element = T;
  using Value = ComputeType<T>;
  /// Sums of cells are double: they may be of many pixels.
  using Cell = double;
  /// Whether a column takes more than a register of its own.
  static constexpr bool kIsLarge = false;

  /// Pixels one below the other.
  struct Column {
    Value sum;

    __device__ void start(int /*row*/) { sum = 0; }
    __device__ void add(Value value, int /*row*/) { sum += value; }
    __device__ Cell cell(int /*x*/, int /*width*/) const { return static_cast<Cell>(sum); }
  };

  __device__ static Cell nothing() { return 0.0; }
  __device__ static Cell combine(Cell a, Cell b) { return a + b; }
  __device__ static Cell shuffle_down(Cell cell, int offset, int lanes) {
    return __shfl_down_sync(~0U, cell, static_cast<unsigned>(offset), lanes);
  }
  __device__ static void finish(Cell sum, std::int64_t size, const T* /*plane*/,
                                const PyramidOutput<T>& to, std::int64_t i) {
    to.pooled[i] = narrow<T>(static_cast<Value>(sum / static_cast<double>(size)));
  }
};

/// NaN is the greatest value; of equals the first is the maximum, of NaNs the last.
template <class T>
struct PyramidMax {
  using Element = T;
  using Value = ComputeType<T>;
  struct Cell {
    Value value;
    int index;  // y * W + x
  };
  static constexpr bool kIsLarge = true;

  struct Column {
    Value best;
    int best_row;

    __device__ void start(int row) {
      best = -static_cast<Value>(INFINITY);
      best_row = row;
    }
    __device__ void add(Value value, int row) {
      const bool is_better = value > best || isnan(value);
      best = is_better ? value : best;
      best_row = is_better ? row : best_row;
    }
    __device__ Cell cell(int x, int width) const { return {best, best_row * width + x}; }
  };

  // No pixel has this index, and all are before it.
  __device__ static Cell nothing() { return {-static_cast<Value>(INFINITY), INT_MAX}; }
  __device__ static Cell combine(const Cell& a, const Cell& b) {
    const bool a_is_nan = isnan(a.value);
    const bool b_is_nan = isnan(b.value);
    const bool takes_nan = b_is_nan && (!a_is_nan || b.index > a.index);
    const bool is_greater = b.value > a.value || (b.value == a.value && b.index < a.index);
    return takes_nan || is_greater ? b : a;
  }
  __device__ static Cell shuffle_down(const Cell& cell, int offset, int lanes) {
    return {__shfl_down_sync(~0U, cell.value, static_cast<unsigned>(offset), lanes),
            __shfl_down_sync(~0U, cell.index, static_cast<unsigned>(offset), lanes)};
  }
  __device__ static void finish(const Cell& best, std::int64_t /*size*/, const T* plane,
                                const PyramidOutput<T>& to, std::int64_t i) {
    to.pooled[i] = plane[best.index];  // the very pixel: its NaN, its zero
    to.put_index(i, best.index);
  }
};

/// For the first of `lanes` threads, a power of two, what all of them have; all threads of the warp
/// call this.
template <class Reduce>
__device__ typename Reduce::Cell reduce_lanes(typename Reduce::Cell cell, int lanes) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) {
    cell = Reduce::combine(cell, Reduce::shuffle_down(cell, offset, lanes));
  }
  return cell;
}

/// Goes through a rectangle row by row, in steps of some columns: what one of several threads does.
class PyramidWalk {
 public:
  __device__ PyramidWalk(int height, int width, int first, int step)
      : height_(height), width_(width), step_(step), x_(first) {
    settle();
  }
  __device__ bool is_inside() const { return y_ < height_; }
  __device__ void advance() {
    x_ += step_;
    settle();
  }
  __device__ int y() const { return y_; }
  __device__ int x() const { return x_; }

 private:
  __device__ void settle() {
    while (x_ >= width_ && y_ < height_) {
      x_ -= width_;
      ++y_;
    }
  }

  int height_, width_, step_;
  int y_ = 0;
  int x_;
};

}  // namespace superpix::cuda
