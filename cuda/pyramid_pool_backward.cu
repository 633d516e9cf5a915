// SPDX-License-Identifier: Apache-2.0
//
// Mean: all pixels of a cell (pyramid_axes.h) have the same gradient. A block adds up what windows
// give to its cells, lays that out as one row of pixels for each piece of rows, and copies the row
// to all rows of the piece. Maximum: a block clears its pixels, and then the first window of those
// with the same maximum writes what all of them give. Pixels are shared out as in pyramid_pool
// (pyramid_chunks.h), so that one launch is enough for planes of any size.
//
// Where the windows are too many for that, every pixel looks for the windows that it is in.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

#include "call.h"
#include "detail/soft_arguments.h"
#include "element.h"
#include "pyramid_axes.h"
#include "pyramid_chunks.h"
#include "pyramid_direct.h"
#include "pyramid_pool.h"
#include "pyramid_reduce.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

/// Windows of a plane that are kept in shared memory. Those of maxima are compared with each other.
constexpr int kMostMeans = 2048;
constexpr int kMostMaxima = 512;

struct Indices {
  const void* data;
  bool is_64_bit;

  __device__ std::int64_t operator[](std::int64_t i) const {
    return is_64_bit ? static_cast<const std::int64_t*>(data)[i]
                     : static_cast<const std::int32_t*>(data)[i];
  }
};

__host__ __device__ constexpr std::size_t padded(std::size_t bytes) {
  return (bytes + 15) / 16 * 16;
}

/// Shared memory of a block, in bytes: a row of pixels for each piece of rows, what a pixel gets of
/// each window, and the bins that each piece is in.
template <class S>
struct MeanMemory {
  std::size_t shares, row_bins, column_bins, end;

  __host__ __device__ MeanMemory(const PyramidChunks& chunks, const Pyramid& pyramid) {
    const auto planes = static_cast<std::size_t>(chunks.planes);
    const auto levels = static_cast<std::size_t>(pyramid.num_levels);
    shares = padded(planes * chunks.strips * chunks.columns.size.value() * sizeof(S));
    row_bins = shares + padded(planes * pyramid.num_windows.value() * sizeof(ComputeType<S>));
    column_bins = row_bins + padded(chunks.strips * levels * sizeof(Span));
    end = column_bins + pyramid.columns.num_pieces.value() * levels * sizeof(Span);
  }
};

template <class S, int N>
__global__ void __launch_bounds__(kPyramidThreads)
    mean_kernel(const S* __restrict__ pooled, S* __restrict__ features,
                const __grid_constant__ Pyramid pyramid,
                const __grid_constant__ PyramidChunks chunks, std::int64_t planes) {
  using Value = ComputeType<S>;
  const PyramidChunk chunk(pyramid, chunks, planes);
  const int first = static_cast<int>(threadIdx.x);
  const int num_threads = static_cast<int>(blockDim.x);
  const int height = pyramid.rows.length();
  const int width = pyramid.columns.length();
  const int num_levels = pyramid.num_levels;
  const int num_windows = pyramid.num_windows.value();
  const MeanMemory<S> memory(chunks, pyramid);
  S* const strips = shared_memory<S>();
  auto* const shares = shared_memory<Value>(memory.shares);
  auto* const row_bins = shared_memory<Span>(memory.row_bins);
  auto* const column_bins = shared_memory<Span>(memory.column_bins);

  for (int i = first; i < chunk.num_planes * num_windows; i += num_threads) {
    const Value gradient = widen(pooled[chunk.first_plane * num_windows + i]);
    const int plane = i / pyramid.num_windows;
    const PyramidWindow window = pyramid.window(i - plane * num_windows);
    shares[i] = gradient / (static_cast<Value>(pyramid.row_pixels(window).size()) *
                            static_cast<Value>(pyramid.column_pixels(window).size()));
  }
  const Span row_pieces{chunk.first_strip, chunk.row_pieces.end};
  const int num_rows = row_pieces.size();
  const int num_columns = chunk.column_pieces.size();
  const int num_row_bins = num_rows * num_levels;
  for (int i = first; i < num_row_bins + num_columns * num_levels; i += num_threads) {
    const bool is_row = i < num_row_bins;
    const int k = is_row ? i : i - num_row_bins;
    const int piece = k / num_levels;
    const int bins = pyramid.levels[k - piece * num_levels].bins.value();
    const int edge = is_row ? pyramid.rows.edge[row_pieces.begin + piece]
                            : pyramid.columns.edge[chunk.column_pieces.begin + piece];
    (is_row ? row_bins : column_bins)[k] = pyramid_bin(edge, bins, is_row ? height : width);
  }
  __syncthreads();

  const int stride = chunks.columns.size.value();
  const int cell_threads = chunk.num_planes * num_rows * num_columns * chunks.lanes.value();
  for (int i = first; i < cell_threads; i += num_threads) {
    const int cell = i / chunks.lanes;
    const int lane = i - cell * chunks.lanes.value();
    const int strip =
        chunks.holds_planes() ? cell / pyramid.columns.num_pieces : cell / num_columns;
    const int plane = chunks.holds_planes() ? strip / pyramid.rows.num_pieces : 0;
    const int piece = cell - strip * num_columns;
    const Span* rows = row_bins + (strip - plane * num_rows) * num_levels;
    const Span* columns = column_bins + piece * num_levels;
    Value sum = 0;
    for (int l = 0; l < num_levels; ++l) {
      const int bins = pyramid.levels[l].bins.value();
      const Value* level = shares + plane * num_windows + pyramid.levels[l].first_window;
      for (int y = rows[l].begin; y < rows[l].end; ++y) {
        for (int x = columns[l].begin; x < columns[l].end; ++x) sum += level[y * bins + x];
      }
    }
    const S value = narrow<S>(sum);
    const Span pixels = pyramid.columns.pixels_in(chunk.column_pieces.begin + piece, chunk.columns);
    S* const to = strips + strip * stride - chunk.columns.begin;
    for (int x = pixels.begin + lane; x < pixels.end; x += chunks.lanes.value()) to[x] = value;
  }
  __syncthreads();

  const std::int64_t plane_size = static_cast<std::int64_t>(height) * width;
  const int num_groups = chunk.num_planes * chunks.groups.value();
  const PyramidThread thread(chunks);
  for (int i = thread.first_group; i < num_groups; i += chunks.groups_at_once) {
    const PyramidGroup group(pyramid, chunks, chunk, i);
    S* const row = features + (chunk.first_plane + group.plane) * plane_size +
                   static_cast<std::int64_t>(group.rows.begin) * width + chunk.columns.begin;
    for (int x = thread.first_pack * N; x < chunk.columns.size();
         x += chunks.group_threads.value() * N) {
      S* to = row + x;
      int piece = group.piece;
      const S* strip = strips + (group.plane * num_rows + piece - row_pieces.begin) * stride + x;
      for (int y = group.rows.begin; y < group.rows.end; ++piece, strip += stride) {
        const Pack<S, N> pixels = load_pack<N>(strip);
        const int end = min(pyramid.rows.edge[piece + 1], group.rows.end);
        for (; y < end; ++y, to += width) store_pack<N>(to, pixels);
      }
    }
  }
}

/// Shared memory of a block, in bytes: what windows give, and to which pixel.
template <class S>
struct MaxMemory {
  std::size_t indices, end;

  __host__ __device__ MaxMemory(const PyramidChunks& chunks, const Pyramid& pyramid) {
    const auto windows = static_cast<std::size_t>(chunks.planes) * pyramid.num_windows.value();
    indices = padded(windows * sizeof(ComputeType<S>));
    end = indices + windows * sizeof(int);
  }
};

/// Whether an index is that of a pixel of a window, in some rows and columns.
__device__ inline bool is_in_window(std::int64_t index, const PyramidWindow& window,
                                    const Pyramid& pyramid, Span rows, Span columns) {
  const int width = pyramid.columns.length();
  if (index < 0 || index >= static_cast<std::int64_t>(pyramid.rows.length()) * width) return false;
  const int y = static_cast<int>(index) / width;
  const int x = static_cast<int>(index) - y * width;
  return rows.contains(y) && columns.contains(x) && pyramid.row_pixels(window).contains(y) &&
         pyramid.column_pixels(window).contains(x);
}

template <class S, int N>
__global__ void __launch_bounds__(kPyramidThreads)
    max_kernel(const S* __restrict__ pooled, Indices maxima, S* features,
               const __grid_constant__ Pyramid pyramid,
               const __grid_constant__ PyramidChunks chunks, std::int64_t planes) {
  using Value = ComputeType<S>;
  const PyramidChunk chunk(pyramid, chunks, planes);
  const int first = static_cast<int>(threadIdx.x);
  const int num_threads = static_cast<int>(blockDim.x);
  const int width = pyramid.columns.length();
  const std::int64_t plane_size = static_cast<std::int64_t>(pyramid.rows.length()) * width;
  const int num_windows = pyramid.num_windows.value();
  const MaxMemory<S> memory(chunks, pyramid);
  auto* const gradients = shared_memory<Value>();
  auto* const indices = shared_memory<int>(memory.indices);

  for (int i = first; i < chunk.num_planes * num_windows; i += num_threads) {
    const std::int64_t from = chunk.first_plane * num_windows + i;
    const std::int64_t index = maxima[from];
    gradients[i] = widen(pooled[from]);
    const int plane = i / pyramid.num_windows;
    const PyramidWindow window = pyramid.window(i - plane * num_windows);
    indices[i] = is_in_window(index, window, pyramid, chunk.rows, chunk.columns)
                     ? static_cast<int>(index)
                     : -1;
  }
  S* const block = features + chunk.first_plane * plane_size;
  const int num_groups = chunk.num_planes * chunks.groups.value();
  const PyramidThread thread(chunks);
  for (int i = thread.first_group; i < num_groups; i += chunks.groups_at_once) {
    const PyramidGroup group(pyramid, chunks, chunk, i);
    S* const row = block + group.plane * plane_size +
                   static_cast<std::int64_t>(group.rows.begin) * width + chunk.columns.begin;
    for (int x = thread.first_pack * N; x < chunk.columns.size();
         x += chunks.group_threads.value() * N) {
      S* to = row + x;
      for (int y = group.rows.begin; y < group.rows.end; ++y, to += width) {
        store_pack<N>(to, Pack<S, N>{});
      }
    }
  }
  __syncthreads();

  for (int i = first; i < chunk.num_planes * num_windows; i += num_threads) {
    const int index = indices[i];
    if (index < 0) continue;
    const int plane = i / pyramid.num_windows;
    bool is_first = true;
    Value sum = 0;
    for (int k = plane * num_windows; k < (plane + 1) * num_windows; ++k) {
      if (indices[k] != index) continue;
      is_first = is_first && k >= i;
      sum += gradients[k];
    }
    if (is_first) block[plane * plane_size + index] = narrow<S>(sum);
  }
}

/// As many bins as one launch takes to the device.
struct BinTable {
  static constexpr int kSize = 256;
  int bins[kSize];
};

__global__ void __launch_bounds__(BinTable::kSize)
    bins_kernel(const __grid_constant__ BinTable from, int n, int* to) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < n) to[i] = from.bins[i];
}

/// Gradients of windows, of any levels.
template <class S>
struct Windows {
  const S* pooled;
  Indices indices;
  const int* bins;
  std::int64_t num_levels;
  std::int64_t num_windows;
};

/// A pixel has a thread, or a warp where it is in many windows.
template <class S, bool kIsMax>
__global__ void __launch_bounds__(kDirectThreads)
    direct_backward_kernel(Windows<S> windows, S* __restrict__ features, std::int64_t planes,
                           int height, int width, int lanes) {
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kDirectThreads + threadIdx.x;
  const std::int64_t i = thread / lanes;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const std::int64_t plane_size = static_cast<std::int64_t>(height) * width;
  const bool is_active = i < planes * plane_size;
  double sum = 0.0;
  if (is_active) {
    const std::int64_t plane = i / plane_size;
    const auto pixel = static_cast<int>(i - plane * plane_size);
    const int y = pixel / width;
    const int x = pixel - y * width;
    std::int64_t level = plane * windows.num_windows;
    for (std::int64_t l = 0; l < windows.num_levels; ++l) {
      const int bins = windows.bins[l];
      const Span rows = pyramid_bin(y, bins, height);
      const Span columns = pyramid_bin(x, bins, width);
      for (PyramidWalk walk(rows.size(), columns.size(), lane, lanes); walk.is_inside();
           walk.advance()) {
        const int row = rows.begin + walk.y();
        const int column = columns.begin + walk.x();
        const std::int64_t t = level + static_cast<std::int64_t>(row) * bins + column;
        if constexpr (kIsMax) {
          if (windows.indices[t] == pixel) sum += static_cast<double>(widen(windows.pooled[t]));
        } else {
          const std::int64_t size =
              static_cast<std::int64_t>(pyramid_bin(row, height, bins).size()) *
              pyramid_bin(column, width, bins).size();
          sum += static_cast<double>(widen(windows.pooled[t])) / static_cast<double>(size);
        }
      }
      level += static_cast<std::int64_t>(bins) * bins;
    }
  }
  sum = reduce_lanes<PyramidMean<S>>(sum, lanes);
  if (is_active && lane == 0) features[i] = narrow<S>(static_cast<ComputeType<S>>(sum));
}

struct Gradients {
  std::int64_t planes, height, width;
  std::int64_t num_windows;
  const void* pooled;
  /// For the maximum.
  const ArrayView* indices;
  void* features;

  Indices maxima() const {
    if (indices == nullptr) return {nullptr, false};
    return {indices->data, indices->dtype == DType::kInt64};
  }
};

template <class S>
void run_together(Call& call, const Gradients& a, const Pyramid& pyramid) {
  if (!call.begin()) return;
  const auto* pooled = static_cast<const S*>(a.pooled);
  auto* features = static_cast<S*>(a.features);
  const auto shared_bytes = [&](const PyramidChunks& chunks) {
    return a.indices == nullptr ? MeanMemory<S>(chunks, pyramid).end
                                : MaxMemory<S>(chunks, pyramid).end;
  };
  with_pyramid_pack<S>(a.width, a.features, [&](auto n) {
    constexpr int kN = decltype(n)::value;
    const PyramidChunks chunks = pyramid_chunks(pyramid, sizeof(S), kN, shared_bytes);
    const std::int64_t blocks = chunks.blocks(a.planes);
    const int threads = chunks.threads();
    if (a.indices == nullptr) {
      call.launch(mean_kernel<S, kN>, blocks, threads, shared_bytes(chunks), pooled, features,
                  pyramid, chunks, a.planes);
    } else {
      call.launch(max_kernel<S, kN>, blocks, threads, shared_bytes(chunks), pooled, a.maxima(),
                  features, pyramid, chunks, a.planes);
    }
  });
}

template <class S>
void run_directly(Call& call, const Gradients& a, const std::vector<std::int64_t>& bins) {
  constexpr std::int64_t kWindowsOfThread = 256;
  const auto num_levels = static_cast<std::int64_t>(bins.size());
  int* const table = call.take<int>(num_levels);
  if (!call.begin()) return;
  for (std::int64_t first = 0; first < num_levels; first += BinTable::kSize) {
    BinTable part{};
    const std::int64_t n = std::min<std::int64_t>(BinTable::kSize, num_levels - first);
    for (std::int64_t i = 0; i < n; ++i) part.bins[i] = static_cast<int>(bins[first + i]);
    call.launch(bins_kernel, 1, BinTable::kSize, 0, part, static_cast<int>(n), table + first);
  }
  std::int64_t of_pixel = 0;
  for (const std::int64_t b : bins) of_pixel += (b / a.height + 1) * (b / a.width + 1);
  const int lanes = of_pixel > kWindowsOfThread ? 32 : 1;
  const Windows<S> windows{static_cast<const S*>(a.pooled), a.maxima(), table, num_levels,
                           a.num_windows};
  const std::int64_t blocks = blocks_for(a.planes * a.height * a.width * lanes, kDirectThreads);
  const auto launch = [&](auto kernel) {
    call.launch(kernel, blocks, kDirectThreads, 0, windows, static_cast<S*>(a.features), a.planes,
                static_cast<int>(a.height), static_cast<int>(a.width), lanes);
  };
  if (a.indices == nullptr) {
    launch(direct_backward_kernel<S, false>);
  } else {
    launch(direct_backward_kernel<S, true>);
  }
}

}  // namespace

void pyramid_pool_backward(const ArrayView& grad_pooled, const ArrayView* indices,
                           const ArrayView& grad_features, const PyramidPoolParams& params,
                           const Context& context) {
  Call call("pyramid_pool_backward", context);
  const Gradients a{grad_features.shape[0] * grad_features.shape[1],
                    grad_features.shape[2],
                    grad_features.shape[3],
                    grad_pooled.shape[2],
                    grad_pooled.data,
                    indices,
                    grad_features.data};
  detail::with_floating(grad_pooled.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    std::optional<Pyramid> pyramid;
    if (a.num_windows <= (indices == nullptr ? kMostMeans : kMostMaxima)) {
      pyramid = pyramid_of(a.height, a.width, pyramid_levels(params.bins));
    }
    if (pyramid) {
      run_together<S>(call, a, *pyramid);
    } else {
      run_directly<S>(call, a, params.bins);
    }
  });
}

}  // namespace superpix::cuda
