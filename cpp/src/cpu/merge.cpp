// SPDX-License-Identifier: Apache-2.0
#include "cpu/merge.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "cpu/disjoint_sets.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

/// A border of a fragment: it touches `neighbor` along `length` pixel edges (pixel faces).
struct Border {
  std::int32_t fragment, neighbor, length;
};

/// Collects the borders of the fragments in one band, those with rows of earlier bands among them.
class BorderFinder {
 public:
  BorderFinder(const Components& components, const std::vector<std::uint8_t>& small)
      : components_(components), small_(small) {}

  std::vector<Border> find(std::size_t band_index) {
    const Components::Band& band = components_.bands[band_index];
    for (const Components::Contact& c : band.contacts) {
      note(band.component[c.a], band.component[c.b], c.length);
    }
    for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
      const Components::Band::Row r = band.row(row);
      for (std::int64_t i = 1; i < r.count; ++i) note(r.component[i - 1], r.component[i], 1);
    }
    const std::int64_t height = components_.shape[1];
    const std::int64_t last =
        std::min(band.last_row, band.first_row + (components_.shape[0] > 1 ? height : 1));
    for (std::int64_t row = band.first_row; row < last; ++row) {
      if (row % height != 0) compare_with_earlier(band_index, row, row - 1);
      if (row >= height) compare_with_earlier(band_index, row, row - height);
    }
    return std::move(borders_);
  }

 private:
  void compare_with_earlier(std::size_t band_index, std::int64_t row, std::int64_t other) {
    if (other >= components_.bands[band_index].first_row) return;
    std::size_t j = band_index;
    while (components_.bands[j].first_row > other) --j;
    const Components::Band::Row here = components_.bands[band_index].row(row);
    const Components::Band::Row there = components_.bands[j].row(other);
    for_each_overlap(here.start, here.count, there.start, there.count,
                     static_cast<std::int32_t>(components_.shape[2]),
                     [&](std::int32_t x, std::int32_t end, std::int64_t a, std::int64_t b) {
                       note(here.component[a], there.component[b], end - x);
                     });
  }

  void note(std::int32_t p, std::int32_t q, std::int32_t length) {
    if (p == q || p < 0 || q < 0) return;
    if (small_[p] != 0) borders_.push_back({p, q, length});
    if (small_[q] != 0) borders_.push_back({q, p, length});
  }

  const Components& components_;
  const std::vector<std::uint8_t>& small_;
  std::vector<Border> borders_;
};

/// Rounds in which all fragments below a limit pick at once. The limit doubles until min_size: "the
/// smallest first" without a queue, so that any number of threads could do it. A fragment that
/// picked is part of at least twice the old limit, so that each limit needs but one round.
class Merger {
 public:
  Merger(const Components& components, const std::vector<std::vector<Border>>& borders,
         std::int64_t min_size, double unit, double kappa)
      : min_size_(min_size),
        squared_unit_(unit * unit),
        kappa_(kappa),
        sums_(components.sums),
        sets_(components.count),
        shared_(sums_.size.size(), 0),
        first_(sums_.size.size(), -1),
        last_(sums_.size.size(), -1) {
    std::size_t n = 0;
    for (const auto& list : borders) n += list.size();
    contacts_.reserve(n);
    for (const auto& list : borders) {
      for (const Border& border : list) add_contact(border);
    }
    for (std::int64_t c = 0; c < components.count; ++c) queue(static_cast<std::int32_t>(c));
  }

  std::vector<std::int32_t> run() {
    std::vector<Pick> picks;
    for (std::size_t i = 0; i < by_size_.size(); ++i) {
      picks.clear();
      for (const std::int32_t fragment : by_size_[i]) {
        // It may have grown, or be part of another, since it was queued.
        if (sets_.find(fragment) != fragment || round_of(fragment) != i) continue;
        const std::int32_t neighbor = best_neighbor(fragment);
        if (neighbor >= 0) picks.push_back({fragment, neighbor});
      }
      for (const Pick& pick : picks) unite(pick.fragment, pick.neighbor);
      for (const Pick& pick : picks) {
        const std::int32_t root = sets_.find(pick.fragment);
        if (!queued_[root]) {
          queued_[root] = true;
          merged_.push_back(root);
        }
      }
      for (const std::int32_t root : merged_) {
        queued_[root] = false;
        queue(root);
      }
      merged_.clear();
    }
    std::vector<std::int32_t> roots(sums_.size.size());
    for (std::size_t i = 0; i < roots.size(); ++i) {
      roots[i] = sets_.find(static_cast<std::int32_t>(i));
    }
    return roots;
  }

 private:
  /// An entry in the list of a fragment.
  struct Contact {
    std::int32_t neighbor, length, next;
  };
  struct Pick {
    std::int32_t fragment, neighbor;
  };

  void add_contact(const Border& border) {
    const auto entry = static_cast<std::int32_t>(contacts_.size());
    contacts_.push_back({border.neighbor, border.length, first_[border.fragment]});
    first_[border.fragment] = entry;
    if (last_[border.fragment] < 0) last_[border.fragment] = entry;
  }

  static constexpr std::size_t kNever = 64;

  /// The round in which a root picks: i for fragments of [2^i, 2^(i+1)) pixels.
  std::size_t round_of(std::int32_t root) const {
    const std::int64_t size = sums_.size[root];
    if (size >= min_size_) return kNever;
    return static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(size)) - 1);
  }

  void queue(std::int32_t root) {
    const std::size_t i = round_of(root);
    if (i == kNever) return;
    if (i >= by_size_.size()) by_size_.resize(i + 1);
    by_size_[i].push_back(root);
  }

  /// The neighbour that costs least; -1 for none.
  std::int32_t best_neighbor(std::int32_t fragment) {
    // The border with a neighbour may be in pieces: add them up first.
    touched_.clear();
    for (std::int32_t i = first_[fragment]; i >= 0; i = contacts_[i].next) {
      const std::int32_t neighbor = sets_.find(contacts_[i].neighbor);
      if (neighbor == fragment) continue;
      if (shared_[neighbor] == 0) touched_.push_back(neighbor);
      shared_[neighbor] += contacts_[i].length;
    }
    std::int32_t best = -1;
    double least = 0.0;
    for (const std::int32_t neighbor : touched_) {
      const double c = cost(fragment, neighbor, shared_[neighbor]);
      shared_[neighbor] = 0;
      if (best < 0 || c < least || (c == least && neighbor < best)) {
        best = neighbor;
        least = c;
      }
    }
    return best;
  }

  void unite(std::int32_t a, std::int32_t b) {
    a = sets_.find(a);
    b = sets_.find(b);
    if (a == b) return;
    sets_.unite(a, b);
    const std::int32_t kept = std::min(a, b);
    const std::int32_t gone = std::max(a, b);
    sums_.add(kept, sums_, gone);
    // One that is large enough has no list, and what joins it needs none any more.
    if (sums_.size[kept] >= min_size_) return;
    if (last_[kept] < 0) {
      first_[kept] = first_[gone];
    } else {
      contacts_[last_[kept]].next = first_[gone];
    }
    if (last_[gone] >= 0) last_[kept] = last_[gone];
  }

  double cost(std::int32_t a, std::int32_t b, std::int64_t border) const {
    const auto s = static_cast<double>(sums_.size[a]);
    const auto t = static_cast<double>(sums_.size[b]);
    const double one_over_s = 1.0 / s;
    const double one_over_t = 1.0 / t;
    const std::int64_t* color_a = sums_.color.data() + std::int64_t{a} * sums_.channels;
    const std::int64_t* color_b = sums_.color.data() + std::int64_t{b} * sums_.channels;
    double difference = 0.0;
    for (int c = 0; c < sums_.channels; ++c) {
      const double d = static_cast<double>(color_a[c]) * one_over_s -
                       static_cast<double>(color_b[c]) * one_over_t;
      difference += d * d;
    }
    return (kappa_ + difference * squared_unit_) * (s * t) /
           ((s + t) * static_cast<double>(border));
  }

  std::int64_t min_size_;
  double squared_unit_;
  double kappa_;
  RegionSums sums_;  // of sets, at their roots
  DisjointSets sets_;
  std::vector<std::int64_t> shared_;  // scratch of best_neighbor: all 0 between calls
  std::vector<std::int32_t> touched_;
  std::vector<Contact> contacts_;
  std::vector<std::int32_t> first_, last_;  // entries of the list of a root
  std::vector<std::vector<std::int32_t>> by_size_;
  std::vector<bool> queued_ = std::vector<bool>(sums_.size.size(), false);
  std::vector<std::int32_t> merged_;
};

}  // namespace

std::vector<std::int32_t> merge_fragments(const Components& components, std::int64_t min_size,
                                          double unit, double kappa, int num_threads) {
  std::vector<std::uint8_t> small(static_cast<std::size_t>(components.count));
  for (std::int64_t c = 0; c < components.count; ++c) {
    small[c] = components.sums.size[c] < min_size ? 1 : 0;
  }
  std::vector<std::vector<Border>> borders(components.bands.size());
  parallel_for(static_cast<std::int64_t>(borders.size()), 1, num_threads,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   borders[i] = BorderFinder(components, small).find(static_cast<std::size_t>(i));
                 }
               });
  return Merger(components, borders, min_size, unit, kappa).run();
}

}  // namespace superpix::cpu
