// SPDX-License-Identifier: Apache-2.0
//
// Connectivity in the slowest and most obvious way, straight from superpix/connectivity.h. The
// fuzzers use it too, so it does not know GoogleTest.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace superpix::test {

/// z, y, x; a plane has depth 1.
using Volume = std::array<std::int64_t, 3>;

inline std::int64_t num_pixels(const Volume& v) { return v[0] * v[1] * v[2]; }

/// Calls f(q) for the 4 (6) neighbours q of pixel p.
template <class F>
void for_each_neighbor(const Volume& v, std::int64_t p, F f) {
  const std::int64_t plane = v[1] * v[2];
  const std::int64_t z = p / plane, y = p / v[2] % v[1], x = p % v[2];
  if (z > 0) f(p - plane);
  if (y > 0) f(p - v[2]);
  if (x > 0) f(p - 1);
  if (x + 1 < v[2]) f(p + 1);
  if (y + 1 < v[1]) f(p + v[2]);
  if (z + 1 < v[0]) f(p + plane);
}

/// Flood fill: the components of equal labels that are not negative, numbered from 0 in raster
/// order of their first pixels; -1 elsewhere.
template <class T>
std::vector<std::int32_t> flood_fill(const std::vector<T>& labels, const Volume& v) {
  std::vector<std::int32_t> found(labels.size(), -1);
  std::int32_t count = 0;
  for (std::int64_t first = 0; first < num_pixels(v); ++first) {
    if (found[first] >= 0 || labels[first] < T{0}) continue;
    std::vector<std::int64_t> open{first};
    found[first] = count;
    while (!open.empty()) {
      const std::int64_t p = open.back();
      open.pop_back();
      for_each_neighbor(v, p, [&](std::int64_t q) {
        if (found[q] >= 0 || labels[q] != labels[p]) return;
        found[q] = count;
        open.push_back(q);
      });
    }
    ++count;
  }
  return found;
}

/// Pixels of each of the numbers from 0 on.
inline std::vector<std::int64_t> sizes(const std::vector<std::int32_t>& numbers) {
  std::vector<std::int64_t> size;
  for (const std::int32_t n : numbers) {
    if (n < 0) continue;
    if (n >= static_cast<std::int32_t>(size.size())) size.resize(static_cast<std::size_t>(n) + 1);
    ++size[n];
  }
  return size;
}

/// What is wrong with labels that should be `count` connected components, numbered without gaps
/// from start_label, start_label - 1 outside, and none below min_size that has a neighbour. "" if
/// all is well. `inside` may be empty: everywhere.
inline std::string what_is_wrong(const std::vector<std::int32_t>& labels, const Volume& v,
                                 const std::vector<std::uint8_t>& inside, std::int32_t start_label,
                                 std::int64_t count, std::int64_t min_size = 0) {
  const auto at = [](std::int64_t p) { return " at pixel " + std::to_string(p); };
  std::vector<std::int32_t> numbers(labels.size());
  for (std::int64_t p = 0; p < num_pixels(v); ++p) {
    numbers[p] = labels[p] - start_label;
    const bool in = inside.empty() || inside[p] != 0;
    if (!in && numbers[p] != -1) return "a label outside" + at(p);
    if (in && numbers[p] < 0) return "no label" + at(p);
    if (numbers[p] >= count) return "label " + std::to_string(labels[p]) + " above all" + at(p);
  }
  const std::vector<std::int64_t> size = sizes(numbers);
  if (static_cast<std::int64_t>(size.size()) != count ||
      std::find(size.begin(), size.end(), 0) != size.end()) {
    return "labels have gaps or are not as many as was said";
  }
  const std::vector<std::int64_t> pieces = sizes(flood_fill(numbers, v));
  if (pieces.size() != size.size()) {
    return std::to_string(size.size()) + " labels are " + std::to_string(pieces.size()) + " pieces";
  }
  for (std::int64_t p = 0; p < num_pixels(v); ++p) {
    if (numbers[p] < 0 || size[numbers[p]] >= min_size) continue;
    bool lonely = true;
    for_each_neighbor(v, p, [&](std::int64_t q) {
      if (numbers[q] >= 0 && numbers[q] != numbers[p]) lonely = false;
    });
    if (!lonely) return "label " + std::to_string(labels[p]) + " is too small" + at(p);
  }
  return "";
}

using Pair = std::pair<std::int32_t, std::int32_t>;

/// What it costs to join neighbours (step 3 of the rule), from both sides. `colors` is empty or
/// [pixels][channels].
inline std::map<Pair, double> join_costs(const std::vector<std::int32_t>& regions, const Volume& v,
                                         const std::vector<float>& colors, int channels) {
  const std::vector<std::int64_t> size = sizes(regions);
  std::vector<double> mean(size.size() * channels);
  for (std::int64_t p = 0; p < num_pixels(v); ++p) {
    if (regions[p] < 0) continue;
    for (int c = 0; c < channels; ++c) {
      mean[regions[p] * channels + c] += static_cast<double>(colors[p * channels + c]);
    }
  }
  for (std::size_t i = 0; i < mean.size(); ++i) {
    mean[i] *= 1.0 / static_cast<double>(size[i / channels]);
  }
  std::map<Pair, std::int64_t> border;
  for (std::int64_t p = 0; p < num_pixels(v); ++p) {
    for_each_neighbor(v, p, [&](std::int64_t q) {
      if (regions[p] >= 0 && regions[q] >= 0 && regions[p] != regions[q]) {
        ++border[{regions[p], regions[q]}];
      }
    });
  }
  std::map<Pair, double> costs;
  for (const auto& [pair, length] : border) {
    const auto [a, b] = pair;
    double difference = 0.0;
    for (int c = 0; c < channels; ++c) {
      const double d = mean[a * channels + c] - mean[b * channels + c];
      difference += d * d;
    }
    const auto s = static_cast<double>(size[a]);
    const auto t = static_cast<double>(size[b]);
    // Rounded as in the library, mean and cost: ties are those of rounded costs.
    costs[pair] = (1.0 + difference) * (s * t) / ((s + t) * static_cast<double>(length));
  }
  return costs;
}

/// For each region the neighbour that costs least, the lower one of two. Regions are numbered by
/// their first pixels, and std::map goes through them in order.
inline std::map<std::int32_t, std::int32_t> least_neighbors(const std::map<Pair, double>& costs) {
  std::map<std::int32_t, std::int32_t> least;
  for (const auto& [pair, cost] : costs) {
    const auto [pick, is_first] = least.try_emplace(pair.first, pair.second);
    if (!is_first && cost < costs.at({pair.first, pick->second})) pick->second = pair.second;
  }
  return least;
}

/// Joins pairs: regions take the least number that they can reach, and are numbered anew.
inline std::vector<std::int32_t> join(std::vector<std::int32_t> regions, const Volume& v,
                                      const std::vector<Pair>& pairs) {
  std::vector<std::int32_t> merged(sizes(regions).size());
  std::iota(merged.begin(), merged.end(), 0);
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [a, b] : pairs) {
      const std::int32_t least = std::min(merged[a], merged[b]);
      changed = changed || merged[a] != least || merged[b] != least;
      merged[a] = merged[b] = least;
    }
  }
  for (std::int32_t& r : regions) r = r < 0 ? -1 : merged[r];
  return flood_fill(regions, v);
}

/// Step 3 of the rule, with nothing kept from one round to the next. Returns numbers as
/// flood_fill() does.
inline std::vector<std::int32_t> merge_slowly(std::vector<std::int32_t> regions, const Volume& v,
                                              const std::vector<float>& colors, int channels,
                                              std::int64_t min_size) {
  for (std::int64_t limit = 2;; limit *= 2) {
    const std::vector<std::int64_t> size = sizes(regions);
    std::vector<Pair> picks;
    for (const auto& [a, b] : least_neighbors(join_costs(regions, v, colors, channels))) {
      if (size[a] < std::min(limit, min_size)) picks.emplace_back(a, b);
    }
    if (picks.empty() && limit >= min_size) return regions;
    regions = join(regions, v, picks);
  }
}

/// The same for step 4.
inline std::vector<std::int32_t> merge_pairs_slowly(std::vector<std::int32_t> regions,
                                                    const Volume& v,
                                                    const std::vector<float>& colors, int channels,
                                                    std::size_t max_segments) {
  for (;;) {
    const std::size_t count = sizes(regions).size();
    const std::map<Pair, double> costs = join_costs(regions, v, colors, channels);
    if (count <= max_segments || costs.empty()) return regions;
    const std::map<std::int32_t, std::int32_t> least = least_neighbors(costs);
    std::set<std::pair<double, Pair>> chosen;
    std::set<std::pair<double, Pair>> mutual;
    for (const auto& [a, b] : least) {
      const Pair pair{std::min(a, b), std::max(a, b)};
      chosen.insert({costs.at(pair), pair});
      if (least.at(b) == a) mutual.insert({costs.at(pair), pair});
    }
    const auto& candidates = 8 * mutual.size() < least.size() ? chosen : mutual;
    std::vector<Pair> pairs;
    for (const auto& [cost, pair] : candidates) {
      if (2 * pairs.size() >= candidates.size() || pairs.size() >= count - max_segments) break;
      pairs.push_back(pair);
    }
    regions = join(regions, v, pairs);
  }
}

}  // namespace superpix::test
