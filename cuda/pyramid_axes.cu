// SPDX-License-Identifier: Apache-2.0
#include "pyramid_axes.h"

#include <cstddef>

#include "cpu/window_axis.h"

namespace superpix::cuda {
namespace {

bool fill(const cpu::WindowAxis& from, std::size_t num_bins, PyramidAxis& to) {
  if (from.num_strips() > PyramidAxis::kMostPieces) return false;
  to.num_pieces = Divisor(static_cast<int>(from.num_strips()));
  for (std::size_t i = 0; i < from.edges().size(); ++i) {
    to.edge[i] = static_cast<int>(from.edges()[i]);
  }
  for (std::size_t i = 0; i < num_bins; ++i) {
    to.begin[i] = static_cast<std::uint8_t>(from.windows()[i].begin);
    to.end[i] = static_cast<std::uint8_t>(from.windows()[i].end);
  }
  return true;
}

}  // namespace

std::optional<Pyramid> pyramid_of(std::int64_t height, std::int64_t width,
                                  const std::vector<PyramidLevel>& levels) {
  if (levels.size() > Pyramid::kMostLevels) return std::nullopt;
  Pyramid pyramid{};
  std::vector<std::int64_t> bins;
  int num_bins = 0;
  int num_windows = 0;
  for (const PyramidLevel& level : levels) {
    const int b = level.bins.value();
    if (b > PyramidAxis::kMostBins - num_bins) return std::nullopt;
    PyramidLevel& placed = pyramid.levels[pyramid.num_levels++];
    placed = level;
    placed.first_bin = num_bins;
    placed.first_window = num_windows;
    num_bins += b;
    num_windows += b * b;
    bins.push_back(b);
  }
  pyramid.num_bins = Divisor(num_bins);
  pyramid.num_windows = Divisor(num_windows);

  const auto n = static_cast<std::size_t>(num_bins);
  const bool fits = fill(cpu::WindowAxis(height, bins, height), n, pyramid.rows) &&
                    fill(cpu::WindowAxis(width, bins, width), n, pyramid.columns);
  if (!fits) return std::nullopt;
  return pyramid;
}

std::vector<PyramidLevel> pyramid_levels(const std::vector<std::int64_t>& bins) {
  std::vector<PyramidLevel> levels;
  levels.reserve(bins.size());
  int first_output = 0;
  for (const std::int64_t b : bins) {
    levels.push_back({Divisor(static_cast<int>(b)), first_output});
    first_output += static_cast<int>(b * b);
  }
  return levels;
}

}  // namespace superpix::cuda
