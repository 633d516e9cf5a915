// SPDX-License-Identifier: Apache-2.0
//
// A thread owns a pack of pixels and keeps what their nine candidates get in registers, a block a
// piece of a strip. For a group of channels at a time, the block brings coefficients of the
// superpixels around the strip to shared memory; each thread reads its pixels' values, those of the
// next channels while it multiplies the last ones with the nine. Values are read once, gradients
// written once, in accesses of up to 16 bytes. Where that makes few threads, several share a pack,
// each with a slice of the channels, and the first one adds what the others have.
//
// Products are formed of differences from an origin, the superpixel in the middle of the strip, as
// large parts that all have in common would cost their precision.
#include "soft_pool_gradient.h"

#include <algorithm>

#include "shared.h"
#include "soft_pool_neighborhood.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kSlices = 4;
constexpr int kLeastForSlices = 64;

template <class R>
__device__ __forceinline__ R origin_near(R value) {
  return isnan(value) || isinf(value) ? R{0} : value;
}

/// What a block has in shared memory.
template <class R>
struct GradientShared {
  R* biases;        // [neighbourhood] the products' sums over all channels
  R* coefficients;  // [neighbourhood][stride]
  R* products;      // [neighbourhood][stride] coefficients times (P - origin)
  R* origins;       // [stride] what values are measured from
  R* sums;          // [slices - 1][9 N][packs] in place of the others, when they are done

  __device__ GradientShared(int places, int stride)
      : biases(shared_memory<R>()),
        coefficients(biases + in_packs(places)),
        products(coefficients + places * stride),
        origins(products + places * stride),
        sums(coefficients) {}
  static std::size_t bytes(int places, int stride, int num_sums) {
    return static_cast<std::size_t>(in_packs(places) +
                                    std::max((2 * places + 1) * stride, num_sums)) *
           sizeof(R);
  }

 private:
  __host__ __device__ static int in_packs(int n) {
    return (n + kPackSize<R> - 1) / kPackSize<R> * kPackSize<R>;
  }
};

/// Channels [first, first + count) of all images, the rest of the stride being 0.
template <class S>
__device__ void load_coefficients(const AssociationGradientArgs<S>& args, const Grid& grid,
                                  const Piece& piece, const Neighborhood& around,
                                  std::int64_t first, int count, int stride,
                                  const GradientShared<ComputeType<S>>& shared) {
  using R = ComputeType<S>;
  const bool of_pool = args.pooled != nullptr;
  const bool has_origin = of_pool || args.association != nullptr;
  const int num_cells = grid.num_cells();
  const int middle = piece.row * grid.x.cells + piece.column + piece.width / 2;
  const S* const origins = of_pool ? args.pooled : args.centers;
  around.for_each([&](int place, int superpixel, int channel, int step) {
    R divisor = 1;
    if (of_pool && superpixel >= 0) {
      divisor = args.divisors[piece.image * num_cells + superpixel] + args.eps;
    }
    for (int first_d = channel; first_d < stride; first_d += kStagedTogether * step) {
      R center[kStagedTogether] = {};
      R mean[kStagedTogether] = {};
      R origin[kStagedTogether] = {};
#pragma unroll
      for (int u = 0; u < kStagedTogether; ++u) {
        const int d = first_d + u * step;
        if (d >= count) break;
        const std::int64_t from = (first + d) * num_cells;
        if (has_origin) origin[u] = widen(origins[from + middle]);
        if (superpixel >= 0) center[u] = widen(args.centers[from + superpixel]);
        if (superpixel >= 0 && of_pool) mean[u] = widen(args.pooled[from + superpixel]);
      }
#pragma unroll
      for (int u = 0; u < kStagedTogether; ++u) {
        const int d = first_d + u * step;
        if (d >= stride) break;
        const R from = superpixel >= 0 ? origin_near(origin[u]) : R{0};
        const R coefficient = of_pool ? center[u] / divisor : center[u] - from;
        shared.coefficients[place * stride + d] = coefficient;
        shared.products[place * stride + d] = coefficient * (mean[u] - from);
        if (place == 0) shared.origins[d] = of_pool ? origin_near(origin[u]) : R{0};
      }
    }
  });
}

/// A pack of channels [first, first + kLoads), 0 for those that do not exist.
template <class S, int N, int kLoads>
__device__ __forceinline__ void load_channels(const S* values, int plane, int first, int channels,
                                              Pack<S, N> (&packs)[kLoads]) {
  const S* const from = values + static_cast<std::int64_t>(first) * plane;
#pragma unroll
  for (int m = 0; m < kLoads; ++m) {
    packs[m] = {};
    if (first + m < channels) packs[m] = load_pack<N>(from + static_cast<std::int64_t>(m) * plane);
  }
}

// Blocks that are to fit a multiprocessor at once, given the registers that elements need.
template <class S>
constexpr int kBlocks = sizeof(S) == 8 ? 3 : 4;

template <class S, int N>
__global__ void __launch_bounds__(kThreads, kBlocks<S>)
    gradient_kernel(AssociationGradientArgs<S> args, Strips strips, int channels, int group,
                    int slices) {
  using R = ComputeType<S>;
  constexpr int kTogether = kPackSize<R>;
  constexpr int kLoads = N > 1 ? kTogether : 2 * kTogether;  // before a thread goes on
  const Grid& grid = strips.grid();
  const Piece piece = strips.piece<N>(static_cast<int>(blockIdx.x));
  const Neighborhood around(piece, grid);
  const auto plane = static_cast<int>(grid.num_pixels());
  const int stride = channel_stride<R>(group);
  const GradientShared<R> shared(around.size(), stride);
  const auto thread = static_cast<int>(threadIdx.x);
  const auto threads = static_cast<int>(blockDim.x);
  for (int place = thread; place < around.size(); place += threads) shared.biases[place] = 0;

  const int packs = threads / slices;
  const int slice = thread / packs;
  const int lane = thread - slice * packs;
  const int i = piece.begin + lane;
  const bool has_pixels = i < piece.end;
  const PackOfPixels pack = pack_of<N>(piece, has_pixels ? i : piece.begin, grid);
  const S* const values = args.values + piece.image * channels * plane + pack.pixel;
  const int first_place = pack.column - piece.column;
  const R* const of_slot = shared.coefficients + first_place * stride;
  R sums[kCandidates][N] = {};
  Pack<S, N> next[kLoads] = {};
  if (has_pixels) load_channels(values, plane, slice * kLoads, channels, next);

#pragma unroll 1
  for (int c = 0; c < channels; c += group) {
    const int count = min(group, channels - c);
    if (c > 0) __syncthreads();
    load_coefficients(args, grid, piece, around, piece.image * channels + c, count, stride, shared);
    __syncthreads();
    for (int place = thread; place < around.size() && args.pooled != nullptr; place += threads) {
      R sum = 0;
#pragma unroll 1
      for (int d = 0; d < count; d += kTogether) {
        const auto products = load_pack<kTogether>(shared.products + place * stride + d);
#pragma unroll
        for (int m = 0; m < kTogether; ++m) sum += products.element[m];
      }
      shared.biases[place] += sum;
    }
    if (!has_pixels) continue;
    for (int d = slice * kLoads; d < count; d += slices * kLoads) {
      Pack<S, N> loaded[kLoads];
#pragma unroll
      for (int m = 0; m < kLoads; ++m) loaded[m] = next[m];
      const bool is_last = d + slices * kLoads >= count;
      load_channels(values, plane, is_last ? c + group + slice * kLoads : c + d + slices * kLoads,
                    channels, next);
#pragma unroll
      for (int t = 0; t < kLoads; t += kTogether) {
        if (d + t >= count) break;
        const auto origins = load_pack<kTogether>(shared.origins + d + t);
        R value[kTogether][N];
#pragma unroll
        for (int m = 0; m < kTogether; ++m) {
#pragma unroll
          for (int n = 0; n < N; ++n) {
            value[m][n] = widen(loaded[t + m].element[n]) - origins.element[m];
          }
        }
#pragma unroll
        for (int slot = 0; slot < kCandidates; ++slot) {
          const auto coefficients =
              load_pack<kTogether>(of_slot + around.place(slot) * stride + d + t);
#pragma unroll
          for (int m = 0; m < kTogether; ++m) {
#pragma unroll
            for (int n = 0; n < N; ++n) sums[slot][n] += coefficients.element[m] * value[m][n];
          }
        }
      }
    }
  }
  __syncthreads();  // the biases are complete, the coefficients done with
  if (slices > 1) {
    if (slice > 0) {
      R* to = shared.sums + (slice - 1) * kCandidates * N * packs + lane;
#pragma unroll
      for (int slot = 0; slot < kCandidates; ++slot) {
#pragma unroll
        for (int n = 0; n < N; ++n) to[(slot * N + n) * packs] = sums[slot][n];
      }
    }
    __syncthreads();
    for (int s = 1; s < slices && slice == 0; ++s) {
      const R* from = shared.sums + (s - 1) * kCandidates * N * packs + lane;
#pragma unroll
      for (int slot = 0; slot < kCandidates; ++slot) {
#pragma unroll
        for (int n = 0; n < N; ++n) sums[slot][n] += from[(slot * N + n) * packs];
      }
    }
  }
  if (!has_pixels || slice > 0) return;

  const std::int64_t of_pack = piece.image * kCandidates * plane + pack.pixel;
  R inverse[N];
  R mean[N];
#pragma unroll
  for (int n = 0; n < N; ++n) {
    inverse[n] = 1;
    mean[n] = 0;
  }
  if (args.association != nullptr) {
    R weights[kCandidates][N];
    load_weights(args.association + of_pack, grid, piece.row, pack.column, weights);
    normalize(weights, inverse);
#pragma unroll
    for (int slot = 0; slot < kCandidates; ++slot) {
#pragma unroll
      for (int n = 0; n < N; ++n) mean[n] += weights[slot][n] * sums[slot][n];
    }
  }
#pragma unroll
  for (int slot = 0; slot < kCandidates; ++slot) {
    const bool exists = grid.candidate(piece.row, pack.column, slot) >= 0;
    const R bias = shared.biases[first_place + around.place(slot)];
    Pack<S, N> out;
#pragma unroll
    for (int n = 0; n < N; ++n) {
      const R gradient = inverse[n] * (sums[slot][n] - bias - mean[n]);
      out.element[n] = narrow<S>(exists ? gradient : R{0});
    }
    store_pack(args.gradient + of_pack + static_cast<std::int64_t>(slot) * plane, out);
  }
}

}  // namespace

template <class S>
void association_gradient(const Call& call, const SoftPoolShape& shape,
                          const AssociationGradientArgs<S>& args) {
  using R = ComputeType<S>;
  with_pixel_pack<S>(shape.grid.x, {args.values, args.association, args.gradient}, [&](auto n) {
    constexpr int kN = decltype(n)::value;
    Strips strips = strips_of_pixels(shape.grid, kN, kThreads);
    int slices = 1;
    if (are_few(strips) && shape.channels >= kLeastForSlices) {
      slices = kSlices;
      strips = strips_of_pixels(shape.grid, kN, kThreads / kSlices);
    }
    const int packs = threads_for(strips);
    const int group = channel_group<R>(strips, shape.channels);
    const std::size_t shared = GradientShared<R>::bytes(
        most_places(strips), channel_stride<R>(group), (slices - 1) * kCandidates * kN * packs);
    call.launch(gradient_kernel<S, kN>, shape.batch * strips.pieces_of_image(), packs * slices,
                shared, args, strips, shape.channels, group, slices);
  });
}

template void association_gradient(const Call&, const SoftPoolShape&,
                                   const AssociationGradientArgs<float>&);
template void association_gradient(const Call&, const SoftPoolShape&,
                                   const AssociationGradientArgs<double>&);
template void association_gradient(const Call&, const SoftPoolShape&,
                                   const AssociationGradientArgs<Half>&);
template void association_gradient(const Call&, const SoftPoolShape&,
                                   const AssociationGradientArgs<BFloat16>&);

}  // namespace superpix::cuda
