// SPDX-License-Identifier: Apache-2.0
#include "soft_slic_centers.h"

#include <cstdint>

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
/// Pixels of a cell that one warp sums.
constexpr int kMeanPixels = 2048;

/// A warp takes one channel of a part of a cell. It sums up what pixels have beyond the first one
/// of the cell, which is small.
template <class S>
__global__ void __launch_bounds__(kThreads)
    mean_sums_kernel(SoftSlicPlan plan, int parts, const S* features, ComputeType<S>* sums) {
  using R = ComputeType<S>;
  const Grid& grid = plan.grid;
  const std::int64_t item =
      (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) / kWarp;
  if (item >= plan.batch * grid.num_cells() * parts * plan.channels) return;
  const auto c = static_cast<int>(item % plan.channels);
  const auto part = static_cast<int>(item / plan.channels % parts);
  const std::int64_t center = item / plan.channels / parts;
  const auto cell = static_cast<int>(center % grid.num_cells());
  const int row = cell / grid.x.cells;
  const int column = cell % grid.x.cells;
  const int begin = grid.x.begin(column);
  const int width = grid.x.begin(column + 1) - begin;
  const int size = (grid.y.begin(row + 1) - grid.y.begin(row)) * width;
  const S* plane = features + center / grid.num_cells() * plan.image_size() +
                   c * grid.num_pixels() +
                   static_cast<std::int64_t>(grid.y.begin(row)) * grid.x.length + begin;
  const R first = widen(plane[0]);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int pixel = part * kMeanPixels + lane;
  const int steps = (min(size - part * kMeanPixels, kMeanPixels) - lane + kWarp - 1) / kWarp;
  int y = pixel / width;
  int x = pixel - y * width;
  const int step_y = kWarp / width;
  const int step_x = kWarp - step_y * width;
  R sum = 0;
#pragma unroll 8
  for (int i = 0; i < steps; ++i) {
    sum += widen(plane[static_cast<std::int64_t>(y) * grid.x.length + x]) - first;
    x += step_x;
    y += step_y;
    if (x >= width) {
      x -= width;
      ++y;
    }
  }
  sum = sum_of_lanes(sum);
  if (lane == 0) sums[item] = sum;
}

template <class S>
__global__ void __launch_bounds__(kThreads)
    mean_kernel(SoftSlicPlan plan, int parts, const S* features, const ComputeType<S>* sums,
                ComputeType<S>* means) {
  using R = ComputeType<S>;
  const Grid& grid = plan.grid;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= plan.centers_size()) return;
  const auto c = static_cast<int>(i % plan.fields());
  const std::int64_t center = i / plan.fields();
  if (c == plan.channels) {
    means[i] = 0;
    return;
  }
  const auto cell = static_cast<int>(center % grid.num_cells());
  const int y = grid.y.begin(cell / grid.x.cells);
  const int x = grid.x.begin(cell % grid.x.cells);
  const int size =
      (grid.y.begin(cell / grid.x.cells + 1) - y) * (grid.x.begin(cell % grid.x.cells + 1) - x);
  R sum = 0;
  for (int part = 0; part < parts; ++part) {
    sum += sums[(center * parts + part) * plan.channels + c];
  }
  const S first = features[center / grid.num_cells() * plan.image_size() + c * grid.num_pixels() +
                           static_cast<std::int64_t>(y) * grid.x.length + x];
  means[i] = widen(first) + sum / static_cast<R>(size);
}

template <class S>
__global__ void __launch_bounds__(kThreads)
    from_planes_kernel(SoftSlicPlan plan, const S* planes, int fields, ComputeType<S>* centers) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t cells = plan.grid.num_cells();
  if (i >= plan.batch * cells * fields) return;
  const auto c = static_cast<int>(i % fields);
  const std::int64_t center = i / fields;
  const std::int64_t from = (center / cells * plan.channels + c) * cells + center % cells;
  centers[i] = c < plan.channels ? widen(planes[from]) : ComputeType<S>{0};
}

template <class S>
__global__ void __launch_bounds__(kThreads)
    to_planes_kernel(SoftSlicPlan plan, const ComputeType<S>* centers, int fields, S* planes) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t cells = plan.grid.num_cells();
  if (i >= plan.batch * plan.channels * cells) return;
  const std::int64_t image = i / cells / plan.channels;
  const auto c = static_cast<int>(i / cells % plan.channels);
  planes[i] = narrow<S>(centers[(image * cells + i % cells) * fields + c]);
}

}  // namespace

template <class S>
CellMeans<S>::CellMeans(Call& call, const SoftSlicPlan& plan, R* means)
    : plan_(plan),
      parts_(static_cast<int>(
          blocks_for(std::int64_t{plan.grid.y.longest()} * plan.grid.x.longest(), kMeanPixels))),
      sums_(call.take<R>(plan.batch * plan.grid.num_cells() * parts_ * plan.channels)),
      means_(means != nullptr ? means : call.take<R>(plan.centers_size())) {}

template <class S>
void CellMeans<S>::find(const Call& call, const S* features) const {
  const std::int64_t items = plan_.batch * plan_.grid.num_cells() * parts_ * plan_.channels;
  call.launch(mean_sums_kernel<S>, blocks_for(items, kThreads / kWarp), kThreads, 0, plan_, parts_,
              features, sums_);
  call.launch(mean_kernel<S>, blocks_for(plan_.centers_size(), kThreads), kThreads, 0, plan_,
              parts_, features, sums_, means_);
}

template <class S>
void copy_from_planes(const Call& call, const SoftSlicPlan& plan, const S* planes, int fields,
                      ComputeType<S>* centers) {
  call.launch(from_planes_kernel<S>,
              blocks_for(plan.batch * plan.grid.num_cells() * fields, kThreads), kThreads, 0, plan,
              planes, fields, centers);
}

template <class S>
void copy_to_planes(const Call& call, const SoftSlicPlan& plan, const ComputeType<S>* centers,
                    int fields, S* planes) {
  call.launch(to_planes_kernel<S>,
              blocks_for(plan.batch * plan.grid.num_cells() * plan.channels, kThreads), kThreads, 0,
              plan, centers, fields, planes);
}

#define SUPERPIX_INSTANTIATE(S)                                                   \
  template class CellMeans<S>;                                                    \
  template void copy_from_planes(const Call&, const SoftSlicPlan&, const S*, int, \
                                 ComputeType<S>*);                                \
  template void copy_to_planes(const Call&, const SoftSlicPlan&, const ComputeType<S>*, int, S*);
SUPERPIX_INSTANTIATE(float)
SUPERPIX_INSTANTIATE(double)
SUPERPIX_INSTANTIATE(Half)
SUPERPIX_INSTANTIATE(BFloat16)
#undef SUPERPIX_INSTANTIATE

}  // namespace superpix::cuda
