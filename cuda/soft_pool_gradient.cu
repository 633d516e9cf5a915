// SPDX-License-Identifier: Apache-2.0
//
// A thread owns a pack of pixels and keeps what their nine candidates get in registers, a block a
// piece of a strip. For a group of channels at a time, the block brings coefficients of the
// superpixels around the strip to shared memory; each thread reads its pixels' values once and
// multiplies them with those of the nine. Values are read once, gradients written once, in accesses
// of up to 16 bytes.
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

template <class R>
__device__ __forceinline__ R origin_near(R value) {
  return isnan(value) || isinf(value) ? R{0} : value;
}

/// What a block has in shared memory.
template <class R>
struct GradientShared {
  R* coefficients;  // [neighbourhood][stride]
  R* products;      // [neighbourhood][stride] coefficients times (P - origin)
  R* origins;       // [stride] what values are measured from
  R* biases;        // [neighbourhood] the products' sums over all channels

  __device__ GradientShared(int places, int stride)
      : coefficients(shared_memory<R>()),
        products(coefficients + places * stride),
        origins(products + places * stride),
        biases(origins + stride) {}
  static std::size_t bytes(int places, int stride) {
    return static_cast<std::size_t>(2 * places * stride + stride + places) * sizeof(R);
  }
};

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
  around.for_each(count, kPackSize<R>, [&](int k, int superpixel, int d) {
    R origin = 0;
    R coefficient = 0;
    R product = 0;
    const std::int64_t from = (first + d) * num_cells;
    if (d < count && has_origin) {
      origin = origin_near(widen((of_pool ? args.pooled : args.centers)[from + middle]));
    }
    if (d < count && superpixel >= 0) {
      coefficient = widen(args.centers[from + superpixel]);
      if (of_pool) {
        coefficient /= args.divisors[piece.image * num_cells + superpixel] + args.eps;
        product = coefficient * (widen(args.pooled[from + superpixel]) - origin);
      } else {
        coefficient -= origin;
      }
    }
    shared.coefficients[k * stride + d] = coefficient;
    shared.products[k * stride + d] = product;
    if (k == 0) shared.origins[d] = of_pool ? origin : R{0};
  });
}

template <class S, int N>
__global__ void __launch_bounds__(kThreads)
    gradient_kernel(AssociationGradientArgs<S> args, Strips strips, int channels, int group) {
  using R = ComputeType<S>;
  constexpr int kTogether = kPackSize<R>;
  const Grid& grid = strips.grid();
  const Piece piece = strips.piece<N>(blockIdx.x);
  const Neighborhood around(piece, grid);
  const std::int64_t plane = grid.num_pixels();
  const int stride = channel_stride<R>(group);
  const GradientShared<R> shared(around.size(), stride);
  const auto thread = static_cast<int>(threadIdx.x);
  for (int k = thread; k < around.size(); k += static_cast<int>(blockDim.x)) shared.biases[k] = 0;

  const int i = piece.begin + thread;
  const bool has_pixels = i < piece.end;
  const PackOfPixels pack = pack_of<N>(piece, has_pixels ? i : piece.begin, grid);
  const int first_place = pack.column - piece.column;
  const R* const of_slot = shared.coefficients + first_place * stride;
  R sums[kCandidates][N] = {};

  for (int c = 0; c < channels; c += group) {
    const int count = min(group, channels - c);
    if (c > 0) __syncthreads();
    load_coefficients(args, grid, piece, around, piece.image * channels + c, count, stride, shared);
    __syncthreads();
    for (int k = thread; k < around.size() && args.pooled != nullptr;
         k += static_cast<int>(blockDim.x)) {
      R sum = 0;
      for (int d = 0; d < count; d += kTogether) {
        const auto products = load_pack<kTogether>(shared.products + k * stride + d);
#pragma unroll
        for (int m = 0; m < kTogether; ++m) sum += products.element[m];
      }
      shared.biases[k] += sum;
    }
    if (!has_pixels) continue;
    const S* from = args.values + (piece.image * channels + c) * plane + pack.pixel;
    for (int d = 0; d < count; d += kTogether, from += kTogether * plane) {
      Pack<S, N> values[kTogether] = {};
#pragma unroll
      for (int m = 0; m < kTogether; ++m) {
        if (d + m < count) values[m] = load_pack<N>(from + m * plane);
      }
      const auto origins = load_pack<kTogether>(shared.origins + d);
      R value[kTogether][N];
#pragma unroll
      for (int m = 0; m < kTogether; ++m) {
#pragma unroll
        for (int n = 0; n < N; ++n) value[m][n] = widen(values[m].element[n]) - origins.element[m];
      }
#pragma unroll
      for (int slot = 0; slot < kCandidates; ++slot) {
        const auto coefficients = load_pack<kTogether>(of_slot + around.place(slot) * stride + d);
#pragma unroll
        for (int m = 0; m < kTogether; ++m) {
#pragma unroll
          for (int n = 0; n < N; ++n) sums[slot][n] += coefficients.element[m] * value[m][n];
        }
      }
    }
  }
  __syncthreads();  // the biases
  if (!has_pixels) return;

  const std::int64_t of_pack = piece.image * kCandidates * plane + pack.pixel;
  R inverse[N];
  R mean[N];
#pragma unroll
  for (int n = 0; n < N; ++n) {
    inverse[n] = 1;
    mean[n] = 0;
  }
  if (args.association != nullptr) {
#pragma unroll
    for (int n = 0; n < N; ++n) {
      R weights[kCandidates][1];
      load_weights<1>(args.association + of_pack + n, grid, piece.row, pack.column, weights);
      inverse[n] = normalize(weights);
#pragma unroll
      for (int slot = 0; slot < kCandidates; ++slot) {
        const bool exists = grid.candidate(piece.row, pack.column, slot) >= 0;
        if (exists) mean[n] += weights[slot][0] * sums[slot][n];
      }
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
    store_pack(args.gradient + of_pack + slot * plane, out);
  }
}

}  // namespace

template <class S>
void association_gradient(const Call& call, const SoftPoolShape& shape,
                          const AssociationGradientArgs<S>& args) {
  using R = ComputeType<S>;
  with_pixel_pack<S>(shape.grid.x, {args.values, args.gradient}, [&](auto n) {
    constexpr int kN = decltype(n)::value;
    const Strips strips = strips_of_pixels(shape.grid, kN, kThreads);
    const int group = channel_group<R>(strips, shape.channels);
    const std::size_t shared =
        GradientShared<R>::bytes(most_places(strips), channel_stride<R>(group));
    call.launch(gradient_kernel<S, kN>, shape.batch * strips.pieces_of_image(), threads_for(strips),
                shared, args, strips, shape.channels, group);
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
