// SPDX-License-Identifier: Apache-2.0
//
// Where a cell has one label, a thread reads the labels of as many neighbouring cells as one access
// of 16 bytes writes, and then gathers and writes them channel by channel. Values of a channel are
// few and neighbours mostly want the same one, so that they come from the first-level cache;
// nothing but the output is moved in bulk. Where resolutions differ, a thread takes one cell, goes
// through its pixels and adds up sixteen channels. Nothing is scattered, so that everything is
// written once.
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
constexpr int kCellChannels = 32;   // of a block, where a cell has one label
constexpr int kPixelChannels = 16;  // of a block, where it has several

/// What cells get of a segment: its value, its value divided by its pixels, or its value if the
/// saved index is that of the cell.
enum class Unpool { kCopy, kDivide, kBest };

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
    return T{1} / static_cast<T>(saved[image * maps.num_segments + segment]);
  }
};

/// What a block takes: channels fastest, so that labels are still in a cache for the next ones.
struct Block {
  std::int64_t image;
  std::int64_t first_cell;
  std::int64_t first_channel;
  int channels;

  __device__ Block(unsigned pieces, unsigned groups, int cells_per_block, int channels_per_block,
                   std::int64_t all_channels) {
    const unsigned piece_of_batch = blockIdx.x / groups;
    const unsigned group = blockIdx.x - piece_of_batch * groups;
    const unsigned image_index = piece_of_batch / pieces;
    image = image_index;
    first_cell = std::int64_t{piece_of_batch - image_index * pieces} * cells_per_block;
    first_channel = std::int64_t{group} * channels_per_block;
    channels = static_cast<int>(
        min(all_channels - first_channel, static_cast<std::int64_t>(channels_per_block)));
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
template <class S, int N, Unpool kWhat>
__global__ void __launch_bounds__(kThreads)
    cell_kernel(UnpoolJob<S> job, unsigned pieces, unsigned groups) {
  using T = ComputeType<S>;
  const Block block(pieces, groups, kThreads * N, kCellChannels, job.channels);
  const std::int64_t plane = job.maps.cells();
  const std::int64_t cell = block.first_cell + static_cast<int>(threadIdx.x) * N;
  if (cell >= plane) return;
  int segments[N];
  load_segments<N>(job.maps, block.image * plane + cell, segments);
  [[maybe_unused]] T factors[N];
  if constexpr (kWhat == Unpool::kDivide) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      factors[j] = segments[j] >= 0 ? job.factor(block.image, segments[j]) : T{0};
    }
  }
  const std::int64_t num_segments = job.maps.num_segments;
  const std::int64_t first_plane = block.image * job.channels + block.first_channel;
  const S* pooled = job.pooled + first_plane * num_segments;
  [[maybe_unused]] const std::int32_t* best = nullptr;
  if constexpr (kWhat == Unpool::kBest) best = job.saved + first_plane * num_segments;
  S* out = job.out + first_plane * plane + cell;
#pragma unroll 2
  for (int c = 0; c < block.channels; ++c) {
    Pack<S, N> pack;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const auto segment = static_cast<unsigned>(segments[j]);
      bool exists = segments[j] >= 0;
      if constexpr (kWhat == Unpool::kBest) {
        exists = exists && best[segment] == static_cast<std::int32_t>(cell) + j;
      }
      pack.element[j] = exists ? pooled[segment] : S{};
      if constexpr (kWhat == Unpool::kDivide) {
        pack.element[j] = narrow<S>(widen(pack.element[j]) * factors[j]);
      }
    }
    store_pack(out, pack);
    out += plane;
    pooled += num_segments;
    if constexpr (kWhat == Unpool::kBest) best += num_segments;
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
template <class S, Unpool kWhat>
__global__ void __launch_bounds__(kThreads, 1)
    pixel_kernel(UnpoolJob<S> job, unsigned pieces, unsigned groups) {
  using T = ComputeType<S>;
  constexpr bool kIsBest = kWhat == Unpool::kBest;
  const Block block(pieces, groups, kThreads, kPixelChannels, job.channels);
  const std::int64_t plane = job.maps.cells();
  if (block.first_cell + threadIdx.x >= plane) return;
  const auto cell = static_cast<std::int32_t>(block.first_cell + threadIdx.x);
  const int row = cell / job.maps.x.cells;
  const int column = cell - row * job.maps.x.cells;
  const Pixels pixels{job.maps,
                      block.image,
                      job.maps.y.begin(row),
                      job.maps.y.begin(row + 1),
                      job.maps.x.begin(column),
                      job.maps.x.begin(column + 1)};
  const std::int64_t num_segments = job.maps.num_segments;
  const std::int64_t first_plane = block.image * job.channels + block.first_channel;
  const S* pooled = job.pooled + first_plane * num_segments;
  [[maybe_unused]] const std::int32_t* best = nullptr;
  if constexpr (kIsBest) best = job.saved + first_plane * num_segments;
  T sums[kPixelChannels] = {};

  // The pixels of a run of equal labels, of which (y, x) is the first.
  const auto add = [&](int segment, int length, int y, int x) {
    if (segment < 0) return;
    unsigned wanted = 0;  // a bit for each channel
#pragma unroll
    for (int c = 0; c < kPixelChannels; ++c) {
      if (c >= block.channels) continue;
      if (!kIsBest || best[c * num_segments + segment] == cell) wanted |= 1U << c;
    }
    // A segment counts once for its best cell, however many pixels it has there.
    if (kIsBest && (wanted == 0 || !pixels.is_first(y, x, segment))) return;
    T weight = kIsBest ? T{1} : static_cast<T>(length);
    if constexpr (kWhat == Unpool::kDivide) weight *= job.factor(block.image, segment);
#pragma unroll
    for (int c = 0; c < kPixelChannels; ++c) {
      if ((wanted >> c & 1U) != 0) sums[c] += weight * widen(pooled[c * num_segments + segment]);
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
  S* out = job.out + first_plane * plane + cell;
#pragma unroll
  for (int c = 0; c < kPixelChannels; ++c) {
    if (c < block.channels) out[c * plane] = narrow<S>(sums[c]);
  }
}

template <Unpool kWhat, class S>
void run(const Call& call, const UnpoolJob<S>& job) {
  const std::int64_t plane = job.maps.cells();
  const auto launch = [&](auto* kernel, int cells_per_block, int channels_per_block) {
    const std::int64_t pieces = blocks_for(plane, cells_per_block);
    const std::int64_t groups = blocks_for(job.channels, channels_per_block);
    call.launch(kernel, job.maps.batch * pieces * groups, kThreads, 0, job, pieces, groups);
  };
  if (!job.maps.has_a_label_per_cell()) {
    launch(pixel_kernel<S, kWhat>, kThreads, kPixelChannels);
    return;
  }
  with_pack<S>(plane, {job.maps.data, job.out}, [&](auto n) {
    constexpr int kN = decltype(n)::value;
    launch(cell_kernel<S, kN, kWhat>, kThreads * kN, kCellChannels);
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
    switch (reduce) {
      case Reduce::kSum:
        return run<Unpool::kCopy>(call, job);
      case Reduce::kMean:
        return run<Unpool::kDivide>(call, job);
      default:
        return run<Unpool::kBest>(call, job);
    }
  });
}

}  // namespace superpix::cuda
