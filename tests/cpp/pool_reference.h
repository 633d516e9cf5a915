// SPDX-License-Identifier: Apache-2.0
//
// Pooling over labels, cell by cell and pixel by pixel in double precision.
#pragma once

#include <superpix/pool.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace superpix::test {

struct PoolReference {
  std::int64_t batch, channels, height, width, label_height, label_width, segments;

  std::int64_t cells() const { return height * width; }
  std::int64_t pixels() const { return label_height * label_width; }

  /// The cell of pixel p of an image.
  std::int64_t cell(std::int64_t p) const {
    return p / label_width * height / label_height * width + p % label_width * width / label_width;
  }

  std::vector<std::int32_t> counts(const std::vector<std::int64_t>& labels) const {
    std::vector<std::int32_t> counts(batch * segments, 0);
    for (std::int64_t i = 0; i < batch * pixels(); ++i) {
      if (labels[i] >= 0) ++counts[i / pixels() * segments + labels[i]];
    }
    return counts;
  }

  /// The first cell with the greatest or least value of each segment; -1 without pixels.
  std::vector<std::int32_t> indices(const std::vector<double>& features,
                                    const std::vector<std::int64_t>& labels, bool least) const {
    std::vector<std::int32_t> indices(batch * channels * segments, -1);
    for (std::int64_t plane = 0; plane < batch * channels; ++plane) {
      for (std::int64_t p = 0; p < pixels(); ++p) {
        const std::int64_t label = labels[plane / channels * pixels() + p];
        if (label < 0) continue;
        std::int32_t& index = indices[plane * segments + label];
        const std::int64_t c = cell(p);
        if (index < 0) {
          index = static_cast<std::int32_t>(c);
          continue;
        }
        const double best = features[plane * cells() + index];
        const double value = features[plane * cells() + c];
        const bool same = value == best || (std::isnan(value) && std::isnan(best));
        const bool better =
            std::isnan(best) ? false : std::isnan(value) || (least ? value < best : value > best);
        if (better || (same && c < index)) index = static_cast<std::int32_t>(c);
      }
    }
    return indices;
  }

  std::vector<double> pool(const std::vector<double>& features,
                           const std::vector<std::int64_t>& labels, Reduce reduce) const {
    std::vector<double> pooled(batch * channels * segments, 0.0);
    if (reduce == Reduce::kMax || reduce == Reduce::kMin) {
      const auto best = indices(features, labels, reduce == Reduce::kMin);
      for (std::int64_t i = 0; i < batch * channels * segments; ++i) {
        if (best[i] >= 0) pooled[i] = features[i / segments * cells() + best[i]];
      }
      return pooled;
    }
    const auto n = counts(labels);
    for (std::int64_t plane = 0; plane < batch * channels; ++plane) {
      const std::int64_t image = plane / channels;
      for (std::int64_t p = 0; p < pixels(); ++p) {
        const std::int64_t label = labels[image * pixels() + p];
        if (label >= 0) pooled[plane * segments + label] += features[plane * cells() + cell(p)];
      }
      for (std::int64_t k = 0; k < segments && reduce == Reduce::kMean; ++k) {
        if (n[image * segments + k] > 0) pooled[plane * segments + k] /= n[image * segments + k];
      }
    }
    return pooled;
  }

  std::vector<double> pool_backward(const std::vector<double>& grad_pooled,
                                    const std::vector<double>& features,
                                    const std::vector<std::int64_t>& labels, Reduce reduce) const {
    std::vector<double> grad(batch * channels * cells(), 0.0);
    if (reduce == Reduce::kMax || reduce == Reduce::kMin) {
      const auto best = indices(features, labels, reduce == Reduce::kMin);
      for (std::int64_t i = 0; i < batch * channels * segments; ++i) {
        if (best[i] >= 0) grad[i / segments * cells() + best[i]] += grad_pooled[i];
      }
      return grad;
    }
    const auto n = counts(labels);
    for (std::int64_t plane = 0; plane < batch * channels; ++plane) {
      const std::int64_t image = plane / channels;
      for (std::int64_t p = 0; p < pixels(); ++p) {
        const std::int64_t label = labels[image * pixels() + p];
        if (label < 0) continue;
        const double divisor = reduce == Reduce::kMean ? n[image * segments + label] : 1.0;
        grad[plane * cells() + cell(p)] += grad_pooled[plane * segments + label] / divisor;
      }
    }
    return grad;
  }
};

}  // namespace superpix::test
