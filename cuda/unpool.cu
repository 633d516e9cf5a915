// SPDX-License-Identifier: Apache-2.0
//
// Where a cell has one label, a thread reads the labels of as many neighbouring cells as one access
// of 16 bytes writes, and then gathers and writes them channel by channel. Values of a channel are
// few and neighbours mostly want the same one, so that they come from the first-level cache;
// nothing but the output is moved in bulk. Where resolutions differ, a thread takes one cell, goes
// through its pixels and adds up eight channels. Nothing is scattered, so that everything is
// written once.
#include <algorithm>
#include <cstdint>

#include "call.h"
#include "detail/soft_arguments.h"
#include "element.h"
#include "label_tiles.h"
#include "pool.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kCellChannels = 16;  // of a block, where a cell has one label
constexpr int kPixelChannels = 8;  // of a block, where it has several
constexpr int kUnroll = 4;

/// S: elements of `pooled` and `out`.
template <class S>
struct UnpoolJob {
  LabelMaps maps;
  std::int64_t channels;
  const S* pooled;
  const std::int32_t* saved;  // of the mean: [B,K]; of extremes: [B,C,K]; nullptr for sums
  S* out;

  using T = ComputeType<S>;

  /// What values of a segment are multiplied by.
  __device__ T factor(std::int64_t image, int segment) const {
    if (saved == nullptr || segment < 0) return 1;
    return T{1} / static_cast<T>(saved[image * maps.num_segments + segment]);
  }
};

/// Segments of N cells from cell i of the batch on, a multiple of N.
template <int N>
__device__ void load_segments(const LabelMaps& maps, std::int64_t i, int (&segments)[N]) {
  if (maps.is_wide) {
    constexpr int kPack = N < 2 ? N : 2;
    const auto* from = static_cast<const std::int64_t*>(maps.data) + i;
#pragma unroll
    for (int j = 0; j < N; j += kPack) {
      const auto pack = load_pack<kPack>(from + j);
#pragma unroll
      for (int k = 0; k < kPack; ++k) segments[j + k] = maps.segment(pack.element[k]);
    }
  } else {
    constexpr int kPack = N < 4 ? N : 4;
    const auto* from = static_cast<const std::int32_t*>(maps.data) + i;
#pragma unroll
    for (int j = 0; j < N; j += kPack) {
      const auto pack = load_pack<kPack>(from + j);
#pragma unroll
      for (int k = 0; k < kPack; ++k) segments[j + k] = maps.segment(pack.element[k]);
    }
  }
}

/// A block takes kThreads * N cells and kCellChannels channels.
template <class S, int N, bool kIsBest>
__global__ void __launch_bounds__(kThreads) cell_kernel(UnpoolJob<S> job) {
  using T = ComputeType<S>;
  const std::int64_t plane = job.maps.cells();
  const std::int64_t groups = blocks_for(job.channels, kCellChannels);
  const std::int64_t pieces = blocks_for(plane, kThreads * N);
  const std::int64_t piece_of_batch = blockIdx.x / groups;
  const std::int64_t image = piece_of_batch / pieces;
  const std::int64_t cell = ((piece_of_batch - image * pieces) * kThreads + threadIdx.x) * N;
  if (cell >= plane) return;
  int segments[N];
  load_segments<N>(job.maps, image * plane + cell, segments);
  T factors[N];
  if constexpr (!kIsBest) {
#pragma unroll
    for (int j = 0; j < N; ++j) factors[j] = job.factor(image, segments[j]);
  }
  const std::int64_t num_segments = job.maps.num_segments;
  const std::int64_t first = (blockIdx.x - piece_of_batch * groups) * kCellChannels;
  const int channels = static_cast<int>(min(job.channels - first, std::int64_t{kCellChannels}));
  const std::int64_t first_plane = image * job.channels + first;
  const S* pooled = job.pooled + first_plane * num_segments;
  const std::int32_t* best = kIsBest ? job.saved + first_plane * num_segments : nullptr;
  S* out = job.out + first_plane * plane + cell;
#pragma unroll kUnroll
  for (int c = 0; c < channels; ++c) {
    Pack<S, N> pack;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const std::int64_t from = c * num_segments + segments[j];
      if constexpr (kIsBest) {
        const bool is_here = segments[j] >= 0 && best[from] == cell + j;
        pack.element[j] = is_here ? pooled[from] : S{};
      } else {
        const S element = segments[j] >= 0 ? pooled[from] : S{};
        pack.element[j] = narrow<S>(widen(element) * factors[j]);
      }
    }
    store_pack(out + c * plane, pack);
  }
}

/// The pixels of a cell.
struct Pixels {
  const LabelMaps& maps;
  std::int64_t image;
  int y_begin, y_end, x_begin, x_end;

  __device__ int segment(int y, int x) const {
    return maps[(image * maps.y.length + y) * maps.x.length + x];
  }
  /// Whether (y, x) is the first pixel of its segment in raster order.
  __device__ bool is_first(int y, int x, int segment_there) const {
    for (int v = y_begin; v <= y; ++v) {
      for (int u = x_begin; u < (v < y ? x_end : x); ++u) {
        if (segment(v, u) == segment_there) return false;
      }
    }
    return true;
  }
};

/// A block takes kThreads cells and kPixelChannels channels.
template <class S, bool kIsBest>
__global__ void __launch_bounds__(kThreads) pixel_kernel(UnpoolJob<S> job) {
  using T = ComputeType<S>;
  const std::int64_t plane = job.maps.cells();
  const std::int64_t groups = blocks_for(job.channels, kPixelChannels);
  const std::int64_t pieces = blocks_for(plane, kThreads);
  const std::int64_t piece_of_batch = blockIdx.x / groups;
  const std::int64_t image = piece_of_batch / pieces;
  const std::int64_t cell = (piece_of_batch - image * pieces) * kThreads + threadIdx.x;
  if (cell >= plane) return;
  const int row = static_cast<int>(cell / job.maps.x.cells);
  const int column = static_cast<int>(cell - static_cast<std::int64_t>(row) * job.maps.x.cells);
  const Pixels pixels{job.maps,
                      image,
                      job.maps.y.begin(row),
                      job.maps.y.begin(row + 1),
                      job.maps.x.begin(column),
                      job.maps.x.begin(column + 1)};
  const std::int64_t num_segments = job.maps.num_segments;
  const std::int64_t first = (blockIdx.x - piece_of_batch * groups) * kPixelChannels;
  const int channels = static_cast<int>(min(job.channels - first, std::int64_t{kPixelChannels}));
  const std::int64_t first_plane = image * job.channels + first;
  const S* pooled = job.pooled + first_plane * num_segments;
  const std::int32_t* best = kIsBest ? job.saved + first_plane * num_segments : nullptr;
  T sums[kPixelChannels] = {};

  // The pixels of a run of equal labels, of which (y, x) is the first.
  const auto add = [&](int segment, int length, int y, int x) {
    if (segment < 0) return;
    if constexpr (kIsBest) {
      bool is_here = false;
#pragma unroll
      for (int c = 0; c < kPixelChannels; ++c) {
        if (c < channels) is_here = is_here || best[c * num_segments + segment] == cell;
      }
      if (!is_here || !pixels.is_first(y, x, segment)) return;
    }
    const T weight = kIsBest ? T{1} : static_cast<T>(length) * job.factor(image, segment);
#pragma unroll
    for (int c = 0; c < kPixelChannels; ++c) {
      const std::int64_t from = c * num_segments + segment;
      if (c < channels && (!kIsBest || best[from] == cell)) {
        sums[c] += weight * widen(pooled[from]);
      }
    }
  };
  int segment = -1;
  int length = 0;
  int run_y = 0;
  int run_x = 0;
  for (int y = pixels.y_begin; y < pixels.y_end; ++y) {
    for (int x = pixels.x_begin; x < pixels.x_end; ++x) {
      const int next = pixels.segment(y, x);
      if (next != segment) {
        add(segment, length, run_y, run_x);
        segment = next;
        length = 0;
        run_y = y;
        run_x = x;
      }
      ++length;
    }
  }
  add(segment, length, run_y, run_x);
#pragma unroll
  for (int c = 0; c < kPixelChannels; ++c) {
    if (c < channels) job.out[(first_plane + c) * plane + cell] = narrow<S>(sums[c]);
  }
}

template <class S, bool kIsBest>
void run(const Call& call, const UnpoolJob<S>& job) {
  const std::int64_t plane = job.maps.cells();
  if (!job.maps.has_a_label_per_cell()) {
    call.launch(
        pixel_kernel<S, kIsBest>,
        job.maps.batch * blocks_for(plane, kThreads) * blocks_for(job.channels, kPixelChannels),
        kThreads, 0, job);
    return;
  }
  with_pack<S>(plane, {job.maps.data, job.out}, [&](auto n) {
    constexpr int kN = decltype(n)::value;
    call.launch(
        cell_kernel<S, kN, kIsBest>,
        job.maps.batch * blocks_for(plane, kThreads * kN) * blocks_for(job.channels, kCellChannels),
        kThreads, 0, job);
  });
}

}  // namespace

void unpool(const char* op, const ArrayView& pooled, const ArrayView& labels,
            const std::int32_t* saved, const ArrayView& out, Reduce reduce,
            const Context& context) {
  Call call(op, context);
  if (!call.begin() || out.size() == 0) return;
  const LabelMaps maps(labels, out, pooled.shape[2]);
  detail::with_floating(out.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    const UnpoolJob<S> job{maps, out.shape[1], static_cast<const S*>(pooled.data), saved,
                           static_cast<S*>(out.data)};
    if (reduce == Reduce::kMax || reduce == Reduce::kMin) {
      run<S, true>(call, job);
    } else {
      run<S, false>(call, job);
    }
  });
}

}  // namespace superpix::cuda
