// SPDX-License-Identifier: Apache-2.0
//
// A thread owns a pack of pixels and keeps its nine weights in registers, a block a piece of a
// strip. For a group of channels at a time, the block brings the superpixels around the strip to
// shared memory, from where each thread mixes its pixels' values: neighbours in a cell read the
// same address, which costs as much as one read. Associations are read once for every kMostChannels
// channels, values written once, in accesses of up to 16 bytes.
#include "soft_pool_mix.h"

#include <algorithm>

#include "shared.h"
#include "soft_pool_neighborhood.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 128;
// With more channels, more blocks share them.
constexpr int kMostChannels = 128;
constexpr int kMostChannelsOfFewPieces = 32;

/// Channels [first, first + count) of the superpixels around a strip, the rest of the stride being
/// 0.
template <class S>
__device__ void load_centers(const MixArgs<S>& args, const Neighborhood& around, std::int64_t image,
                             int channels, int first, int count, int stride, int num_cells,
                             ComputeType<S>* centers) {
  using R = ComputeType<S>;
  around.for_each([&](int place, int superpixel, int channel, int step) {
    const S* from = args.centers + (image * channels + first) * num_cells + superpixel;
    R divisor = 1;
    if (args.divisors != nullptr && superpixel >= 0) {
      divisor = args.divisors[image * num_cells + superpixel] + args.eps;
    }
    for (int first_d = channel; first_d < stride; first_d += kStagedTogether * step) {
      R center[kStagedTogether] = {};
#pragma unroll
      for (int u = 0; u < kStagedTogether; ++u) {
        const int d = first_d + u * step;
        if (d >= count || superpixel < 0) break;
        center[u] = widen(from[static_cast<std::int64_t>(d) * num_cells]);
      }
#pragma unroll
      for (int u = 0; u < kStagedTogether; ++u) {
        const int d = first_d + u * step;
        if (d >= stride) break;
        centers[place * stride + d] = args.divisors != nullptr ? center[u] / divisor : center[u];
      }
    }
  });
}

// Blocks that are to fit a multiprocessor at once, given the registers that elements need.
template <class S>
constexpr int kBlocks = sizeof(S) == 8 ? 5 : 6;

template <class S, int N>
__global__ void __launch_bounds__(kThreads, kBlocks<S>)
    mix_kernel(MixArgs<S> args, Strips strips, int channels, int num_chunks, int group) {
  using R = ComputeType<S>;
  constexpr int kTogether = kPackSize<R>;
  R* const centers = shared_memory<R>();  // [neighbourhood][stride], channels in a row
  const int chunk = static_cast<int>(blockIdx.x) % num_chunks;
  const Piece piece = strips.piece<N>(static_cast<int>(blockIdx.x) / num_chunks);
  const Neighborhood around(piece, strips.grid());
  const auto plane = static_cast<int>(strips.grid().num_pixels());
  const int num_cells = strips.grid().num_cells();
  const int stride = channel_stride<R>(group);

  const int i = piece.begin + static_cast<int>(threadIdx.x);
  R weights[kCandidates][N] = {};
  const R* of_slot = centers;
  int pixel = 0;
  if (i < piece.end) {
    const PackOfPixels pack = pack_of<N>(piece, i, strips.grid());
    pixel = pack.pixel;
    of_slot += (pack.column - piece.column) * stride;
    load_weights(args.association + piece.image * kCandidates * plane + pixel, strips.grid(),
                 piece.row, pack.column, weights);
  }

  const int first = Axis{channels, num_chunks}.begin(chunk);
  const int last = Axis{channels, num_chunks}.begin(chunk + 1);
  for (int c = first; c < last; c += group) {
    const int count = min(group, last - c);
    if (c > first) __syncthreads();
    load_centers(args, around, piece.image, channels, c, count, stride, num_cells, centers);
    // Not before: associations are to arrive while centers do.
    if (c == first && args.normalize) normalize(weights);
    __syncthreads();
    if (i >= piece.end) continue;
    S* to = args.values + (piece.image * channels + c) * plane + pixel;
    for (int d = 0; d < count; d += kTogether, to += static_cast<std::int64_t>(kTogether) * plane) {
      R mixed[kTogether][N] = {};
#pragma unroll
      for (int slot = 0; slot < kCandidates; ++slot) {
        const auto center = load_pack<kTogether>(of_slot + around.place(slot) * stride + d);
#pragma unroll
        for (int m = 0; m < kTogether; ++m) {
#pragma unroll
          for (int n = 0; n < N; ++n) mixed[m][n] += center.element[m] * weights[slot][n];
        }
      }
#pragma unroll
      for (int m = 0; m < kTogether; ++m) {
        if (d + m >= count) break;
        Pack<S, N> out;
#pragma unroll
        for (int n = 0; n < N; ++n) out.element[n] = narrow<S>(mixed[m][n]);
        store_pack(to + static_cast<std::int64_t>(m) * plane, out);
      }
    }
  }
}

}  // namespace

template <class S>
void mix_centers(const Call& call, const SoftPoolShape& shape, const MixArgs<S>& args) {
  using R = ComputeType<S>;
  with_pixel_pack<S>(shape.grid.x, {args.association, args.values}, [&](auto n) {
    constexpr int kN = decltype(n)::value;
    const Strips strips = strips_of_pixels(shape.grid, kN, kThreads);
    const int most = are_few(strips) ? kMostChannelsOfFewPieces : kMostChannels;
    const int num_chunks = static_cast<int>(blocks_for(shape.channels, most));
    const int group = channel_group<R>(strips, std::min(shape.channels, most));
    const std::size_t shared =
        static_cast<std::size_t>(most_places(strips) * channel_stride<R>(group)) * sizeof(R);
    call.launch(mix_kernel<S, kN>, shape.batch * strips.pieces_of_image() * num_chunks,
                threads_for(strips), shared, args, strips, shape.channels, num_chunks, group);
  });
}

template void mix_centers(const Call&, const SoftPoolShape&, const MixArgs<float>&);
template void mix_centers(const Call&, const SoftPoolShape&, const MixArgs<double>&);
template void mix_centers(const Call&, const SoftPoolShape&, const MixArgs<Half>&);
template void mix_centers(const Call&, const SoftPoolShape&, const MixArgs<BFloat16>&);

}  // namespace superpix::cuda
