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
#include "element.h"
#include "pyramid_axes.h"
#include "pyramid_chunks.h"
#include "pyramid_direct.h"
#include "pyramid_reduce.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

/// Cells of a plane: a row of them for each piece of rows. Where tiles cut a plane, a piece of
/// columns is in several of them, and each gives it a cell of its own: piece q in tile t is q + t.
struct CellGrid {
  int columns;     // in a row
  int tile_width;  // of the plane

  __device__ Span cells(const PyramidAxis& axis, Span pieces) const {
    const Span pixels = axis.pixels(pieces);
    return {pieces.begin + pixels.begin / tile_width, pieces.end + (pixels.end - 1) / tile_width};
  }
};

/// Writes window t of a plane, from cells in any memory. `lanes` threads do this together.
template <class Reduce>
__device__ void pool_window(const typename Reduce::Cell* cells, const CellGrid& grid,
                            const Pyramid& pyramid, int t, bool is_active, int lane, int lanes,
                            const typename Reduce::Element* plane, std::int64_t first_output,
                            const PyramidOutput<typename Reduce::Element>& to) {
  typename Reduce::Cell reduced = Reduce::nothing();
  PyramidWindow window{};
  if (is_active) {
    window = pyramid.window(t);
    const Span columns = grid.cells(pyramid.columns, window.columns);
    const auto* corner =
        cells + static_cast<std::int64_t>(window.rows.begin) * grid.columns + columns.begin;
    for (PyramidWalk walk(window.rows.size(), columns.size(), lane, lanes); walk.is_inside();
         walk.advance()) {
      reduced = Reduce::combine(
          reduced, corner[static_cast<std::int64_t>(walk.y()) * grid.columns + walk.x()]);
    }
  }
  reduced = reduce_lanes<Reduce>(reduced, lanes);
  if (!is_active || lane != 0) return;
  const std::int64_t size = static_cast<std::int64_t>(pyramid.rows.pixels(window.rows).size()) *
                            pyramid.columns.pixels(window.columns).size();
  Reduce::finish(reduced, size, plane, to, first_output + window.output);
}

/// What a launch is about, besides its memory.
struct Task {
  PyramidChunks chunks;
  CellGrid grid;
  /// Threads that share a window.
  int window_lanes;
  std::int64_t planes;
  /// Windows of a plane, also of levels that are not in the table.
  std::int64_t num_outputs;
};

/// Reduces the columns of N pixels from `from` on, in some rows.
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
  for (int run = rows.begin; run < rows.end; run += kRun) {
    const int end = min(rows.end - run, kRun) + run;
    typename Reduce::Column columns[N];
#pragma unroll
    for (int j = 0; j < N; ++j) columns[j].start(run);
    for (int y = run; y < end; y += kAtOnce) {
      Pack<S, N> packs[kAtOnce] = {};
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        if (k < end - y) packs[k] = load_pack<N>(from + static_cast<std::int64_t>(y + k) * width);
      }
#pragma unroll
      for (int k = 0; k < kAtOnce; ++k) {
        if (k < end - y) {
#pragma unroll
          for (int j = 0; j < N; ++j) columns[j].add(widen(packs[k].element[j]), y + k);
        }
      }
    }
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const typename Reduce::Cell cell = columns[j].cell(x + j, width);
      line[j] = run == rows.begin ? cell : Reduce::combine(line[j], cell);
    }
  }
}

template <class Reduce, int N>
__global__ void __launch_bounds__(kPyramidThreads)
    pool_kernel(const typename Reduce::Element* __restrict__ features,
                PyramidOutput<typename Reduce::Element> to, typename Reduce::Cell* partial_cells,
                const __grid_constant__ Pyramid pyramid, Task task) {
  using Cell = typename Reduce::Cell;
  const PyramidChunks& chunks = task.chunks;
  const PyramidChunk chunk(pyramid, chunks, task.planes);
  const int thread = static_cast<int>(threadIdx.x);
  const int num_threads = static_cast<int>(blockDim.x);
  const int width = pyramid.columns.length();
  const std::int64_t plane_size = static_cast<std::int64_t>(pyramid.rows.length()) * width;
  const int num_strips = chunk.num_strips(chunks);
  Cell* const lines = shared_memory<Cell>();

  const auto* block = features + chunk.first_plane * plane_size + chunk.columns.begin;
  const int packs = chunk.columns.size() / N;
  for (int i = thread; i < num_strips * chunks.parts * packs; i += num_threads) {
    const PyramidTask columns(pyramid, chunks, chunk, i, packs, N);
    reduce_columns<Reduce, N>(block + columns.plane * plane_size + columns.x, columns.rows,
                              chunk.columns.begin + columns.x, width,
                              lines + columns.line * chunks.columns + columns.x);
  }
  __syncthreads();

  Cell* const own_cells = lines + chunks.lines() * chunks.columns;
  Cell* const cells =
      chunks.holds_planes()
          ? own_cells
          : partial_cells + (chunk.first_plane * pyramid.rows.num_pieces + chunk.first_piece) *
                                task.grid.columns;
  const int num_pieces = chunk.column_pieces.size();
  const int cell_threads = num_strips * num_pieces * chunks.lanes;
  for (int first = 0; first < cell_threads; first += num_threads) {
    const int cell = (first + thread) / chunks.lanes;
    const int lane = thread % chunks.lanes;
    const int strip = cell / num_pieces;
    const int piece = chunk.column_pieces.begin + cell - strip * num_pieces;
    Cell reduced = Reduce::nothing();
    if (strip < num_strips) {
      const Span columns = chunk.columns_of(pyramid, piece);
      for (int part = 0; part < chunks.parts; ++part) {
        const Cell* line = lines + (strip * chunks.parts + part) * chunks.columns;
        for (int x = columns.begin + lane; x < columns.end; x += chunks.lanes) {
          reduced = Reduce::combine(reduced, line[x]);
        }
      }
    }
    reduced = reduce_lanes<Reduce>(reduced, chunks.lanes);
    if (strip < num_strips && lane == 0) {
      cells[strip * task.grid.columns + piece + chunk.tile] = reduced;
    }
  }
  if (!chunks.holds_planes()) {
    // Where a piece begins with the tile, no tile has the cell in between.
    const int piece = chunk.column_pieces.begin;
    const bool skips = chunk.tile > 0 && pyramid.columns.edge[piece] == chunk.columns.begin;
    if (skips && thread < num_strips) {
      cells[thread * task.grid.columns + piece + chunk.tile - 1] = Reduce::nothing();
    }
    return;
  }
  __syncthreads();

  const int window_threads = chunk.num_planes * pyramid.num_windows * task.window_lanes;
  for (int first = 0; first < window_threads; first += num_threads) {
    const int window = (first + thread) / task.window_lanes;
    const int plane = window / pyramid.num_windows;
    const std::int64_t output = (chunk.first_plane + plane) * task.num_outputs;
    pool_window<Reduce>(cells + plane * chunks.pieces * task.grid.columns, task.grid, pyramid,
                        window - plane * pyramid.num_windows, plane < chunk.num_planes,
                        thread % task.window_lanes, task.window_lanes,
                        features + (chunk.first_plane + plane) * plane_size, output, to);
  }
}

/// A warp has a window.
template <class Reduce>
__global__ void __launch_bounds__(kPyramidThreads)
    gather_kernel(const typename Reduce::Element* __restrict__ features,
                  PyramidOutput<typename Reduce::Element> to,
                  const typename Reduce::Cell* __restrict__ cells,
                  const __grid_constant__ Pyramid pyramid, Task task) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const std::int64_t warp =
      static_cast<std::int64_t>(blockIdx.x) * (kPyramidThreads / 32) + threadIdx.x / 32;
  const std::int64_t plane = warp / pyramid.num_windows;
  const std::int64_t plane_size =
      static_cast<std::int64_t>(pyramid.rows.length()) * pyramid.columns.length();
  pool_window<Reduce>(cells + plane * pyramid.rows.num_pieces * task.grid.columns, task.grid,
                      pyramid, static_cast<int>(warp - plane * pyramid.num_windows),
                      plane < task.planes, lane, 32, features + plane * plane_size,
                      plane * task.num_outputs, to);
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
  std::stable_sort(levels.begin(), levels.end(),
                   [](const PyramidLevel& a, const PyramidLevel& b) { return a.bins < b.bins; });
  Groups groups;
  std::vector<PyramidLevel> group;
  const auto fits = [&] { return pyramid_of(height, width, group, longest_piece).has_value(); };
  const auto close = [&] {
    if (group.empty()) return;
    groups.together.push_back(*pyramid_of(height, width, group, longest_piece));
    group.clear();
  };
  for (const PyramidLevel& level : levels) {
    if (level.bins > kMostBinsTogether) {
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
                        longest_pyramid_piece<S>(shape.height, shape.width));
  }

  void take_workspace() {
    std::int64_t most = 0;
    for (const Pyramid& pyramid : groups_.together) {
      const PyramidChunks chunks = chunks_of(pyramid, 1);
      if (chunks.holds_planes()) continue;
      most = std::max(most,
                      shape_.planes * pyramid.rows.num_pieces * grid_of(pyramid, chunks).columns);
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
    const std::int64_t own_cells =
        chunks.holds_planes()
            ? static_cast<std::int64_t>(chunks.planes) * chunks.pieces * pyramid.columns.num_pieces
            : 0;
    return static_cast<std::size_t>(static_cast<std::int64_t>(chunks.lines()) * chunks.columns +
                                    own_cells) *
           sizeof(Cell);
  }

  PyramidChunks chunks_of(const Pyramid& pyramid, int pack_size) const {
    return pyramid_chunks<S>(
        pyramid, shape_.height, shape_.width, pack_size,
        [&](const PyramidChunks& chunks) { return shared_bytes(pyramid, chunks); });
  }

  static CellGrid grid_of(const Pyramid& pyramid, const PyramidChunks& chunks) {
    return {pyramid.columns.num_pieces + chunks.tiles - 1, chunks.columns};
  }

  void pool(const Pyramid& pyramid) const {
    with_pack<S>(shape_.width, {features_}, [&](auto n) {
      constexpr int kN = decltype(n)::value;
      constexpr std::int64_t kCellsOfLane = 16;
      const PyramidChunks chunks = chunks_of(pyramid, kN);
      const CellGrid grid = grid_of(pyramid, chunks);
      const int window_lanes =
          pyramid_lanes(blocks_for(pyramid.rows.num_pieces * grid.columns, kCellsOfLane));
      const Task task{chunks, grid, window_lanes, shape_.planes, shape_.num_outputs};
      call_.launch(pool_kernel<Reduce, kN>, chunks.blocks(shape_.planes),
                   chunks.threads(chunks.columns / kN), shared_bytes(pyramid, chunks), features_,
                   to_, cells_, pyramid, task);
      if (chunks.holds_planes()) return;
      call_.launch(gather_kernel<Reduce>,
                   blocks_for(shape_.planes * pyramid.num_windows, kPyramidThreads / 32),
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
