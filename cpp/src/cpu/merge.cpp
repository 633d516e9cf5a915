// SPDX-License-Identifier: Apache-2.0
#include "cpu/merge.h"

#include <algorithm>
#include <limits>

#include "cpu/disjoint_sets.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

/// A border between two components, at least one of them a fragment; a < b.
struct Border {
  std::int32_t a, b;
  std::int64_t length;
};

/// Collects the borders of fragments in one band, with the rows before it.
class BorderFinder {
 public:
  BorderFinder(const Components& components, std::int64_t min_size)
      : components_(components), min_size_(min_size) {}

  std::vector<Border> find(std::size_t band_index) {
    const Components::Band& band = components_.bands[band_index];
    const std::int64_t height = components_.shape[1];
    for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
      std::int32_t left = -1;
      components_.for_each_run(band, row, [&](std::int64_t, std::int64_t, std::int32_t c) {
        note(left, c, 1);
        left = c;
      });
      if (row % height != 0) compare_rows(band_index, row, row - 1);
      if (row >= height) compare_rows(band_index, row, row - height);
    }
    return std::move(borders_);
  }

 private:
  void compare_rows(std::size_t band_index, std::int64_t row, std::int64_t other) {
    std::size_t j = band_index;
    while (components_.bands[j].first_row > other) --j;
    const Components::Band& here = components_.bands[band_index];
    const Components::Band& there = components_.bands[j];
    const std::int64_t begin = here.row_begin[row - here.first_row];
    const std::int64_t other_begin = there.row_begin[other - there.first_row];
    for_each_overlap(
        here.start.data() + begin, here.row_begin[row - here.first_row + 1] - begin,
        there.start.data() + other_begin,
        there.row_begin[other - there.first_row + 1] - other_begin,
        static_cast<std::int32_t>(components_.shape[2]),
        [&](std::int32_t x, std::int32_t end, std::int64_t i, std::int64_t k) {
          note(here.component[begin + i], there.component[other_begin + k], end - x);
        });
  }

  void note(std::int32_t p, std::int32_t q, std::int64_t length) {
    if (p == q || p < 0 || q < 0) return;
    if (components_.size[p] >= min_size_ && components_.size[q] >= min_size_) return;
    const std::int32_t a = std::min(p, q);
    const std::int32_t b = std::max(p, q);
    if (!borders_.empty() && borders_.back().a == a && borders_.back().b == b) {
      borders_.back().length += length;
    } else {
      borders_.push_back({a, b, length});
    }
  }

  const Components& components_;
  std::int64_t min_size_;
  std::vector<Border> borders_;
};

class Merger {
 public:
  Merger(const Components& components, std::int64_t min_size, int channels, double squared_unit,
         double kappa)
      : min_size_(min_size),
        channels_(channels),
        squared_unit_(squared_unit),
        kappa_(kappa),
        size_(components.size),
        color_(components.color),
        sets_(components.count),
        best_(size_.size()),
        pick_(size_.size()) {}

  /// Rounds in which all fragments below a limit pick at once. The limit doubles until min_size:
  /// "the smallest first" without a queue, so that any number of threads could do it.
  std::vector<std::int32_t> run(std::vector<Border> borders) {
    combine(borders);
    for (std::int64_t limit = 2;; limit *= 2) {
      limit = std::min(limit, min_size_);
      // Only the last limit needs more than one round: what is still too small gets its turn again.
      while (round(borders, limit) && limit == min_size_) {
      }
      if (limit == min_size_) break;
    }
    std::vector<std::int32_t> roots(size_.size());
    for (std::size_t i = 0; i < roots.size(); ++i) {
      roots[i] = sets_.find(static_cast<std::int32_t>(i));
    }
    return roots;
  }

 private:
  /// Whether anything was united.
  bool round(std::vector<Border>& borders, std::int64_t limit) {
    std::vector<std::int32_t> picking;
    const auto offer = [&](std::int32_t fragment, std::int32_t neighbor, double cost) {
      if (size_[fragment] >= limit) return;
      if (pick_[fragment] == 0) {
        picking.push_back(fragment);
      } else if (cost > best_[fragment] ||
                 (cost == best_[fragment] && neighbor > pick_[fragment] - 1)) {
        return;
      }
      best_[fragment] = cost;
      pick_[fragment] = neighbor + 1;
    };
    for (const Border& border : borders) {
      if (size_[border.a] >= limit && size_[border.b] >= limit) continue;
      const double c = cost(border);
      offer(border.a, border.b, c);
      offer(border.b, border.a, c);
    }
    if (picking.empty()) return false;
    for (const std::int32_t fragment : picking) {
      const std::int32_t a = sets_.find(fragment);
      const std::int32_t b = sets_.find(pick_[fragment] - 1);
      pick_[fragment] = 0;
      if (a == b) continue;
      sets_.unite(a, b);
      const std::int32_t kept = std::min(a, b);
      const std::int32_t gone = std::max(a, b);
      size_[kept] += size_[gone];
      for (int c = 0; c < channels_; ++c) {
        color_[std::int64_t{kept} * channels_ + c] += color_[std::int64_t{gone} * channels_ + c];
      }
    }
    combine(borders);
    return true;
  }

  double cost(const Border& border) const {
    const auto s = static_cast<double>(size_[border.a]);
    const auto t = static_cast<double>(size_[border.b]);
    double difference = 0.0;
    for (int c = 0; c < channels_; ++c) {
      const double d = static_cast<double>(color_[std::int64_t{border.a} * channels_ + c]) / s -
                       static_cast<double>(color_[std::int64_t{border.b} * channels_ + c]) / t;
      difference += d * d;
    }
    return (kappa_ + difference * squared_unit_) * (s * t / (s + t)) /
           static_cast<double>(border.length);
  }

  /// Replaces ends by what they are part of now, adds up borders of the same pair, and drops those
  /// inside a component or between two that are large enough. Linear in the number of borders.
  void combine(std::vector<Border>& borders) {
    std::vector<std::int32_t> bucket(size_.size() + 1, 0);
    std::size_t kept = 0;
    for (Border border : borders) {
      border.a = sets_.find(border.a);
      border.b = sets_.find(border.b);
      if (border.a == border.b) continue;
      if (size_[border.a] >= min_size_ && size_[border.b] >= min_size_) continue;
      if (border.a > border.b) std::swap(border.a, border.b);
      ++bucket[border.a + 1];
      borders[kept++] = border;
    }
    borders.resize(kept);
    for (std::size_t i = 1; i < bucket.size(); ++i) bucket[i] += bucket[i - 1];
    sorted_.resize(kept);
    for (const Border& border : borders) sorted_[bucket[border.a]++] = border;

    // Within a bucket, `position` tells where the pair with this b stands already.
    position_.resize(size_.size(), -1);
    borders.clear();
    for (std::size_t i = 0; i < kept;) {
      const std::int32_t a = sorted_[i].a;
      const auto first = static_cast<std::int64_t>(borders.size());
      for (; i < kept && sorted_[i].a == a; ++i) {
        std::int64_t& at = position_[sorted_[i].b];
        if (at >= first) {
          borders[at].length += sorted_[i].length;
        } else {
          at = static_cast<std::int64_t>(borders.size());
          borders.push_back(sorted_[i]);
        }
      }
      for (auto j = first; j < static_cast<std::int64_t>(borders.size()); ++j) {
        position_[borders[j].b] = -1;
      }
    }
  }

  std::int64_t min_size_;
  int channels_;
  double squared_unit_;
  double kappa_;
  std::vector<std::int64_t> size_;   // of sets, at their roots
  std::vector<std::int64_t> color_;  // likewise
  DisjointSets sets_;
  std::vector<double> best_;
  std::vector<std::int32_t> pick_;  // neighbour + 1, or 0
  std::vector<Border> sorted_;
  std::vector<std::int64_t> position_;
};

}  // namespace

std::vector<std::int32_t> merge_fragments(const Components& components, std::int64_t min_size,
                                          int channels, double squared_unit, double kappa,
                                          int num_threads) {
  const auto num_bands = static_cast<std::int64_t>(components.bands.size());
  std::vector<std::vector<Border>> found(components.bands.size());
  parallel_for(num_bands, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      found[i] = BorderFinder(components, min_size).find(static_cast<std::size_t>(i));
    }
  });
  std::vector<Border> borders = std::move(found[0]);
  for (std::size_t i = 1; i < found.size(); ++i) {
    borders.insert(borders.end(), found[i].begin(), found[i].end());
  }
  return Merger(components, min_size, channels, squared_unit, kappa).run(std::move(borders));
}

}  // namespace superpix::cpu
