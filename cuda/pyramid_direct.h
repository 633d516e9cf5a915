// SPDX-License-Identifier: Apache-2.0
//
// A level of pyramid pooling for itself, of any number of windows, also more than there are pixels:
// a thread, or a warp where windows are large, goes through the pixels of a window. Neighbouring
// windows are of neighbouring threads, so that pixels that windows share come from the cache.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "call.h"
#include "element.h"
#include "pyramid_axes.h"
#include "pyramid_reduce.h"
#include "vectors.h"

namespace superpix::cuda {

inline constexpr int kDirectThreads = 256;

/// floor(a b / n), for a from 0 to n.
__device__ inline int pyramid_quotient(int a, int b, int n) {
  const auto product = static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b);
  // A division of 64 bits takes several times as long, and is rarely needed.
  return product >> 32 == 0
             ? static_cast<int>(static_cast<std::uint32_t>(product) / static_cast<std::uint32_t>(n))
             : static_cast<int>(product / static_cast<std::uint64_t>(n));
}

/// The coordinates of bin i of `bins` along an axis. With `length` and `bins` exchanged, the bins
/// that a coordinate is in.
__device__ inline Span pyramid_bin(int i, int length, int bins) {
  const int end = bins - 1 - i;  // ceil((i + 1) n / b) as n - floor((b - 1 - i) n / b)
  return {pyramid_quotient(i, length, bins), length - pyramid_quotient(end, length, bins)};
}

template <class Reduce>
__global__ void __launch_bounds__(kDirectThreads)
    direct_kernel(const typename Reduce::Element* __restrict__ features,
                  PyramidOutput<typename Reduce::Element> to, std::int64_t planes, int height,
                  int width, PyramidLevel level, std::int64_t num_outputs, int lanes) {
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * kDirectThreads + threadIdx.x;
  const std::int64_t window = thread / lanes;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const std::int64_t num_windows =
      static_cast<std::int64_t>(level.bins.value()) * level.bins.value();
  const std::int64_t plane = window / num_windows;
  const int t = static_cast<int>(window - plane * num_windows);
  const auto* from = features + plane * height * width;
  Span rows{};
  Span columns{};
  typename Reduce::Cell reduced = Reduce::nothing();
  if (plane < planes) {
    const int row = t / level.bins;
    const int column = t - row * level.bins.value();
    rows = pyramid_bin(row, height, level.bins.value());
    columns = pyramid_bin(column, width, level.bins.value());
    for (PyramidWalk walk(rows.size(), columns.size(), lane, lanes); walk.is_inside();
         walk.advance()) {
      const int y = rows.begin + walk.y();
      const int x = columns.begin + walk.x();
      typename Reduce::Column pixel;
      pixel.start(y);
      pixel.add(widen(from[static_cast<std::int64_t>(y) * width + x]), y);
      reduced = Reduce::combine(reduced, pixel.cell(x, width));
    }
  }
  reduced = reduce_lanes<Reduce>(reduced, lanes);
  if (plane >= planes || lane != 0) return;
  Reduce::finish(reduced, static_cast<std::int64_t>(rows.size()) * columns.size(), from, to,
                 plane * num_outputs + level.first_output + t);
}

template <class Reduce>
void pool_directly(const Call& call, const typename Reduce::Element* features,
                   const PyramidOutput<typename Reduce::Element>& to, std::int64_t planes,
                   int height, int width, const PyramidLevel& level, std::int64_t num_outputs) {
  constexpr std::int64_t kPixelsOfThread = 64;
  const std::int64_t b = level.bins.value();
  const std::int64_t pixels = (height / b + 1) * (width / b + 1);
  const int lanes = pixels > kPixelsOfThread ? 32 : 1;
  call.launch(direct_kernel<Reduce>, blocks_for(planes * b * b * lanes, kDirectThreads),
              kDirectThreads, 0, features, to, planes, height, width, level, num_outputs, lanes);
}

}  // namespace superpix::cuda
