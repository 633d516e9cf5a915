// SPDX-License-Identifier: Apache-2.0
//
// One axis after the other, from one array to another and back. A thread makes one pixel of the
// result; its neighbours read the same lines, which the caches hold.
#include "gaussian.h"

#include <algorithm>
#include <cstdint>

#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;

/// One block makes the weights of a Gaussian, which add up to 1 with both sides.
__global__ void __launch_bounds__(kThreads)
    weight_kernel(double sigma, std::int64_t radius, float* __restrict__ weights) {
  double* const sums = shared_memory<double>();
  const int thread = static_cast<int>(threadIdx.x);
  const auto weight = [&](std::int64_t i) {
    const auto x = static_cast<double>(i);
    return exp(-0.5 * x * x / (sigma * sigma));
  };
  double sum = 0.0;
  for (std::int64_t i = thread; i <= radius; i += kThreads) sum += (i == 0 ? 1.0 : 2.0) * weight(i);
  sums[thread] = sum;
  for (int n = kThreads / 2; n > 0; n /= 2) {
    __syncthreads();
    if (thread < n) sums[thread] += sums[thread + n];
  }
  __syncthreads();
  for (std::int64_t i = thread; i <= radius; i += kThreads) {
    weights[i] = static_cast<float>(weight(i) / sums[0]);
  }
}

struct Line {
  const float* __restrict__ weights;
  std::int64_t radius;
  std::int64_t length, stride;
};

__device__ __forceinline__ std::int64_t reflect(std::int64_t i, std::int64_t n) {
  if (i >= 0 && i < n) return i;
  const std::int64_t period = 2 * n;
  i = (i % period + period) % period;
  return i < n ? i : period - 1 - i;
}

__global__ void __launch_bounds__(kThreads)
    blur_kernel(const float* __restrict__ from, float* __restrict__ to, std::int64_t size,
                Line line) {
  const std::int64_t p = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (p >= size) return;
  const std::int64_t at = p / line.stride % line.length;
  const float* const first = from + p - at * line.stride;
  float sum = line.weights[0] * from[p];
  for (std::int64_t k = 1; k <= line.radius; ++k) {
    const float before = first[reflect(at - k, line.length) * line.stride];
    const float after = first[reflect(at + k, line.length) * line.stride];
    sum += line.weights[k] * (before + after);
  }
  to[p] = sum;
}

}  // namespace

GaussianBlur::GaussianBlur(Call& call, const std::array<std::int64_t, 3>& shape,
                           const std::array<double, 3>& sigma, std::int64_t num_planes)
    : size_(num_planes * shape[0] * shape[1] * shape[2]) {
  bool any = false;
  std::int64_t stride = 1;
  for (int axis = 2; axis >= 0; stride *= shape[axis], --axis) {
    if (!(sigma[axis] > 0)) continue;
    any = true;
    // Over n pixels that are reflected at both ends, every sigma from 2 n on gives the mean.
    const double s = std::min(sigma[axis], 2.0 * static_cast<double>(shape[axis]));
    const auto radius = static_cast<std::int64_t>(4.0 * s + 0.5);
    axes_[axis] = {s, shape[axis], stride, radius, call.take<float>(radius + 1)};
  }
  if (any) copy_ = call.take<float>(size_);
}

void GaussianBlur::enqueue(const Call& call, float* planes) const {
  const float* from = planes;
  for (int axis = 2; axis >= 0; --axis) {
    const Axis& a = axes_[axis];
    if (!(a.sigma > 0)) continue;
    call.launch(weight_kernel, 1, kThreads, kThreads * sizeof(double), a.sigma, a.radius,
                a.weights);
    float* const to = from == planes ? copy_ : planes;
    call.launch(blur_kernel, blocks_for(size_, kThreads), kThreads, 0, from, to, size_,
                Line{a.weights, a.radius, a.length, a.stride});
    from = to;
  }
  if (from != planes) {
    check(cudaMemcpyAsync(planes, from, static_cast<std::size_t>(size_) * sizeof(float),
                          cudaMemcpyDeviceToDevice, call.stream()),
          call.op());
  }
}

}  // namespace superpix::cuda
