// SPDX-License-Identifier: Apache-2.0
//
// Components in three launches.
//
// 1. A block takes a tile of 32 x 32 pixels, a warp four rows of it. What is equal within a row is
//    joined by looking at the lanes of the warp; one union for each overlap of two such runs joins
//    the rows, in shared memory. The components of the tile become nodes. Sums are made run by run
//    from prefix sums over the lanes, and collected in a table in shared memory.
//    With the majority filter, tiles are read with a halo of 4 pixels, as far as its four steps
//    look.
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
constexpr int kHalo = 4;
constexpr int kHaloSide = kSide + 2 * kHalo;
// Components of a tile whose sums are collected in shared memory. Others are rare.
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
  std::int32_t up[kTilePixels];  // of the union-find, by pixel of the tile; kOutside
  Key keys[kTilePixels];
  std::uint16_t rank[kTilePixels];  // of a root among those of the tile
  Run rows[kSide];
  std::int32_t first_rank[kSide];  // of the roots in a row
  std::int32_t num_roots;
  std::int32_t first_in_list;
  // Of the first kTable roots:
  std::int32_t root[kTable];  // pixel of the tile
  std::int32_t size[kTable], sum_y[kTable], sum_x[kTable];
  std::int32_t last_y[kTable], first_x[kTable], last_x[kTable];
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

/// What the majority filter makes of a pixel (cpu/label_kernels.h, find_majorities).
__device__ __forceinline__ std::uint8_t majority(std::uint8_t own, std::uint8_t north,
                                                 std::uint8_t west, std::uint8_t east,
                                                 std::uint8_t south) {
  const bool alone = own != north && own != west && own != east && own != south;
  const bool vertical = north == south;
  const bool horizontal = west == east;
  const bool north_west = north == west;
  const bool take_north = (vertical && (north_west || north == east)) ||
                          (alone && (vertical || north_west || north == east));
  const bool take_west =
      (horizontal && (north_west || south == west)) || (alone && (horizontal || south == west));
  const bool take_south = alone && south == east;
  const std::uint8_t taken = take_north ? north : take_west ? west : take_south ? south : own;
  return own == kTagOutside || taken == kTagOutside ? own : taken;
}

/// Reads the tags of a tile and its halo, filters them, and leaves those of the tile in `keys`.
__device__ void smooth_tile(const TagLabels& labels, const Volume& v, int y0, int x0,
                            std::uint8_t* halo, std::uint8_t* keys) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int i = static_cast<int>(threadIdx.x); i < kHaloSide * kHaloSide; i += kThreads) {
    const int y = y0 - kHalo + i / kHaloSide;
    const int x = x0 - kHalo + i % kHaloSide;
    const bool exists = y >= 0 && x >= 0 && y < v.height && x < v.width;
    halo[i] = exists ? labels.tags[static_cast<std::int64_t>(y) * v.width + x] : kTagOutside;
  }
  __syncthreads();
  // Two passes, each first the even rows and then the odd ones. A row is one warp's, which reads
  // all of it before it writes. What a step gets wrong for want of a wider halo is one pixel
  // further in after each, and does not come as far as the tile.
  for (int step = 0; step < 4; ++step) {
    const int parity = (y0 + step) & 1;  // kHalo is even
    for (int row = 2 * warp + parity; row < kHaloSide; row += 2 * (kThreads / kWarp)) {
      const int y = y0 - kHalo + row;
      if (row == 0 || row == kHaloSide - 1 || y <= 0 || y >= v.height - 1) continue;
      std::uint8_t* own = halo + row * kHaloSide;
      const auto at = [&](int column) {
        const int x = x0 - kHalo + column;
        const bool inner = column > 0 && column < kHaloSide - 1 && x > 0 && x < v.width - 1;
        const int safe = inner ? column : 1;
        const std::uint8_t taken = majority(own[safe], own[safe - kHaloSide], own[safe - 1],
                                            own[safe + 1], own[safe + kHaloSide]);
        return inner ? taken : own[min(column, kHaloSide - 1)];
      };
      const std::uint8_t near = at(lane);
      const std::uint8_t far = at(lane + kWarp);
      __syncwarp();
      own[lane] = near;
      if (lane + kWarp < kHaloSide) own[lane + kWarp] = far;
    }
    __syncthreads();
  }
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = warp * kRows + j;
    keys[row * kSide + lane] = halo[(row + kHalo) * kHaloSide + lane + kHalo];
  }
}

/// The sum over the lanes up to each.
__device__ __forceinline__ std::int64_t prefix_sum(std::int64_t value, int lane) {
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    const auto before = static_cast<std::int64_t>(
        __shfl_up_sync(kAll, static_cast<long long>(value), static_cast<unsigned>(step)));
    if (lane >= step) value += before;
  }
  return value;
}

/// Three sums of at most 32 shorts, in one number. Shorts are moved to where none is negative.
constexpr int kShortBits = 21;
constexpr std::int64_t kShortOffset = 1 << 15;
constexpr std::int64_t kShortMask = (std::int64_t{1} << kShortBits) - 1;

template <class Labels>
__global__ void __launch_bounds__(kThreads)
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

  if constexpr (kTags) {
    if (labels.smooth) {
      auto* halo = shared_memory<std::uint8_t>((sizeof(TileMemory<Key>) + 15) / 16 * 16);
      smooth_tile(labels, v, y0, x0, halo, m.keys);
    }
  }

  // The runs of each row.
  Run run[kRows];
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = warp * kRows + j;
    const int i = row * kSide + lane;
    Key key = 0;
    bool inside = y0 + row < v.height && x0 + lane < v.width;
    if constexpr (kTags) {
      if (inside) key = labels.smooth ? m.keys[i] : labels.tags[pixel_of(i)];
      inside = inside && key != kTagOutside;
    } else {
      if (inside) inside = labels.read(z, y0 + row, x0 + lane, &key);
    }
    m.keys[i] = key;
    run[j].inside = __ballot_sync(kAll, inside);
    bool differs = true;
    if constexpr (kTags) {
      differs = __shfl_up_sync(kAll, static_cast<unsigned>(key), 1U) != key;
    } else {
      differs = __shfl_up_sync(kAll, static_cast<unsigned long long>(key), 1U) != key;
    }
    const bool left_inside = lane > 0 && (run[j].inside >> (lane - 1) & 1U) != 0;
    run[j].starts = __ballot_sync(kAll, inside && (differs || !left_inside));
    m.up[i] = inside ? row * kSide + run[j].start(lane) : kOutside;
    if (lane == 0) m.rows[row] = run[j];
  }
  __syncthreads();

  // Where two runs, one above the other, begin to overlap, they are joined.
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = warp * kRows + j;
    if (row == 0) continue;
    const int i = row * kSide + lane;
    const Run above = m.rows[row - 1];
    const bool same =
        (run[j].inside & above.inside) >> lane & 1U ? m.keys[i] == m.keys[i - kSide] : false;
    if (same && ((run[j].starts | above.starts) >> lane & 1U) != 0) {
      unite_in_tile(m.up, row * kSide + run[j].start(lane), (row - 1) * kSide + above.start(lane));
    }
  }
  __syncthreads();

  // Roots are numbered in raster order, and listed.
  int root[kRows];
  unsigned roots[kRows];
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = warp * kRows + j;
    const bool inside = (run[j].inside >> lane & 1U) != 0;
    root[j] = inside ? find_in_tile(m.up, row * kSide + run[j].start(lane)) : kOutside;
    roots[j] = __ballot_sync(kAll, root[j] == row * kSide + lane);
    if (lane == 0) m.first_rank[row] = __popc(roots[j]);
  }
  if (threadIdx.x < kTable) {
    const unsigned k = threadIdx.x;
    m.size[k] = m.sum_y[k] = m.sum_x[k] = m.last_y[k] = m.last_x[k] = 0;
    m.first_x[k] = kSide;
    for (int c = 0; c < kGroup; ++c) m.low[c][k] = m.high[c][k] = 0;
  }
  __syncthreads();
  if (warp == 0) {
    const int count = m.first_rank[lane];
    const auto sum = static_cast<int>(prefix_sum(count, lane));
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
    const int row = warp * kRows + j;
    const int i = row * kSide + lane;
    if ((roots[j] >> lane & 1U) == 0) continue;
    const int rank = m.first_rank[row] + __popc(roots[j] & ~(kAll << lane));
    m.rank[i] = static_cast<std::uint16_t>(rank);
    const std::int32_t node = pixel_of(i);
    r.list[m.first_in_list + rank] = node;
    if constexpr (kTags) out[node] = labels.label(y0 + row, x0 + lane, m.keys[i]);
    if (rank < kTable) {
      m.root[rank] = i;
    } else {
      r.nodes[node] = {node, 0, node, z, y0 + row, y0 + row, x0 + lane, x0 + lane};
      for (std::int32_t f = 0; f < fields; ++f) {
        r.sums[static_cast<std::int64_t>(node) * fields + f] = 0;
      }
    }
  }
  __syncthreads();

  // Sizes, boxes and positions.
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    const int row = warp * kRows + j;
    const int i = row * kSide + lane;
    const bool inside = root[j] >= 0;
    if (y0 + row < v.height && x0 + lane < v.width) {
      r.map[pixel_of(i)] = inside ? pixel_of(root[j]) : kOutside;
    }
    if ((run[j].starts >> lane & 1U) == 0) continue;
    const int rank = m.rank[root[j]];
    const int end = run[j].end(lane);
    const int length = end - lane + 1;
    const int sum_x = (lane + end) * length / 2;
    if (rank < kTable) {
      atomicAdd(&m.size[rank], length);
      atomicMax(&m.last_y[rank], row);
      atomicMin(&m.first_x[rank], lane);
      atomicMax(&m.last_x[rank], end);
      if (r.positions != 0) {
        atomicAdd(&m.sum_y[rank], row * length);
        atomicAdd(&m.sum_x[rank], sum_x);
      }
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
  __syncthreads();
  const int in_table = min(m.num_roots, kTable);
  const int k = static_cast<int>(threadIdx.x);
  if (k < in_table) {
    const int i = m.root[k];
    const std::int32_t node = pixel_of(i);
    r.nodes[node] = {node,
                     m.size[k],
                     node,
                     z,
                     y0 + i / kSide,
                     y0 + m.last_y[k],
                     x0 + m.first_x[k],
                     x0 + m.last_x[k]};
    if (r.positions != 0) {
      std::int64_t* sums = r.sums + static_cast<std::int64_t>(node) * fields;
      sums[0] = static_cast<std::int64_t>(y0) * m.size[k] + m.sum_y[k];
      sums[1] = static_cast<std::int64_t>(x0) * m.size[k] + m.sum_x[k];
    }
  }
  if (r.channels == 0) return;

  // Colours.
  const bool shorts = colors.kind == StageColors::Kind::kShorts;
  const double scale = colors.scale();
  for (int group = 0; group < r.channels; group += kGroup) {
    const int channels = min(r.channels - group, kGroup);
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
      const int row = warp * kRows + j;
      const bool inside = root[j] >= 0;
      const bool starts = (run[j].starts >> lane & 1U) != 0;
      const int end = run[j].end(lane);
      const int rank = starts ? m.rank[root[j]] : 0;
      const std::int32_t pixel = pixel_of(row * kSide + lane);
      const auto sum_of_run = [&](std::int64_t value) {
        const std::int64_t sum = prefix_sum(value, lane);
        return static_cast<std::int64_t>(__shfl_sync(kAll, static_cast<long long>(sum), end)) -
               sum + value;
      };
      const auto add = [&](int c, std::int64_t sum) {
        if (!starts) return;
        if (rank < kTable) {
          atomicAdd(&m.low[c][rank], static_cast<std::int32_t>(sum & 0xffff));
          if (sum >> 16 != 0) atomicAdd(&m.high[c][rank], static_cast<std::int32_t>(sum >> 16));
        } else {
          const std::int64_t node = pixel_of(root[j]);
          add_to(r.sums + node * fields + r.positions + group + c, sum);
        }
      };
      if (shorts) {
        std::int64_t packed = 0;
        if (inside) {
          const Pack<std::int16_t, 4> color = colors.shorts(pixel);
#pragma unroll
          for (int c = 0; c < 3; ++c) {
            packed |= (color.element[c] + kShortOffset) << c * kShortBits;
          }
        }
        const std::int64_t sums = sum_of_run(packed);
        const std::int64_t offset = (end - lane + 1) * kShortOffset;
#pragma unroll
        for (int c = 0; c < 3; ++c) add(c, (sums >> c * kShortBits & kShortMask) - offset);
      } else {
        for (int c = 0; c < channels; ++c) {
          add(c, sum_of_run(inside ? colors.at(pixel, group + c, scale) : 0));
        }
      }
    }
    __syncthreads();
    if (k < in_table) {
      std::int64_t* sums = r.sums + static_cast<std::int64_t>(pixel_of(m.root[k])) * fields;
      for (int c = 0; c < channels; ++c) {
        sums[r.positions + group + c] = m.low[c][k] + (std::int64_t{m.high[c][k]} << 16);
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
  std::size_t shared = (sizeof(TileMemory<typename Labels::Key>) + 15) / 16 * 16;
  if (input.kind == StageInput::Labels::kTagsToSmooth) shared += kHaloSide * kHaloSide;
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
