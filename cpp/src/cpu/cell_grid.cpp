// SPDX-License-Identifier: Apache-2.0
#include "cpu/cell_grid.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace superpix::cpu {

CellGrid::CellGrid(Extent shape, Extent cells) : shape_(shape), cells_(cells) {
  for (int axis = 0; axis < 3; ++axis) {
    edges_[axis].resize(static_cast<std::size_t>(cells[axis] + 1));
    for (std::int64_t i = 0; i <= cells[axis]; ++i) {
      edges_[axis][i] =
          static_cast<std::int32_t>((i * shape[axis] + cells[axis] - 1) / cells[axis]);
    }
  }
}

CellGrid::Box CellGrid::box(std::int64_t cell) const {
  const Extent at = position(cell);
  Box b{};
  for (int axis = 0; axis < 3; ++axis) {
    b.begin[axis] = edges_[axis][at[axis]];
    b.end[axis] = edges_[axis][at[axis] + 1];
  }
  b.offset = b.begin[0] * shape_[1] * shape_[2] +
             b.side(0) * (b.begin[1] * shape_[2] + b.side(1) * b.begin[2]);
  return b;
}

std::int64_t CellGrid::longest_side(int axis) const {
  return (shape_[axis] + cells_[axis] - 1) / cells_[axis];
}

namespace {

// 3 cells along one axis for 4 along another must pass: nothing lies between.
constexpr double kMaxAspect = 1.34;

/// Counts along the axes, not yet whole, of cubes that number `num_segments`.
std::array<double, 3> ideal_counts(const Extent& shape, const std::array<double, 3>& spacing,
                                   double num_segments) {
  const auto counts_for = [&](double side) {
    std::array<double, 3> counts{};
    for (int axis = 0; axis < 3; ++axis) {
      const auto n = static_cast<double>(shape[axis]);
      counts[axis] = std::clamp(n * spacing[axis] / side, 1.0, n);
    }
    return counts;
  };
  double low = 0.0;  // logarithms of the side
  double high = 0.0;
  for (int axis = 0; axis < 3; ++axis) {
    low = std::min(low, std::log(spacing[axis]));
    high = std::max(high, std::log(spacing[axis] * static_cast<double>(shape[axis])));
  }
  for (int step = 0; step < 60; ++step) {
    const double middle = 0.5 * (low + high);
    const auto c = counts_for(std::exp(middle));
    (c[0] * c[1] * c[2] > num_segments ? low : high) = middle;
  }
  return counts_for(std::exp(high));
}

}  // namespace

Extent choose_cells(const Extent& shape, const std::array<double, 3>& spacing,
                    std::int64_t num_segments) {
  const std::int64_t num_pixels = shape[0] * shape[1] * shape[2];
  if (num_segments >= num_pixels) return shape;
  const auto wanted = static_cast<double>(num_segments);
  const std::array<double, 3> ideal = ideal_counts(shape, spacing, wanted);

  const auto lowest = [&](int axis) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(ideal[axis] / kMaxAspect));
  };
  const auto highest = [&](int axis) {
    return std::min(shape[axis], static_cast<std::int64_t>(std::ceil(ideal[axis] * kMaxAspect)));
  };
  struct Choice {
    bool too_long = true;
    double miss = 0.0;
    double spread = 0.0;
    Extent cells{0, 0, 0};
  } best;
  const auto consider = [&](Extent cells) {
    double least = 0.0;
    double most = 0.0;
    bool first = true;
    for (int axis = 0; axis < 3; ++axis) {
      if (shape[axis] == 1) continue;
      const double stretch = std::log(static_cast<double>(cells[axis]) / ideal[axis]);
      least = first ? stretch : std::min(least, stretch);
      most = first ? stretch : std::max(most, stretch);
      first = false;
    }
    Choice c;
    c.spread = most - least;
    c.too_long = c.spread > std::log(kMaxAspect);
    c.miss = std::abs(static_cast<double>(cells[0] * cells[1] * cells[2]) - wanted);
    c.cells = cells;
    const auto key = [](const Choice& x) {
      // Cells that are too long are a last resort, and then the squarest are best.
      return x.too_long ? std::array<double, 3>{1.0, x.spread, x.miss}
                        : std::array<double, 3>{0.0, x.miss, x.spread};
    };
    if (best.cells[0] == 0 || key(c) < key(best)) best = c;
  };
  for (std::int64_t nz = lowest(0); nz <= highest(0); ++nz) {
    for (std::int64_t ny = lowest(1); ny <= highest(1); ++ny) {
      const double nx = wanted / static_cast<double>(nz * ny);
      for (const double rounded : {std::floor(nx), std::ceil(nx)}) {
        consider({nz, ny, std::clamp(static_cast<std::int64_t>(rounded), lowest(2), highest(2))});
      }
    }
  }
  return best.cells;
}

}  // namespace superpix::cpu
