// SPDX-License-Identifier: Apache-2.0
//
// Levels of few windows are reduced together, from one read of the features. Threads reduce columns
// of groups of rows to lines (pyramid_chunks.h), lanes bring together what of lines belongs to a
// cell, and then come the cells of a window. Where a block has whole planes, all of that stays in
// shared memory. The cells of large planes, which many blocks have a share in, go through the
// workspace, and a second kernel makes the windows.
//
// Levels of many windows are read for themselves (pyramid_direct.h).
#include "pyramid_pool.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "call.h"
#include "detail/soft_arguments.h"
#include "element.h"
#include "pyramid_axes.h"
#include "pyramid_chunks.h"
#include "pyramid_direct.h"
#include "pyramid_reduce.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
constexpr int kMostBlocks = 4;  // of a multiprocessor with 1024 threads
#else
constexpr int kMostBlocks = 5;
#endif
/// Blocks of a multiprocessor: as few as leave registers for all loads of a thread at a time.
template <class Reduce, int N>
constexpr int kBlocks = N == 8             ? 3
                        : Reduce::kIsLarge ? 4
                                           : kMostBlocks;

/// What a launch is about, besides its memory.
struct Task {
  PyramidChunks chunks;
  /// Cells of a plane: piece p in tile t is p + t, of rows and of columns.
  int cell_rows, cell_columns;
  std::int64_t planes;
  /// Windows of a plane, also of levels that are not in the table.
  std::int64_t num_outputs;
};

/// The cells of pieces along an axis, in all tiles.
__device__ inline Span cells_of(const PyramidAxis& axis, const PyramidTiles& tiles, Span pieces) {
  const Span pixels = axis.pixels(pieces);
  return {pieces.begin + pixels.begin / tiles.size, pieces.end + (pixels.end - 1) / tiles.size};
}

/// Reduces N columns, which lie at x in their plane, in some rows: to one line for each piece of
/// rows, from the one that the rows begin in.
template <class Reduce, int N>
__device__ __forceinline__ void reduce_columns(const typename Reduce::Element* plane,
                                               const PyramidAxis& axis, Span rows, int piece, int x,
                                               int width, typename Reduce::Cell* line,
                                               int line_step) {
  using S = typename Reduce::Element;
  constexpr int kAtOnce = sizeof(Pack<S, N>) == 16 ? 4 : 8;
  const S* from = plane + static_cast<std::int64_t>(rows.begin) * width + x;
  const int last = rows.size() - 1;
  int edge = axis.edge[piece + 1];
  typename Reduce::Column columns[N];
#pragma unroll
  for (int j = 0; j < N; ++j) columns[j].start(rows.begin);
  for (int done = 0; done < rows.size(); done += kAtOnce) {
    const int first = rows.begin + done;
    const int left = rows.size() - done;
    // The last row again rather than none: loads without conditions are all on their way at once.
    Pack<S, N> packs[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      packs[k] = load_pack<N>(from + static_cast<std::int64_t>(min(done + k, last)) * width);
    }

#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      if (first + k == edge && k < left) {
#pragma unroll
        for (int j = 0; j < N; ++j) {
          line[j] = columns[j].cell(x + j, width);
          columns[j].start(edge);
        }
        line += line_step;
        edge = axis.edge[++piece + 1];
      }
#pragma unroll
      for (int j = 0; j < N; ++j) {
        if (k < left) columns[j].add(widen(packs[k].element[j]), first + k);
      }
    }
  }
#pragma unroll
  for (int j = 0; j < N; ++j) line[j] = columns[j].cell(x + j, width);
}

/// Lines of a chunk, in shared memory, from its pixels.
template <class Reduce, int N>
__device__ void reduce_lines(const typename Reduce::Element* features, const Pyramid& pyramid,
                             const PyramidChunks& chunks, const PyramidChunk& chunk,
                             typename Reduce::Cell* lines) {
  const int width = pyramid.columns.length();
  const std::int64_t plane_size = static_cast<std::int64_t>(pyramid.rows.length()) * width;
  const int num_groups = chunk.num_planes * chunks.groups.value();
  const PyramidThread thread(chunks);
  for (int i = thread.first_group; i < num_groups; i += chunks.groups_at_once) {
    const PyramidGroup group(pyramid, chunks, chunk, i);
    if (group.rows.size() == 0) continue;
    const auto* plane = features + (chunk.first_plane + group.plane) * plane_size;
    const int step = chunks.group_threads.value() * N;
    for (int x = thread.first_pack * N; x < chunk.columns.size(); x += step) {
      reduce_columns<Reduce, N>(
          plane, pyramid.rows, group.rows, group.piece, chunk.columns.begin + x, width,
          lines + group.line * chunks.columns.size.value() + x, chunks.columns.size.value());
    }
  }
}

/// Cells of a chunk from its lines. `cells` are those of its first plane, in any memory.
template <class Reduce>
__device__ void reduce_cells(const typename Reduce::Cell* lines, const Pyramid& pyramid,
                             const PyramidChunk& chunk, const Task& task,
                             typename Reduce::Cell* cells) {
  const PyramidChunks& chunks = task.chunks;
  const int thread = static_cast<int>(threadIdx.x);
  const int num_threads = static_cast<int>(blockDim.x);
  const int num_rows = chunk.row_pieces.size();
  const int num_columns = chunk.column_pieces.size();
  const int cell_threads = chunk.num_planes * num_rows * num_columns * chunks.lanes.value();
  for (int first = 0; first < cell_threads; first += num_threads) {
    const bool is_active = first + thread < cell_threads;
    const int i = (first + thread) / chunks.lanes;
    const int lane = first + thread - i * chunks.lanes.value();
    const int row = chunks.holds_planes() ? i / pyramid.columns.num_pieces : i / num_columns;
    const int plane = chunks.holds_planes() ? row / pyramid.rows.num_pieces : 0;
    const int row_piece = chunk.row_pieces.begin + row - plane * num_rows;
    const int column_piece = chunk.column_pieces.begin + i - row * num_columns;
    typename Reduce::Cell reduced = Reduce::nothing();
    if (is_active) {
      const Span rows = pyramid.rows.pixels_in(row_piece, chunk.rows);
      const Span columns = pyramid.columns.pixels_in(column_piece, chunk.columns);
      if (rows.size() > 0) {
        const int first_group = (rows.begin - chunk.rows.begin) / chunks.group_rows;
        const int last_group = (rows.end - 1 - chunk.rows.begin) / chunks.group_rows;
        const int line = plane * chunks.lines() + row_piece - chunk.first_strip;
        for (int group = first_group; group <= last_group; ++group) {
          const auto* from =
              lines + (line + group) * chunks.columns.size.value() - chunk.columns.begin;
          for (int x = columns.begin + lane; x < columns.end; x += chunks.lanes.value()) {
            reduced = Reduce::combine(reduced, from[x]);
          }
        }
      }
    }
    reduced = reduce_lanes<Reduce>(reduced, chunks.lanes.value());
    if (is_active && lane == 0) {
      const std::int64_t cell_row = plane * task.cell_rows + row_piece + chunk.row_tile;
      cells[cell_row * task.cell_columns + column_piece + chunk.column_tile] = reduced;
    }
  }
}

/// For each bin of rows, of each level, the cells below each other.
template <class Reduce>
__device__ void reduce_bins(const typename Reduce::Cell* cells, const Pyramid& pyramid,
                            const PyramidChunk& chunk, const Task& task,
                            typename Reduce::Cell* bins) {
  const int count = chunk.num_planes * pyramid.num_bins.value() * task.cell_columns;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    const int row = i / pyramid.columns.num_pieces;
    const int column = i - row * task.cell_columns;
    const int plane = row / pyramid.num_bins;
    const Span pieces = pyramid.rows.pieces(row - plane * pyramid.num_bins.value());
    const auto* from = cells + plane * task.cell_rows * task.cell_columns + column;
    typename Reduce::Cell reduced = Reduce::nothing();
    for (int piece = pieces.begin; piece < pieces.end; ++piece) {
      reduced = Reduce::combine(reduced, from[piece * task.cell_columns]);
    }
    bins[i] = reduced;
  }
}

template <class Reduce>
__device__ void finish_window(const typename Reduce::Cell& reduced, const PyramidWindow& window,
                              const Pyramid& pyramid, const Task& task, std::int64_t plane,
                              const typename Reduce::Element* features,
                              const PyramidOutput<typename Reduce::Element>& to) {
  const std::int64_t plane_size =
      static_cast<std::int64_t>(pyramid.rows.length()) * pyramid.columns.length();
  const std::int64_t size = static_cast<std::int64_t>(pyramid.row_pixels(window).size()) *
                            pyramid.column_pixels(window).size();
  Reduce::finish(reduced, size, features + plane * plane_size, to,
                 plane * task.num_outputs + window.output);
}

template <class Reduce, int N>
__global__ void __launch_bounds__(kPyramidThreads, kBlocks<Reduce, N>)
    pool_kernel(const typename Reduce::Element* __restrict__ features,
                PyramidOutput<typename Reduce::Element> to,
                typename Reduce::Cell* __restrict__ plane_cells,
                const __grid_constant__ Pyramid pyramid, const __grid_constant__ Task task) {
  using Cell = typename Reduce::Cell;
  const PyramidChunks& chunks = task.chunks;
  const PyramidChunk chunk(pyramid, chunks, task.planes);
  Cell* const lines = shared_memory<Cell>();
  reduce_lines<Reduce, N>(features, pyramid, chunks, chunk, lines);
  __syncthreads();
  if (!chunks.holds_planes()) {
    reduce_cells<Reduce>(lines, pyramid, chunk, task,
                         plane_cells + chunk.first_plane * task.cell_rows * task.cell_columns);
    return;
  }
  Cell* const bins = lines;  // which are not needed any more by then
  Cell* const cells = lines + chunks.planes * max(chunks.lines() * chunks.columns.size.value(),
                                                  pyramid.num_bins.value() * task.cell_columns);
  reduce_cells<Reduce>(lines, pyramid, chunk, task, cells);
  __syncthreads();
  reduce_bins<Reduce>(cells, pyramid, chunk, task, bins);
  __syncthreads();
  const int num_windows = chunk.num_planes * pyramid.num_windows.value();
  for (int i = static_cast<int>(threadIdx.x); i < num_windows; i += static_cast<int>(blockDim.x)) {
    const int plane = i / pyramid.num_windows;
    const PyramidWindow window = pyramid.window(i - plane * pyramid.num_windows.value());
    const Span pieces = pyramid.columns.pieces(window.column_bin);
    const Cell* row =
        bins + (plane * pyramid.num_bins.value() + window.row_bin) * task.cell_columns;
    Cell reduced = Reduce::nothing();
    for (int piece = pieces.begin; piece < pieces.end; ++piece) {
      reduced = Reduce::combine(reduced, row[piece]);
    }
    finish_window<Reduce>(reduced, window, pyramid, task, chunk.first_plane + plane, features, to);
  }
}

/// Windows of planes whose cells are in the workspace. A warp has one.
template <class Reduce>
__global__ void __launch_bounds__(kPyramidThreads)
    gather_kernel(const typename Reduce::Element* __restrict__ features,
                  PyramidOutput<typename Reduce::Element> to,
                  const typename Reduce::Cell* __restrict__ plane_cells,
                  const __grid_constant__ Pyramid pyramid, const __grid_constant__ Task task) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const std::int64_t warp =
      static_cast<std::int64_t>(blockIdx.x) * (kPyramidThreads / 32) + threadIdx.x / 32;
  const std::int64_t plane = warp / pyramid.num_windows.value();
  if (plane >= task.planes) return;  // and with it the whole warp
  const PyramidWindow window =
      pyramid.window(static_cast<int>(warp - plane * pyramid.num_windows.value()));
  const Span rows = cells_of(pyramid.rows, task.chunks.rows, pyramid.rows.pieces(window.row_bin));
  const Span columns =
      cells_of(pyramid.columns, task.chunks.columns, pyramid.columns.pieces(window.column_bin));
  const auto* corner =
      plane_cells + (plane * task.cell_rows + rows.begin) * task.cell_columns + columns.begin;
  typename Reduce::Cell reduced = Reduce::nothing();
  for (PyramidWalk walk(rows.size(), columns.size(), lane, 32); walk.is_inside(); walk.advance()) {
    reduced = Reduce::combine(
        reduced, corner[static_cast<std::int64_t>(walk.y()) * task.cell_columns + walk.x()]);
  }
  reduced = reduce_lanes<Reduce>(reduced, 32);
  if (lane != 0) return;
  finish_window<Reduce>(reduced, window, pyramid, task, plane, features, to);
}

/// Levels that are reduced together, and those that go alone.
struct Groups {
  std::vector<Pyramid> together;
  std::vector<PyramidLevel> alone;
};

Groups groups_of(std::int64_t height, std::int64_t width, std::vector<PyramidLevel> levels) {
  // With more, there would be as many cells as pixels.
  constexpr int kMostBinsTogether = 16;
  std::stable_sort(levels.begin(), levels.end(), [](const PyramidLevel& a, const PyramidLevel& b) {
    return a.bins.value() < b.bins.value();
  });
  Groups groups;
  std::vector<PyramidLevel> group;
  std::optional<Pyramid> pyramid;
  const auto close = [&] {
    if (pyramid) groups.together.push_back(*pyramid);
    pyramid.reset();
    group.clear();
  };
  for (const PyramidLevel& level : levels) {
    if (level.bins.value() > kMostBinsTogether) {
      groups.alone.push_back(level);
      continue;
    }
    group.push_back(level);
    std::optional<Pyramid> larger = pyramid_of(height, width, group);
    if (!larger) {
      close();
      group.push_back(level);
      larger = pyramid_of(height, width, group);
    }
    pyramid = larger;
  }
  close();
  return groups;
}

struct Shape {
  std::int64_t planes, height, width, num_outputs;
};

template <class Reduce>
class Pooling {
 public:
  using S = typename Reduce::Element;
  using Cell = typename Reduce::Cell;

  Pooling(Call& call, const Shape& shape, const PyramidPoolParams& params, const S* features,
          const PyramidOutput<S>& to)
      : call_(call), shape_(shape), features_(features), to_(to) {
    groups_ = groups_of(shape.height, shape.width, pyramid_levels(params.bins));
  }

  void take_workspace() {
    std::int64_t most = 0;
    for (const Pyramid& pyramid : groups_.together) {
      const Task task = task_of(pyramid, 1);
      if (task.chunks.holds_planes()) continue;
      most = std::max(most, shape_.planes * task.cell_rows * task.cell_columns);
    }
    cells_ = call_.take<Cell>(most);
  }

  void run() const {
    for (const Pyramid& pyramid : groups_.together) pool(pyramid);
    for (const PyramidLevel& level : groups_.alone) {
      pool_directly<Reduce>(call_, features_, to_, shape_.planes, static_cast<int>(shape_.height),
                            static_cast<int>(shape_.width), level, shape_.num_outputs);
    }
  }

 private:
  static std::size_t shared_bytes(const Pyramid& pyramid, const PyramidChunks& chunks) {
    std::int64_t cells = std::int64_t{chunks.lines()} * chunks.columns.size.value();
    if (chunks.holds_planes()) {
      const std::int64_t num_columns = pyramid.columns.num_pieces.value();
      cells = std::max(cells, pyramid.num_bins.value() * num_columns) +
              pyramid.rows.num_pieces.value() * num_columns;
    }
    return static_cast<std::size_t>(chunks.planes * cells) * sizeof(Cell);
  }

  Task task_of(const Pyramid& pyramid, int pack_size) const {
    const PyramidChunks chunks = pyramid_chunks(
        pyramid, sizeof(S), pack_size,
        [&](const PyramidChunks& candidate) { return shared_bytes(pyramid, candidate); });
    return {chunks, pyramid.rows.num_pieces.value() + chunks.rows.count.value() - 1,
            pyramid.columns.num_pieces.value() + chunks.columns.count.value() - 1, shape_.planes,
            shape_.num_outputs};
  }

  void pool(const Pyramid& pyramid) const {
    with_pyramid_pack<S>(shape_.width, features_, [&](auto n) {
      constexpr int kN = decltype(n)::value;
      const Task task = task_of(pyramid, kN);
      const PyramidChunks& chunks = task.chunks;
      call_.launch(pool_kernel<Reduce, kN>, chunks.blocks(shape_.planes), chunks.threads(),
                   shared_bytes(pyramid, chunks), features_, to_, cells_, pyramid, task);
      if (chunks.holds_planes()) return;
      call_.launch(gather_kernel<Reduce>,
                   blocks_for(shape_.planes * pyramid.num_windows.value(), kPyramidThreads / 32),
                   kPyramidThreads, 0, features_, to_, cells_, pyramid, task);
    });
  }

  Call& call_;
  const Shape& shape_;
  const S* features_;
  PyramidOutput<S> to_;
  Groups groups_;
  Cell* cells_ = nullptr;
};

template <class Reduce>
void run(Call& call, const Shape& shape, const PyramidPoolParams& params, const ArrayView& features,
         const ArrayView& pooled, const ArrayView* indices) {
  using S = typename Reduce::Element;
  const PyramidOutput<S> to{static_cast<S*>(pooled.data),
                            indices != nullptr ? indices->data : nullptr,
                            indices != nullptr && indices->dtype == DType::kInt64};
  Pooling<Reduce> pooling(call, shape, params, static_cast<const S*>(features.data), to);
  pooling.take_workspace();
  if (call.begin()) pooling.run();
}

}  // namespace

void pyramid_pool(const ArrayView& features, const ArrayView& pooled, const ArrayView* indices,
                  const PyramidPoolParams& params, const Context& context) {
  Call call("pyramid_pool", context);
  const Shape shape{features.shape[0] * features.shape[1], features.shape[2], features.shape[3],
                    pooled.shape[2]};
  detail::with_floating(features.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    if (params.reduce == PyramidReduce::kMean) {
      run<PyramidMean<S>>(call, shape, params, features, pooled, indices);
    } else {
      run<PyramidMax<S>>(call, shape, params, features, pooled, indices);
    }
  });
}

}  // namespace superpix::cuda
