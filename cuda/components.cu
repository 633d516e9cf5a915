// SPDX-License-Identifier: Apache-2.0
//
// Components in three launches.
//
// 1. A block takes a tile of 32 x 32 pixels, a warp four rows of it. What is equal within a row is
//    joined by looking at the lanes of the warp; one union for each overlap of two such runs joins
//    the rows, in shared memory. The components of the tile become nodes. What is summed over them
//    is collected in a table in shared memory. With the majority filter, tiles are read with a halo
//    of 4 pixels, as far as its four steps look, and a thread filters four pixels at a time, as
//    bytes of a word.
// 2. A thread takes a pair of pixels on the two sides of a border between tiles, and unites their
//    nodes if it is the first of a row of such pairs.
// 3. A thread takes a node, and adds it to its root.
#include "components.h"

#include <type_traits>

#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr unsigned kAll = ~0U;
constexpr int kSide = 32;  // of a tile
constexpr int kTilePixels = kSide * kSide;
constexpr int kRows = kSide / (kThreads / kWarp);  // of a warp
// What the majority filter looks at: rows of bytes, four to a word, with a word more on either
// side.
constexpr int kHalo = 4;
constexpr int kHaloRows = kSide + 2 * kHalo;
constexpr int kHaloWords = kHaloRows / 4;
constexpr int kHaloStride = kHaloWords + 2;
constexpr int kHaloSize = kHaloRows * kHaloStride;  // words
// Components of a tile whose sums are collected in shared memory. Others are rare.
constexpr int kTable = 64;
// Channels that are summed at a time.
constexpr int kGroup = 3;

constexpr std::uint8_t kTagOutside = 255;

// --- labels --------------------------------------------------------------------------------------

/// A caller's labels, of any integer type, anywhere in memory.
struct IntegerLabels {
  using Key = std::uint64_t;

  const char* data;
  DType dtype;
  bool aligned;
  std::int64_t stride_z, stride_y, stride_x;

  template <class T>
  __device__ static bool load(const char* from, bool is_aligned, Key* key) {
    T label;
    if (is_aligned) {
      label = *reinterpret_cast<const T*>(from);
    } else {
      std::uint64_t bits = 0;
      for (unsigned i = 0; i < sizeof(T); ++i) {
        bits |= std::uint64_t{static_cast<unsigned char>(from[i])} << 8 * i;
      }
      label = static_cast<T>(bits);
    }
    *key = static_cast<Key>(label);
    if constexpr (std::is_signed_v<T>) {
      return label >= 0;
    } else {
      return true;
    }
  }

  /// Whether a pixel has a label, and which.
  __device__ bool read(std::int32_t z, std::int32_t y, std::int32_t x, Key* key) const {
    const char* from = data + z * stride_z + y * stride_y + x * stride_x;
    switch (dtype) {
      case DType::kInt8:
        return load<std::int8_t>(from, aligned, key);
      case DType::kInt16:
        return load<std::int16_t>(from, aligned, key);
      case DType::kInt64:
        return load<std::int64_t>(from, aligned, key);
      case DType::kUInt8:
        return load<std::uint8_t>(from, aligned, key);
      case DType::kUInt16:
        return load<std::uint16_t>(from, aligned, key);
      case DType::kUInt32:
        return load<std::uint32_t>(from, aligned, key);
      case DType::kUInt64:
        return load<std::uint64_t>(from, aligned, key);
      default:
        return load<std::int32_t>(from, aligned, key);
    }
  }

  /// Whether two nodes, of pixels p and q, are of one label.
  __device__ bool are_equal(const Volume& v, const std::int32_t*, std::int32_t p, std::int32_t q,
                            std::int32_t, std::int32_t) const {
    const Pixel a(v, p);
    const Pixel b(v, q);
    Key key_a = 0;
    Key key_b = 0;
    read(a.z, a.y, a.x, &key_a);
    read(b.z, b.y, b.x, &key_b);
    return key_a == key_b;
  }
};

/// The tags of a plane.
struct TagLabels {
  using Key = std::uint8_t;

  const std::uint8_t* tags;
  Grid grid;
  bool smooth;

  /// The label of tag at (y, x): of the labels with it, that of the cell nearest by.
  __device__ std::int32_t label(std::int32_t y, std::int32_t x, Key tag) const {
    const auto nearest = [](int cell, int bits) { return cell + ((bits - cell + 3) & 7) - 3; };
    return nearest(grid.y.cell_of(y), tag >> 3) * grid.x.cells +
           nearest(grid.x.cell_of(x), tag & 7);
  }

  __device__ bool are_equal(const Volume&, const std::int32_t* label_of_node, std::int32_t,
                            std::int32_t, std::int32_t node, std::int32_t other) const {
    return label_of_node[node] == label_of_node[other];
  }
};

// --- within a tile -------------------------------------------------------------------------------

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
  Row rows[kSide];
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

/// Of each byte, the highest bit tells whether it is equal in both. Other bits are anything.
__device__ __forceinline__ std::uint32_t equal_bytes(std::uint32_t a, std::uint32_t b) {
  constexpr std::uint32_t kLow = 0x7f7f7f7fU;
  const std::uint32_t differ = a ^ b;
  return ~(((differ & kLow) + kLow) | differ);
}

/// Bytes of 255 where the highest bit of a byte is set.
__device__ __forceinline__ std::uint32_t bytes_of(std::uint32_t flags) {
  const std::uint32_t ones = flags >> 7 & 0x01010101U;
  return (ones << 8) - ones;
}

/// What the majority filter makes of four pixels (cpu/label_kernels.h, find_majorities). What it
/// takes from whom excludes each other, and who takes a tag equal to its own keeps it.
__device__ __forceinline__ std::uint32_t majorities(std::uint32_t own, std::uint32_t north,
                                                    std::uint32_t west, std::uint32_t east,
                                                    std::uint32_t south) {
  const std::uint32_t alone = ~(equal_bytes(own, north) | equal_bytes(own, south) |
                                equal_bytes(own, west) | equal_bytes(own, east));
  const std::uint32_t vertical = equal_bytes(north, south);
  const std::uint32_t horizontal = equal_bytes(west, east);
  const std::uint32_t north_west = equal_bytes(north, west);
  const std::uint32_t north_any = north_west | equal_bytes(north, east);
  const std::uint32_t south_west = equal_bytes(south, west);
  const std::uint32_t take_north = (vertical & north_any) | (alone & (vertical | north_any));
  const std::uint32_t take_west = ~take_north & ((horizontal & (north_west | south_west)) |
                                                 (alone & (horizontal | south_west)));
  const std::uint32_t take_south = ~take_north & ~take_west & alone & equal_bytes(south, east);
  const std::uint32_t from_north = bytes_of(take_north);
  const std::uint32_t from_west = bytes_of(take_west);
  const std::uint32_t from_south = bytes_of(take_south);
  const std::uint32_t taken = (north & from_north) | (west & from_west) | (south & from_south) |
                              (own & ~(from_north | from_west | from_south));
  const std::uint32_t outside = bytes_of(equal_bytes(own, kAll) | equal_bytes(taken, kAll));
  return (own & outside) | (taken & ~outside);
}

/// Reads the tags of a tile and its halo, and filters them. `halo` is two buffers of kHaloSize; the
/// tag of row and column is left in byte halo_byte(row, column) of the first.
__device__ __forceinline__ int halo_byte(int row, int column) {
  return 4 * ((row + kHalo) * kHaloStride + 1) + kHalo + column;
}
__device__ void smooth_tile(const TagLabels& labels, const Volume& v, int y0, int x0,
                            std::uint32_t* halo) {
  const auto thread = static_cast<int>(threadIdx.x);
  const bool words = v.width % 4 == 0 && reinterpret_cast<std::uintptr_t>(labels.tags) % 4 == 0;
  for (int i = thread; i < kHaloRows * kHaloWords; i += kThreads) {
    const int row = i / kHaloWords;
    const int column = i - row * kHaloWords;
    const int y = y0 - kHalo + row;
    const int x = x0 - kHalo + 4 * column;
    std::uint32_t word = kAll;
    if (y >= 0 && y < v.height) {
      const std::uint8_t* from = labels.tags + static_cast<std::int64_t>(y) * v.width + x;
      if (words) {
        if (x >= 0 && x < v.width) word = *reinterpret_cast<const std::uint32_t*>(from);
      } else {
        for (int j = 0; j < 4; ++j) {
          const bool exists = x + j >= 0 && x + j < v.width;
          if (exists) word ^= (std::uint32_t{from[j]} ^ kTagOutside) << 8 * j;
        }
      }
    }
    halo[row * kHaloStride + 1 + column] = word;
  }
  __syncthreads();
  // Two passes, each first the even rows and then the odd ones, a word each thread; y0 and kHalo
  // are even. Each step reads old rows of its own parity and writes new ones to the other buffer,
  // where the next finds them. What a step gets wrong for want of a wider halo is one pixel further
  // in after each, and does not come as far as the tile.
  static_assert(kHaloRows / 2 * kHaloWords <= kThreads);
  const int column = thread % kHaloWords;
  std::uint32_t inner = 0;  // bytes that are not at the edge of the image, where labels stay
  for (int j = 0; j < 4; ++j) {
    const int x = x0 - kHalo + 4 * column + j;
    if (x > 0 && x < v.width - 1) inner |= 0xffU << 8 * j;
  }
  std::uint32_t* even = halo;
  std::uint32_t* odd = halo;
#pragma unroll 1
  for (int step = 0; step < 4; ++step) {
    const bool is_even = step % 2 == 0;
    const std::uint32_t* old = is_even ? even : odd;
    const std::uint32_t* others = is_even ? odd : even;
    std::uint32_t* to = old == halo ? halo + kHaloSize : halo;
    const int row = 2 + step + thread / kHaloWords * 2;
    if (row <= kHaloRows - 2 - step) {
      const int y = y0 - kHalo + row;
      const int at = row * kHaloStride + 1 + column;
      const std::uint32_t own = old[at];
      std::uint32_t result = own;
      if (y > 0 && y < v.height - 1) {
        const std::uint32_t west = own << 8 | old[at - 1] >> 24;
        const std::uint32_t east = own >> 8 | old[at + 1] << 24;
        result = majorities(own, others[at - kHaloStride], west, east, others[at + kHaloStride]);
        result = (result & inner) | (own & ~inner);
      }
      to[at] = result;
    }
    (is_even ? even : odd) = to;
    __syncthreads();
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
  __device__ std::int32_t pixel(int i) const { return first + i / kSide * width + i % kSide; }
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
  const int begin = lane * kSide;
  if (lane > 0) {
    // Where two runs, one above the other, begin to overlap.
    const Row above = m.rows[lane - 1];
    for_each_bit(row.above & (row.starts | above.starts), [&](int x) {
      unite_in_tile(m.up, begin + row.start(x), begin - kSide + above.start(x));
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
      const int y = tile.y + m.root[k] / kSide;
      const int x = tile.x + m.root[k] % kSide;
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
                   tile.y + i / kSide,
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
  const auto pixel = [&](int j) { return tile.pixel((first_row + j) * kSide + lane); };
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
__global__ void __launch_bounds__(kThreads, 4)
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
  tile.y = index / tiles_x % tiles_y * kSide;
  tile.x = index % tiles_x * kSide;
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
      smooth_tile(labels, v, tile.y, tile.x, words);
      halo = reinterpret_cast<const std::uint8_t*>(words);
    }
  }
  // Whether pixel i of the tile, which exists, has a label, and which.
  const auto read = [&](int i, Key* key) {
    if constexpr (kTags) {
      *key = halo != nullptr ? halo[halo_byte(i / kSide, i % kSide)] : labels.tags[tile.pixel(i)];
      return *key != kTagOutside;
    } else {
      return labels.read(tile.z, tile.y + i / kSide, tile.x + i % kSide, key);
    }
  };

  const int first_row = warp * kRows;
  const bool has_column = tile.x + lane < v.width;
  Row row[kRows];
  Key key = 0;
  bool inside = first_row > 0 && has_column && tile.y + first_row - 1 < v.height &&
                read((first_row - 1) * kSide + lane, &key);
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int i = (first_row + j) * kSide + lane;
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
  for (int k = thread; k < m.num_roots; k += kThreads) {
    const int i = m.root[k];
    const std::int32_t node = tile.pixel(i);
    r.list[m.first_in_list + k] = node;
    if constexpr (kTags) {
      Key tag = 0;
      read(i, &tag);
      out[node] = labels.label(tile.y + i / kSide, tile.x + i % kSide, tag);
    }
  }
  int root[kRows];
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int y = first_row + j;
    root[j] = (row[j].inside >> lane & 1U) != 0 ? m.up[y * kSide + row[j].start(lane)] : kOutside;
    if (has_column && tile.y + y < v.height) {
      r.map[tile.pixel(y * kSide + lane)] = root[j] >= 0 ? tile.pixel(root[j]) : kOutside;
    }
  }
  if (r.channels > 0) sum_colors(r, colors, tile, m, root, first_row, lane);
}

// --- across tiles --------------------------------------------------------------------------------

/// As unite_in_tile, for nodes.
__device__ __forceinline__ void unite_nodes(Node* nodes, std::int32_t a, std::int32_t b) {
  for (;;) {
    a = find_root(nodes, a);
    b = find_root(nodes, b);
    if (a == b) return;
    const std::int32_t high = max(a, b);
    const std::int32_t low = min(a, b);
    const std::int32_t old = atomicMin(&nodes[high].up, low);
    if (old == high) return;
    a = old;
    b = low;
  }
}

/// Pairs of pixels on the two sides of borders between tiles: first those side by side, then those
/// one above the other, then those of neighbouring planes, all of which are borders.
struct Seams {
  std::int64_t beside, between, behind;  // how many

  __host__ __device__ explicit Seams(const Volume& v)
      : beside(static_cast<std::int64_t>((v.width - 1) / kSide) * v.height * v.depth),
        between(static_cast<std::int64_t>((v.height - 1) / kSide) * v.width * v.depth),
        behind((v.depth - 1) * v.plane()) {}
  __host__ __device__ std::int64_t count() const { return beside + between + behind; }
};

template <class Labels>
__global__ void __launch_bounds__(kThreads)
    seam_kernel(const Regions r, const Labels labels, const std::int32_t* out) {
  const Volume v = r.volume;
  const Seams seams(v);
  std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  std::int32_t p = 0;
  std::int32_t q = 0;       // beyond the border
  std::int32_t before = 0;  // from a pixel to the one before it along the border; 0 at a corner
  if (i < seams.beside) {
    // Neighbouring threads take neighbouring rows: what is the same as the row above is left out.
    const auto rows = static_cast<std::int64_t>(v.height) * v.depth;
    const std::int64_t row = i % rows;
    q = static_cast<std::int32_t>(row * v.width + (i / rows + 1) * kSide);
    p = q - 1;
    before = row % v.height % kSide != 0 ? v.width : 0;
  } else if (i -= seams.beside; i < seams.between) {
    const auto borders = static_cast<std::int64_t>((v.height - 1) / kSide);
    const auto x = static_cast<std::int32_t>(i % v.width);
    const std::int64_t z = i / v.width / borders;
    const std::int64_t y = (i / v.width % borders + 1) * kSide;
    q = static_cast<std::int32_t>(z * v.plane() + y * v.width + x);
    p = q - v.width;
    before = x % kSide != 0 ? 1 : 0;
  } else if (i -= seams.between; i < seams.behind) {
    p = static_cast<std::int32_t>(i);
    q = static_cast<std::int32_t>(i + v.plane());
    before = p % v.width % kSide != 0 ? 1 : 0;
  } else {
    return;
  }
  const std::int32_t a = r.map[p];
  const std::int32_t b = r.map[q];
  if (a < 0 || b < 0) return;
  if (before != 0 && r.map[p - before] == a && r.map[q - before] == b) return;
  if (labels.are_equal(v, out, p, q, a, b)) unite_nodes(r.nodes, a, b);
}

__global__ void __launch_bounds__(kThreads) join_kernel(const Regions r) {
  const std::int32_t count = r.counters->num_nodes;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
    const std::int32_t node = r.list[i];
    const std::int32_t root = find_root(r.nodes, node);
    if (root == node) {
      r.nodes[node].up = kRoot;
    } else {
      add_node(r, node, root);
      r.nodes[node].up = root;
    }
  }
}

template <class Labels>
void find(const Call& call, const Regions& regions, const Labels& labels, const StageInput& input,
          std::int32_t* out) {
  const Volume& v = regions.volume;
  const auto tiles_y = static_cast<int>(blocks_for(v.height, kSide));
  const auto tiles_x = static_cast<int>(blocks_for(v.width, kSide));
  std::size_t shared = kHaloOffset;
  if (input.kind == StageInput::Labels::kTagsToSmooth) {
    shared += 2 * kHaloSize * sizeof(std::uint32_t);
  }
  call.launch(tile_kernel<Labels>, static_cast<std::int64_t>(v.depth) * tiles_y * tiles_x, kThreads,
              shared, regions, labels, FixedColors(input.colors), out, tiles_y, tiles_x);
  call.launch(seam_kernel<Labels>, blocks_for(Seams(v).count(), kThreads), kThreads, 0, regions,
              labels, out);
  call.launch(join_kernel, blocks_for_nodes(v, kThreads), kThreads, 0, regions);
}

}  // namespace

void find_components(const Call& call, const Regions& regions, const StageInput& input,
                     std::int32_t* out) {
  if (input.kind == StageInput::Labels::kIntegers) {
    const auto item = static_cast<std::int64_t>(item_size(input.dtype));
    const bool aligned = is_aligned(input.labels, static_cast<std::uintptr_t>(item)) &&
                         input.stride_z % item == 0 && input.stride_y % item == 0 &&
                         input.stride_x % item == 0;
    find(call, regions,
         IntegerLabels{static_cast<const char*>(input.labels), input.dtype, aligned, input.stride_z,
                       input.stride_y, input.stride_x},
         input, out);
  } else {
    find(call, regions,
         TagLabels{static_cast<const std::uint8_t*>(input.labels), input.grid,
                   input.kind == StageInput::Labels::kTagsToSmooth},
         input, out);
  }
}

}  // namespace superpix::cuda
