// SPDX-License-Identifier: Apache-2.0
//
// One axis after the other. Along y and z whole rows are added up, so that every inner loop runs
// along x.
#include "cpu/gaussian.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

/// Weights from the centre outwards; they add up to 1 with both sides. Over n pixels that are
/// reflected at both ends, every sigma from 2 n on gives the mean, to 1e-8.
std::vector<float> half_kernel(double sigma, std::int64_t n) {
  sigma = std::min(sigma, 2.0 * static_cast<double>(n));
  const auto radius = static_cast<std::int64_t>(4.0 * sigma + 0.5);
  std::vector<double> w(static_cast<std::size_t>(radius + 1));
  double total = 0.0;
  for (std::int64_t i = 0; i <= radius; ++i) {
    const auto x = static_cast<double>(i);
    w[i] = std::exp(-0.5 * x * x / (sigma * sigma));
    total += i == 0 ? w[i] : 2.0 * w[i];
  }
  std::vector<float> kernel;
  kernel.reserve(w.size());
  for (const double v : w) kernel.push_back(static_cast<float>(v / total));
  return kernel;
}

std::int64_t reflect(std::int64_t i, std::int64_t n) {
  const std::int64_t period = 2 * n;
  i = (i % period + period) % period;
  return i < n ? i : period - 1 - i;
}

void blur_rows(float* volume, const Extent& shape, const std::vector<float>& kernel,
               int num_threads) {
  const std::int64_t width = shape[2];
  const auto radius = static_cast<std::int64_t>(kernel.size()) - 1;
  parallel_for(shape[0] * shape[1], 8, num_threads, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> padded(static_cast<std::size_t>(width + 2 * radius));
    for (std::int64_t row = begin; row < end; ++row) {
      float* line = volume + row * width;
      for (std::int64_t i = 0; i < width + 2 * radius; ++i) {
        padded[i] = line[reflect(i - radius, width)];
      }
      const float* centre = padded.data() + radius;
      for (std::int64_t x = 0; x < width; ++x) line[x] = kernel[0] * centre[x];
      for (std::int64_t k = 1; k <= radius; ++k) {
        for (std::int64_t x = 0; x < width; ++x) {
          line[x] += kernel[k] * (centre[x - k] + centre[x + k]);
        }
      }
    }
  });
}

/// Along an axis of n lines that are `stride` apart, each line being `length` contiguous floats.
void blur_lines(float* first, std::int64_t n, std::int64_t stride, std::int64_t length,
                const std::vector<float>& kernel, std::vector<float>& copy) {
  const auto radius = static_cast<std::int64_t>(kernel.size()) - 1;
  copy.resize(static_cast<std::size_t>(n * length));
  for (std::int64_t i = 0; i < n; ++i) std::copy_n(first + i * stride, length, &copy[i * length]);
  for (std::int64_t i = 0; i < n; ++i) {
    float* line = first + i * stride;
    const float* centre = &copy[i * length];
    for (std::int64_t x = 0; x < length; ++x) line[x] = kernel[0] * centre[x];
    for (std::int64_t k = 1; k <= radius; ++k) {
      const float* before = &copy[reflect(i - k, n) * length];
      const float* after = &copy[reflect(i + k, n) * length];
      for (std::int64_t x = 0; x < length; ++x) line[x] += kernel[k] * (before[x] + after[x]);
    }
  }
}

}  // namespace

void gaussian_blur(float* volume, const Extent& shape, const std::array<double, 3>& sigma,
                   int num_threads) {
  constexpr std::int64_t kColumns = 64;  // of a strip that stays in the cache
  const std::int64_t strips = (shape[2] + kColumns - 1) / kColumns;
  const std::int64_t plane = shape[1] * shape[2];
  if (sigma[2] > 0) blur_rows(volume, shape, half_kernel(sigma[2], shape[2]), num_threads);
  const auto blur_axis = [&](double s, std::int64_t outer, std::int64_t outer_stride,
                             std::int64_t n, std::int64_t stride) {
    if (!(s > 0)) return;
    const std::vector<float> kernel = half_kernel(s, n);
    parallel_for(outer * strips, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> copy;
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t x = i % strips * kColumns;
        blur_lines(volume + i / strips * outer_stride + x, n, stride,
                   std::min(kColumns, shape[2] - x), kernel, copy);
      }
    });
  };
  blur_axis(sigma[1], shape[0], plane, shape[1], shape[2]);
  blur_axis(sigma[0], shape[1], shape[2], shape[0], plane);
}

}  // namespace superpix::cpu
