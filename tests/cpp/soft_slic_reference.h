// SPDX-License-Identifier: Apache-2.0
//
// superpix/soft_slic.h in double precision, pixel by pixel and by the formulas there.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace superpix::test {

struct SoftSlicReference {
  std::int64_t channels, height, width, rows, columns;
  int num_iter;
  double temperature = 1.0;

  using Values = std::vector<double>;
  struct Result {
    Values association;  // [9][H][W]
    Values centers;      // [C][K]
  };

  std::int64_t num_cells() const { return rows * columns; }

  /// The superpixel that channel `slot` of pixel (y, x) stands for; -1 where there is none.
  std::int64_t candidate(std::int64_t y, std::int64_t x, int slot) const {
    const std::int64_t row = y * rows / height + slot / 3 - 1;
    const std::int64_t column = x * columns / width + slot % 3 - 1;
    if (row < 0 || column < 0 || row >= rows || column >= columns) return -1;
    return row * columns + column;
  }

  Values means(const Values& features) const {
    Values centers(static_cast<std::size_t>(channels * num_cells()));
    Values count(static_cast<std::size_t>(num_cells()));
    for_pixels([&](std::int64_t y, std::int64_t x) {
      const std::int64_t k = candidate(y, x, 4);
      count[k] += 1.0;
      for (std::int64_t c = 0; c < channels; ++c) {
        centers[c * num_cells() + k] += features[(c * height + y) * width + x];
      }
    });
    for (std::int64_t i = 0; i < channels * num_cells(); ++i) centers[i] /= count[i % num_cells()];
    return centers;
  }

  Result run(const Values& features, Values centers) const {
    Result result{Values(static_cast<std::size_t>(9 * height * width)), std::move(centers)};
    for (int t = 0; t < num_iter; ++t) {
      Values sums(result.centers.size());
      Values weights(static_cast<std::size_t>(num_cells()));
      for_pixels([&](std::int64_t y, std::int64_t x) {
        const std::array<double, 9> a = associate(features, result.centers, y, x);
        for (int slot = 0; slot < 9; ++slot) {
          result.association[(slot * height + y) * width + x] = a[slot];
          const std::int64_t k = candidate(y, x, slot);
          if (k < 0) continue;
          weights[k] += a[slot];
          for (std::int64_t c = 0; c < channels; ++c) {
            sums[c * num_cells() + k] += a[slot] * features[(c * height + y) * width + x];
          }
        }
      });
      for (std::int64_t i = 0; i < channels * num_cells(); ++i) {
        const double weight = weights[i % num_cells()];
        if (weight >= 1e-3) result.centers[i] = sums[i] / weight;
      }
    }
    return result;
  }

 private:
  template <class F>
  void for_pixels(F f) const {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) f(y, x);
    }
  }

  std::array<double, 9> associate(const Values& features, const Values& centers, std::int64_t y,
                                  std::int64_t x) const {
    std::array<double, 9> a{};
    double least = INFINITY;
    for (int slot = 0; slot < 9; ++slot) {
      const std::int64_t k = candidate(y, x, slot);
      if (k < 0) continue;
      for (std::int64_t c = 0; c < channels; ++c) {
        const double d = features[(c * height + y) * width + x] - centers[c * num_cells() + k];
        a[slot] += d * d / temperature;
      }
      least = std::min(least, a[slot]);
    }
    double total = 0.0;
    for (int slot = 0; slot < 9; ++slot) {
      a[slot] = candidate(y, x, slot) < 0 ? 0.0 : std::exp(least - a[slot]);
      total += a[slot];
    }
    for (double& value : a) value /= total;
    return a;
  }
};

}  // namespace superpix::test
