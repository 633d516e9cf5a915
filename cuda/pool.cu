// SPDX-License-Identifier: Apache-2.0
//
// Produced by tile, gathered by segment.
//
// find_label_tiles() lists the cells of each label in each tile of 1024 pixels. part_kernel reads
// the features tile by tile: a warp takes eight channels and goes through the long lists, 32 cells
// at a time, so that cells and their weights are read once for eight planes, and all lines of a
// tile are read by one warp within a short time. What comes of a list goes to the workspace.
// total_kernel goes through the tiles of each segment, in order, and brings together what the long
// lists gave with the cells of the short ones, which it reads itself. As no tile has more than 64
// long lists, the workspace stays small whatever labels are; labels that are noise have short lists
// alone and are gathered from the features.
//
// What is added to what depends on the labels and sizes of an image, and on nothing else.
#include "pool.h"

#include <algorithm>
#include <cstdint>

#include "call.h"
#include "detail/soft_arguments.h"
#include "element.h"
#include "label_tiles.h"
#include "pool_values.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr unsigned kAll = ~0U;

// Lists of at least this many cells are long.
constexpr int kLongList = 16;
constexpr int kPartsPerTile = kTilePixels / kLongList;

constexpr int kPartThreads = 128;
constexpr int kPartWarps = kPartThreads / 32;
constexpr int kPartChannels = 8;  // of a warp, if there are as many
constexpr int kPartRounds = 2;    // of 32 cells, whose loads are in flight together

constexpr int kTotalWarps = 8;  // of a block, at least
constexpr int kMostSegmentWarps = 16;
constexpr int kTotalChannels = 64;  // of a block; a lane has those that are 32 apart
constexpr int kPerLane = kTotalChannels / 32;
constexpr int kInFlight = 4;

/// S: elements; Parts: SumArray or BestArray of what they are computed in.
template <class S, class Parts>
struct PoolJob {
  LabelMaps maps;
  LabelTiles tiles;
  std::int64_t channels;
  bool is_mean;
  bool is_least;  // the least is the greatest of what is negated
  const S* features;
  S* pooled;
  std::int32_t* saved;  // or nullptr
  Parts parts;          // [B * tiles][kPartsPerTile][C]

  __device__ ComputeType<S> value(S element) const {
    const ComputeType<S> wide = widen(element);
    if constexpr (Parts::Part::kIsBest) return is_least ? -wide : wide;
    return wide;
  }
  /// Lists do not overlap, so that no other long one begins within the same 16 cells.
  __device__ std::int64_t part(std::int64_t tile, int list_begin) const {
    return (tile * kPartsPerTile + list_begin / kLongList) * channels;
  }
};

/// The element at an address, but `c` planes further on: one multiply-add where c is a constant,
/// which the compiler would not make of a pointer.
template <class S>
__device__ __forceinline__ S load_in_plane(std::uint64_t address, std::uint32_t cells, int c) {
  constexpr std::uint32_t kSize = sizeof(S);
  const std::uint64_t at = address + std::uint64_t{cells} * (static_cast<std::uint32_t>(c) * kSize);
  if constexpr (kSize == 2) {
    return {__ldg(reinterpret_cast<const std::uint16_t*>(at))};
  } else {
    return __ldg(reinterpret_cast<const S*>(at));
  }
}

/// Where a warp of part_kernel is.
template <class S, class Parts, int kChannels, int kRounds>
struct PartWarp {
  const PoolJob<S, Parts>& job;
  std::int64_t tile, first_channel;
  int first_own;    // of kChannels: those before are another warp's
  int origin;       // the tile's first cell
  const S* planes;  // from there on, in the first channel

  using Part = typename Parts::Part;

  __device__ void take_list(TileList list) const {
    const int lane = threadIdx.x % 32;
    const auto plane = static_cast<std::uint32_t>(job.maps.cells());
    const TileCell* cells = job.tiles.cells + tile * kTilePixels + list.begin();
    const int n = list.cells();
    const auto cell_at = [&](int i) { return i < n ? cells[i] : TileCell{0}; };
    Part parts[kChannels];
    TileCell next[kRounds];
#pragma unroll
    for (int r = 0; r < kRounds; ++r) next[r] = cell_at(32 * r + lane);
    for (int first = 0; first < n; first += 32 * kRounds) {
      TileCell now[kRounds];
      int offsets[kRounds];
      S elements[kRounds][kChannels];
#pragma unroll
      for (int r = 0; r < kRounds; ++r) {
        now[r] = next[r];
        next[r] = cell_at(first + 32 * (kRounds + r) + lane);
      }
#pragma unroll
      for (int r = 0; r < kRounds; ++r) {
        offsets[r] = job.tiles.offset(job.maps, now[r]);
        const auto from = reinterpret_cast<std::uint64_t>(planes + offsets[r]);
#pragma unroll
        for (int c = 0; c < kChannels; ++c) {
          elements[r][c] = now[r].pixels() > 0 ? load_in_plane<S>(from, plane, c) : S{};
        }
      }
#pragma unroll
      for (int r = 0; r < kRounds; ++r) {
#pragma unroll
        for (int c = 0; c < kChannels; ++c) {
          parts[c].add(job.value(elements[r][c]), now[r].pixels(), origin + offsets[r]);
        }
      }
    }
    store_merged(parts, list.begin());
  }

  /// Lanes exchange halves of their channels until each has one, and then merge that of lanes that
  /// have the same one.
  __device__ void store_merged(Part (&parts)[kChannels], int list_begin) const {
    const int lane = threadIdx.x % 32;
    int channel = 0;
#pragma unroll
    for (int half = kChannels / 2, bit = 16; half > 0; half /= 2, bit /= 2) {
      const bool is_upper = (lane & bit) != 0;
      if (is_upper) channel += half;
#pragma unroll
      for (int i = 0; i < half; ++i) {
        const Part given = is_upper ? parts[i] : parts[half + i];
        if (is_upper) parts[i] = parts[half + i];
        parts[i].merge(given.of_lane_xor(bit));
      }
    }
#pragma unroll
    for (int bit = 16 / kChannels; bit > 0; bit /= 2) {
      parts[0].merge(parts[0].of_lane_xor(bit));
    }
    if (lane % (32 / kChannels) == 0 && channel >= first_own) {
      job.parts.store(job.part(tile, list_begin) + first_channel + channel, parts[0]);
    }
  }
};

/// A block takes a tile and kChannels channels for each of `channel_warps` warps; if these are
/// fewer than its warps, several share out the lists. The last channels are taken together with
/// some before them, so that there are always kChannels.
template <class S, class Parts, int kChannels, int kRounds>
__global__ void __launch_bounds__(kPartThreads)
    part_kernel(PoolJob<S, Parts> job, int channel_warps, unsigned blocks_per_tile) {
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const unsigned tile = blockIdx.x / blocks_per_tile;
  const unsigned image = tile / static_cast<unsigned>(job.tiles.per_image);
  const std::int64_t own_channel =
      (static_cast<std::int64_t>(blockIdx.x % blocks_per_tile) * channel_warps +
       warp % channel_warps) *
      kChannels;
  if (own_channel >= job.channels) return;
  const std::int64_t first_channel = min(own_channel, job.channels - kChannels);
  const int origin = job.tiles.origin(
      job.maps, static_cast<int>(tile - image * static_cast<unsigned>(job.tiles.per_image)));
  const PartWarp<S, Parts, kChannels, kRounds> at{
      job,
      tile,
      first_channel,
      static_cast<int>(own_channel - first_channel),
      origin,
      job.features + (image * job.channels + first_channel) * job.maps.cells() + origin};
  const TileList* lists = job.tiles.lists + std::int64_t{tile} * kTilePixels;
  const int num_lists = job.tiles.num_lists[tile];
  const int list_warps = kPartWarps / channel_warps;
  int turn = warp / channel_warps;
  for (int first = 0; first < num_lists; first += 32) {
    const bool exists = first + lane < num_lists;
    const TileList list = exists ? lists[first + lane] : TileList{0};
    unsigned is_long = __ballot_sync(kAll, exists && list.cells() >= kLongList);
    for (; is_long != 0; is_long &= is_long - 1) {
      const int source = __ffs(static_cast<int>(is_long)) - 1;
      const TileList next{__shfl_sync(kAll, list.bits, source)};
      if (turn == 0) at.take_list(next);
      turn = turn == 0 ? list_warps - 1 : turn - 1;
    }
  }
}

template <int kChannels, int kRounds, class S, class Parts>
void launch_part_kernel(const Call& call, const PoolJob<S, Parts>& job) {
  static_assert(kPartWarps == 4);
  const int channel_warps = job.channels > 2 * kChannels ? 4 : job.channels > kChannels ? 2 : 1;
  const std::int64_t blocks_per_tile = blocks_for(job.channels, channel_warps * kChannels);
  call.launch(part_kernel<S, Parts, kChannels, kRounds>,
              job.maps.batch * job.tiles.per_image * blocks_per_tile, kPartThreads, 0, job,
              channel_warps, blocks_per_tile);
}

/// Where a warp of total_kernel is: a segment, of which it has some of the words of places.
template <class S, class Parts>
struct TotalWarp {
  const PoolJob<S, Parts>& job;
  std::int64_t image, first_channel;
  int segment;
  const S* planes;  // of the lane's first channel
  typename Parts::Total totals[kPerLane];
  int pixels;  // of the lists that this lane found

  using Part = typename Parts::Part;

  __device__ bool has_channel(int i) const {
    return first_channel + threadIdx.x % 32 + 32 * i < job.channels;
  }

  /// The 32 << log_span tiles that a word stands for.
  __device__ void take_word(int word, std::uint32_t bits) {
    const int lane = threadIdx.x % 32;
    const int span = job.tiles.log_span;
    for (int first = 0; first < 32 << span; first += 32) {
      const std::int64_t tile = (static_cast<std::int64_t>(word) << (5 + span)) + first;
      if (tile >= job.tiles.per_image) return;
      const bool may_have =
          (bits >> ((first + lane) >> span) & 1U) != 0 && tile + lane < job.tiles.per_image;
      if (__any_sync(kAll, may_have) != 0) take_tiles(static_cast<int>(tile), may_have);
    }
  }

  /// The list of the segment in the lane's tile, if it has one.
  __device__ bool find(std::int64_t tile, TileList& list) const {
    const std::int32_t* labels = job.tiles.labels + tile * kTilePixels;
    int begin = 0;
    int end = job.tiles.num_lists[tile];
    while (begin < end) {
      const int middle = (begin + end) / 2;
      if (labels[middle] < segment) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    if (begin == job.tiles.num_lists[tile] || labels[begin] != segment) return false;
    list = job.tiles.lists[tile * kTilePixels + begin];
    return true;
  }

  /// Lane i looks at tile first + i of the image.
  __device__ void take_tiles(int first, bool may_have) {
    const int lane = threadIdx.x % 32;
    const std::int64_t tile = image * job.tiles.per_image + first + lane;
    TileList list{0};
    const bool has = may_have && find(tile, list);
    if (has) pixels += list.pixels();
    const bool is_long = has && list.cells() >= kLongList;
    take_long(__ballot_sync(kAll, is_long), tile - lane, list);
    take_short(has && !is_long, first, list);
  }

  __device__ void take_long(unsigned is_long, std::int64_t first_tile, TileList list) {
    const int lane = threadIdx.x % 32;
    while (is_long != 0) {
      Part parts[kInFlight][kPerLane];
#pragma unroll
      for (int j = 0; j < kInFlight; ++j) {
        const int source = max(__ffs(static_cast<int>(is_long)) - 1, 0);
        const TileList next{__shfl_sync(kAll, list.bits, source)};
        const std::int64_t part =
            job.part(first_tile + source, next.begin()) + first_channel + lane;
#pragma unroll
        for (int i = 0; i < kPerLane; ++i) {
          if (is_long != 0 && has_channel(i)) parts[j][i] = job.parts.load(part + 32 * i);
        }
        is_long &= is_long - 1;
      }
#pragma unroll
      for (int j = 0; j < kInFlight; ++j) {
#pragma unroll
        for (int i = 0; i < kPerLane; ++i) totals[i].merge(parts[j][i]);
      }
    }
  }

  /// Lanes spread over the cells of all short lists, 32 at a time, and then over channels.
  __device__ void take_short(bool is_short, int first_tile, TileList list) {
    const int lane = threadIdx.x % 32;
    int last = is_short ? list.cells() : 0;  // cells up to the end of this lane's list
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const int other = __shfl_up_sync(kAll, last, step);
      if (lane >= step) last += other;
    }
    const int n = __shfl_sync(kAll, last, 31);
    if (n == 0) return;
    const int origin = is_short ? job.tiles.origin(job.maps, first_tile + lane) : 0;
    // What leads from a cell's number among all of these to its place among those of the tile.
    const int shift = is_short ? list.begin() + list.cells() - last : 0;
    for (int begin = 0; begin < n; begin += 32) {
      int source = 0;  // the first lane whose list ends beyond this cell
#pragma unroll
      for (int step = 16; step > 0; step /= 2) {
        if (__shfl_sync(kAll, last, source + step - 1) <= begin + lane) source += step;
      }
      const int place = begin + lane + __shfl_sync(kAll, shift, source);
      int at = __shfl_sync(kAll, origin, source);
      int weight = 0;
      if (begin + lane < n) {
        const std::int64_t tile = image * job.tiles.per_image + first_tile + source;
        const TileCell cell = job.tiles.cells[tile * kTilePixels + place];
        at += job.tiles.offset(job.maps, cell);
        weight = cell.pixels();
      }
      take_cells(min(n - begin, 32), at, weight);
    }
  }

  /// Cells that `n` lanes name.
  __device__ void take_cells(int n, int cell, int weight) {
    const auto plane = static_cast<std::uint32_t>(job.maps.cells());
    Part parts[kPerLane];
    for (int first = 0; first < n; first += kInFlight) {
      int at[kInFlight], pixels_at[kInFlight];
      S elements[kInFlight][kPerLane];
#pragma unroll
      for (int j = 0; j < kInFlight; ++j) {
        at[j] = __shfl_sync(kAll, cell, first + j);
        pixels_at[j] = __shfl_sync(kAll, weight, first + j);
        const auto from = reinterpret_cast<std::uint64_t>(planes + at[j]);
#pragma unroll
        for (int i = 0; i < kPerLane; ++i) {
          elements[j][i] =
              pixels_at[j] > 0 && has_channel(i) ? load_in_plane<S>(from, plane, 32 * i) : S{};
        }
      }
#pragma unroll
      for (int j = 0; j < kInFlight; ++j) {
#pragma unroll
        for (int i = 0; i < kPerLane; ++i) {
          Part part;
          part.add(job.value(elements[j][i]), pixels_at[j], at[j]);
          parts[i].merge(part);  // cells of several tiles are in no order
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kPerLane; ++i) totals[i].merge(parts[i]);
  }
};

/// How many warps share out the words of a segment: more where segments are few, and large. As sums
/// depend on it, it must not depend on anything but sizes of one image.
int warps_per_segment(const LabelMaps& maps, const LabelTiles& tiles) {
  constexpr int kBusy = 4096;  // warps that keep a device busy
  int warps = 1;
  while (warps < std::min(kMostSegmentWarps, tiles.words) &&
         2 * warps * static_cast<std::int64_t>(maps.num_segments) <= kBusy) {
    warps *= 2;
  }
  return warps;
}

template <class S, class T>
__device__ void put(const PoolJob<S, SumArray<T>>& job, std::int64_t image, std::int64_t channel,
                    std::int64_t k, const Sum<double>& total, int pixels) {
  const std::int64_t num_segments = job.maps.num_segments;
  const double value = job.is_mean ? total.value / max(pixels, 1) : total.value;
  job.pooled[(image * job.channels + channel) * num_segments + k] =
      narrow<S>(static_cast<ComputeType<S>>(value));
  if (job.is_mean && job.saved != nullptr && channel == 0) {
    job.saved[image * num_segments + k] = pixels;
  }
}
template <class S, class T>
__device__ void put(const PoolJob<S, BestArray<T>>& job, std::int64_t image, std::int64_t channel,
                    std::int64_t k, const Best<T>& total, int /*pixels*/) {
  const std::int64_t plane = image * job.channels + channel;
  const std::int64_t to = plane * job.maps.num_segments + k;
  job.pooled[to] = total.cell >= 0 ? job.features[plane * job.maps.cells() + total.cell] : S{};
  if (job.saved != nullptr) job.saved[to] = total.cell;
}

/// A block takes kTotalChannels channels of as many segments as it has warps for.
template <class S, class Parts>
__global__ void __launch_bounds__(kMostSegmentWarps * 32, 1)
    total_kernel(PoolJob<S, Parts> job, int segment_warps, unsigned segment_blocks,
                 unsigned channel_blocks) {
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int num_warps = blockDim.x / 32;
  const int segments = num_warps / segment_warps;  // of a block
  const std::int64_t num_segments = job.maps.num_segments;
  const unsigned row = blockIdx.x / channel_blocks;
  const unsigned image = row / segment_blocks;
  const std::int64_t first_segment = std::int64_t{row - image * segment_blocks} * segments;
  const std::int64_t first_channel =
      std::int64_t{blockIdx.x - row * channel_blocks} * kTotalChannels;

  const std::int64_t segment = first_segment + warp / segment_warps;
  TotalWarp<S, Parts> at{
      job,
      image,
      first_channel,
      static_cast<int>(segment),
      job.features + (image * job.channels + first_channel + lane) * job.maps.cells(),
      {},
      0};
  if (segment < num_segments) {
    const std::uint32_t* places = job.tiles.places + job.tiles.place(image, num_segments, segment);
    const int part = warp % segment_warps;
    for (int first = part; first < job.tiles.words; first += 32 * segment_warps) {
      const int word = first + lane * segment_warps;
      const std::uint32_t bits = word < job.tiles.words ? places[word] : 0;
      for (unsigned some = __ballot_sync(kAll, bits != 0); some != 0; some &= some - 1) {
        const int source = __ffs(static_cast<int>(some)) - 1;
        at.take_word(first + source * segment_warps, __shfl_sync(kAll, bits, source));
      }
    }
  }

  using Total = typename Parts::Total;
  auto* totals = shared_memory<Total>();  // [num_warps][kTotalChannels]
  auto* pixels = reinterpret_cast<int*>(totals + num_warps * kTotalChannels);  // [num_warps]
#pragma unroll
  for (int i = 0; i < kPerLane; ++i) {
    totals[warp * kTotalChannels + lane + 32 * i] = at.totals[i];
  }
#pragma unroll
  for (int step = 16; step > 0; step /= 2) at.pixels += __shfl_xor_sync(kAll, at.pixels, step);
  if (lane == 0) pixels[warp] = at.pixels;
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < segments * kTotalChannels; i += blockDim.x) {
    const int of_block = i % segments;
    const std::int64_t channel = first_channel + i / segments;
    const std::int64_t k = first_segment + of_block;
    if (channel >= job.channels || k >= num_segments) continue;
    Total total;
    int n = 0;
    for (int w = of_block * segment_warps; w < (of_block + 1) * segment_warps; ++w) {
      total.merge(totals[w * kTotalChannels + i / segments]);
      n += pixels[w];
    }
    put(job, image, channel, k, total, n);
  }
}

template <class S, class Parts>
void run(Call& call, const LabelMaps& maps, const ArrayView& features, const ArrayView& pooled,
         std::int32_t* saved, Reduce reduce) {
  const LabelTiles tiles(call, maps);
  const std::int64_t num_tiles = maps.batch * tiles.per_image;
  const std::int64_t channels = features.shape[1];
  const PoolJob<S, Parts> job{maps,
                              tiles,
                              channels,
                              reduce == Reduce::kMean,
                              reduce == Reduce::kMin,
                              static_cast<const S*>(features.data),
                              static_cast<S*>(pooled.data),
                              saved,
                              Parts::take(call, num_tiles * kPartsPerTile * channels)};
  if (!call.begin()) return;
  find_label_tiles(call, maps, tiles);

  if (channels >= kPartChannels) {
    launch_part_kernel<kPartChannels, kPartRounds>(call, job);
  } else {
    launch_part_kernel<1, 4 * kPartRounds>(call, job);
  }

  const int segment_warps = warps_per_segment(maps, tiles);
  const int num_warps = std::max(segment_warps, kTotalWarps);
  const std::int64_t segment_blocks = blocks_for(maps.num_segments, num_warps / segment_warps);
  const std::int64_t channel_blocks = blocks_for(channels, kTotalChannels);
  const std::size_t shared_bytes = static_cast<std::size_t>(num_warps) *
                                   (kTotalChannels * sizeof(typename Parts::Total) + sizeof(int));
  call.launch(total_kernel<S, Parts>, maps.batch * segment_blocks * channel_blocks, num_warps * 32,
              shared_bytes, job, segment_warps, segment_blocks, channel_blocks);
}

}  // namespace

void pool(const char* op, const ArrayView& features, const ArrayView& labels,
          const ArrayView& pooled, std::int32_t* saved, Reduce reduce, const Context& context) {
  Call call(op, context);
  if (features.size() == 0) {
    call.begin();
    return;
  }
  const LabelMaps maps(labels, features, pooled.shape[2]);
  detail::with_floating(features.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    using T = ComputeType<S>;
    if (reduce == Reduce::kSum || reduce == Reduce::kMean) {
      run<S, SumArray<T>>(call, maps, features, pooled, saved, reduce);
    } else {
      run<S, BestArray<T>>(call, maps, features, pooled, saved, reduce);
    }
  });
}

}  // namespace superpix::cuda
