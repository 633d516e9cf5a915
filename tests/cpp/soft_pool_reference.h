// SPDX-License-Identifier: Apache-2.0
//
// superpix/soft_pool.h in double precision for one image, pixel by pixel and by the formulas there.
#pragma once

#include <cstdint>
#include <vector>

#include "soft_slic_reference.h"

namespace superpix::test {

struct SoftPoolReference {
  std::int64_t channels, height, width, rows, columns;

  using Values = std::vector<double>;

  std::int64_t num_pixels() const { return height * width; }
  std::int64_t num_cells() const { return rows * columns; }

  struct Pooled {
    Values pooled;   // [D][K]
    Values weights;  // [K]
  };
  Pooled pool(const Values& values, const Values& association, double eps) const {
    Pooled result{Values(static_cast<std::size_t>(channels * num_cells())),
                  Values(static_cast<std::size_t>(num_cells()))};
    for_pairs([&](std::int64_t p, std::int64_t q, std::int64_t k) {
      result.weights[k] += association[q];
      for (std::int64_t c = 0; c < channels; ++c) {
        result.pooled[c * num_cells() + k] += association[q] * values[c * num_pixels() + p];
      }
    });
    for (std::int64_t i = 0; i < channels * num_cells(); ++i) {
      result.pooled[i] /= result.weights[i % num_cells()] + eps;
    }
    return result;
  }

  struct Gradients {
    Values values;       // [D][H][W] or [D][K]
    Values association;  // [9][H][W]
  };
  Gradients pool_backward(const Values& values, const Values& association, double eps,
                          const Values& gradient) const {
    const Pooled out = pool(values, association, eps);
    Gradients result{Values(values.size()), Values(association.size())};
    for_pairs([&](std::int64_t p, std::int64_t q, std::int64_t k) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const double g = gradient[c * num_cells() + k] / (out.weights[k] + eps);
        result.values[c * num_pixels() + p] += association[q] * g;
        result.association[q] +=
            g * (values[c * num_pixels() + p] - out.pooled[c * num_cells() + k]);
      }
    });
    return result;
  }

  Values unpool(const Values& centers, const Values& association, bool normalize) const {
    const Values totals = totals_of(association, normalize);
    Values out(static_cast<std::size_t>(channels * num_pixels()));
    for_pairs([&](std::int64_t p, std::int64_t q, std::int64_t k) {
      if (totals[p] == 0.0) return;
      for (std::int64_t c = 0; c < channels; ++c) {
        out[c * num_pixels() + p] += association[q] / totals[p] * centers[c * num_cells() + k];
      }
    });
    return out;
  }

  Gradients unpool_backward(const Values& centers, const Values& association, bool normalize,
                            const Values& gradient) const {
    const Values totals = totals_of(association, normalize);
    const Values out = unpool(centers, association, normalize);
    Gradients result{Values(centers.size()), Values(association.size())};
    for_pairs([&](std::int64_t p, std::int64_t q, std::int64_t k) {
      if (totals[p] == 0.0) return;
      for (std::int64_t c = 0; c < channels; ++c) {
        const double g = gradient[c * num_pixels() + p] / totals[p];
        const double mean = normalize ? out[c * num_pixels() + p] : 0.0;
        result.values[c * num_cells() + k] += association[q] * g;
        result.association[q] += g * (centers[c * num_cells() + k] - mean);
      }
    });
    return result;
  }

  /// The superpixel that channel `slot` of pixel (y, x) stands for; -1 where there is none.
  std::int64_t candidate(std::int64_t y, std::int64_t x, int slot) const {
    return SoftSlicReference{channels, height, width, rows, columns, 0}.candidate(y, x, slot);
  }

  /// Calls f(pixel, element of the association, superpixel) for all candidates of all pixels.
  template <class F>
  void for_pairs(F f) const {
    for (int slot = 0; slot < 9; ++slot) {
      for (std::int64_t p = 0; p < num_pixels(); ++p) {
        const std::int64_t k = candidate(p / width, p % width, slot);
        if (k >= 0) f(p, slot * num_pixels() + p, k);
      }
    }
  }

 private:
  Values totals_of(const Values& association, bool normalize) const {
    Values totals(static_cast<std::size_t>(num_pixels()), normalize ? 0.0 : 1.0);
    if (normalize) {
      for_pairs([&](std::int64_t p, std::int64_t q, std::int64_t) { totals[p] += association[q]; });
    }
    return totals;
  }
};

}  // namespace superpix::test
