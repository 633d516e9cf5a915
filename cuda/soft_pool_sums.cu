// SPDX-License-Identifier: Apache-2.0
//
// Cells produce and superpixels gather, so that every sum has its order and nobody waits.
//
// produce_kernel: a block takes a cell, or a piece of one, and brings its pixels' nine weights to
// shared memory. Then each of its warps has some channels: its lanes go through the pixels, four
// channels at a time, and keep 9 x 4 sums in registers; so a value is read once and used nine
// times, and a weight is read from shared memory once for four values. What the pixels of a cell
// give to its nine candidates are the partial sums [cell][piece][9][fields]. The fields are the
// channels and, for averages, one that is 1 everywhere, whose sums are those of the weights.
//
// gather_kernel: a superpixel adds what the nine cells around it have for it, in their order.
//
// Cells of few pixels would leave most lanes idle and have partial sums as large as the values. For
// these there is small_cells_kernel: a thread goes through the pixels around its superpixel, nine
// times as many as it has, most of which come from the caches.
#include "soft_pool_sums.h"

#include <algorithm>

#include "shared.h"

namespace superpix::cuda {
namespace {

constexpr int kPiecePixels = 512;
constexpr int kMostWarps = 8;
// Values that a lane has at a time, of as many channels.
template <class R>
constexpr int kTogether = kPackSize<R>;
// Groups of channels that share the weights of one block; with more, more blocks share them.
constexpr int kMostGroups = 16;

/// Sums over the lanes of a warp: lane i gets that of v[i * kCount / 32].
template <class R, int kCount>
__device__ __forceinline__ R sum_over_lanes(R (&v)[kCount]) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  int step = 16;
#pragma unroll
  for (int half = kCount / 2; half > 0; half /= 2) {
    const bool upper = (lane & step) != 0;
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const R other = __shfl_xor_sync(~0U, upper ? v[i] : v[i + half], step);
      v[i] = (upper ? v[i + half] : v[i]) + other;
    }
    step /= 2;
  }
  for (; step > 0; step /= 2) v[0] += __shfl_xor_sync(~0U, v[0], step);
  return v[0];
}

template <class S, int N>
__global__ void __launch_bounds__(kMostWarps * 32, 3)
    produce_kernel(SumArgs<S> args, Strips cells, int channels, int fields, int num_chunks,
                   ComputeType<S>* __restrict__ partials) {
  using R = ComputeType<S>;
  constexpr int kCount = kTogether<R>;
  constexpr int kPacks = N > 1 ? 1 : 2;  // that a lane reads before it goes on
  const int chunk = static_cast<int>(blockIdx.x) % num_chunks;
  const int block = static_cast<int>(blockIdx.x) / num_chunks;
  const Piece piece = cells.piece<N>(block);
  const Grid& grid = cells.grid();
  const auto plane = static_cast<int>(grid.num_pixels());
  const int num_packs = piece.end - piece.begin;
  constexpr int kRow = kPiecePixels;
  R* const weights = shared_memory<R>();                                   // [9][kRow]
  int* const pixels = shared_memory<int>(kCandidates * kRow * sizeof(R));  // of packs

  const S* const association = args.association + piece.image * kCandidates * plane;
  const S* const values = args.values + piece.image * channels * plane;
  for (int i = static_cast<int>(threadIdx.x); i < num_packs; i += static_cast<int>(blockDim.x)) {
    const int pixel = pack_of<N>(piece, piece.begin + i, grid).pixel;
    pixels[i] = pixel;
    R loaded[kCandidates][N];
    load_weights(association + pixel, grid, piece.row, piece.column, loaded);
    if (args.normalize) normalize(loaded);
#pragma unroll
    for (int slot = 0; slot < kCandidates; ++slot) {
#pragma unroll
      for (int n = 0; n < N; ++n) weights[slot * kRow + i * N + n] = loaded[slot][n];
    }
  }
  __syncthreads();

  const auto lane = static_cast<int>(threadIdx.x % 32);
  const Axis groups{(fields + kCount - 1) / kCount, num_chunks};
  for (int group = groups.begin(chunk) + static_cast<int>(threadIdx.x / 32);
       group < groups.begin(chunk + 1); group += static_cast<int>(blockDim.x / 32)) {
    const int c = group * kCount;
    const S* from = values + static_cast<std::int64_t>(c) * plane;
    R sums[kCandidates][kCount] = {};
    R value[kPacks][kCount][N];
#pragma unroll
    for (int m = 0; m < kCount; ++m) {
#pragma unroll
      for (int n = 0; n < kPacks * N; ++n) value[n / N][m][n % N] = c + m == channels ? R{1} : R{0};
    }
    for (int first = lane; first < num_packs; first += 32 * kPacks) {
#pragma unroll
      for (int p = 0; p < kPacks; ++p) {
        const int i = first + 32 * p;
        const S* at = from + (i < num_packs ? pixels[i] : 0);
#pragma unroll
        for (int m = 0; m < kCount; ++m) {
          if (c + m >= channels || i >= num_packs) break;
          const Pack<S, N> pack = load_pack<N>(at + static_cast<std::int64_t>(m) * plane);
#pragma unroll
          for (int n = 0; n < N; ++n) value[p][m][n] = widen(pack.element[n]);
        }
      }
#pragma unroll
      for (int p = 0; p < kPacks; ++p) {
        const int i = first + 32 * p;
        if (i >= num_packs) break;
#pragma unroll
        for (int slot = 0; slot < kCandidates; ++slot) {
          const Pack<R, N> weight = load_pack<N>(weights + slot * kRow + i * N);
#pragma unroll
          for (int m = 0; m < kCount; ++m) {
#pragma unroll
            for (int n = 0; n < N; ++n) sums[slot][m] += weight.element[n] * value[p][m][n];
          }
        }
      }
    }
    R sum[kCandidates];
#pragma unroll
    for (int slot = 0; slot < kCandidates; ++slot) sum[slot] = sum_over_lanes(sums[slot]);
    // Of the 32 / kCount lanes that have the sums of a channel, the first one writes them.
    const int field = c + lane / (32 / kCount);
    if (lane % (32 / kCount) != 0 || field >= fields) continue;
    R* const to = partials + static_cast<std::int64_t>(block) * kCandidates * fields + field;
#pragma unroll
    for (int slot = 0; slot < kCandidates; ++slot) to[slot * fields] = sum[slot];
  }
}

/// `lanes` threads, a power of two, have one sum, and share the pieces of cells; sums of one
/// superpixel are next to each other, as in the partial sums.
template <class S>
__global__ void __launch_bounds__(256)
    gather_kernel(SumArgs<S> args, const ComputeType<S>* __restrict__ partials, Grid grid,
                  int pieces, int channels, int fields, int lanes, std::int64_t num_sums) {
  using R = ComputeType<S>;
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * 256 + threadIdx.x;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const std::int64_t i = thread / lanes;
  const bool exists = i < num_sums;
  const std::int64_t superpixel = exists ? i / channels : 0;  // of all images
  const int c = static_cast<int>(exists ? i - superpixel * channels : 0);
  const int num_cells = grid.num_cells();
  const std::int64_t image = superpixel / num_cells;
  const int k = static_cast<int>(superpixel - image * num_cells);
  R sum = 0;
  R total = 0;
#pragma unroll
  for (int slot = 0; slot < kCandidates; ++slot) {
    const int cell = grid.candidate(k / grid.x.cells, k % grid.x.cells, slot);
    if (cell < 0) continue;
    // Seen from that cell, the superpixel is on the other side.
    const R* from =
        partials +
        (((image * num_cells + cell) * pieces) * kCandidates + kCandidates - 1 - slot) * fields;
    for (int piece = lane; piece < pieces; piece += lanes) {
      const R* fields_of_piece = from + static_cast<std::int64_t>(piece) * kCandidates * fields;
      sum += fields_of_piece[c];
      if (args.average) total += fields_of_piece[channels];
    }
  }
  for (int step = lanes / 2; step > 0; step /= 2) {
    sum += __shfl_xor_sync(~0U, sum, step);
    total += __shfl_xor_sync(~0U, total, step);
  }
  if (!exists || lane != 0) return;
  args.sums[(image * channels + c) * num_cells + k] =
      narrow<S>(args.average ? sum / (total + args.eps) : sum);
  if (args.totals != nullptr && c == 0) args.totals[superpixel] = total;
}

/// Superpixels are the fastest index, as neighbours read neighbouring pixels.
template <class S>
__global__ void __launch_bounds__(128)
    small_cells_kernel(SumArgs<S> args, Grid grid, int channels, std::int64_t batch) {
  using R = ComputeType<S>;
  constexpr int kCount = kTogether<R>;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * 128 + threadIdx.x;
  const int num_cells = grid.num_cells();
  const int num_groups = (channels + kCount - 1) / kCount;
  const std::int64_t group = i / num_cells;  // of all images
  const int k = static_cast<int>(i - group * num_cells);
  const std::int64_t image = group / num_groups;
  if (image >= batch) return;
  const int c = static_cast<int>(group - image * num_groups) * kCount;
  const std::int64_t plane = grid.num_pixels();
  const S* association = args.association + image * kCandidates * plane;
  const S* values = args.values + (image * channels + c) * plane;
  R sums[kCount] = {};
  R total = 0;
  for (int slot = 0; slot < kCandidates; ++slot) {
    const int cell = grid.candidate(k / grid.x.cells, k % grid.x.cells, slot);
    if (cell < 0) continue;
    const int row = cell / grid.x.cells;
    const int column = cell % grid.x.cells;
    for (int y = grid.y.begin(row); y < grid.y.begin(row + 1); ++y) {
      for (int x = grid.x.begin(column); x < grid.x.begin(column + 1); ++x) {
        const std::int64_t pixel = static_cast<std::int64_t>(y) * grid.x.length + x;
        R weight = widen(association[(kCandidates - 1 - slot) * plane + pixel]);
        if (args.normalize) {
          R of_pixel = 0;
#pragma unroll
          for (int j = 0; j < kCandidates; ++j) {
            const bool exists = grid.candidate(row, column, j) >= 0;
            if (exists) of_pixel += widen(association[j * plane + pixel]);
          }
          weight *= inverse_or_zero(of_pixel);
        }
        total += weight;
#pragma unroll
        for (int m = 0; m < kCount; ++m) {
          if (c + m < channels) sums[m] += weight * widen(values[m * plane + pixel]);
        }
      }
    }
  }
  S* to = args.sums + (image * channels + c) * num_cells + k;
#pragma unroll
  for (int m = 0; m < kCount; ++m) {
    if (c + m >= channels) break;
    to[static_cast<std::int64_t>(m) * num_cells] =
        narrow<S>(args.average ? sums[m] / (total + args.eps) : sums[m]);
  }
  if (args.totals != nullptr && c == 0) args.totals[image * num_cells + k] = total;
}

bool cells_are_small(const Grid& grid) { return grid.num_pixels() / grid.num_cells() < 32; }

}  // namespace

std::int64_t num_partial_sums(const SoftPoolShape& shape, bool average) {
  if (cells_are_small(shape.grid)) return 0;
  const std::int64_t pieces = Strips(shape.grid, 1, 1, kPiecePixels).pieces_of_image();
  return shape.batch * pieces * kCandidates * (shape.channels + (average ? 1 : 0));
}

template <class S>
void sum_pixels(const Call& call, const SoftPoolShape& shape, const SumArgs<S>& args,
                ComputeType<S>* partials) {
  using R = ComputeType<S>;
  const Grid& grid = shape.grid;
  const int num_groups = static_cast<int>(blocks_for(shape.channels, kTogether<R>));
  if (cells_are_small(grid)) {
    call.launch(small_cells_kernel<S>, blocks_for(shape.batch * num_groups * grid.num_cells(), 128),
                128, 0, args, grid, shape.channels, shape.batch);
    return;
  }
  const int fields = shape.channels + (args.average ? 1 : 0);
  with_pixel_pack<S>(grid.x, {args.association, args.values}, [&](auto n) {
    constexpr int kN = decltype(n)::value;
    const Strips cells(grid, kN, 1, kPiecePixels / kN);
    const int groups = static_cast<int>(blocks_for(fields, kTogether<R>));
    const int num_chunks = static_cast<int>(blocks_for(groups, kMostGroups));
    const int of_chunk = static_cast<int>(blocks_for(groups, num_chunks));
    const int rounds = static_cast<int>(blocks_for(of_chunk, kMostWarps));
    const int warps = static_cast<int>(blocks_for(of_chunk, rounds));
    const std::size_t shared = kCandidates * kPiecePixels * sizeof(R) +
                               static_cast<std::size_t>(cells.longest_piece()) * sizeof(int);
    call.launch(produce_kernel<S, kN>, shape.batch * cells.pieces_of_image() * num_chunks,
                warps * 32, shared, args, cells, shape.channels, fields, num_chunks, partials);
    int lanes = 1;
    while (lanes < 32 && lanes < cells.pieces_of_strip()) lanes *= 2;
    const std::int64_t num_sums = shape.batch * grid.num_cells() * shape.channels;
    call.launch(gather_kernel<S>, blocks_for(num_sums * lanes, 256), 256, 0, args, partials, grid,
                cells.pieces_of_strip(), shape.channels, fields, lanes, num_sums);
  });
}

template void sum_pixels(const Call&, const SoftPoolShape&, const SumArgs<float>&, float*);
template void sum_pixels(const Call&, const SoftPoolShape&, const SumArgs<double>&, double*);
template void sum_pixels(const Call&, const SoftPoolShape&, const SumArgs<Half>&, float*);
template void sum_pixels(const Call&, const SoftPoolShape&, const SumArgs<BFloat16>&, float*);

}  // namespace superpix::cuda
