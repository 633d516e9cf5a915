// SPDX-License-Identifier: Apache-2.0
//
// Two kernels per iteration. The first assigns pixels, a block for a cell or a piece of one, with
// the centres of all candidates in shared memory, some channels at a time; a thread has several
// pixels, for each of which it keeps the squared distances to all candidates. The second moves the
// clusters to the means of their pixels, a thread for each field of each.
//
// Every cell keeps what it gives to each of its candidates: sums over pixels. They are made in a
// fixed point of about 28 bits, so that they are exact and their order does not matter. So they can
// follow from the last ones by the pixels that change sides, which are few.
//
// With a mask only some cells have a cluster (cpu/mask_seeds.h), and before all else come as many
// rounds by distance in space alone, which spread the clusters over the mask.
#include "slic_float.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "cpu/kernels.h"
#include "cpu/turns.h"
#include "divide.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;
constexpr int kChunk = 16;    // channels whose centres are in shared memory at once
constexpr int kMostDims = 3;  // x, y and, in volumes, z
constexpr unsigned kGroup = cpu::kTurnGroup;
// In place of a slot, of which pixels have the number with the bits of the cell's own inverted.
constexpr std::uint8_t kOutsideSlot = 255;

/// How cells are shared out over blocks.
struct Pieces {
  int count;   // of a cell
  int pixels;  // of each, whole rounds of turns
  int threads;

  explicit Pieces(const VolumeGrid& grid) {
    constexpr std::int64_t kRound = 3 * kGroup;
    constexpr std::int64_t kMostRounds = 12;
    const std::int64_t most = grid.most_pixels();
    const std::int64_t rounds = blocks_for(most, kRound);
    const std::int64_t piece_rounds = blocks_for(rounds, blocks_for(rounds, kMostRounds));
    count = static_cast<int>(blocks_for(rounds, piece_rounds));
    pixels = static_cast<int>(piece_rounds * kRound);
    threads = most <= 32 ? 32 : most <= 256 ? 64 : kThreads;
  }
};

struct Clusters {
  FloatVolume volume;
  FloatClustering::Memory memory;
  Pieces pieces;
  float weights[kMostDims];  // of a pixel along x, y, z

  __host__ __device__ int dims() const { return volume.grid.is_plane() ? 2 : 3; }
  __host__ __device__ int fields() const { return volume.channels + dims(); }
  /// What cell gives to the candidate in a slot: its fields, and their count.
  __device__ long long* sums(int cell, int slot) const {
    return memory.sums +
           (static_cast<std::int64_t>(cell) * volume.grid.num_slots() + slot) * (fields() + 1);
  }
  __device__ double* center(int cell) const {
    return memory.centers + static_cast<std::int64_t>(cell) * fields();
  }
  /// Whether a cluster starts in a cell.
  __device__ bool has_seed(int cell) const {
    return memory.has_seed == nullptr || memory.has_seed[cell] != 0;
  }
};

/// Where a cell is, and what its pixels are numbered by.
struct Cell {
  int index;
  int plane, row, column;
  VolumeBox box;
  Divisor width, height;

  __device__ Cell(const VolumeGrid& grid, int cell)
      : index(cell),
        plane(cell / (grid.y.cells * grid.x.cells)),
        row(cell / grid.x.cells % grid.y.cells),
        column(cell % grid.x.cells),
        box(grid.box(plane, row, column)),
        width(box.width),
        height(box.height) {}
};

/// A pixel of a cell.
struct Place {
  int x, y, z;  // from the corner
  int at;       // in raster order
};

__device__ __forceinline__ Place place_of(const VolumeGrid& grid, const Cell& cell,
                                          unsigned pixel) {
  unsigned x = 0;
  unsigned y = cell.width.divide(pixel, &x);
  const unsigned z = grid.is_plane() ? 0 : cell.height.divide(y, &y);
  Place place{static_cast<int>(x), static_cast<int>(y), static_cast<int>(z), 0};
  place.at = grid.pixel(cell.box.z + place.z, cell.box.y + place.y, cell.box.x + place.x);
  return place;
}

__device__ __forceinline__ int coordinate(const Place& place, int dim) {
  return dim == 0 ? place.x : dim == 1 ? place.y : place.z;
}
__device__ __forceinline__ int corner(const VolumeBox& box, int dim) {
  return dim == 0 ? box.x : dim == 1 ? box.y : box.z;
}

__device__ __forceinline__ void add_to(long long* sum, long long value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(sum), static_cast<unsigned long long>(value));
}

// --- the start -----------------------------------------------------------------------------------

/// Gives all pixels of a piece to the cluster of their cell, but for those outside.
__global__ void __launch_bounds__(kThreads) start_kernel(Clusters clusters) {
  auto* const shared = shared_memory<long long>();
  const VolumeGrid& grid = clusters.volume.grid;
  const int channels = clusters.volume.channels;
  const int thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x);
  const Cell cell(grid, static_cast<int>(blockIdx.x) / clusters.pieces.count);
  const int piece = static_cast<int>(blockIdx.x) % clusters.pieces.count;
  const std::int64_t begin = static_cast<std::int64_t>(piece) * clusters.pieces.pixels;
  const std::int64_t left = cell.box.size() - begin;
  const int count = static_cast<int>(left < clusters.pieces.pixels ? left : clusters.pieces.pixels);
  const double steps = clusters.volume.stretch->fixed_point;
  const AnyMask& mask = clusters.volume.mask;
  std::uint8_t* const slots = clusters.memory.slots;
  long long* const sums = clusters.sums(cell.index, grid.own_slot());
  for (int field = clusters.fields(); field >= 0; --field) {
    long long sum = 0;
    for (int i = thread; i < count; i += threads) {
      const Place place = place_of(grid, cell, static_cast<unsigned>(begin + i));
      if (field == clusters.fields()) {
        const bool is_inside =
            mask.contains(cell.box.z + place.z, cell.box.y + place.y, cell.box.x + place.x);
        slots[place.at] = is_inside ? 0 : kOutsideSlot;
        sum += is_inside ? 1 : 0;
      } else if (!mask.leaves_out() || slots[place.at] != kOutsideSlot) {
        sum += field < channels ? FloatVolume::fixed(clusters.volume.plane(field)[place.at], steps)
                                : coordinate(place, field - channels);
      }
    }
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(~0U, sum, lanes);
    if (thread % 32 == 0) shared[thread / 32] = sum;
    __syncthreads();
    if (thread == 0) {
      for (int warp = 1; warp < threads / 32; ++warp) sum += shared[warp];
      add_to(sums + field, sum);
    }
    __syncthreads();
  }
}

/// Cells that the mask covers by half have a seed; a thread per cell.
__global__ void __launch_bounds__(kThreads) seed_kernel(Clusters clusters) {
  const VolumeGrid& grid = clusters.volume.grid;
  const auto cell = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (cell >= grid.num_cells()) return;
  const long long covered = clusters.sums(cell, grid.own_slot())[clusters.fields()];
  clusters.memory.has_seed[cell] = 2 * covered >= Cell(grid, cell).box.size() ? 1 : 0;
}

/// So have the others in the mask, if there is none around them: in turns, as those of a turn do
/// not touch. A thread per cell.
__global__ void __launch_bounds__(kThreads) lone_seed_kernel(Clusters clusters, int turn) {
  const VolumeGrid& grid = clusters.volume.grid;
  const auto index = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (index >= grid.num_cells()) return;
  const Cell cell(grid, index);
  if (4 * (cell.plane % 2) + 2 * (cell.row % 2) + cell.column % 2 != turn) return;
  if (clusters.sums(index, grid.own_slot())[clusters.fields()] == 0) return;
  for (int slot = 0; slot < grid.num_slots(); ++slot) {
    const int neighbor = grid.neighbor(cell.plane, cell.row, cell.column, slot);
    if (neighbor >= 0 && clusters.has_seed(neighbor)) return;
  }
  clusters.memory.has_seed[index] = 1;
}

// --- the assignment ------------------------------------------------------------------------------

/// What a block adds to the sums of its cell, in shared memory: as two numbers of 32 bits each, as
/// which all values of a block fit. The cell's own cluster gets what the others lose, and is left
/// out. Where the numbers are too many, there are none, and what is moved goes to the sums at once.
struct Moved {
  static constexpr int kMost = 6144;  // numbers

  int* numbers;  // [slots][fields + 1][2], or nullptr
  long long* sums;
  int width;  // fields + 1
  int own;    // slot

  static __host__ __device__ int size(int num_slots, int fields) {
    const std::int64_t n = static_cast<std::int64_t>(num_slots) * (fields + 1) * 2;
    return n <= kMost ? static_cast<int>(n) : 0;
  }
  __device__ __forceinline__ void move(int from, int to, int field, int value) const {
    if (numbers != nullptr) {
      add<-1>(from, field, value);
      add<1>(to, field, value);
    } else {
      add_to(sums + static_cast<std::int64_t>(from) * width + field,
             -static_cast<long long>(value));
      add_to(sums + static_cast<std::int64_t>(to) * width + field, value);
    }
  }
  /// Adds the numbers to the sums, once all threads have moved.
  __device__ void flush(int num_slots) const {
    if (numbers == nullptr) return;
    for (int i = static_cast<int>(threadIdx.x); i < num_slots * width;
         i += static_cast<int>(blockDim.x)) {
      long long sum = value_at(i);
      if (i / width == own) {
        sum = 0;
        for (int slot = 0; slot < num_slots; ++slot) {
          if (slot != own) sum -= value_at(slot * width + i % width);
        }
      }
      if (sum != 0) add_to(sums + i, sum);
    }
  }

 private:
  template <int kSign>
  __device__ __forceinline__ void add(int slot, int field, int value) const {
    if (slot == own) return;
    int* const to = numbers + 2 * (slot * width + field);
    const int low = value & 0xffff;
    const int high = value >> 16;
    atomicAdd(to, kSign * low);
    if (high != 0) atomicAdd(to + 1, kSign * high);
  }
  __device__ long long value_at(int i) const {
    return numbers[2 * i] + 65536LL * numbers[2 * i + 1];
  }
};

struct Turn {
  int number, of;
  int pixels;    // of a piece that have this turn, at most
  int channels;  // that are compared: all, or 0 for distances in space alone
};

template <int kSlots>
struct CandidateTable {
  static constexpr int kPadded = (kSlots + 3) / 4 * 4;  // for loads of 16 bytes
  float colors[kChunk][kPadded];
  float positions[kMostDims][kPadded];  // from the cell's corner, weighted; infinite: none there
  float weights[kPadded];               // SLICO, of the squared colour difference
  int cells[kPadded];                   // -1: none there
  int seen[kPadded];                    // SLICO, bits of the greatest squared colour difference
};

template <int kSlots, bool kSlico>
__global__ void __launch_bounds__(kThreads) assign_kernel(Clusters clusters, Turn turn) {
  constexpr int kDims = kSlots == 9 ? 2 : 3;
  constexpr int kOwn = kSlots / 2;
  constexpr int kPixels = kSlots == 9 ? 4 : 2;  // of a thread at once
  auto& table = *shared_memory<CandidateTable<kSlots>>();
  const FloatVolume& volume = clusters.volume;
  const VolumeGrid& grid = volume.grid;
  const int channels = volume.channels;
  const int fields = channels + kDims;
  const int thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x);
  const Cell cell(grid, static_cast<int>(blockIdx.x) / clusters.pieces.count);
  const int piece = static_cast<int>(blockIdx.x) % clusters.pieces.count;
  const auto size = static_cast<unsigned>(cell.box.size());
  const unsigned begin =
      static_cast<unsigned>(piece) * static_cast<unsigned>(clusters.pieces.pixels);
  const int num_moved = Moved::size(kSlots, fields);
  const Moved moved{num_moved > 0 ? reinterpret_cast<int*>(&table + 1) : nullptr,
                    clusters.sums(cell.index, 0), fields + 1, kOwn};

  for (int i = thread; i < num_moved; i += threads) moved.numbers[i] = 0;
  if (thread < kSlots) {
    int neighbor = grid.neighbor(cell.plane, cell.row, cell.column, thread);
    if (neighbor >= 0 && !clusters.has_seed(neighbor)) neighbor = -1;
    table.cells[thread] = neighbor;
    const double* const center = neighbor >= 0 ? clusters.center(neighbor) : nullptr;
#pragma unroll
    for (int dim = 0; dim < kDims; ++dim) {
      table.positions[dim][thread] =
          center != nullptr ? static_cast<float>(center[channels + dim] - corner(cell.box, dim)) *
                                  clusters.weights[dim]
                            : INFINITY;
    }
    if constexpr (kSlico) {
      table.weights[thread] =
          center != nullptr ? 1.0F / clusters.memory.greatest_colors[neighbor] : 0.0F;
      table.seen[thread] = 0;
    }
  }
  __syncthreads();

  for (int first = 0; first < turn.pixels; first += threads * kPixels) {
    Place places[kPixels];
    bool exists[kPixels];
    float distance[kPixels][kSlots];
#pragma unroll
    for (int k = 0; k < kPixels; ++k) {
      const auto i = static_cast<unsigned>(first + k * threads + thread);
      const unsigned group = i / kGroup * turn.of + turn.number;
      const unsigned pixel = begin + group * kGroup + i % kGroup;
      exists[k] = i < static_cast<unsigned>(turn.pixels) && pixel < size;
      places[k] = place_of(grid, cell, exists[k] ? pixel : 0);
#pragma unroll
      for (int slot = 0; slot < kSlots; ++slot) distance[k][slot] = 0.0F;
    }

    for (int chunk = 0; chunk < turn.channels; chunk += kChunk) {
      const int count = min(kChunk, channels - chunk);
      if (channels > kChunk || first == 0) {
        if (chunk > 0 || first > 0) __syncthreads();
        for (int i = thread; i < kSlots * kChunk; i += threads) {
          const int slot = i / kChunk;
          const int c = i % kChunk;
          const int neighbor = c < count ? table.cells[slot] : -1;
          table.colors[c][slot] =
              neighbor >= 0 ? static_cast<float>(clusters.center(neighbor)[chunk + c]) : 0.0F;
        }
        __syncthreads();
      }
      for (int c = 0; c < count; ++c) {
        const float* const plane = volume.plane(chunk + c);
        float value[kPixels];
#pragma unroll
        for (int k = 0; k < kPixels; ++k) value[k] = plane[places[k].at];
#pragma unroll
        for (int slot = 0; slot < kSlots; ++slot) {
          const float center = table.colors[c][slot];
#pragma unroll
          for (int k = 0; k < kPixels; ++k) {
            const float d = value[k] - center;
            distance[k][slot] += d * d;
          }
        }
      }
    }

#pragma unroll
    for (int k = 0; k < kPixels; ++k) {
      if (!exists[k]) continue;
      const Place& place = places[k];
      std::uint8_t& stored = clusters.memory.slots[place.at];
      if (stored == kOutsideSlot) continue;
      float position[kDims];
#pragma unroll
      for (int dim = 0; dim < kDims; ++dim) {
        position[dim] = static_cast<float>(coordinate(place, dim)) * clusters.weights[dim];
      }
      const auto full_distance = [&](int slot) {
        float d = distance[k][slot];
        if constexpr (kSlico) d *= table.weights[slot];
#pragma unroll
        for (int dim = 0; dim < kDims; ++dim) {
          const float difference = position[dim] - table.positions[dim][slot];
          d += difference * difference;
        }
        return d;
      };
      // A pixel's own cluster comes before others that are as near, and these in raster order.
      int nearest = kOwn;
      float least = full_distance(kOwn);
      float color = distance[k][kOwn];
#pragma unroll
      for (int slot = 0; slot < kSlots; ++slot) {
        const float d = full_distance(slot);
        const bool is_nearer = slot != kOwn && d < least;
        least = is_nearer ? d : least;
        nearest = is_nearer ? slot : nearest;
        color = is_nearer ? distance[k][slot] : color;
      }
      if constexpr (kSlico) atomicMax(table.seen + nearest, __float_as_int(color));

      const int old = stored ^ kOwn;
      if (nearest == old) continue;
      stored = static_cast<std::uint8_t>(nearest ^ kOwn);
      const double steps = volume.stretch->fixed_point;
#pragma unroll 1
      for (int c = 0; c < channels; ++c) {
        moved.move(old, nearest, c, FloatVolume::fixed(volume.plane(c)[place.at], steps));
      }
#pragma unroll
      for (int dim = 0; dim < kDims; ++dim) {
        moved.move(old, nearest, channels + dim, coordinate(place, dim));
      }
      moved.move(old, nearest, fields, 1);
    }
  }
  __syncthreads();

  moved.flush(kSlots);
  if constexpr (kSlico) {
    if (thread < kSlots && table.cells[thread] >= 0) {
      atomicMax(clusters.memory.seen_colors + table.cells[thread], table.seen[thread]);
    }
  }
}

// --- the clusters --------------------------------------------------------------------------------

/// The sum of a field over all pixels of a cluster, from the cells that these may lie in; positions
/// from the corner of the volume.
__device__ long long gather(const Clusters& clusters, int cell, int field) {
  const VolumeGrid& grid = clusters.volume.grid;
  const int num_slots = grid.num_slots();
  const int plane = cell / (grid.y.cells * grid.x.cells);
  const int row = cell / grid.x.cells % grid.y.cells;
  const int column = cell % grid.x.cells;
  const int dim = field - clusters.volume.channels;
  const bool is_position = dim >= 0 && dim < clusters.dims();
  int corners[3] = {};  // of the cells before, here and after, along the axis of a position
  if (is_position) {
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      corners[i] = dim == 0   ? grid.edges_x.begin(column + i - 1)
                   : dim == 1 ? grid.edges_y.begin(row + i - 1)
                              : grid.edges_z.begin(plane + i - 1);
    }
  }
  long long total = 0;
  for (int slot = 0; slot < num_slots; ++slot) {
    const int neighbor = grid.neighbor(plane, row, column, slot);
    if (neighbor < 0) continue;
    // Seen from there, this cluster is in the opposite slot.
    const long long* const sums = clusters.sums(neighbor, num_slots - 1 - slot);
    total += sums[field];
    if (is_position) {
      const int step = dim == 0 ? slot % 3 : dim == 1 ? slot / 3 % 3 : slot / 9;
      const int corner = step == 0 ? corners[0] : step == 1 ? corners[1] : corners[2];
      total += sums[clusters.fields()] * corner;
    }
  }
  return total;
}

/// Clusters become the means of their pixels; one without pixels stays where it is. A thread per
/// field.
__global__ void __launch_bounds__(kThreads) update_kernel(Clusters clusters, bool is_first) {
  const int fields = clusters.fields();
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;  // sums of 2^32 fields fit no memory
  const auto cell = static_cast<int>(i / static_cast<unsigned>(fields));
  const auto field = static_cast<int>(i % static_cast<unsigned>(fields));
  if (cell >= clusters.volume.grid.num_cells()) return;
  const long long count = gather(clusters, cell, fields);
  if (count > 0) {
    const double mean =
        static_cast<double>(gather(clusters, cell, field)) / static_cast<double>(count);
    const bool is_color = field < clusters.volume.channels;
    clusters.memory.centers[i] = is_color ? mean / clusters.volume.stretch->fixed_point : mean;
  }
  if (clusters.memory.greatest_colors != nullptr && field == 0) {
    float& greatest = clusters.memory.greatest_colors[cell];
    const float seen = __int_as_float(clusters.memory.seen_colors[cell]);
    greatest = is_first ? 1.0F : (seen > greatest ? seen : greatest);
  }
}

__global__ void __launch_bounds__(kThreads)
    mean_kernel(Clusters clusters, double* __restrict__ means) {
  const int channels = clusters.volume.channels;
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;
  const auto cell = static_cast<int>(i / static_cast<unsigned>(channels));
  const auto channel = static_cast<int>(i % static_cast<unsigned>(channels));
  if (cell >= clusters.volume.grid.num_cells()) return;
  const long long count = gather(clusters, cell, clusters.fields());
  const double steps = clusters.volume.stretch->fixed_point;
  means[i] = count > 0 ? static_cast<double>(gather(clusters, cell, channel)) /
                             (static_cast<double>(count) * steps)
                       : 0.0;
}

/// Moves seeds to the least gradient of the pixels around them; a thread per cluster.
__global__ void __launch_bounds__(kThreads) perturb_kernel(Clusters clusters) {
  const FloatVolume& volume = clusters.volume;
  const VolumeGrid& grid = volume.grid;
  const auto cell = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (cell >= grid.num_cells() || !clusters.has_seed(cell)) return;
  double* const center = clusters.center(cell);
  const bool is_plane = grid.is_plane();
  const auto middle = [&](int dim) {
    constexpr double kHalf = 0.5 + 1e-3;  // as on the CPU, where sums are not exact
    return static_cast<int>(floor(center[volume.channels + dim] + kHalf));
  };
  const int x0 = middle(0);
  const int y0 = middle(1);
  const int z0 = is_plane ? 0 : middle(2);
  const int steps[kMostDims] = {1, grid.x.length, grid.x.length * grid.y.length};
  double least = -1.0;
  int best = 0;
  int at[kMostDims] = {};
  // A pixel at the edge of the image has no gradient to compare.
  for (int z = is_plane ? 0 : max(1, z0 - 1); z <= (is_plane ? 0 : min(grid.z.length - 2, z0 + 1));
       ++z) {
    for (int y = max(1, y0 - 1); y <= min(grid.y.length - 2, y0 + 1); ++y) {
      for (int x = max(1, x0 - 1); x <= min(grid.x.length - 2, x0 + 1); ++x) {
        const int p = grid.pixel(z, y, x);
        double gradient = 0.0;
        for (int dim = clusters.dims() - 1; dim >= 0; --dim) {
          const int step = dim == 0 ? steps[0] : dim == 1 ? steps[1] : steps[2];
          for (int c = 0; c < volume.channels; ++c) {
            const float* const plane = volume.plane(c);
            const double d = static_cast<double>(plane[p - step]) - plane[p + step];
            gradient = __dadd_rn(gradient, __dmul_rn(d, d));
          }
        }
        if (least >= 0.0 && !(gradient < least)) continue;
        least = gradient;
        best = p;
        at[0] = x;
        at[1] = y;
        at[2] = z;
      }
    }
  }
  if (least < 0.0) return;
  for (int c = 0; c < volume.channels; ++c) center[c] = volume.plane(c)[best];
#pragma unroll
  for (int dim = 0; dim < kMostDims; ++dim) {
    if (dim < clusters.dims()) center[volume.channels + dim] = at[dim];
  }
}

/// A block for a piece.
__global__ void __launch_bounds__(kThreads) label_kernel(Clusters clusters, ClusterLabels labels) {
  const VolumeGrid& grid = clusters.volume.grid;
  const Cell cell(grid, static_cast<int>(blockIdx.x) / clusters.pieces.count);
  const int piece = static_cast<int>(blockIdx.x) % clusters.pieces.count;
  const std::int64_t begin = static_cast<std::int64_t>(piece) * clusters.pieces.pixels;
  const std::int64_t left = cell.box.size() - begin;
  const int count = static_cast<int>(left < clusters.pieces.pixels ? left : clusters.pieces.pixels);
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    const int at = place_of(grid, cell, static_cast<unsigned>(begin + i)).at;
    const std::uint8_t stored = clusters.memory.slots[at];
    const int cluster = grid.neighbor(cell.plane, cell.row, cell.column, stored ^ grid.own_slot());
    labels.write(
        at, stored == kOutsideSlot ? labels.outside() : labels.value_of(cluster, grid.x.cells));
  }
}

Clusters clusters_of(const FloatVolume& volume, const FloatClustering::Memory& memory, double step,
                     const SlicParams& params) {
  Clusters clusters{volume, memory, Pieces(volume.grid), {}};
  for (int dim = 0; dim < kMostDims; ++dim) {
    clusters.weights[dim] = static_cast<float>(params.spacing[2 - dim] / step);
  }
  return clusters;
}

template <int kSlots, bool kSlico>
void enqueue_assignment(const Call& call, const Clusters& clusters, std::int64_t blocks,
                        const Turn& turn) {
  const int num_moved = Moved::size(kSlots, clusters.fields());
  call.launch(assign_kernel<kSlots, kSlico>, blocks, clusters.pieces.threads,
              sizeof(CandidateTable<kSlots>) + static_cast<std::size_t>(num_moved) * sizeof(int),
              clusters, turn);
}

}  // namespace

FloatClustering::FloatClustering(Call& call, const FloatVolume& volume, double step, int num_turns,
                                 const SlicParams& params)
    : volume_(volume), step_(step), num_turns_(num_turns), params_(params) {
  const VolumeGrid& grid = volume.grid;
  const std::int64_t cells = grid.num_cells();
  const std::int64_t fields = volume.channels + (grid.is_plane() ? 2 : 3);
  memory_.slots = call.take<std::uint8_t>(grid.num_pixels());
  memory_.sums = call.take<long long>(cells * grid.num_slots() * (fields + 1));
  memory_.centers = call.take<double>(cells * fields);
  if (params.slic_zero) {
    memory_.greatest_colors = call.take<float>(cells);
    memory_.seen_colors = call.take<int>(cells);
  }
  if (volume.mask.leaves_out()) memory_.has_seed = call.take<std::uint8_t>(cells);
}

void FloatClustering::enqueue(const Call& call, const ClusterLabels& labels) const {
  const Clusters clusters = clusters_of(volume_, memory_, step_, params_);
  const VolumeGrid& grid = volume_.grid;
  const std::int64_t cells = grid.num_cells();
  const std::int64_t fields = clusters.fields();
  const std::int64_t blocks = cells * clusters.pieces.count;
  call.clear(memory_.sums, cells * grid.num_slots() * (fields + 1));
  if (params_.slic_zero) call.clear(memory_.seen_colors, cells);
  call.launch(start_kernel, blocks, clusters.pieces.threads, kWarps * sizeof(long long), clusters);
  const auto update = [&](bool is_first) {
    call.launch(update_kernel, blocks_for(cells * fields, kThreads), kThreads, 0, clusters,
                is_first);
  };
  const auto assign = [&](int turn_number, int of, int channels) {
    const std::int64_t pixels =
        of == 1 ? std::min<std::int64_t>(clusters.pieces.pixels, grid.most_pixels())
                : clusters.pieces.pixels / of;
    const Turn turn{turn_number, of, static_cast<int>(pixels), channels};
    if (grid.is_plane()) {
      params_.slic_zero ? enqueue_assignment<9, true>(call, clusters, blocks, turn)
                        : enqueue_assignment<9, false>(call, clusters, blocks, turn);
    } else {
      params_.slic_zero ? enqueue_assignment<27, true>(call, clusters, blocks, turn)
                        : enqueue_assignment<27, false>(call, clusters, blocks, turn);
    }
  };
  const int n = params_.max_num_iter;
  if (n > 0) update(true);
  if (volume_.mask.leaves_out() && n > 0) {
    call.launch(seed_kernel, blocks_for(cells, kThreads), kThreads, 0, clusters);
    for (int turn = 0; turn < (grid.is_plane() ? 4 : 8); ++turn) {
      call.launch(lone_seed_kernel, blocks_for(cells, kThreads), kThreads, 0, clusters, turn);
    }
    for (int i = 0; i < n; ++i) {
      assign(0, 1, 0);
      update(false);
    }
  }
  if (n > 0 && params_.perturb_seeds) {
    call.launch(perturb_kernel, blocks_for(cells, kThreads), kThreads, 0, clusters);
  }
  for (int i = 0; i < n; ++i) {
    const int of = cpu::is_partial(i, n) ? num_turns_ : 1;
    assign(i % of, of, volume_.channels);
    if (i + 1 < n) update(false);
  }
  call.launch(label_kernel, blocks, clusters.pieces.threads, 0, clusters, labels);
}

void FloatClustering::enqueue_means(const Call& call, double* means) const {
  const std::int64_t n = static_cast<std::int64_t>(volume_.grid.num_cells()) * volume_.channels;
  call.launch(mean_kernel, blocks_for(n, kThreads), kThreads, 0,
              clusters_of(volume_, memory_, step_, params_), means);
}

}  // namespace superpix::cuda
