// SPDX-License-Identifier: Apache-2.0
//
// A block sorts the pixels of one tile by label, in shared memory: a stable radix sort, 8 bits at a
// time, of the labels less the least one in the tile. Labels of neighbouring pixels are mostly
// equal or close, so that it takes one pass or none; any labels are done after four. Where several
// pixels share a cell, they are first sorted by cell, so that a cell is named once in a list.
//
// Warps take 128 pixels each, in order; a pixel's rank among those of the same digit is counted
// with votes. Nothing depends on who comes first.
#include "label_tiles.h"

#include <algorithm>
#include <bit>

#include "shared.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kPerThread = kTilePixels / kThreads;
constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;
static_assert(kDigits == kThreads);  // a thread for each digit
constexpr unsigned kAll = ~0U;

struct Shared {
  std::uint32_t keys[kTilePixels];
  std::uint16_t cells[kTilePixels];
  std::uint16_t counters[kWarps][kDigits];
  std::uint16_t cell_begins[kTilePixels + 1];  // the first pixel of each cell of a list
  std::uint16_t list_begins[kTilePixels + 1];  // the first cell of each list
  int warp_totals[kWarps];
  int least, most;
};

/// The sum of `value` over the threads before this one; `total` is that over all.
__device__ int exclusive_sum(int value, Shared& shared, int& total) {
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  int sum = value;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(kAll, sum, step);
    if (lane >= step) sum += other;
  }
  if (lane == 31) shared.warp_totals[warp] = sum;
  __syncthreads();
  int before = 0;
  total = 0;
#pragma unroll
  for (int i = 0; i < kWarps; ++i) {
    const int of_warp = shared.warp_totals[i];
    before += i < warp ? of_warp : 0;
    total += of_warp;
  }
  __syncthreads();
  return before + sum - value;
}

/// The lanes whose digit, of `bits` bits, is that of this one.
__device__ unsigned lanes_with(unsigned digit, int bits) {
  unsigned same = kAll;
  for (int bit = 0; bit < bits; ++bit) {
    const bool is_set = (digit >> bit & 1U) != 0;
    const unsigned set = __ballot_sync(kAll, is_set);
    same &= is_set ? set : ~set;
  }
  return same;
}

/// Sorts keys and cells by `bits` bits of the keys, or of the cells.
__device__ void sort_tile(Shared& shared, bool by_cell, int bits) {
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  for (int shift = 0; shift < bits; shift += kDigitBits) {
    const int digit_bits = min(bits - shift, kDigitBits);
#pragma unroll
    for (int i = 0; i < kWarps; ++i) shared.counters[i][threadIdx.x] = 0;
    __syncthreads();
    std::uint32_t keys[kPerThread];
    std::uint16_t cells[kPerThread];
    unsigned digits[kPerThread];
    int ranks[kPerThread];
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const int at = (warp * kPerThread + i) * 32 + lane;
      keys[i] = shared.keys[at];
      cells[i] = shared.cells[at];
      digits[i] = ((by_cell ? cells[i] : keys[i]) >> shift) & (kDigits - 1U);
      const unsigned same = lanes_with(digits[i], digit_bits);
      const int before = shared.counters[warp][digits[i]];
      ranks[i] = before + __popc(same & ((1U << lane) - 1U));
      __syncwarp();
      if (lane == __ffs(static_cast<int>(same)) - 1) {
        shared.counters[warp][digits[i]] = static_cast<std::uint16_t>(before + __popc(same));
      }
      __syncwarp();
    }
    __syncthreads();
    // Pixels of a digit come after those of lower digits, and after those of earlier warps.
    int of_digit = 0;
#pragma unroll
    for (int i = 0; i < kWarps; ++i) of_digit += shared.counters[i][threadIdx.x];
    int total;
    int begin = exclusive_sum(of_digit, shared, total);
#pragma unroll
    for (int i = 0; i < kWarps; ++i) {
      const int count = shared.counters[i][threadIdx.x];
      shared.counters[i][threadIdx.x] = static_cast<std::uint16_t>(begin);
      begin += count;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const int to = shared.counters[warp][digits[i]] + ranks[i];
      shared.keys[to] = keys[i];
      shared.cells[to] = cells[i];
    }
    __syncthreads();
  }
}

/// Brings the tile's labels into `shared`, less the least one, as keys; what belongs to no segment
/// gets the greatest key. Returns the greatest key of a segment, -1 if there is none.
__device__ int load_keys(const LabelMaps& maps, const LabelTiles& tiles, std::int64_t image,
                         int tile_of_image, Shared& shared, bool& has_others) {
  const int y0 = tiles.first_row(tile_of_image);
  const int x0 = tiles.first_column(tile_of_image);
  const int cell_y0 = maps.y.cell_of(y0);
  const int cell_x0 = maps.x.cell_of(x0);
  if (threadIdx.x == 0) {
    shared.least = maps.num_segments;
    shared.most = -1;
  }
  __syncthreads();
  int segments[kPerThread];
  int least = maps.num_segments;
  int most = -1;
  int lowest = 0;
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    const int at = i * kThreads + static_cast<int>(threadIdx.x);
    const std::int64_t y = static_cast<std::int64_t>(y0) + (at >> tiles.log_width);
    const std::int64_t x = static_cast<std::int64_t>(x0) + (at & ((1 << tiles.log_width) - 1));
    segments[i] = -1;
    int cell = 0;
    if (y < maps.y.length && x < maps.x.length) {
      segments[i] = maps[(image * maps.y.length + y) * maps.x.length + x];
      cell = (maps.y.cell_of(static_cast<int>(y)) - cell_y0) << tiles.log_width |
             (maps.x.cell_of(static_cast<int>(x)) - cell_x0);
    }
    shared.cells[at] = static_cast<std::uint16_t>(cell);
    if (segments[i] >= 0) least = min(least, segments[i]);
    most = max(most, segments[i]);
    lowest = min(lowest, segments[i]);
  }
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    least = min(least, __shfl_xor_sync(kAll, least, step));
    most = max(most, __shfl_xor_sync(kAll, most, step));
  }
  if (threadIdx.x % 32 == 0) {
    atomicMin(&shared.least, least);
    atomicMax(&shared.most, most);
  }
  has_others = __syncthreads_or(lowest < 0) != 0;
  least = shared.least;
  most = shared.most;
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    const int key = segments[i] >= 0 ? segments[i] - least : most - least + 1;
    shared.keys[i * kThreads + static_cast<int>(threadIdx.x)] = static_cast<std::uint32_t>(key);
  }
  __syncthreads();
  return most < 0 ? -1 : most - least;
}

__device__ int bits_of(int value) { return 32 - __clz(value); }

/// As many bits as the cells of a tile have.
__device__ int bits_of_cells(const LabelMaps& maps, const LabelTiles& tiles, int tile_of_image) {
  const int y = tiles.first_row(tile_of_image);
  const int x = tiles.first_column(tile_of_image);
  const int last_y = min(maps.y.length - y, kTilePixels >> tiles.log_width) - 1 + y;
  const int last_x = min(maps.x.length - x, 1 << tiles.log_width) - 1 + x;
  const int rows = maps.y.cell_of(last_y) - maps.y.cell_of(y);
  const int columns = maps.x.cell_of(last_x) - maps.x.cell_of(x);
  return rows > 0 ? tiles.log_width + bits_of(rows) : bits_of(columns);
}

/// Where the cells and the lists of sorted pixels begin; returns the numbers of both.
__device__ int2 find_begins(Shared& shared, std::uint32_t most_key) {
  const int first = static_cast<int>(threadIdx.x) * kPerThread;
  bool begins_cell[kPerThread], begins_list[kPerThread];
  int begins = 0;  // of lists in the upper 16 bits, of cells in the lower
  int end = 0;
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    const int at = first + i;
    const std::uint32_t key = shared.keys[at];
    const bool is_inside = key <= most_key;
    begins_list[i] = is_inside && (at == 0 || key != shared.keys[at - 1]);
    begins_cell[i] = begins_list[i] || (is_inside && shared.cells[at] != shared.cells[at - 1]);
    begins += (begins_list[i] ? 1 << 16 : 0) + (begins_cell[i] ? 1 : 0);
    if (is_inside && (at == kTilePixels - 1 || shared.keys[at + 1] > most_key)) end = at + 1;
  }
  int total;
  int before = exclusive_sum(begins, shared, total);
  const int2 numbers = make_int2(total & 0xffff, total >> 16);
#pragma unroll
  for (int i = 0; i < kPerThread; ++i) {
    if (begins_list[i]) {
      shared.list_begins[before >> 16] = static_cast<std::uint16_t>(before & 0xffff);
      before += 1 << 16;
    }
    if (begins_cell[i]) {
      shared.cell_begins[before & 0xffff] = static_cast<std::uint16_t>(first + i);
      ++before;
    }
  }
  if (end > 0) {
    shared.cell_begins[numbers.x] = static_cast<std::uint16_t>(end);
    shared.list_begins[numbers.y] = static_cast<std::uint16_t>(numbers.x);
  }
  __syncthreads();
  return numbers;
}

__global__ void __launch_bounds__(kThreads) tile_kernel(LabelMaps maps, LabelTiles tiles) {
  Shared& shared = *shared_memory<Shared>();
  const std::int64_t tile = blockIdx.x;
  const std::int64_t image = tile / tiles.per_image;
  const int tile_of_image = static_cast<int>(tile - image * tiles.per_image);
  bool has_others;
  const int most_key = load_keys(maps, tiles, image, tile_of_image, shared, has_others);
  if (most_key < 0) {
    if (threadIdx.x == 0) tiles.num_lists[tile] = 0;
    return;
  }
  if (!maps.has_a_label_per_cell()) {
    sort_tile(shared, true, bits_of_cells(maps, tiles, tile_of_image));
  }
  sort_tile(shared, false, bits_of(has_others ? most_key + 1 : most_key));
  const int2 numbers = find_begins(shared, static_cast<std::uint32_t>(most_key));

  TileCell* cells = tiles.cells + tile * kTilePixels;
  for (int i = static_cast<int>(threadIdx.x); i < numbers.x; i += kThreads) {
    const int begin = shared.cell_begins[i];
    cells[i] = TileCell::of(shared.cells[begin], shared.cell_begins[i + 1] - begin);
  }
  for (int i = static_cast<int>(threadIdx.x); i < numbers.y; i += kThreads) {
    const int begin = shared.list_begins[i];
    const int end = shared.list_begins[i + 1];
    const int first = shared.cell_begins[begin];
    const int segment = static_cast<int>(shared.keys[first]) + shared.least;
    tiles.labels[tile * kTilePixels + i] = segment;
    tiles.lists[tile * kTilePixels + i] =
        TileList::of(begin, end - begin, shared.cell_begins[end] - first);
    const int bit = tile_of_image >> tiles.log_span;
    atomicOr(tiles.places + tiles.place(image, maps.num_segments, segment) + bit / 32,
             1U << (bit % 32));
  }
  if (threadIdx.x == 0) tiles.num_lists[tile] = numbers.y;
}

int log2_ceil(int n) { return std::bit_width(static_cast<unsigned>(n) - 1U); }

}  // namespace

LabelMaps::LabelMaps(const ArrayView& labels, const ArrayView& features, std::int64_t segments)
    : data(labels.data),
      is_wide(labels.dtype == DType::kInt64),
      num_segments(static_cast<std::int32_t>(segments)),
      batch(features.shape[0]),
      y{static_cast<int>(labels.shape[1]), static_cast<int>(features.shape[2])},
      x{static_cast<int>(labels.shape[2]), static_cast<int>(features.shape[3])} {}

LabelTiles::LabelTiles(Call& call, const LabelMaps& maps) {
  // 64 x 16 pixels, which are whole lines of the features and few lists; other shapes where the
  // image is not that high or wide.
  const int log_height = std::min(4, log2_ceil(maps.y.length));
  log_width = std::min(10 - log_height, log2_ceil(maps.x.length));
  const auto tiles_along = [](int length, int log_side) {
    return static_cast<int>(
        (static_cast<std::int64_t>(length) + (std::int64_t{1} << log_side) - 1) >> log_side);
  };
  columns = tiles_along(maps.x.length, log_width);
  per_image = columns * tiles_along(maps.y.length, 10 - log_width);
  // At most two bytes for a pixel, or a word for a segment.
  const std::int64_t most_words = std::max<std::int64_t>(1, maps.pixels() / 2 / maps.num_segments);
  log_span = 0;
  const auto words_for = [&] { return tiles_along(tiles_along(per_image, log_span), 5); };
  while (words_for() > most_words) ++log_span;
  words = words_for();
  const std::int64_t tiles = maps.batch * per_image;
  cells = call.take<TileCell>(tiles * kTilePixels);
  labels = call.take<std::int32_t>(tiles * kTilePixels);
  lists = call.take<TileList>(tiles * kTilePixels);
  num_lists = call.take<std::int32_t>(tiles);
  places = call.take<std::uint32_t>(place(maps.batch, maps.num_segments, 0));
}

void find_label_tiles(const Call& call, const LabelMaps& maps, const LabelTiles& tiles) {
  call.clear(tiles.places, tiles.place(maps.batch, maps.num_segments, 0));
  call.launch(tile_kernel, maps.batch * tiles.per_image, kThreads, sizeof(Shared), maps, tiles);
}

}  // namespace superpix::cuda
