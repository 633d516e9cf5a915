// SPDX-License-Identifier: Apache-2.0
//
// Levels of few windows are reduced together, from one read of the features. Threads reduce columns
// of a piece of rows (a line of the block's), lanes bring together what of a line belongs to a
// cell, and then the cells of a window. Where a block has whole planes, all of that stays in shared
// memory. The cells of large planes, which many blocks have a share in, go through the workspace,
// and a second kernel makes the windows.
//
// Levels of many windows are read for themselves (pyramid_direct.h).
#include "pyramid_pool.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "call.h"
#include "detail/soft_arguments.h"
#include "divisor.h"
#include "element.h"
#include "pyramid_axes.h"
#include "pyramid_chunks.h"
#include "pyramid_direct.h"
#include "pyramid_reduce.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

/// Blocks of a multiprocessor: as few as leave registers for all loads of a thread at a time.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
template <int N>
constexpr int kBlocks = N == 8 ? 3 : 4;
#else
template <int N>
constexpr int kBlocks = N == 8 ? 3 : 5;
#endif

/// Cells of a plane: a row of them for each piece of rows. Where tiles cut a plane, a piece of
/// columns is in several of them, and each gives it a cell of its own: piece q in tile t is q + t.
struct CellGrid {
  Divisor columns;     // in a row
  Divisor tile_width;  // of the plane

  __device__ Span cells(const PyramidAxis& axis, Span pieces) const {
    const Span pixels = axis.pixels(pieces);
    return {pieces.begin + pixels.begin / tile_width, pieces.end + (pixels.end - 1) / tile_width};
  }
};

/// What a launch is about, besides its memory.
struct Task {
  PyramidChunks chunks;
  CellGrid grid;
  std::int64_t planes;
  /// Windows of a plane, also of levels that are not in the table.
  std::int64_t num_outputs;
};

/// Reduces the N columns at `from`, which lie at x in their plane, in some rows.
template <class Reduce, int N>
__device__ __forceinline__ void reduce_columns(const typename Reduce::Element* from, Span rows,
                                               int x, int width, typename Reduce::Cell* line) {
  using S = typename Reduce::Element;
  constexpr int kAtOnce = N > 1 ? 4 : 8;
  // As many are added before the sum is a double.
  constexpr int kRun = 32;
  if (rows.size() == 0) {
#pragma unroll
    for (int j = 0; j < N; ++j) line[j] = Reduce::nothing();
  }
  const S* row = from + static_cast<std::int64_t>(rows.begin) * width;
  for (int run = rows.begin; run < rows.end; run += kRun) {
    const int end = min(rows.end - run, kRun) + run;
    typename Reduce::Column columns[N];
#pragma unroll
    for (int j = 0; j < N; ++j) columns[j].start(run);
    int y = run;
    for (; y + kAtOnce <= end; y += kAtOnce) {
      Pack<S, N> packs[kAtOnce];
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k, row += width) packs[k] = load_pack<N>(row);
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
#pragma unroll
        for (int j = 0; j < N; ++j) columns[j].add(widen(packs[k].element[j]), y + k);
      }
    }
    Pack<S, N> packs[kAtOnce - 1] = {};
#pragma unroll
    for (int k = 0; k < kAtOnce - 1; ++k) {
      if (k < end - y) packs[k] = load_pack<N>(row);
      row += k < end - y ? width : 0;
    }
#pragma unroll
    for (int k = 0; k < kAtOnce - 1; ++k) {
#pragma unroll
      for (int j = 0; j < N; ++j) {
        if (k < end - y) columns[j].add(widen(packs[k].element[j]), y + k);
      }
    }
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const typename Reduce::Cell cell = columns[j].cell(x + j, width);
      line[j] = run == rows.begin ? cell : Reduce::combine(line[j], cell);
    }
  }
}

/// Lines of a chunk, in shared memory, from its pixels.
template <class Reduce, int N>
__device__ void reduce_lines(const typename Reduce::Element* features, const Pyramid& pyramid,
                             const PyramidChunks& chunks, const PyramidChunk& chunk,
                             typename Reduce::Cell* lines) {
  const int width = pyramid.columns.length();
  const std::int64_t plane_size = static_cast<std::int64_t>(pyramid.rows.length()) * width;
  const auto* block = features + chunk.first_plane * plane_size + chunk.columns.begin;
  const int num_lines = chunk.num_strips * chunks.parts.value();
  const int packs = chunk.columns.size() / N;
  const PyramidThread thread(chunks, num_lines);
  for (int i = thread.first_line; i < num_lines; i += chunks.lines_at_once) {
    const PyramidLine line(pyramid, chunks, chunk, i);
    for (int pack = thread.first_pack; pack < packs; pack += chunks.line_threads.value()) {
      const int x = pack * N;
      reduce_columns<Reduce, N>(block + line.plane * plane_size + x, line.rows,
                                chunk.columns.begin + x, width, lines + i * chunks.columns + x);
    }
  }
}

/// Cells of a chunk, in any memory, from its lines. `cells` is where the first strip begins.
template <class Reduce>
__device__ void reduce_cells(const typename Reduce::Cell* lines, const Pyramid& pyramid,
                             const PyramidChunk& chunk, const Task& task,
                             typename Reduce::Cell* cells) {
  const PyramidChunks& chunks = task.chunks;
  const int thread = static_cast<int>(threadIdx.x);
  const int num_threads = static_cast<int>(blockDim.x);
  const int num_pieces = chunk.column_pieces.size();
  const int cell_threads = chunk.num_strips * num_pieces * chunks.lanes.value();
  for (int first = 0; first < cell_threads; first += num_threads) {
    const int cell = (first + thread) / chunks.lanes;
    const int lane = first + thread - cell * chunks.lanes.value();
    // The tile of a plane has one strip.
    const int strip = chunks.holds_planes() ? cell / task.grid.columns : 0;
    const int piece = chunk.column_pieces.begin + cell - strip * num_pieces;
    const bool is_active = first + thread < cell_threads;
    typename Reduce::Cell reduced = Reduce::nothing();
    if (is_active) {
      const Span columns = chunk.columns_of(pyramid, piece);
      const auto* line = lines + strip * chunks.parts.value() * chunks.columns;
      for (int part = 0; part < chunks.parts.value(); ++part, line += chunks.columns) {
        for (int x = columns.begin + lane; x < columns.end; x += chunks.lanes.value()) {
          reduced = Reduce::combine(reduced, line[x]);
        }
      }
    }
    reduced = reduce_lanes<Reduce>(reduced, chunks.lanes.value());
    if (is_active && lane == 0) {
      cells[strip * task.grid.columns.value() + piece + chunk.tile] = reduced;
    }
  }
  // Where a piece begins with the tile, no tile has the cell in between.
  const int piece = chunk.column_pieces.begin;
  if (thread == 0 && chunk.tile > 0 && pyramid.columns.edge[piece] == chunk.columns.begin) {
    cells[piece + chunk.tile - 1] = Reduce::nothing();
  }
}

/// For each bin of rows, of each level, the cells below each other.
template <class Reduce>
__device__ void reduce_bins(const typename Reduce::Cell* cells, const Pyramid& pyramid,
                            const PyramidChunk& chunk, const Task& task,
                            typename Reduce::Cell* bins) {
  const int num_columns = task.grid.columns.value();
  const int count = chunk.num_planes * pyramid.num_bins.value() * num_columns;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    const int row = i / task.grid.columns;
    const int column = i - row * num_columns;
    const int plane = row / pyramid.num_bins;
    const Span pieces = pyramid.rows.pieces(row - plane * pyramid.num_bins.value());
    const auto* from = cells + plane * task.chunks.pieces.value() * num_columns + column;
    typename Reduce::Cell reduced = Reduce::nothing();
    for (int piece = pieces.begin; piece < pieces.end; ++piece) {
      reduced = Reduce::combine(reduced, from[piece * num_columns]);
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
__global__ void __launch_bounds__(kPyramidThreads, kBlocks<N>)
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
    const std::int64_t strip =
        chunk.first_plane * pyramid.rows.num_pieces.value() + chunk.first_piece;
    reduce_cells<Reduce>(lines, pyramid, chunk, task,
                         plane_cells + strip * task.grid.columns.value());
    return;
  }
  Cell* const cells =
      lines + max(chunks.lines() * chunks.columns,
                  chunks.planes * pyramid.num_bins.value() * pyramid.columns.num_pieces.value());
  reduce_cells<Reduce>(lines, pyramid, chunk, task, cells);
  __syncthreads();
  Cell* const bins = lines;  // which are not needed any more
  reduce_bins<Reduce>(cells, pyramid, chunk, task, bins);
  __syncthreads();
  const int num_windows = chunk.num_planes * pyramid.num_windows.value();
  for (int i = static_cast<int>(threadIdx.x); i < num_windows; i += static_cast<int>(blockDim.x)) {
    const int plane = i / pyramid.num_windows;
    const PyramidWindow window = pyramid.window(i - plane * pyramid.num_windows.value());
    const Span pieces = pyramid.columns.pieces(window.column_bin);
    const Cell* row =
        bins + (plane * pyramid.num_bins.value() + window.row_bin) * task.grid.columns.value();
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
  const Span rows = pyramid.rows.pieces(window.row_bin);
  const Span columns = task.grid.cells(pyramid.columns, pyramid.columns.pieces(window.column_bin));
  const int stride = task.grid.columns.value();
  const auto* corner =
      plane_cells + (plane * pyramid.rows.num_pieces.value() + rows.begin) * stride + columns.begin;
  typename Reduce::Cell reduced = Reduce::nothing();
  for (PyramidWalk walk(rows.size(), columns.size(), lane, 32); walk.is_inside(); walk.advance()) {
    reduced =
        Reduce::combine(reduced, corner[static_cast<std::int64_t>(walk.y()) * stride + walk.x()]);
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

Groups groups_of(std::int64_t height, std::int64_t width, std::vector<PyramidLevel> levels,
                 std::int64_t longest_piece) {
  // With more, there would be as many cells as pixels.
  constexpr int kMostBinsTogether = 16;
  std::stable_sort(levels.begin(), levels.end(), [](const PyramidLevel& a, const PyramidLevel& b) {
    return a.bins.value() < b.bins.value();
  });
  Groups groups;
  std::vector<PyramidLevel> group;
  const auto fits = [&] { return pyramid_of(height, width, group, longest_piece).has_value(); };
  const auto close = [&] {
    if (group.empty()) return;
    groups.together.push_back(*pyramid_of(height, width, group, longest_piece));
    group.clear();
  };
  for (const PyramidLevel& level : levels) {
    if (level.bins.value() > kMostBinsTogether) {
      groups.alone.push_back(level);
      continue;
    }
    group.push_back(level);
    if (fits()) continue;
    group.pop_back();
    close();
    group.push_back(level);
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
    groups_ = groups_of(shape.height, shape.width, pyramid_levels(params.bins),
                        longest_pyramid_piece(shape.height, shape.width, sizeof(S)));
  }

  void take_workspace() {
    std::int64_t most = 0;
    for (const Pyramid& pyramid : groups_.together) {
      const PyramidChunks chunks = chunks_of(pyramid, 1);
      if (chunks.holds_planes()) continue;
      most = std::max(most, shape_.planes * pyramid.rows.num_pieces.value() *
                                grid_of(pyramid, chunks).columns.value());
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
    std::int64_t cells = std::int64_t{chunks.lines()} * chunks.columns;
    if (chunks.holds_planes()) {
      const std::int64_t num_columns = pyramid.columns.num_pieces.value();
      cells = std::max(cells, chunks.planes * pyramid.num_bins.value() * num_columns) +
              chunks.strips() * num_columns;
    }
    return static_cast<std::size_t>(cells) * sizeof(Cell);
  }

  PyramidChunks chunks_of(const Pyramid& pyramid, int pack_size) const {
    return pyramid_chunks(
        pyramid, shape_.height, shape_.width, sizeof(S), pack_size,
        [&](const PyramidChunks& chunks) { return shared_bytes(pyramid, chunks); });
  }

  static CellGrid grid_of(const Pyramid& pyramid, const PyramidChunks& chunks) {
    return {Divisor(pyramid.columns.num_pieces.value() + chunks.tiles.value() - 1),
            Divisor(chunks.columns)};
  }

  void pool(const Pyramid& pyramid) const {
    with_pack<S>(shape_.width, {features_}, [&](auto n) {
      constexpr int kN = decltype(n)::value;
      const PyramidChunks chunks = chunks_of(pyramid, kN);
      const Task task{chunks, grid_of(pyramid, chunks), shape_.planes, shape_.num_outputs};
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
