// SPDX-License-Identifier: Apache-2.0
//
// What the kernels of soft SLIC share. A block takes a part of a cell, of several hundred pixels,
// all of which have the same nine candidates:
//
// 1. Its warps load the candidates' centres, less the origin of the cell, into shared memory.
// 2. Every thread takes some of the pixels, reads their features, and has the nine scores of each
// in
//    registers: a coefficient from shared memory serves all of them. What follows of them
//    (associations, or gradients) goes to shared memory, and the features with it.
// 3. Every warp sums up products with the features of five channels, for all nine candidates: lanes
//    take different pixels, and fold_lanes() adds them up.
//
// The sums of a part for its nine candidates go to memory of their own, from where superpixels
// gather them in a fixed order.
#pragma once

#include <cuda_runtime.h>
#include <superpix/soft_slic.h>

#include <algorithm>
#include <cstdint>

#include "element.h"
#include "grid.h"
#include "shared.h"
#include "vectors.h"
#include "warp_sums.h"

namespace superpix::cuda {

inline constexpr int kPartThreads = 128;
inline constexpr int kPartWarps = kPartThreads / kWarp;
/// Blocks that a multiprocessor shall have registers for; shared memory is seldom for more.
template <class S>
inline constexpr int kPartBlocks = sizeof(S) == sizeof(double) ? 2 : 3;
/// Channels whose products with nine candidates are summed at once; 45 sums fit the registers.
inline constexpr int kTileChannels = 5;
/// Shared memory of a block that every device has.
inline constexpr std::int64_t kMostShared = 64 * 1024;

/// How the pixels of an image are divided among blocks, and sums among slots of memory.
struct SoftSlicPlan {
  Grid grid;
  std::int64_t batch;
  int channels;
  int parts;    // of a cell
  int pixels;   // of a part, a multiple of kPartThreads
  int slices;   // of the pixels of a part: warps that sum the same channels
  bool staged;  // whether an array [channels][pixels] fits shared memory
  int rows;     // of coefficients of a channel

  std::int64_t num_blocks() const { return batch * grid.num_cells() * parts; }
  __host__ __device__ int fields() const { return channels + 1; }
  __host__ __device__ int slots() const { return parts * slices; }
  /// Elements of the sums of all cells: [batch][cells][slots][kCandidates][fields].
  std::int64_t sums_size() const { return num_blocks() * slices * kCandidates * fields(); }
  /// Elements of the centres of one iteration: [batch][cells][fields].
  __host__ __device__ std::int64_t centers_size() const {
    return batch * grid.num_cells() * fields();
  }
  __host__ __device__ std::int64_t image_size() const { return channels * grid.num_pixels(); }
};

/// Coefficients of a channel: nine of scores, and the origin at kOrigin. Where there are gradients,
/// nine more from kGradients on.
inline constexpr int kScoreRows = 12;
inline constexpr int kGradientRows = 24;
inline constexpr int kOrigin = 9;
inline constexpr int kGradients = 12;

/// The most pixels of a thread: what the registers hold nine, or twice nine, values for.
template <class R>
__host__ __device__ constexpr int most_pixels(int rows) {
  return rows == kScoreRows ? 4 : sizeof(R) == sizeof(float) ? 3 : 2;
}

/// The layout of shared memory, in elements of R.
struct PartMemory {
  int coefficients;  // [channels][rows]
  int biases;        // [rows]
  int totals;        // [warps][12], for put_totals()
  int weights;       // [kCandidates][pixels], for sum_products()
  int features;      // [channels][pixels] if staged, else 32-bit offsets [pixels]
  int size;

  __host__ __device__ explicit PartMemory(const SoftSlicPlan& plan)
      : coefficients(0),
        biases(plan.channels * plan.rows),
        totals(biases + plan.rows),
        weights(totals + kPartWarps * 12),
        features(weights + kCandidates * plan.pixels),
        size(features + (plan.staged ? plan.channels : 1) * plan.pixels) {}
};

/// A plan for a call. Staged, a kernel has `pixel_rows` elements of shared memory for each pixel.
template <class R>
SoftSlicPlan soft_slic_plan(const ArrayView& features, const SoftSlicParams& params, int rows,
                            std::int64_t pixel_rows) {
  const Grid grid{{static_cast<int>(features.shape[2]), static_cast<int>(params.rows)},
                  {static_cast<int>(features.shape[3]), static_cast<int>(params.columns)}};
  SoftSlicPlan plan{grid, features.shape[0], static_cast<int>(features.shape[1]), 1, 0, 1, true,
                    rows};
  const std::int64_t cell = std::int64_t{grid.y.longest()} * grid.x.longest();
  const auto divide = [&](std::int64_t most) {
    plan.parts = static_cast<int>(blocks_for(cell, most));
    plan.pixels =
        static_cast<int>(blocks_for(blocks_for(cell, plan.parts), kPartThreads)) * kPartThreads;
  };
  const auto fits = [&] {
    const std::int64_t size =
        pixel_rows * plan.pixels + (plan.channels + std::int64_t{1}) * rows + kPartWarps * 12;
    return size * static_cast<std::int64_t>(sizeof(R)) <= kMostShared;
  };
  int most = most_pixels<R>(rows) * kPartThreads;
  divide(most);
  while (!fits() && most > kPartThreads) divide(most -= kPartThreads);
  if (!fits()) {
    plan.staged = false;
    divide(most_pixels<R>(rows) * kPartThreads);
  }
  const int tiles = static_cast<int>(blocks_for(plan.channels, kTileChannels));
  plan.slices = std::max(1, kPartWarps / tiles);
  return plan;
}

/// The part of a cell that a block takes.
struct Part {
  std::int64_t image;
  int cell, row, column;
  int index;            // among the parts of its cell
  int y, x, width;      // of the cell
  int first, count;     // of its pixels, in row-major order in the cell
  std::int64_t center;  // index of its own superpixel among those of all images
  unsigned exists;      // a bit for each candidate

  __device__ explicit Part(const SoftSlicPlan& plan) {
    const Grid& grid = plan.grid;
    index = static_cast<int>(blockIdx.x) % plan.parts;
    center = static_cast<int>(blockIdx.x) / plan.parts;
    cell = static_cast<int>(center % grid.num_cells());
    image = center / grid.num_cells();
    row = cell / grid.x.cells;
    column = cell % grid.x.cells;
    y = grid.y.begin(row);
    x = grid.x.begin(column);
    width = grid.x.begin(column + 1) - x;
    const int size = (grid.y.begin(row + 1) - y) * width;
    const int even = (size + plan.parts - 1) / plan.parts;
    first = min(index * even, size);
    count = min(even, size - first);
    exists = 0;
    for (int j = 0; j < kCandidates; ++j) {
      if (grid.candidate(row, column, j) >= 0) exists |= 1U << j;
    }
  }

  __device__ bool has(int candidate) const { return (exists >> candidate & 1U) != 0; }

  /// Where in a plane of the image the i-th pixel is.
  __device__ int offset(const Grid& grid, int i) const {
    const int dy = (first + i) / width;
    return (y + dy) * grid.x.length + x + (first + i - dy * width);
  }
};

/// The sum over the lanes of a warp, in all of them.
template <class R>
__device__ __forceinline__ R sum_of_lanes(R value) {
#pragma unroll
  for (int mask = kWarp / 2; mask > 0; mask /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, mask);
  }
  return value;
}

__device__ __forceinline__ float larger(float a, float b) { return fmaxf(a, b); }
__device__ __forceinline__ double larger(double a, double b) { return fmax(a, b); }
__device__ __forceinline__ float power_of_2(float x) { return exp2f(x); }
__device__ __forceinline__ double power_of_2(double x) { return exp2(x); }

/// log2(e), which scores are multiplied with, so that associations are powers of two.
inline constexpr double kLog2E = 1.4426950408889634;

/// Prepares scores: 2 x.c - |c|^2 in units of `scale`, x and c being features and centres less the
/// origin, which is the mean of the cell: centres may be anywhere, and differences of large numbers
/// would be what is left of small ones. A candidate that does not exist gets nothing.
///
/// `centers` and `means` are [batch][cells][fields].
template <class R>
__device__ void load_scores(const SoftSlicPlan& plan, const Part& part, const R* centers,
                            const R* means, R scale, R* coefficients, R* biases) {
  const R* origin = means + part.center * plan.fields();
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int j = static_cast<int>(threadIdx.x) / kWarp; j < kCandidates;
       j += static_cast<int>(blockDim.x) / kWarp) {
    const int candidate = plan.grid.candidate(part.row, part.column, j);
    const R* center =
        centers + (part.image * plan.grid.num_cells() + max(candidate, 0)) * plan.fields();
    R square = 0;
    for (int c = lane; c < plan.channels; c += kWarp) {
      const R d = candidate >= 0 ? center[c] - origin[c] : R{0};
      square += d * d;
      coefficients[c * plan.rows + j] = 2 * scale * d;
      if (j == 0) coefficients[c * plan.rows + kOrigin] = origin[c];
    }
    square = sum_of_lanes(square);
    if (lane == 0) biases[j] = -scale * square;
  }
}

/// Sums up nine numbers of each thread, for total_of() after a barrier.
template <class R>
__device__ __forceinline__ void put_totals(R* values, R* totals) {
  fold_lanes<kCandidates>(values);
  const int j = folded_index<kCandidates>(0);
  if (j >= 0) totals[threadIdx.x / kWarp * 12 + j] = values[0];
}
/// Nine values for each of N pixels of a thread, in registers. The i-th pixel is number
/// threadIdx.x + i * kPartThreads of the part.
template <class R, int N>
struct PixelValues {
  R of[kCandidates][N];

  /// From scores to associations; 0 for candidates that do not exist.
  __device__ __forceinline__ void softmax(const Part& part) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      R most = -INFINITY;
#pragma unroll
      for (int j = 0; j < kCandidates; ++j) {
        if (part.has(j)) most = larger(most, of[j][i]);
      }
      R total = 0;
#pragma unroll
      for (int j = 0; j < kCandidates; ++j) {
        of[j][i] = part.has(j) ? power_of_2(of[j][i] - most) : R{0};
        total += of[j][i];
      }
      const R inverse = R{1} / total;
#pragma unroll
      for (int j = 0; j < kCandidates; ++j) of[j][i] *= inverse;
    }
  }

  /// Puts them where sum_products() takes them from, 0 for pixels beyond the part, and their sums
  /// where total_of() does.
  __device__ __forceinline__ void put(const SoftSlicPlan& plan, const Part& part,
                                      const PartMemory& memory) {
    R* shared = shared_memory<R>();
    R totals[kCandidates];
#pragma unroll
    for (int j = 0; j < kCandidates; ++j) {
      totals[j] = 0;
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const int pixel = static_cast<int>(threadIdx.x) + i * kPartThreads;
        const R value = pixel < part.count ? of[j][i] : R{0};
        shared[memory.weights + j * plan.pixels + pixel] = value;
        totals[j] += value;
      }
    }
    put_totals(totals, shared + memory.totals);
  }
};

/// Where the pixels of a thread are in a plane. Pixels beyond the part are at the first of the
/// cell.
template <int N>
struct PixelOffsets {
  int of[N];

  __device__ __forceinline__ PixelOffsets(const SoftSlicPlan& plan, const Part& part) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const int pixel = static_cast<int>(threadIdx.x) + i * kPartThreads;
      of[i] =
          pixel < part.count ? part.offset(plan.grid, pixel) : part.y * plan.grid.x.length + part.x;
    }
  }
};

/// `count` neighbouring elements of shared memory, a multiple of 16 bytes.
template <int kCount, class R>
__device__ __forceinline__ void load_row(const R* from, R* to) {
  constexpr int kStep = kPackSize<R>;
#pragma unroll
  for (int k = 0; k < kCount; k += kStep) {
    const auto pack = load_pack<kStep>(from + k);
#pragma unroll
    for (int i = 0; i < kStep; ++i) to[k + i] = pack.element[i];
  }
}

/// Adds to `score` the products of a pixel's features with the coefficients of scores, and, where
/// there are kGradients, to `gradient` those with theirs. Leaves the features in shared memory if
/// it kStages them.
template <class S, bool kStages, int kRows, int N>
__device__ __forceinline__ void add_products(const SoftSlicPlan& plan, const Part& part,
                                             const S* features, const PartMemory& memory,
                                             const PixelOffsets<N>& offsets,
                                             PixelValues<ComputeType<S>, N>& score,
                                             PixelValues<ComputeType<S>, N>& gradient) {
  using R = ComputeType<S>;
  R* shared = shared_memory<R>();
  const std::int64_t plane = plan.grid.num_pixels();
  const S* from = features + part.image * plan.image_size();
  const R* coefficients = shared + memory.coefficients;
  R* staged = shared + memory.features + threadIdx.x;
#pragma unroll(kRows == kScoreRows ? 4 : 2)
  for (int c = 0; c < plan.channels; ++c) {
    R coefficient[kRows];
    load_row<kRows>(coefficients + c * kRows, coefficient);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const bool inside = static_cast<int>(threadIdx.x) + i * kPartThreads < part.count;
      const R value = inside ? widen(from[offsets.of[i]]) - coefficient[kOrigin] : R{0};
      if constexpr (kStages) staged[c * plan.pixels + i * kPartThreads] = value;
#pragma unroll
      for (int j = 0; j < kCandidates; ++j) {
        score.of[j][i] += value * coefficient[j];
        if constexpr (kRows == kGradientRows) {
          gradient.of[j][i] += value * coefficient[kGradients + j];
        }
      }
    }
    from += plane;
  }
}

/// Leaves word of where features are, for sum_products() where they are not staged.
template <class R, int N>
__device__ __forceinline__ void put_offsets(const PartMemory& memory,
                                            const PixelOffsets<N>& offsets) {
  int* to = reinterpret_cast<int*>(shared_memory<R>() + memory.features) + threadIdx.x;
#pragma unroll
  for (int i = 0; i < N; ++i) to[i * kPartThreads] = offsets.of[i];
}

/// Where the sums of a part begin, [slices][kCandidates][fields].
template <class R>
__device__ __forceinline__ R* sums_of(const SoftSlicPlan& plan, const Part& part, R* sums) {
  const std::int64_t slot = part.center * plan.slots() + part.index * plan.slices;
  return sums + slot * kCandidates * plan.fields();
}

/// What put_totals() left of all warps, after a barrier.
template <class R>
__device__ __forceinline__ R total_of(const R* totals, int j) {
  R total = totals[j];
#pragma unroll
  for (int warp = 1; warp < kPartWarps; ++warp) total += totals[warp * 12 + j];
  return total;
}

/// Calls f.run<N>(), N being how many pixels each thread of a block takes for `count` of them.
template <int kMost, class F>
__device__ __forceinline__ void with_pixels(int count, const F& f) {
  if constexpr (kMost > 1) {
    if (count <= (kMost - 1) * kPartThreads) {
      with_pixels<kMost - 1>(count, f);
      return;
    }
  }
  f.template run<kMost>();
}

/// Calls write(candidate, channel, sum, slice) with the sums over the pixels of a part of
/// weights * (features - origin), each by one thread. All threads of the block take part.
template <class S, bool kStaged, class Write>
__device__ __forceinline__ void sum_products(const SoftSlicPlan& plan, const Part& part,
                                             const S* features, const PartMemory& memory,
                                             const Write& write) {
  using R = ComputeType<S>;
  constexpr int kPair = 2;
  constexpr int kSums = kCandidates * kTileChannels;
  const R* shared = shared_memory<R>();
  const R* weights = shared + memory.weights;
  const R* staged = shared + memory.features;
  const R* origins = shared + memory.coefficients + kOrigin;
  const int* offsets = reinterpret_cast<const int*>(staged);
  const S* image = features + part.image * plan.image_size();
  const std::int64_t plane = plan.grid.num_pixels();
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int tiles = (plan.channels + kTileChannels - 1) / kTileChannels;
  const int items = tiles * plan.slices;
  for (int item = static_cast<int>(threadIdx.x) / kWarp; item < items; item += kPartWarps) {
    const int slice = item / tiles;
    const int first = item % tiles * kTileChannels;
    R sums[kSums];
#pragma unroll
    for (int i = 0; i < kSums; ++i) sums[i] = 0;
    for (int q = (slice * kWarp + lane) * kPair; q < part.count; q += plan.slices * kWarp * kPair) {
      Pack<R, kPair> value[kTileChannels];
#pragma unroll
      for (int n = 0; n < kTileChannels; ++n) {
        const int c = min(first + n, plan.channels - 1);
        if constexpr (kStaged) {
          value[n] = load_pack<kPair>(staged + c * plan.pixels + q);
        } else {
          const R origin = origins[c * plan.rows];
#pragma unroll
          for (int i = 0; i < kPair; ++i) {
            value[n].element[i] = widen(image[c * plane + offsets[q + i]]) - origin;
          }
        }
      }
#pragma unroll
      for (int j = 0; j < kCandidates; ++j) {
        const auto weight = load_pack<kPair>(weights + j * plan.pixels + q);
#pragma unroll
        for (int n = 0; n < kTileChannels; ++n) {
#pragma unroll
          for (int i = 0; i < kPair; ++i) {
            sums[j * kTileChannels + n] += weight.element[i] * value[n].element[i];
          }
        }
      }
    }
    fold_lanes<kSums>(sums);
#pragma unroll
    for (int i = 0; i < kFoldedSize<kSums>; ++i) {
      const int index = folded_index<kSums>(i);
      const int c = first + index % kTileChannels;
      if (index >= 0 && c < plan.channels) write(index / kTileChannels, c, sums[i], slice);
    }
  }
}

}  // namespace superpix::cuda
