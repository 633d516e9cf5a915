// SPDX-License-Identifier: Apache-2.0
//
// A block takes a tile, a warp four rows of it. What is equal within a row is joined by looking at
// the lanes of the warp; one union for each overlap of two such runs joins the rows, in shared
// memory. The components of the tile become nodes. What is summed over them is collected in a table
// in shared memory.
#include "tile_components.h"

#include <type_traits>

#include "component_labels.h"
#include "shared.h"
#include "tile_smoothing.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kWarp = 32;
constexpr unsigned kAll = ~0U;
constexpr int kTilePixels = kTileSide * kTileSide;
constexpr int kRows = kTileSide / (kTileThreads / kWarp);  // of a warp
// Components of a tile whose sums are collected in shared memory. Others are rare.
constexpr int kTable = 64;
// Channels that are summed at a time.
constexpr int kGroup = 3;

/// What a row of a tile looks like.
struct Row {
  unsigned inside;  // bit x: x has a label
  unsigned starts;  // bit x: a run of equal labels starts at x
  unsigned above;   // bit x: x has the label of the pixel above

  /// Where the run of x starts.
  __device__ int start(int x) const {
    return kWarp - 1 - __clz(static_cast<int>(starts & up_to(x)));
  }
  /// The last of the run that starts at x.
  __device__ int end(int x) const {
    const unsigned next = (starts | ~inside) & ~up_to(x);
    return next != 0 ? __ffs(static_cast<int>(next)) - 2 : kWarp - 1;
  }
  __device__ static unsigned up_to(int x) { return kAll >> (kWarp - 1 - x); }
};

/// How the shared memory of a block is used.
struct TileMemory {
  Row rows[kTileSide];
  std::int32_t num_roots;
  std::int32_t first_in_list;
  // By pixel of the tile, where a run starts:
  std::int32_t up[kTilePixels];     // of the union-find; then its root
  std::uint16_t rank[kTilePixels];  // of a root among those of the tile
  // Of the roots:
  std::uint16_t root[kTilePixels];  // pixel of the tile
  // Of the roots, if there are no more than kTable:
  std::uint32_t size_sum_y[kTable];  // size + 2^16 sum of y, none of which needs more bits
  std::int32_t sum_x[kTable];
  std::uint32_t rows_of[kTable], columns_of[kTable];       // bits of those that there are
  std::int32_t low[kGroup][kTable], high[kGroup][kTable];  // sums of colours: low + 2^16 high
};

__device__ __forceinline__ int find_in_tile(const std::int32_t* up, int i) {
  for (;;) {
    const int next = read_fresh(&up[i]);
    if (next == i) return i;
    i = next;
  }
}

/// The lower root stays one, whoever comes first.
__device__ __forceinline__ void unite_in_tile(std::int32_t* up, int a, int b) {
  for (;;) {
    a = find_in_tile(up, a);
    b = find_in_tile(up, b);
    if (a == b) return;
    const int high = max(a, b);
    const int low = min(a, b);
    const int old = atomicMin(&up[high], low);
    if (old == high) return;
    a = old;
    b = low;
  }
}

/// The sum over the lanes up to each.
template <class T>
__device__ __forceinline__ T prefix_sum(T value, int lane) {
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    const T before = __shfl_up_sync(kAll, value, static_cast<unsigned>(step));
    if (lane >= step) value += before;
  }
  return value;
}

/// Where the halo begins in shared memory.
constexpr std::size_t kHaloOffset = (sizeof(TileMemory) + 15) / 16 * 16;

/// Where a tile is.
struct Tile {
  std::int32_t z, y, x;  // its first pixel
  std::int32_t first;
  std::int32_t width;  // of the volume

  /// Pixel i of the tile.
  __device__ std::int32_t pixel(int i) const {
    return first + i / kTileSide * width + i % kTileSide;
  }
};

/// Calls f(x) for the bits that are set.
template <class F>
__device__ __forceinline__ void for_each_bit(unsigned bits, F f) {
#pragma unroll 1
  for (; bits != 0; bits &= bits - 1) f(__ffs(static_cast<int>(bits)) - 1);
}

/// Joins the runs of a tile to nodes, and sums up all but colours. For one warp, whose lanes take a
/// row each: there are few runs in a row.
__device__ void join_runs(const Regions& r, const Tile& tile, TileMemory& m, int lane) {
  const Row row = m.rows[lane];
  const int begin = lane * kTileSide;
  if (lane > 0) {
    // Where two runs, one above the other, begin to overlap.
    const Row above = m.rows[lane - 1];
    for_each_bit(row.above & (row.starts | above.starts), [&](int x) {
      unite_in_tile(m.up, begin + row.start(x), begin - kTileSide + above.start(x));
    });
  }
  __syncwarp();
  int own_roots = 0;
  for_each_bit(row.starts, [&](int x) {
    const int root = find_in_tile(m.up, begin + x);
    m.up[begin + x] = root;
    own_roots += root == begin + x ? 1 : 0;
  });
  const int sum = prefix_sum(own_roots, lane);
  const int num_roots = __shfl_sync(kAll, sum, kWarp - 1);
  if (lane == 0) {
    m.num_roots = num_roots;
    m.first_in_list = num_roots > 0 ? atomicAdd(&r.counters->num_nodes, num_roots) : 0;
  }
  int rank = sum - own_roots;
  for_each_bit(row.starts, [&](int x) {
    if (m.up[begin + x] != begin + x) return;
    m.rank[begin + x] = static_cast<std::uint16_t>(rank);
    m.root[rank++] = static_cast<std::uint16_t>(begin + x);
  });
  __syncwarp();
  const bool in_table = num_roots <= kTable;
  const std::int32_t fields = r.fields();
  if (!in_table) {
    for (int k = lane; k < num_roots; k += kWarp) {
      const std::int32_t node = tile.pixel(m.root[k]);
      const int y = tile.y + m.root[k] / kTileSide;
      const int x = tile.x + m.root[k] % kTileSide;
      r.nodes[node] = {node, 0, node, tile.z, y, y, x, x};
      for (std::int32_t f = 0; f < fields; ++f) {
        r.sums[static_cast<std::int64_t>(node) * fields + f] = 0;
      }
    }
    __syncwarp();
  }
  for_each_bit(row.starts, [&](int x) {
    const int root = m.up[begin + x];
    const int end = row.end(x);
    const int length = end - x + 1;
    const int sum_x = (x + end) * length / 2;
    if (in_table) {
      const int k = m.rank[root];
      atomicAdd(&m.size_sum_y[k], static_cast<unsigned>(length + (lane * length << 16)));
      atomicAdd(&m.sum_x[k], sum_x);
      atomicOr(&m.rows_of[k], 1U << lane);
      atomicOr(&m.columns_of[k], Row::up_to(end) & ~(Row::up_to(x) >> 1));
      return;
    }
    const std::int32_t index = tile.pixel(root);
    Node* node = &r.nodes[index];
    atomicAdd(&node->size, length);
    atomicMax(&node->last_y, tile.y + lane);
    atomicMin(&node->first_x, tile.x + x);
    atomicMax(&node->last_x, tile.x + end);
    if (r.positions != 0) {
      std::int64_t* sums = r.sums + static_cast<std::int64_t>(index) * fields;
      add_to(sums, static_cast<std::int64_t>(tile.y + lane) * length);
      add_to(sums + 1, static_cast<std::int64_t>(tile.x) * length + sum_x);
    }
  });
}

/// Makes node k of what the table says.
__device__ void write_node(const Regions& r, const Tile& tile, const TileMemory& m, int k) {
  const int i = m.root[k];
  const std::int32_t node = tile.pixel(i);
  const auto size = static_cast<std::int32_t>(m.size_sum_y[k] & 0xffffU);
  const auto columns = static_cast<int>(m.columns_of[k]);
  const int last_y = kWarp - 1 - __clz(static_cast<int>(m.rows_of[k]));
  r.nodes[node] = {node,
                   size,
                   node,
                   tile.z,
                   tile.y + i / kTileSide,
                   tile.y + last_y,
                   tile.x + __ffs(columns) - 1,
                   tile.x + kWarp - 1 - __clz(columns)};
  if (r.positions != 0) {
    std::int64_t* sums = r.sums + static_cast<std::int64_t>(node) * r.fields();
    sums[0] = static_cast<std::int64_t>(tile.y) * size + (m.size_sum_y[k] >> 16);
    sums[1] = static_cast<std::int64_t>(tile.x) * size + m.sum_x[k];
  }
}

/// Sums up the colours of the nodes. root: those of the thread's pixels, in rows from first_row on.
__device__ void sum_colors(const Regions& r, const FixedColors& colors, const Tile& tile,
                           TileMemory& m, const int (&root)[kRows], int first_row, int lane) {
  const double scale = colors.scale();
  const std::int32_t fields = r.fields();
  const auto pixel = [&](int j) { return tile.pixel((first_row + j) * kTileSide + lane); };
  if (m.num_roots > kTable) {
    for (std::int32_t c = 0; c < r.channels; ++c) {
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        if (root[j] < 0) continue;
        const std::int64_t node = tile.pixel(root[j]);
        add_to(r.sums + node * fields + r.positions + c, colors.at(pixel(j), c, scale));
      }
    }
    return;
  }
  // Where all rows of the warp have one root, they are added up first, and then over the columns of
  // that root; elsewhere pixel by pixel.
  bool is_uniform = root[0] >= 0;
#pragma unroll
  for (int j = 1; j < kRows; ++j) is_uniform = is_uniform && root[j] == root[0];
  const int root_left = __shfl_up_sync(kAll, root[0], 1U);
  Row uniform{};
  uniform.inside = __ballot_sync(kAll, is_uniform);
  const bool left_uniform = lane > 0 && (uniform.inside >> (lane - 1) & 1U) != 0;
  const bool starts = is_uniform && !(left_uniform && root_left == root[0]);
  uniform.starts = __ballot_sync(kAll, starts);
  const int end = uniform.end(lane);
  int rank[kRows];
#pragma unroll
  for (int j = 0; j < kRows; ++j) rank[j] = root[j] >= 0 ? m.rank[root[j]] : -1;
  const auto k = static_cast<int>(threadIdx.x);
  const bool shorts = colors.kind == StageColors::Kind::kShorts;
  for (int group = 0; group < r.channels; group += kGroup) {
    const int channels = min(r.channels - group, kGroup);
    if (shorts) {  // the sum of a tile fits
      Pack<std::int16_t, 4> color[kRows];
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        color[j] = {};
        if (rank[j] >= 0) color[j] = colors.shorts(pixel(j));
      }
#pragma unroll
      for (int c = 0; c < kGroup; ++c) {
        int column = 0;
#pragma unroll
        for (int j = 0; j < kRows; ++j) column += color[j].element[c];
        const int sum = prefix_sum(is_uniform ? column : 0, lane);
        const int total = __shfl_sync(kAll, sum, end) - sum + column;
        if (starts) atomicAdd(&m.low[c][rank[0]], total);
      }
      if (!is_uniform) {
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          if (rank[j] < 0) continue;
#pragma unroll
          for (int c = 0; c < kGroup; ++c) atomicAdd(&m.low[c][rank[j]], color[j].element[c]);
        }
      }
    } else {
#pragma unroll 1
      for (int c = 0; c < channels; ++c) {
        const auto add = [&](int to, long long sum) {
          atomicAdd(&m.low[c][to], static_cast<std::int32_t>(sum & 0xffff));
          atomicAdd(&m.high[c][to], static_cast<std::int32_t>(sum >> 16));
        };
        std::int32_t color[kRows];
        long long column = 0;
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          color[j] = rank[j] >= 0 ? colors.at(pixel(j), group + c, scale) : 0;
          column += color[j];
        }
        const long long sum = prefix_sum(is_uniform ? column : 0LL, lane);
        const long long total = __shfl_sync(kAll, sum, end) - sum + column;
        if (starts) add(rank[0], total);
        if (!is_uniform) {
#pragma unroll
          for (int j = 0; j < kRows; ++j) {
            if (rank[j] >= 0) add(rank[j], color[j]);
          }
        }
      }
    }
    __syncthreads();
    if (k < m.num_roots) {
      std::int64_t* sums = r.sums + static_cast<std::int64_t>(tile.pixel(m.root[k])) * fields;
      for (int c = 0; c < channels; ++c) {
        sums[r.positions + group + c] = m.low[c][k] + m.high[c][k] * std::int64_t{1 << 16};
        m.low[c][k] = m.high[c][k] = 0;
      }
    }
    __syncthreads();
  }
}

template <class Labels>
__global__ void __launch_bounds__(kTileThreads, 4)
    tile_kernel(const Regions r, const Labels labels, const FixedColors colors, std::int32_t* out,
                int tiles_y, int tiles_x) {
  using Key = typename Labels::Key;
  constexpr bool kTags = std::is_same_v<Labels, TagLabels>;
  auto& m = *shared_memory<TileMemory>();
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const auto index = static_cast<int>(blockIdx.x);
  const Volume v = r.volume;
  Tile tile{};
  tile.z = index / (tiles_y * tiles_x);
  tile.y = index / tiles_x % tiles_y * kTileSide;
  tile.x = index % tiles_x * kTileSide;
  tile.first = static_cast<std::int32_t>(tile.z * v.plane() +
                                         static_cast<std::int64_t>(tile.y) * v.width + tile.x);
  tile.width = v.width;
  if (threadIdx.x < kTable) {
    const unsigned k = threadIdx.x;
    m.size_sum_y[k] = m.rows_of[k] = m.columns_of[k] = 0;
    m.sum_x[k] = 0;
    for (int c = 0; c < kGroup; ++c) m.low[c][k] = m.high[c][k] = 0;
  }
  const std::uint8_t* halo = nullptr;
  if constexpr (kTags) {
    if (labels.smooth) {
      auto* words = shared_memory<std::uint32_t>(kHaloOffset);
      smooth_tile(labels.tags, v, tile.y, tile.x, words);
      halo = reinterpret_cast<const std::uint8_t*>(words);
    }
  }
  // Whether pixel i of the tile, which exists, has a label, and which.
  const auto read = [&](int i, Key* key) {
    if constexpr (kTags) {
      *key = halo != nullptr ? halo[halo_byte(i / kTileSide, i % kTileSide)]
                             : labels.tags[tile.pixel(i)];
      return *key != kTagOutside;
    } else {
      return labels.read(tile.z, tile.y + i / kTileSide, tile.x + i % kTileSide, key);
    }
  };

  const int first_row = warp * kRows;
  const bool has_column = tile.x + lane < v.width;
  Row row[kRows];
  Key key = 0;
  bool inside = first_row > 0 && has_column && tile.y + first_row - 1 < v.height &&
                read((first_row - 1) * kTileSide + lane, &key);
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int i = (first_row + j) * kTileSide + lane;
    const Key key_above = key;
    const bool inside_above = inside;
    key = 0;
    inside = has_column && tile.y + first_row + j < v.height && read(i, &key);
    bool differs = true;
    if constexpr (kTags) {
      differs = __shfl_up_sync(kAll, static_cast<unsigned>(key), 1U) != key;
    } else {
      differs = __shfl_up_sync(kAll, static_cast<unsigned long long>(key), 1U) != key;
    }
    row[j].inside = __ballot_sync(kAll, inside);
    const unsigned borders = __ballot_sync(kAll, differs) | 1U;
    row[j].starts = row[j].inside & borders;
    row[j].above = __ballot_sync(kAll, inside && inside_above && key == key_above);
    m.up[i] = i;
    if (lane == 0) m.rows[first_row + j] = row[j];
  }
  __syncthreads();
  if (warp == 0) join_runs(r, tile, m, lane);
  __syncthreads();

  const auto thread = static_cast<int>(threadIdx.x);
  if (thread < m.num_roots && m.num_roots <= kTable) write_node(r, tile, m, thread);
#pragma unroll 1
  for (int k = thread; k < m.num_roots; k += kTileThreads) {
    const int i = m.root[k];
    const std::int32_t node = tile.pixel(i);
    r.list[m.first_in_list + k] = node;
    if constexpr (kTags) {
      Key tag = 0;
      read(i, &tag);
      out[node] = labels.label(tile.y + i / kTileSide, tile.x + i % kTileSide, tag);
    }
  }
  int root[kRows];
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int y = first_row + j;
    root[j] =
        (row[j].inside >> lane & 1U) != 0 ? m.up[y * kTileSide + row[j].start(lane)] : kOutside;
    if (has_column && tile.y + y < v.height) {
      r.map[tile.pixel(y * kTileSide + lane)] = root[j] >= 0 ? tile.pixel(root[j]) : kOutside;
    }
  }
  if (r.channels > 0) sum_colors(r, colors, tile, m, root, first_row, lane);
}

}  // namespace

template <class Labels>
void find_tile_components(const Call& call, const Regions& regions, const Labels& labels,
                          const StageColors& colors, std::int32_t* out) {
  const Volume& v = regions.volume;
  const auto tiles_y = static_cast<int>(blocks_for(v.height, kTileSide));
  const auto tiles_x = static_cast<int>(blocks_for(v.width, kTileSide));
  std::size_t shared = kHaloOffset;
  if constexpr (std::is_same_v<Labels, TagLabels>) {
    if (labels.smooth) shared += 2 * kHaloSize * sizeof(std::uint32_t);
  }
  call.launch(tile_kernel<Labels>, static_cast<std::int64_t>(v.depth) * tiles_y * tiles_x,
              kTileThreads, shared, regions, labels, FixedColors(colors), out, tiles_y, tiles_x);
}

template void find_tile_components(const Call&, const Regions&, const IntegerLabels&,
                                   const StageColors&, std::int32_t*);
template void find_tile_components(const Call&, const Regions&, const TagLabels&,
                                   const StageColors&, std::int32_t*);

}  // namespace superpix::cuda
