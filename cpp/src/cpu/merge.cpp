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
/// smallest first" without a queue, so that threads can share the picking. A fragment that picked
/// is part of at least twice the old limit, so that each limit needs but one round.
class Merger {
 public:
  Merger(const Components& components, const std::vector<std::vector<Border>>& borders,
         std::int64_t min_size, double unit, double kappa, int num_threads)
      : min_size_(min_size),
        squared_unit_(unit * unit),
        kappa_(kappa),
        num_threads_(num_threads),
        channels_(components.sums.channels),
        sums_(static_cast<std::size_t>(components.count * (channels_ + 1))),
        parts_(static_cast<std::size_t>(components.count)),
        sets_(components.count) {
    for (std::int64_t c = 0; c < components.count; ++c) {
      std::int64_t* to = sums(static_cast<std::int32_t>(c));
      *to = components.sums.size[c];
      std::copy_n(components.sums.color.data() + c * channels_, channels_, to + 1);
      parts_[c].last = static_cast<std::int32_t>(c);
      queue(static_cast<std::int32_t>(c));
    }
    lay_out(borders);
  }

  std::vector<std::int32_t> run() {
    std::vector<std::int32_t> merged;
    for (std::size_t i = 0; i < by_size_.size(); ++i) {
      pick(i);
      merged.clear();
      for (std::size_t j = 0; j < picks_.size(); ++j) {
        if (picks_[j] >= 0) unite(by_size_[i][j], picks_[j]);
      }
      for (std::size_t j = 0; j < picks_.size(); ++j) {
        if (picks_[j] >= 0) merged.push_back(sets_.find(by_size_[i][j]));
      }
      std::sort(merged.begin(), merged.end());
      merged.erase(std::unique(merged.begin(), merged.end()), merged.end());
      for (const std::int32_t root : merged) queue(root);
    }
    std::vector<std::int32_t> roots(parts_.size());
    for (std::size_t i = 0; i < roots.size(); ++i) {
      roots[i] = sets_.find(static_cast<std::int32_t>(i));
    }
    return roots;
  }

 private:
  struct Contact {
    std::int32_t neighbor, length;
  };
  /// A component as part of what a root is made of: a root has a list of them, itself the first,
  /// as long as it is a fragment.
  struct Part {
    std::int32_t next = -1;
    std::int32_t last;  // of the list, at its root
  };
  struct Shared {
    std::int32_t neighbor;
    std::int64_t length;
  };

  std::int64_t* sums(std::int32_t c) { return &sums_[std::int64_t{c} * (channels_ + 1)]; }
  const std::int64_t* sums(std::int32_t c) const {
    return &sums_[std::int64_t{c} * (channels_ + 1)];
  }

  /// Puts the contacts of each fragment side by side: they are read again and again.
  void lay_out(const std::vector<std::vector<Border>>& borders) {
    begin_.assign(parts_.size() + 1, 0);
    for (const auto& list : borders) {
      for (const Border& border : list) ++begin_[border.fragment + 1];
    }
    for (std::size_t i = 1; i < begin_.size(); ++i) begin_[i] += begin_[i - 1];
    contacts_.resize(static_cast<std::size_t>(begin_.back()));
    std::vector<std::int64_t> next(begin_.begin(), begin_.end() - 1);
    for (const auto& list : borders) {
      for (const Border& border : list) {
        contacts_[next[border.fragment]++] = {border.neighbor, border.length};
      }
    }
  }

  static constexpr std::size_t kNever = 64;

  /// The round in which a root picks: i for fragments of [2^i, 2^(i+1)) pixels.
  std::size_t round_of(std::int32_t root) const {
    const std::int64_t size = *sums(root);
    if (size >= min_size_) return kNever;
    return static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(size)) - 1);
  }

  void queue(std::int32_t root) {
    const std::size_t i = round_of(root);
    if (i == kNever) return;
    if (i >= by_size_.size()) by_size_.resize(i + 1);
    by_size_[i].push_back(root);
  }

  /// For each fragment of a round, the neighbour that costs least; -1 for none.
  void pick(std::size_t i) {
    const std::vector<std::int32_t>& fragments = by_size_[i];
    picks_.resize(fragments.size());
    parallel_for(static_cast<std::int64_t>(fragments.size()), 256, num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   std::vector<Shared> shared;
                   for (std::int64_t j = begin; j < end; ++j) {
                     // It may have grown, or be part of another, since it was queued.
                     const std::int32_t fragment = fragments[j];
                     const bool waits = sets_.root(fragment) == fragment && round_of(fragment) == i;
                     picks_[j] = waits ? best_neighbor(fragment, shared) : -1;
                   }
                 });
  }

  std::int32_t best_neighbor(std::int32_t fragment, std::vector<Shared>& shared) const {
    shared.clear();
    for (std::int32_t part = fragment; part >= 0; part = parts_[part].next) {
      for (std::int64_t i = begin_[part]; i < begin_[part + 1]; ++i) {
        const std::int32_t neighbor = sets_.root(contacts_[i].neighbor);
        if (neighbor != fragment) shared.push_back({neighbor, contacts_[i].length});
      }
    }
    // The border with a neighbour may be in pieces: bring them together.
    const auto lower = [](const Shared& a, const Shared& b) { return a.neighbor < b.neighbor; };
    std::sort(shared.begin(), shared.end(), lower);
    std::int32_t best = -1;
    double least = 0.0;
    for (std::size_t i = 0; i < shared.size();) {
      const std::int32_t neighbor = shared[i].neighbor;
      std::int64_t length = 0;
      for (; i < shared.size() && shared[i].neighbor == neighbor; ++i) length += shared[i].length;
      const double c = cost(fragment, neighbor, length);
      if (best < 0 || c < least) {
        best = neighbor;
        least = c;
      }
    }
    return best;
  }

  void unite(std::int32_t a, std::int32_t b) {
    a = sets_.find(a);
    b = sets_.find(b);
    if (!sets_.unite(a, b)) return;
    const std::int32_t kept = std::min(a, b);
    const std::int32_t gone = std::max(a, b);
    for (int i = 0; i <= channels_; ++i) sums(kept)[i] += sums(gone)[i];
    // What is large enough needs no list any more.
    if (*sums(kept) >= min_size_) return;
    parts_[parts_[kept].last].next = gone;
    parts_[kept].last = parts_[gone].last;
  }

  double cost(std::int32_t a, std::int32_t b, std::int64_t border) const {
    const std::int64_t* sums_a = sums(a);
    const std::int64_t* sums_b = sums(b);
    const auto s = static_cast<double>(*sums_a);
    const auto t = static_cast<double>(*sums_b);
    const double one_over_s = 1.0 / s;
    const double one_over_t = 1.0 / t;
    double difference = 0.0;
    for (int c = 1; c <= channels_; ++c) {
      const double d =
          static_cast<double>(sums_a[c]) * one_over_s - static_cast<double>(sums_b[c]) * one_over_t;
      difference += d * d;
    }
    return (kappa_ + difference * squared_unit_) * (s * t) /
           ((s + t) * static_cast<double>(border));
  }

  std::int64_t min_size_;
  double squared_unit_;
  double kappa_;
  int num_threads_;
  int channels_;
  std::vector<std::int64_t> sums_;   // [components][size, color], of sets at their roots
  std::vector<Part> parts_;          // [components]
  std::vector<std::int64_t> begin_;  // [components + 1], of each component's contacts
  std::vector<Contact> contacts_;
  DisjointSets sets_;
  std::vector<std::vector<std::int32_t>> by_size_;  // fragments waiting for each round
  std::vector<std::int32_t> picks_;                 // of by_size_ of the current round
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
  return Merger(components, borders, min_size, unit, kappa, num_threads).run();
}

}  // namespace superpix::cpu
