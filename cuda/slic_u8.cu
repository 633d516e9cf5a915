// SPDX-License-Identifier: Apache-2.0
//
// One kernel per iteration. Every cell keeps what it gives to each of its nine candidates: sums
// over pixels, in integers, so that their order does not matter. A block takes a tile of cells. It
// gathers the clusters in and around the tile from the sums of the last iteration, nine cells each;
// makes candidates of them, in shared memory; assigns its pixels; and writes the cells' new sums.
// As on the CPU, these follow from the old ones by what goes from one candidate to another, which
// is little: only pixels that change sides cost atomic additions, in shared memory, and none for
// the cell's own cluster, with which most pixels are, and which gets what the others lose. The last
// iteration writes the labels, too.
//
// Neighbours read the sums that a block replaces, so there are two of them that take turns. Where
// several blocks share a cell they add to its new sums, which must be 0 before: then there are
// three, the third of which is cleared for the next iteration.
#include "slic_u8.h"

#include <algorithm>
#include <climits>
#include <cstdint>
#include <type_traits>

#include "cpu/kernels.h"
#include "cpu/turns.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 128;

constexpr int kLowBits = 15;      // of a score: the code of the candidate, 15 - slot
constexpr int kOwnSlot = 4;       // of a cell's own cluster
constexpr int kColorStep = 16;    // colours of clusters are multiples of it
constexpr int kPositionStep = 8;  // positions of clusters count 1 / kPositionStep pixels
static_assert(kPositionStep == cpu::kPositionStep && kLowBits == cpu::kLowBits &&
              CellTiles::kGroup == cpu::kTurnGroup);

/// What a cell sums up for a candidate. Positions count 1 / unit pixels from the cell's corner.
enum Field { kLightness, kA, kB, kY, kX, kCount, kFields };
constexpr int kCellSums = kCandidates * kFields;

/// Cells of up to so many pixels have sums of 32 bits, as all values are of 16.
constexpr std::int64_t kSmallCell = 1 << 16;

struct alignas(16) Candidate {
  int bias, lightness, a, b;
  int right;  // what a score gains from one pixel to the next in a row,
  int down;   // from one row to the next,
  int wrap;   // and besides `right` from the end of a row to the beginning of the next
  int unused;
};

template <class Sum>
struct Iteration {
  IntegerImage image;
  const long long* cell_colors;  // [cells][3]
  std::uint8_t* codes;
  const Sum* sums;  // [cells][9][kFields]; in iteration 0 not there yet
  Sum* next_sums;
  Sum* cleared_sums;  // or nullptr
  const IntegerCenter* centers;
  IntegerCenter* next_centers;
  int* changed;  // the iteration that first changed a pixel of each cell, if seeds are perturbed
  int number;    // from 0
  int turn, num_turns;
  int fours;  // of pixels that a cell of a tile has in a turn
  int unit;
  float weight_y, weight_x;  // position -> weighted position
  float norm_y, norm_x;      // weighted position, squared -> its share of the bias
  bool is_last;
  ClusterLabels labels;  // written if this is the last
};

/// A sum of a cell whose pixels all are with their own cluster, as they are at first.
__device__ long long start_sum(const CellTiles& tiles, const long long* cell_colors, int unit,
                               int row, int column, int field) {
  if (field <= kB) {
    return cell_colors[3 * (static_cast<std::int64_t>(row) * tiles.grid.x.cells + column) + field];
  }
  const CellBox box = cell_box(tiles, row, column);
  const auto count = static_cast<long long>(box.size());
  const int side = field == kY ? box.height : box.width;
  return field == kCount ? count : unit * (count * (side - 1) / 2);
}

/// The same for a cluster, positions from the corner of the image.
__device__ long long start_total(const CellTiles& tiles, const long long* cell_colors, int unit,
                                 int row, int column, int field) {
  const long long sum = start_sum(tiles, cell_colors, unit, row, column, field);
  if (field != kY && field != kX) return sum;
  const CellBox box = cell_box(tiles, row, column);
  return sum + static_cast<long long>(box.size()) * (field == kY ? box.y : box.x) * unit;
}

/// Sum i of the cells of a tile, [cells][9][kFields], before this iteration.
template <bool kIsFirst, class Sum>
__device__ long long last_sum(const Iteration<Sum>& it, const CellTile& tile, int i) {
  const CellTiles& tiles = it.image.tiles;
  if constexpr (kIsFirst) {
    if (i / kFields % kCandidates != kOwnSlot) return 0;
    return start_sum(tiles, it.cell_colors, it.unit, tile.row, tile.column + i / kCellSums,
                     i % kFields);
  }
  const std::int64_t first = static_cast<std::int64_t>(tile.row) * tiles.grid.x.cells + tile.column;
  return it.sums[first * kCellSums + i];
}

/// The sum over all pixels of cluster (row, column), positions from the corner of the image.
template <class Sum>
__device__ long long gather(const Iteration<Sum>& it, int row, int column, int field) {
  const CellTiles& tiles = it.image.tiles;
  const Grid& grid = tiles.grid;
  const bool is_y = field == kY;
  const bool is_position = is_y || field == kX;
  long long corners[3];  // of the cells before, here and after, along the axis of a position
#pragma unroll
  for (int i = 0; i < 3; ++i) {
    const int corner =
        is_y ? tiles.edges_y.begin(row + i - 1) : tiles.edges_x.begin(column + i - 1);
    corners[i] = is_position ? static_cast<long long>(corner) * it.unit : 0;
  }
  long long total = 0;
#pragma unroll
  for (int slot = 0; slot < kCandidates; ++slot) {
    const int cell = grid.candidate(row, column, slot);
    if (cell < 0) continue;
    // Seen from there, this cluster is in the opposite slot.
    const int opposite = kCandidates - 1 - slot;
    const Sum* const sums =
        it.sums + (static_cast<std::int64_t>(cell) * kCandidates + opposite) * kFields;
    total += sums[field];
    if (is_position) total += sums[kCount] * (is_y ? corners[slot / 3] : corners[slot % 3]);
  }
  return total;
}

/// sum / n to the nearest multiple of `step`, in the operations of the CPU.
__device__ __forceinline__ int nearest_multiple(long long sum, double one_over_n, int step) {
  constexpr int kPositive = 1 << 20;  // truncation is floor from here on
  const double steps = __dmul_rn(static_cast<double>(sum), one_over_n) / step;
  return step * (static_cast<int>(__dadd_rn(steps, kPositive + 0.5)) - kPositive);
}

__device__ IntegerCenter center_at(int lightness, int a, int b, int y, int x) {
  const auto square = [](int value) { return static_cast<long long>(value) * value; };
  const auto half_norm = static_cast<int>((square(lightness) + square(a) + square(b)) / 2);
  return {lightness, a, b, half_norm, y, x};
}

/// The mean of a cluster that has pixels.
__device__ IntegerCenter center_of(const long long* totals, int unit) {
  const double scale = 1.0 / static_cast<double>(totals[kCount]);
  const double position_scale = scale * kPositionStep / unit;
  return center_at(nearest_multiple(totals[kLightness], scale, kColorStep),
                   nearest_multiple(totals[kA], scale, kColorStep),
                   nearest_multiple(totals[kB], scale, kColorStep),
                   nearest_multiple(totals[kY], position_scale, 1),
                   nearest_multiple(totals[kX], position_scale, 1));
}

/// Whether a pixel of the cells around cluster (row, column) has changed before.
template <class Sum>
__device__ bool has_changed_around(const Iteration<Sum>& it, int row, int column) {
  const Grid& grid = it.image.tiles.grid;
  bool any = false;
  for (int slot = 0; slot < kCandidates; ++slot) {
    const int cell = grid.candidate(row, column, slot);
    any = any || (cell >= 0 && it.changed[cell] < it.number);
  }
  return any;
}

/// What the pixels of a cell with this corner are compared with: the greater the score
///     bias + lightness * L + a * A + b * B + right * x + down * y,
/// the nearer. All is a multiple of 16 but the bias, whose low bits are the code of the slot.
template <class Sum>
__device__ Candidate candidate_of(const Iteration<Sum>& it, const IntegerCenter& center,
                                  const CellBox& box, int slot) {
  const auto weighted = [](int position, int corner, float weight) {
    return __float2int_rn(__fmul_rn(static_cast<float>(position - kPositionStep * corner), weight));
  };
  const int wy = weighted(center.y, box.y, it.weight_y);
  const int wx = weighted(center.x, box.x, it.weight_x);
  const auto fy = static_cast<float>(wy);
  const auto fx = static_cast<float>(wx);
  // The weighted position is rounded once; the bias is of the position that this stands for.
  const int half_norm_xy = __float2int_rn(
      __fadd_rn(__fmul_rn(__fmul_rn(fy, fy), it.norm_y), __fmul_rn(__fmul_rn(fx, fx), it.norm_x)));
  const int bias = -16 * (half_norm_xy + (center.half_norm >> 4));
  const int down = it.unit * wy;
  const int right = it.unit * wx;
  return {bias | (kLowBits - slot),
          center.lightness,
          center.a,
          center.b,
          right,
          down,
          down - box.width * right,
          0};
}

/// Codes of a cell before anything is assigned, four pixels a word.
constexpr unsigned kOwnCodes = (kLowBits - kOwnSlot) * 0x01010101U;

/// Where a block keeps things in shared memory. Its cells are `strip` at most.
struct Shared {
  Candidate* candidates;   // [strip][9]
  CellBox* boxes;          // [strip]
  long long* totals;       // [3][strip + 2][kFields], of the clusters in and around the tile
  IntegerCenter* centers;  // [3][strip + 2]
  int* sums;               // [strip][9][kFields], the old ones: see kSumsAreShared
  int* moved;              // [strip][9][kFields], what is added to these, own clusters left out
  int* changed;            // [strip]
  Divisor* widths;         // [strip]
  // In the last iteration only:
  int* values;      // [strip][9], what stands for the candidates
  unsigned* codes;  // [strip][fours]

  static std::size_t bytes(const CellTiles& tiles, bool is_last) {
    const auto strip = static_cast<std::size_t>(tiles.strip);
    const std::size_t clusters = 3 * (strip + 2);
    const std::size_t of_last =
        is_last ? kCandidates * sizeof(int) + static_cast<std::size_t>(tiles.fours(1)) * 4 : 0;
    return strip * (kCandidates * sizeof(Candidate) + sizeof(CellBox) +
                    (2 * kCellSums + 1) * sizeof(int) + sizeof(Divisor) + of_last) +
           clusters * (kFields * sizeof(long long) + sizeof(IntegerCenter));
  }
  __device__ explicit Shared(int strip) {
    const int clusters = 3 * (strip + 2);
    candidates = shared_memory<Candidate>();
    boxes = reinterpret_cast<CellBox*>(candidates + strip * kCandidates);
    totals = reinterpret_cast<long long*>(boxes + strip);
    centers = reinterpret_cast<IntegerCenter*>(totals + clusters * kFields);
    sums = reinterpret_cast<int*>(centers + clusters);
    moved = sums + strip * kCellSums;
    changed = moved + strip * kCellSums;
    widths = reinterpret_cast<Divisor*>(changed + strip);
    values = reinterpret_cast<int*>(widths + strip);
    codes = reinterpret_cast<unsigned*>(values + strip * kCandidates);
  }
};

/// Whether sums fit shared memory, where the first piece of a cell keeps them in the meantime.
template <class Sum>
inline constexpr bool kSumsAreShared = sizeof(Sum) == sizeof(int);

/// A pixel of a cell.
struct Place {
  int y, x;
};

__device__ __forceinline__ Place place_of(unsigned pixel, const Divisor& width) {
  unsigned x = 0;
  const unsigned y = width.divide(pixel, &x);
  return {static_cast<int>(y), static_cast<int>(x)};
}

/// Makes the candidates of a tile, and of its first piece the clusters.
template <bool kIsFirst, class Sum>
__device__ void prepare(const Iteration<Sum>& it, const CellTile& tile, const Shared& shared) {
  const CellTiles& tiles = it.image.tiles;
  const Grid& grid = tiles.grid;
  const int thread = static_cast<int>(threadIdx.x);
  // The clusters in and around the tile, column by column.
  const int clusters = 3 * (tile.cells + 2);
  const auto row_of = [&](int cluster) { return tile.row - 1 + cluster % 3; };
  const auto column_of = [&](int cluster) { return tile.column - 1 + cluster / 3; };
  const auto exists = [&](int cluster) {
    const int row = row_of(cluster);
    const int column = column_of(cluster);
    return row >= 0 && row < grid.y.cells && column >= 0 && column < grid.x.cells;
  };
#pragma unroll 1
  for (int i = thread; i < clusters * kFields; i += kThreads) {
    const int cluster = i / kFields;
    if (!exists(cluster)) continue;
    const int row = row_of(cluster);
    const int column = column_of(cluster);
    shared.totals[i] = kIsFirst
                           ? start_total(tiles, it.cell_colors, it.unit, row, column, i % kFields)
                           : gather(it, row, column, i % kFields);
  }
#pragma unroll 1
  for (int i = thread; i < tile.cells * kCellSums; i += kThreads) {
    shared.moved[i] = 0;
    if (kSumsAreShared<Sum> && tile.piece == 0) {
      shared.sums[i] = static_cast<int>(last_sum<kIsFirst>(it, tile, i));
    }
  }
  if (thread < tile.cells) {
    const CellBox box = cell_box(tiles, tile.row, tile.column + thread);
    shared.boxes[thread] = box;
    shared.changed[thread] = 0;
    shared.widths[thread] = Divisor(box.width);
  }
  __syncthreads();
#pragma unroll 1
  for (int cluster = thread; cluster < clusters; cluster += kThreads) {
    if (!exists(cluster)) continue;
    const int row = row_of(cluster);
    const int column = column_of(cluster);
    const int k = row * grid.x.cells + column;
    const long long* const totals = shared.totals + cluster * kFields;
    // A cluster without pixels stays where it is; so does a seed until a pixel around it changes.
    const bool stands =
        totals[kCount] == 0 || (it.changed != nullptr && !has_changed_around(it, row, column));
    const IntegerCenter center = stands ? it.centers[k] : center_of(totals, it.unit);
    shared.centers[cluster] = center;
    const bool is_own =
        row == tile.row && column >= tile.column && column < tile.column + tile.cells;
    if (is_own && tile.piece == 0) it.next_centers[k] = center;
  }
  __syncthreads();
#pragma unroll 1
  for (int i = thread; i < tile.cells * kCandidates; i += kThreads) {
    const int cell = i / kCandidates;
    const int slot = i % kCandidates;
    const int cluster = 3 * (cell + slot % 3) + slot / 3;
    shared.candidates[i] = exists(cluster)
                               ? candidate_of(it, shared.centers[cluster], shared.boxes[cell], slot)
                               : Candidate{INT_MIN | (kLowBits - slot), 0, 0, 0, 0, 0, 0, 0};
    if (it.is_last) {
      const int k = row_of(cluster) * grid.x.cells + column_of(cluster);
      shared.values[i] = it.labels.value_of(k, grid.x.cells);
    }
  }
}

/// Gives all pixels of a tile, which lie together, to their own clusters.
template <class Sum>
__device__ void fill_codes(const Iteration<Sum>& it, const CellTile& tile) {
  const CellTiles& tiles = it.image.tiles;
  const std::int64_t first =
      it.image.first(tile.row * tiles.grid.x.cells + tile.column) + tile.begin;
  const std::int64_t room = tiles.capacity - tile.begin;
  const std::int64_t pixels = tiles.pieces == 1           ? tile.cells * tiles.capacity
                              : room < tiles.piece_pixels ? room
                                                          : tiles.piece_pixels;
  auto* const codes = reinterpret_cast<unsigned*>(it.codes + first);
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < static_cast<int>(pixels / 4); i += kThreads) {
    codes[i] = kOwnCodes;
  }
}

/// Writes what stands for the clusters of all pixels of a tile, neighbours by neighbours.
template <class Sum>
__device__ void write_labels(const Iteration<Sum>& it, const CellTile& tile, const Shared& shared) {
  const CellTiles& tiles = it.image.tiles;
  const auto* const codes = reinterpret_cast<const std::uint8_t*>(shared.codes);
  const int pixels = 4 * tiles.fours(1);
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < tile.cells * pixels; i += kThreads) {
    const int cell = tiles.strip == 1 ? 0 : i / pixels;
    const CellBox box = shared.boxes[cell];
    const unsigned pixel = tile.begin + static_cast<unsigned>(i - cell * pixels);
    if (pixel >= box.size()) continue;
    const Place place = place_of(pixel, shared.widths[cell]);
    const int slot = kLowBits - codes[i];
    it.labels.write(
        static_cast<std::int64_t>(box.y + place.y) * tiles.grid.x.length + box.x + place.x,
        shared.values[cell * kCandidates + slot]);
  }
}

/// Products and sums wrap around, as those of the CPU.
__device__ __forceinline__ int plus_product(int sum, int a, int b) {
  return static_cast<int>(static_cast<unsigned>(sum) +
                          static_cast<unsigned>(a) * static_cast<unsigned>(b));
}

/// Four neighbouring pixels of a cell.
struct Four {
  int cell;  // of the tile
  unsigned pixel;
  Pack<std::int32_t, 4> la;
  Pack<std::int16_t, 4> b;
  unsigned codes;  // of their clusters
};

/// Number i of those of a tile that have their turn.
template <bool kIsFirst, class Sum>
__device__ __forceinline__ Four load_four(const Iteration<Sum>& it, const CellTile& tile,
                                          std::int64_t first, int i) {
  const CellTiles& tiles = it.image.tiles;
  constexpr int kFoursOfGroup = CellTiles::kGroup / 4;
  Four four{};
  if (i >= tile.cells * it.fours) return four;
  four.cell = tiles.strip == 1 ? 0 : i / it.fours;
  i -= four.cell * it.fours;
  const int group = i / kFoursOfGroup * it.num_turns + it.turn;
  four.pixel =
      tile.begin + static_cast<unsigned>(CellTiles::kGroup * group + i % kFoursOfGroup * 4);
  if (four.pixel >= tiles.capacity) return four;
  const std::int64_t at = first + four.cell * tiles.capacity + four.pixel;
  four.la = load_pack<4>(it.image.la + at);
  four.b = load_pack<4>(it.image.b + at);
  four.codes = kIsFirst ? kOwnCodes : *reinterpret_cast<const unsigned*>(it.codes + at);
  return four;
}

template <bool kIsFirst, class Sum>
__global__ void __launch_bounds__(kThreads, 8) iteration_kernel(Iteration<Sum> it) {
  const CellTiles& tiles = it.image.tiles;
  const Shared shared(tiles.strip);
  const CellTile tile = tiles.tile(blockIdx.x);
  const int first_cell = tile.row * tiles.grid.x.cells + tile.column;
  const std::int64_t first = it.image.first(first_cell);
  const int thread = static_cast<int>(threadIdx.x);
  // What comes from memory is on its way while the candidates are made.
  Four next = load_four<kIsFirst>(it, tile, first, thread);
  if constexpr (kIsFirst) fill_codes(it, tile);
  if (it.is_last) {
    const int fours = tile.cells * tiles.fours(1);
#pragma unroll 1
    for (int i = thread; i < fours; i += kThreads) shared.codes[i] = kOwnCodes;
  }
  prepare<kIsFirst>(it, tile, shared);
  __syncthreads();

#pragma unroll 1
  for (int i = thread; i < tile.cells * it.fours; i += kThreads) {
    const Four four = next;
    next = load_four<kIsFirst>(it, tile, first, i + kThreads);
    const CellBox box = shared.boxes[four.cell];
    const unsigned size = box.size();
    if (four.pixel >= size) continue;
    const Place place = place_of(four.pixel, shared.widths[four.cell]);
    bool wraps[4];  // whether a pixel is the first of a row
    int column = place.x;
#pragma unroll
    for (int k = 1; k < 4; ++k) {
      wraps[k] = ++column == box.width;
      if (wraps[k]) column = 0;
    }
    int lightness[4];
    int a[4];
    int best[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      lightness[k] = static_cast<std::int16_t>(four.la.element[k]);
      a[k] = four.la.element[k] >> 16;
      best[k] = INT_MIN;
    }
#pragma unroll
    for (int slot = 0; slot < kCandidates; ++slot) {
      const Candidate c = shared.candidates[four.cell * kCandidates + slot];
      int spatial = plus_product(plus_product(c.bias, c.right, place.x), c.down, place.y);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if (k > 0) {
          spatial = plus_product(spatial, c.right, 1);
          if (wraps[k]) spatial = plus_product(spatial, c.wrap, 1);
        }
        const int score =
            plus_product(plus_product(plus_product(spatial, c.lightness, lightness[k]), c.a, a[k]),
                         c.b, four.b.element[k]);
        best[k] = max(best[k], score);
      }
    }
    unsigned codes = 0;
#pragma unroll
    for (int k = 0; k < 4; ++k) codes |= (best[k] & kLowBits) << 8 * k;
    if (it.is_last) shared.codes[i] = codes;
    const unsigned exist = size - four.pixel >= 4 ? ~0U : (1U << 8 * (size - four.pixel)) - 1;
    unsigned differ = (codes ^ four.codes) & exist;
    if (differ == 0) continue;
    *reinterpret_cast<unsigned*>(it.codes + first + four.cell * tiles.capacity + four.pixel) =
        codes;
    shared.changed[four.cell] = 1;
    // Pixels that go from the same candidate to the same other one go together.
    while (differ != 0) {
      const int byte = (__ffs(static_cast<int>(differ)) - 1) / 8 * 8;
      const unsigned from = four.codes >> byte & kLowBits;
      const unsigned to = codes >> byte & kLowBits;
      int sums[kFields] = {};
      int y = place.y * it.unit;
      int x = place.x * it.unit;
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        if (k > 0) {
          x = wraps[k] ? 0 : x + it.unit;
          y = wraps[k] ? y + it.unit : y;
        }
        const bool goes = (differ >> 8 * k & 255U) != 0 &&
                          (four.codes >> 8 * k & kLowBits) == from &&
                          (codes >> 8 * k & kLowBits) == to;
        if (!goes) continue;
        differ &= ~(255U << 8 * k);
        sums[kLightness] += lightness[k];
        sums[kA] += a[k];
        sums[kB] += four.b.element[k];
        sums[kY] += y;
        sums[kX] += x;
        sums[kCount] += 1;
      }
      int* const moved = shared.moved + four.cell * kCellSums;
      if (from != kLowBits - kOwnSlot) {
#pragma unroll
        for (int field = 0; field < kFields; ++field) {
          atomicSub(moved + (kLowBits - from) * kFields + field, sums[field]);
        }
      }
      if (to != kLowBits - kOwnSlot) {
#pragma unroll
        for (int field = 0; field < kFields; ++field) {
          atomicAdd(moved + (kLowBits - to) * kFields + field, sums[field]);
        }
      }
    }
  }
  __syncthreads();

#pragma unroll 1
  for (int i = thread; i < tile.cells * kCellSums; i += kThreads) {
    const std::int64_t at = static_cast<std::int64_t>(first_cell) * kCellSums + i;
    Sum sum = shared.moved[i];
    if (i / kFields % kCandidates == kOwnSlot) {
      const int* const moved = shared.moved + i / kCellSums * kCellSums + i % kFields;
#pragma unroll
      for (int slot = 0; slot < kCandidates; ++slot) {
        if (slot != kOwnSlot) sum -= moved[slot * kFields];
      }
    }
    if (tile.piece == 0) {
      sum += kSumsAreShared<Sum> ? static_cast<Sum>(shared.sums[i])
                                 : static_cast<Sum>(last_sum<kIsFirst>(it, tile, i));
    }
    if (tiles.pieces == 1) {
      it.next_sums[at] = sum;
    } else if (sum != 0) {
      using Unsigned = std::make_unsigned_t<Sum>;
      atomicAdd(reinterpret_cast<Unsigned*>(it.next_sums + at), static_cast<Unsigned>(sum));
    }
    if (it.cleared_sums != nullptr && tile.piece == 0) it.cleared_sums[at] = 0;
  }
  if (it.changed != nullptr && thread < tile.cells && shared.changed[thread] != 0) {
    atomicMin(it.changed + first_cell + thread, it.number);
  }
  if (it.is_last) write_labels(it, tile, shared);
}

/// Moves seeds to the least gradient of the 3 x 3 pixels around them; a thread per cluster.
__global__ void __launch_bounds__(kThreads)
    perturb_kernel(IntegerImage image, const long long* __restrict__ cell_colors, int unit,
                   IntegerCenter* __restrict__ centers, int* __restrict__ changed) {
  const Grid& grid = image.tiles.grid;
  const auto cell = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (cell >= grid.num_cells()) return;
  changed[cell] = INT_MAX;
  const int row = cell / grid.x.cells;
  const int column = cell % grid.x.cells;
  long long totals[kFields];
#pragma unroll
  for (int field = 0; field < kFields; ++field) {
    totals[field] = start_total(image.tiles, cell_colors, unit, row, column, field);
  }
  IntegerCenter center = center_of(totals, unit);

  const auto difference = [&](std::int64_t p, std::int64_t q) {
    const auto square = [](long long d) { return d * d; };
    return square(static_cast<std::int16_t>(image.la[p]) - static_cast<std::int16_t>(image.la[q])) +
           square((image.la[p] >> 16) - (image.la[q] >> 16)) + square(image.b[p] - image.b[q]);
  };
  const int y0 = (center.y + kPositionStep / 2) / kPositionStep;
  const int x0 = (center.x + kPositionStep / 2) / kPositionStep;
  long long least = -1;
  // A pixel at the edge of the image has no gradient to compare.
  for (int y = max(1, y0 - 1); y <= min(grid.y.length - 2, y0 + 1); ++y) {
    for (int x = max(1, x0 - 1); x <= min(grid.x.length - 2, x0 + 1); ++x) {
      const long long gradient = difference(image.place(y, x - 1), image.place(y, x + 1)) +
                                 difference(image.place(y - 1, x), image.place(y + 1, x));
      if (least >= 0 && gradient >= least) continue;
      least = gradient;
      const std::int64_t p = image.place(y, x);
      center = center_at(nearest_multiple(static_cast<std::int16_t>(image.la[p]), 1.0, kColorStep),
                         nearest_multiple(image.la[p] >> 16, 1.0, kColorStep),
                         nearest_multiple(image.b[p], 1.0, kColorStep), y * kPositionStep,
                         x * kPositionStep);
    }
  }
  centers[cell] = center;
}

/// A thread per cluster. `it` is an iteration that is not to be made.
template <class Sum>
__global__ void __launch_bounds__(kThreads)
    mean_kernel(Iteration<Sum> it, double* __restrict__ means) {
  const Grid& grid = it.image.tiles.grid;
  const auto cell = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (cell >= grid.num_cells()) return;
  const int row = cell / grid.x.cells;
  const int column = cell % grid.x.cells;
  const long long count = gather(it, row, column, kCount);
  const double scale = count > 0 ? 1.0 / static_cast<double>(count) : 0.0;
#pragma unroll
  for (int field = kLightness; field <= kB; ++field) {
    means[3 * static_cast<std::int64_t>(cell) + field] =
        static_cast<double>(gather(it, row, column, field)) * scale;
  }
}

template <class Sum>
Iteration<Sum> iteration_of(const IntegerImageMaker& maker, const cpu::IntegerScale& scale,
                            const IntegerClustering::Memory& memory, int number) {
  const CellTiles& tiles = maker.image().tiles;
  const int num_sums = tiles.pieces == 1 ? 2 : 3;
  const auto sums = [&](int i) { return static_cast<Sum*>(memory.sums[i % num_sums]); };
  // In the order of the CPU: these are rounded.
  const auto weight = [&](double pixel_weight) {
    return static_cast<float>(pixel_weight / (scale.unit * static_cast<double>(kPositionStep)));
  };
  const auto norm = [&](double pixel_weight) {
    const double unit = scale.unit;
    return static_cast<float>(0.5 * unit * unit / pixel_weight) * (1.0F / 16.0F);
  };
  return {
      .image = maker.image(),
      .cell_colors = maker.sums(),
      .codes = memory.codes,
      .sums = sums(number + num_sums - 1),
      .next_sums = sums(number),
      .cleared_sums = tiles.pieces == 1 ? nullptr : sums(number + 1),
      .centers = memory.centers[number % 2],
      .next_centers = memory.centers[(number + 1) % 2],
      .changed = memory.changed,
      .number = number,
      .turn = 0,
      .num_turns = 1,
      .fours = tiles.fours(1),
      .unit = scale.unit,
      .weight_y = weight(scale.weight_y),
      .weight_x = weight(scale.weight_x),
      .norm_y = norm(scale.weight_y),
      .norm_x = norm(scale.weight_x),
      .is_last = false,
      .labels = {},
  };
}

/// Calls f with the type of the sums, as a std::type_identity.
template <class F>
void with_sum(const CellTiles& tiles, F f) {
  if (tiles.capacity <= kSmallCell) {
    f(std::type_identity<int>{});
  } else {
    f(std::type_identity<long long>{});
  }
}

}  // namespace

IntegerClustering::IntegerClustering(Call& call, const IntegerImageMaker& maker,
                                     const cpu::IntegerScale& scale, int num_turns,
                                     const SlicParams& params)
    : maker_(maker), scale_(scale), num_turns_(num_turns), params_(params) {
  const CellTiles& tiles = maker.image().tiles;
  const std::int64_t num_cells = tiles.grid.num_cells();
  memory_.codes = call.take<std::uint8_t>(num_cells * tiles.capacity);
  with_sum(tiles, [&](auto type) {
    using Sum = typename decltype(type)::type;
    for (int i = 0; i < (tiles.pieces == 1 ? 2 : 3); ++i) {
      memory_.sums[i] = call.take<Sum>(num_cells * kCellSums);
    }
  });
  for (IntegerCenter*& centers : memory_.centers) centers = call.take<IntegerCenter>(num_cells);
  if (params.perturb_seeds) memory_.changed = call.take<int>(num_cells);
}

void IntegerClustering::enqueue(const Call& call, const ClusterLabels& labels) const {
  const IntegerImage& image = maker_.image();
  const CellTiles& tiles = image.tiles;
  const std::int64_t num_cells = tiles.grid.num_cells();
  if (params_.perturb_seeds) {
    call.launch(perturb_kernel, blocks_for(num_cells, kThreads), kThreads, 0, image, maker_.sums(),
                scale_.unit, memory_.centers[0], memory_.changed);
  }
  with_sum(tiles, [&](auto type) {
    using Sum = typename decltype(type)::type;
    if (tiles.pieces > 1) call.clear(static_cast<Sum*>(memory_.sums[0]), num_cells * kCellSums);
    // Without iterations, one that assigns no pixels writes the labels.
    const int n = params_.max_num_iter;
    for (int i = 0; i < std::max(n, 1); ++i) {
      auto it = iteration_of<Sum>(maker_, scale_, memory_, i);
      it.num_turns = cpu::is_partial(i, n) ? num_turns_ : 1;
      it.turn = i % it.num_turns;
      it.fours = n > 0 ? tiles.fours(it.num_turns) : 0;
      it.is_last = i + 1 >= n;
      it.labels = labels;
      call.launch(i == 0 ? iteration_kernel<true, Sum> : iteration_kernel<false, Sum>,
                  tiles.num_blocks(), kThreads, Shared::bytes(tiles, it.is_last), it);
    }
  });
}

void IntegerClustering::enqueue_means(const Call& call, double* means) const {
  const CellTiles& tiles = maker_.image().tiles;
  with_sum(tiles, [&](auto type) {
    using Sum = typename decltype(type)::type;
    call.launch(mean_kernel<Sum>, blocks_for(tiles.grid.num_cells(), kThreads), kThreads, 0,
                iteration_of<Sum>(maker_, scale_, memory_, std::max(params_.max_num_iter, 1)),
                means);
  });
}

}  // namespace superpix::cuda
