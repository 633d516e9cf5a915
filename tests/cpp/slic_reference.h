// SPDX-License-Identifier: Apache-2.0
//
// The clustering of superpix/slic.h in double precision, pixel by pixel, for a grid that is given.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "reference.h"

namespace superpix::test {

/// Features [pixels][channels], already in units of the compactness m.
struct SlicReference {
  Volume shape;
  Volume cells;
  std::array<double, 3> spacing{1.0, 1.0, 1.0};
  int channels;
  std::vector<double> features;
  int max_num_iter = 10;
  bool perturb_seeds = false;
  /// All iterations but the last two assign the groups of a cell in turns: groups of so many
  /// pixels, in raster order. Cells of at most `least` pixels are assigned whole, as all are if
  /// group is 0.
  struct Turns {
    std::int64_t group = 0;
    std::int64_t count = 3;
    std::int64_t first = 0;  // in the first iteration
  };
  Turns turns = {};

  struct Cluster {
    std::vector<double> color;
    std::array<double, 3> position{};
  };

  std::array<std::int64_t, 3> position_of(std::int64_t p) const {
    return {p / (shape[1] * shape[2]), p / shape[2] % shape[1], p % shape[2]};
  }
  std::array<std::int64_t, 3> cell_of(std::int64_t p) const {
    auto at = position_of(p);
    for (int axis = 0; axis < 3; ++axis) at[axis] = at[axis] * cells[axis] / shape[axis];
    return at;
  }
  std::int64_t index(const std::array<std::int64_t, 3>& cell) const {
    return (cell[0] * cells[1] + cell[1]) * cells[2] + cell[2];
  }

  /// The cluster of each pixel, numbered as the cells are.
  std::vector<std::int32_t> run() const {
    const std::int64_t n = num_pixels(shape);
    std::vector<std::int32_t> labels(static_cast<std::size_t>(n));
    for (std::int64_t p = 0; p < n; ++p) labels[p] = static_cast<std::int32_t>(index(cell_of(p)));
    std::vector<Cluster> clusters(static_cast<std::size_t>(num_pixels(cells)));
    for (Cluster& cluster : clusters) cluster.color.resize(static_cast<std::size_t>(channels));
    update(labels, clusters);
    if (perturb_seeds) {
      for (Cluster& cluster : clusters) perturb(cluster);
    }
    for (int i = 0; i < max_num_iter; ++i) {
      for (std::int64_t p = 0; p < n; ++p) {
        if (i + 2 >= max_num_iter || has_turn(p, i)) labels[p] = nearest(p, clusters);
      }
      update(labels, clusters);
    }
    return labels;
  }

 private:
  bool has_turn(std::int64_t p, int iteration) const {
    if (turns.group == 0) return true;
    const auto cell = cell_of(p);
    const auto at = position_of(p);
    std::int64_t index = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const auto edge = [&](std::int64_t c) {
        return (c * shape[axis] + cells[axis] - 1) / cells[axis];
      };
      index = index * (edge(cell[axis] + 1) - edge(cell[axis])) + at[axis] - edge(cell[axis]);
    }
    return index / turns.group % turns.count == (turns.first + iteration) % turns.count;
  }

  void update(const std::vector<std::int32_t>& labels, std::vector<Cluster>& clusters) const {
    std::vector<Cluster> sums(clusters.size(), Cluster{std::vector<double>(channels), {}});
    std::vector<double> count(clusters.size());
    for (std::size_t p = 0; p < labels.size(); ++p) {
      Cluster& sum = sums[labels[p]];
      const auto at = position_of(static_cast<std::int64_t>(p));
      for (int c = 0; c < channels; ++c) sum.color[c] += features[p * channels + c];
      for (int axis = 0; axis < 3; ++axis) sum.position[axis] += static_cast<double>(at[axis]);
      count[labels[p]] += 1.0;
    }
    for (std::size_t k = 0; k < clusters.size(); ++k) {
      if (count[k] == 0.0) continue;
      for (int c = 0; c < channels; ++c) clusters[k].color[c] = sums[k].color[c] / count[k];
      for (int axis = 0; axis < 3; ++axis) {
        clusters[k].position[axis] = sums[k].position[axis] / count[k];
      }
    }
  }

  std::int32_t nearest(std::int64_t p, const std::vector<Cluster>& clusters) const {
    double step = 0.0;  // S
    for (int axis = 0; axis < 3; ++axis) {
      step = std::max(step, static_cast<double>(shape[axis]) / static_cast<double>(cells[axis]));
    }
    const auto own = cell_of(p);
    const auto at = position_of(p);
    double least = -1.0;
    std::int64_t best = -1;
    for (std::int64_t k = 0; k < num_pixels(cells); ++k) {  // raster order
      const std::array<std::int64_t, 3> cell{k / (cells[1] * cells[2]), k / cells[2] % cells[1],
                                             k % cells[2]};
      double d = 0.0;
      bool candidate = true;
      for (int axis = 0; axis < 3; ++axis) {
        candidate = candidate && std::abs(cell[axis] - own[axis]) <= 1;
        const double along =
            (static_cast<double>(at[axis]) - clusters[k].position[axis]) * spacing[axis] / step;
        d += along * along;
      }
      if (!candidate) continue;
      for (int c = 0; c < channels; ++c) {
        const double along = features[p * channels + c] - clusters[k].color[c];
        d += along * along;
      }
      if (best < 0 || d < least) {
        least = d;
        best = k;
      }
    }
    return static_cast<std::int32_t>(best);
  }

  /// To the pixel of the 3 x 3 (x 3) around the rounded position with the least gradient, the first
  /// in raster order of those that have neighbours on all sides.
  void perturb(Cluster& cluster) const {
    double least = -1.0;
    std::int64_t best = 0;
    for (std::int64_t p = 0; p < num_pixels(shape); ++p) {
      const auto at = position_of(p);
      bool near = true;
      double gradient = 0.0;
      std::int64_t stride = num_pixels(shape);
      for (int axis = 0; axis < 3; ++axis) {
        stride /= shape[axis];
        if (shape[0] == 1 && axis == 0) continue;
        const double middle = std::floor(cluster.position[axis] + 0.5);
        near = near && std::abs(static_cast<double>(at[axis]) - middle) <= 1.0 && at[axis] > 0 &&
               at[axis] + 1 < shape[axis];
        if (!near) break;
        for (int c = 0; c < channels; ++c) {
          const double d =
              features[(p - stride) * channels + c] - features[(p + stride) * channels + c];
          gradient += d * d;
        }
      }
      if (near && (least < 0.0 || gradient < least)) {
        least = gradient;
        best = p;
      }
    }
    if (least < 0.0) return;
    for (int c = 0; c < channels; ++c) cluster.color[c] = features[best * channels + c];
    const auto at = position_of(best);
    for (int axis = 0; axis < 3; ++axis) cluster.position[axis] = static_cast<double>(at[axis]);
  }
};

}  // namespace superpix::test
