// SPDX-License-Identifier: Apache-2.0
#include "cpu/window_axis.h"

#include <algorithm>
#include <numeric>

namespace superpix::cpu {
namespace {

std::int64_t window_begin(std::int64_t i, std::int64_t length, std::int64_t b) {
  return i * length / b;
}
std::int64_t window_end(std::int64_t i, std::int64_t length, std::int64_t b) {
  return ((i + 1) * length + b - 1) / b;
}

}  // namespace

WindowAxis::WindowAxis(std::int64_t length, const std::vector<std::int64_t>& bins,
                       std::int64_t longest_strip) {
  const auto num_windows =
      static_cast<std::size_t>(std::accumulate(bins.begin(), bins.end(), std::int64_t{0}));
  std::vector<std::int64_t> cuts;
  cuts.reserve(2 * num_windows);
  for (const std::int64_t b : bins) {
    for (std::int64_t i = 0; i < b; ++i) {
      cuts.push_back(window_begin(i, length, b));
      cuts.push_back(window_end(i, length, b));
    }
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());

  edges_.reserve(cuts.size() + static_cast<std::size_t>(length / longest_strip));
  edges_.push_back(0);
  for (std::size_t i = 1; i < cuts.size(); ++i) {
    const std::int64_t first = cuts[i - 1];
    const std::int64_t size = cuts[i] - first;
    const std::int64_t parts = (size + longest_strip - 1) / longest_strip;
    for (std::int64_t k = 1; k <= parts; ++k) edges_.push_back(first + k * size / parts);
  }

  const auto strip_at = [&](std::int64_t edge) {
    return std::lower_bound(edges_.begin(), edges_.end(), edge) - edges_.begin();
  };
  windows_.reserve(num_windows);
  for (const std::int64_t b : bins) {
    for (std::int64_t i = 0; i < b; ++i) {
      windows_.push_back(
          {strip_at(window_begin(i, length, b)), strip_at(window_end(i, length, b))});
    }
  }
}

}  // namespace superpix::cpu
