// SPDX-License-Identifier: Apache-2.0
//
// Components in three launches.
//
// 1. A block takes a tile of 32 x 32 pixels, a warp four rows of it. What is
// equal within a row is
//    joined by looking at the lanes of the warp; one union for each overlap of
//    two such runs joins the rows, in shared memory. The components of the tile
//    become nodes. What is summed over them is collected in a table in shared
//    memory. With the majority filter, tiles are read with a halo of 4 pixels,
//    as far as its four steps look, and a thread filters four pixels at a time,
//    as bytes of a word.
// 2. A thread takes a pair of pixels on the two sides of a border between
// tiles, and unites their
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
// What the majority filter looks at: rows of bytes, four to a word, with a word
// more on either side.
constexpr int kHalo = 4;
constexpr int kHaloRows = kSide + 2 * kHalo;
constexpr int kHaloWords = kHaloRows / 4;
constexpr int kHaloStride = kHaloWords + 2;
constexpr int kHaloSize = kHaloRows * kHaloStride;  // words
// Components of a tile whose sums are collected in shared memory. Others are
// rare.
constexpr int kTable = 64;
// Channels that are summed at a time.
constexpr int kGroup = 3;

constexpr std::uint8_t kTagOutside = 255;

// --- labels
// ---------------------------------------------------------------------------------------

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

  /// The label of tag at (y, x): of the labels with it, that of the cell
  /// nearest by.
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

// --- within a tile
// --------------------------------------------------------------------------------

/// What the rows of a tile, the lanes of a warp, look like to a lane.
struct Run {
  unsigned starts;  // bit x: a run starts at x
  unsigned inside;  // bit x: x has a label

  /// Where the run of lane x starts.
  __device__ int start(int x) const { return 31 - __clz(static_cast<int>(starts & up_to(x))); }
  /// The last of the run that starts at x.
  __device__ int end(int x) const {
    const unsigned next = (starts | ~inside) & ~up_to(x);
    return next != 0 ? __ffs(static_cast<int>(next)) - 2 : kWarp - 1;
  }
  __device__ static unsigned up_to(int x) { return kAll >> (kWarp - 1 - x); }
};

/// How the shared memory of a block is used.
template <class Key>
struct TileMemory {
  std::int32_t up[kTilePixels];     // of the union-find, by pixel of the tile; kOutside
  std::uint16_t rank[kTilePixels];  // of a root among those of the tile
  // Of the last row of each warp.
  Key keys[kThreads / kWarp][kSide];
  Run last[kThreads / kWarp];
  std::int32_t first_rank[kSide];  // of the roots in a row
  std::int32_t num_roots;
  std::int32_t first_in_list;
  // Of the roots:
  std::uint16_t root[kTilePixels];  // pixel of the tile
  std::uint8_t tag[kTilePixels];    // of tags
  // Of the roots, if there are no more than kTable:
  std::uint32_t size_sum_y[kTable];  // size + 2^16 sum of y, none of which needs more bits
  std::int32_t sum_x[kTable];
  std::uint32_t rows[kTable], columns[kTable];  // bits of those that there are
  std::int32_t low[kGroup][kTable],
      high[kGroup][kTable];  // sums of colours: low + 2^16 high
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

/// Of each byte, the highest bit tells whether it is equal in both. Other bits
/// are anything.
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

/// What the majority filter makes of four pixels (cpu/label_kernels.h,
/// find_majorities). What it takes from whom excludes each other, and who takes
/// a tag equal to its own keeps it.
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

/// Reads the tags of a tile and its halo, and filters them. `halo` is two
/// buffers of kHaloSize; the tag of row and column is left in byte
/// halo_byte(row, column) of the first.
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
  // Two passes, each first the even rows and then the odd ones. Each step reads
  // old rows of its own parity and writes new ones to the other buffer, where
  // the next finds them. What a step gets wrong for want of a wider halo is one
  // pixel further in after each, and does not come as far as the tile.
  std::uint32_t* even = halo;
  std::uint32_t* odd = halo;
#pragma unroll 1
  for (int step = 0; step < 4; ++step) {
    const int parity = step & 1;  // y0 and kHalo are even
    const std::uint32_t* old = parity == 0 ? even : odd;
    const std::uint32_t* others = parity == 0 ? odd : even;
    std::uint32_t* to = old == halo ? halo + kHaloSize : halo;
    for (int i = thread; i < kHaloRows / 2 * kHaloWords; i += kThreads) {
      const int row = 2 * (i / kHaloWords) + parity;
      const int column = i % kHaloWords;
      const int y = y0 - kHalo + row;
      const int x = x0 - kHalo + 4 * column;
      const int at = row * kHaloStride + 1 + column;
      const std::uint32_t own = old[at];
      std::uint32_t result = own;
      if (row > 0 && row < kHaloRows - 1 && y > 0 && y < v.height - 1) {
        const std::uint32_t west = own << 8 | old[at - 1] >> 24;
        const std::uint32_t east = own >> 8 | old[at + 1] << 24;
        result = majorities(own, others[at - kHaloStride], west, east, others[at + kHaloStride]);
        if (x <= 0 || x + 4 >= v.width) {  // what lies at the edge of the image stays
          for (int j = 0; j < 4; ++j) {
            const bool inner = x + j > 0 && x + j < v.width - 1;
            if (!inner) result ^= (result ^ own) & 0xffU << 8 * j;
          }
        }
      }
      to[at] = result;
    }
    (parity == 0 ? even : odd) = to;
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
template <class Key>
constexpr std::size_t kHaloOffset = (sizeof(TileMemory<Key>) + 15) / 16 * 16;

template <class Labels>
__global__ void __launch_bounds__(kThreads, 4)
    tile_kernel(const Regions r, const Labels labels, const FixedColors colors, std::int32_t* out,
                int tiles_y, int tiles_x) {
  using Key = typename Labels::Key;
  constexpr bool kTags = std::is_same_v<Labels, TagLabels>;
  auto& m = *shared_memory<TileMemory<Key>>();
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const auto tile = static_cast<int>(blockIdx.x);
  const int z = tile / (tiles_y * tiles_x);
  const int y0 = tile / tiles_x % tiles_y * kSide;
  const int x0 = tile % tiles_x * kSide;
  const Volume v = r.volume;
  const auto first_pixel =
      static_cast<std::int32_t>(z * v.plane() + static_cast<std::int64_t>(y0) * v.width + x0);
  const auto pixel_of = [&](int i) { return first_pixel + i / kSide * v.width + i % kSide; };

  std::uint32_t* halo = nullptr;
  if constexpr (kTags) {
    if (labels.smooth) {
      halo = shared_memory<std::uint32_t>(kHaloOffset<Key>);
      smooth_tile(labels, v, y0, x0, halo);
    }
  }

  // The runs of each row.
  const int first_row = warp * kRows;
  const bool has_column = x0 + lane < v.width;
  Run run[kRows];
  Key keys[kRows];
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = first_row + j;
    bool inside = has_column && y0 + row < v.height;
    keys[j] = 0;
    if constexpr (kTags) {
      if (inside) {
        keys[j] = labels.smooth ? reinterpret_cast<const Key*>(halo)[halo_byte(row, lane)]
                                : labels.tags[pixel_of(row * kSide + lane)];
      }
      inside = inside && keys[j] != kTagOutside;
    } else {
      if (inside) inside = labels.read(z, y0 + row, x0 + lane, &keys[j]);
    }
    run[j].inside = __ballot_sync(kAll, inside);
    bool differs = true;
    if constexpr (kTags) {
      differs = __shfl_up_sync(kAll, static_cast<unsigned>(keys[j]), 1U) != keys[j];
    } else {
      differs = __shfl_up_sync(kAll, static_cast<unsigned long long>(keys[j]), 1U) != keys[j];
    }
    const bool left_inside = lane > 0 && (run[j].inside >> (lane - 1) & 1U) != 0;
    run[j].starts = __ballot_sync(kAll, inside && (differs || !left_inside));
    m.up[row * kSide + lane] = row * kSide + lane;  // read where runs start
  }
  m.keys[warp][lane] = keys[kRows - 1];
  if (lane == 0) m.last[warp] = run[kRows - 1];
  __syncthreads();

  // Where two runs, one above the other, begin to overlap, they are joined.
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = first_row + j;
    if (row == 0) continue;
    const Run above = j > 0 ? run[max(j - 1, 0)] : m.last[max(warp - 1, 0)];
    const Key key_above = j > 0 ? keys[max(j - 1, 0)] : m.keys[max(warp - 1, 0)][lane];
    const unsigned begins = run[j].inside & above.inside & (run[j].starts | above.starts);
    if ((begins >> lane & 1U) != 0 && keys[j] == key_above) {
      unite_in_tile(m.up, row * kSide + run[j].start(lane), (row - 1) * kSide + above.start(lane));
    }
  }
  __syncthreads();

  // Roots are numbered in raster order, and listed.
  int root[kRows];
  unsigned roots[kRows];
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = first_row + j;
    const bool inside = (run[j].inside >> lane & 1U) != 0;
    root[j] = inside ? find_in_tile(m.up, row * kSide + run[j].start(lane)) : kOutside;
    roots[j] = __ballot_sync(kAll, root[j] == row * kSide + lane);
    if (lane == 0) m.first_rank[row] = __popc(roots[j]);
  }
  if (threadIdx.x < kTable) {
    const unsigned k = threadIdx.x;
    m.size_sum_y[k] = m.rows[k] = m.columns[k] = 0;
    m.sum_x[k] = 0;
    for (int c = 0; c < kGroup; ++c) m.low[c][k] = m.high[c][k] = 0;
  }
  __syncthreads();
  if (warp == 0) {
    const int count = m.first_rank[lane];
    const int sum = prefix_sum(count, lane);
    m.first_rank[lane] = sum - count;
    if (lane == kWarp - 1) {
      m.num_roots = sum;
      m.first_in_list = sum > 0 ? atomicAdd(&r.counters->num_nodes, sum) : 0;
    }
  }
  __syncthreads();
  const std::int32_t fields = r.fields();
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = first_row + j;
    const int i = row * kSide + lane;
    if ((roots[j] >> lane & 1U) == 0) continue;
    const int rank = m.first_rank[row] + __popc(roots[j] & ~(kAll << lane));
    m.rank[i] = static_cast<std::uint16_t>(rank);
    m.root[rank] = static_cast<std::uint16_t>(i);
    if constexpr (kTags) m.tag[rank] = keys[j];
  }
  __syncthreads();
  const int k = static_cast<int>(threadIdx.x);
  // Where there are too many for the table, which is rare, all goes to memory at once.
  const bool in_table = m.num_roots <= kTable;
  for (int rank = k; rank < m.num_roots; rank += kThreads) {
    const int i = m.root[rank];
    const std::int32_t node = pixel_of(i);
    const int y = y0 + i / kSide;
    const int x = x0 + i % kSide;
    r.list[m.first_in_list + rank] = node;
    if constexpr (kTags) out[node] = labels.label(y, x, m.tag[rank]);
    if (in_table) continue;
    r.nodes[node] = {node, 0, node, z, y, y, x, x};
    for (std::int32_t f = 0; f < fields; ++f) {
      r.sums[static_cast<std::int64_t>(node) * fields + f] = 0;
    }
  }
  if (!in_table) __syncthreads();

    // Sizes, boxes and positions, run by run.
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = first_row + j;
    if (has_column && y0 + row < v.height) {
      r.map[pixel_of(row * kSide + lane)] = root[j] >= 0 ? pixel_of(root[j]) : kOutside;
    }
    if ((run[j].starts >> lane & 1U) == 0) continue;
    const int end = run[j].end(lane);
    const int length = end - lane + 1;
    const int sum_x = (lane + end) * length / 2;
    if (in_table) {
      const int rank = m.rank[root[j]];
      atomicAdd(&m.size_sum_y[rank], static_cast<unsigned>(length + (row * length << 16)));
      atomicAdd(&m.sum_x[rank], sum_x);
      atomicOr(&m.rows[rank], 1U << row);
      atomicOr(&m.columns[rank], Run::up_to(end) & ~(Run::up_to(lane) >> 1));
    } else {
      const std::int32_t index = pixel_of(root[j]);
      Node* node = &r.nodes[index];
      atomicAdd(&node->size, length);
      atomicMax(&node->last_y, y0 + row);
      atomicMin(&node->first_x, x0 + lane);
      atomicMax(&node->last_x, x0 + end);
      if (r.positions != 0) {
        std::int64_t* sums = r.sums + static_cast<std::int64_t>(index) * fields;
        add_to(sums, static_cast<std::int64_t>(y0 + row) * length);
        add_to(sums + 1, static_cast<std::int64_t>(x0) * length + sum_x);
      }
    }
  }
  const double scale = colors.scale();
  if (!in_table) {
    for (std::int32_t c = 0; c < r.channels; ++c) {
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        if (root[j] < 0) continue;
        const std::int64_t node = pixel_of(root[j]);
        add_to(r.sums + node * fields + r.positions + c,
               colors.at(pixel_of((first_row + j) * kSide + lane), c, scale));
      }
    }
    return;
  }
  __syncthreads();
  if (k < m.num_roots) {
    const int i = m.root[k];
    const std::int32_t node = pixel_of(i);
    const auto size = static_cast<std::int32_t>(m.size_sum_y[k] & 0xffffU);
    const auto columns = static_cast<int>(m.columns[k]);
    const int last_y = kWarp - 1 - __clz(static_cast<int>(m.rows[k]));
    r.nodes[node] = {node,
                     size,
                     node,
                     z,
                     y0 + i / kSide,
                     y0 + last_y,
                     x0 + __ffs(columns) - 1,
                     x0 + kWarp - 1 - __clz(columns)};
    if (r.positions != 0) {
      std::int64_t* sums = r.sums + static_cast<std::int64_t>(node) * fields;
      sums[0] = static_cast<std::int64_t>(y0) * size + (m.size_sum_y[k] >> 16);
      sums[1] = static_cast<std::int64_t>(x0) * size + m.sum_x[k];
    }
  }

  // Colours. Where all rows of the warp have one root, they are added up first,
  // and then over the columns of that root; elsewhere pixel by pixel.
  bool is_uniform = root[0] >= 0;
#pragma unroll
  for (int j = 1; j < kRows; ++j) is_uniform = is_uniform && root[j] == root[0];
  const int root_left = __shfl_up_sync(kAll, root[0], 1U);
  Run uniform;
  uniform.inside = __ballot_sync(kAll, is_uniform);
  const bool left_uniform = lane > 0 && (uniform.inside >> (lane - 1) & 1U) != 0;
  const bool starts = is_uniform && !(left_uniform && root_left == root[0]);
  uniform.starts = __ballot_sync(kAll, starts);
  const int end = uniform.end(lane);
  const bool shorts = colors.kind == StageColors::Kind::kShorts;
  for (int group = 0; group < r.channels; group += kGroup) {
    const int channels = min(r.channels - group, kGroup);
    const auto add = [&](int pixel, int c, std::int64_t sum) {
      const int rank = m.rank[pixel];
      if (shorts) {  // the sum of a tile fits
        atomicAdd(&m.low[c][rank], static_cast<std::int32_t>(sum));
      } else {
        atomicAdd(&m.low[c][rank], static_cast<std::int32_t>(sum & 0xffff));
        atomicAdd(&m.high[c][rank], static_cast<std::int32_t>(sum >> 16));
      }
    };
    if (shorts) {
      Pack<std::int16_t, 4> color[kRows];
#pragma unroll
      for (int j = 0; j < kRows; ++j) {
        color[j] = {};
        if (root[j] >= 0) color[j] = colors.shorts(pixel_of((first_row + j) * kSide + lane));
      }
#pragma unroll
      for (int c = 0; c < kGroup; ++c) {
        int column = 0;
#pragma unroll
        for (int j = 0; j < kRows; ++j) column += color[j].element[c];
        const int sum = prefix_sum(is_uniform ? column : 0, lane);
        const int total = __shfl_sync(kAll, sum, end) - sum + column;
        if (starts) add(root[0], c, total);
      }
      if (!is_uniform) {
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          if (root[j] < 0) continue;
#pragma unroll
          for (int c = 0; c < kGroup; ++c) add(root[j], c, color[j].element[c]);
        }
      }
    } else {
      for (int c = 0; c < channels; ++c) {
        std::int32_t color[kRows];
        long long column = 0;
#pragma unroll
        for (int j = 0; j < kRows; ++j) {
          color[j] = 0;
          if (root[j] >= 0) {
            const std::int32_t pixel = pixel_of((first_row + j) * kSide + lane);
            color[j] = colors.at(pixel, group + c, scale);
          }
          column += color[j];
        }
        const long long sum = prefix_sum(is_uniform ? column : 0LL, lane);
        const long long total = __shfl_sync(kAll, sum, end) - sum + column;
        if (starts) add(root[0], c, total);
        if (!is_uniform) {
#pragma unroll
          for (int j = 0; j < kRows; ++j) {
            if (root[j] >= 0) add(root[j], c, color[j]);
          }
        }
      }
    }
    __syncthreads();
    if (k < m.num_roots) {
      std::int64_t* sums = r.sums + static_cast<std::int64_t>(pixel_of(m.root[k])) * fields;
      for (int c = 0; c < channels; ++c) {
        sums[r.positions + group + c] = m.low[c][k] + m.high[c][k] * std::int64_t{1 << 16};
        m.low[c][k] = m.high[c][k] = 0;
      }
    }
    __syncthreads();
  }
}

// --- across tiles
// ---------------------------------------------------------------------------------

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

/// Pairs of pixels on the two sides of borders between tiles: first those side
/// by side, then those one above the other, then those of neighbouring planes,
/// all of which are borders.
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
    // Neighbouring threads take neighbouring rows: what is the same as the row
    // above is left out.
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
  std::size_t shared = kHaloOffset<typename Labels::Key>;
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
