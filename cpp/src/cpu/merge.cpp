// SPDX-License-Identifier: Apache-2.0
#include "cpu/merge.h"

#include <algorithm>
#include <bit>

#include "cpu/contacts.h"
#include "cpu/prefetch.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

/// Rounds in which all fragments below a limit pick at once. The limit doubles until min_size: "the
/// smallest first" without a queue, so that threads can share the picking. A fragment that picked
/// is part of at least twice the old limit, so that each limit needs but one round.
class Merger {
 public:
  Merger(Components& components, const Contacts& contacts, std::int64_t min_size, double unit,
         double kappa, int num_threads)
      : sums_(components.sums),
        sets_(components.sets),
        min_size_(min_size),
        squared_unit_(unit * unit),
        kappa_(kappa),
        num_threads_(num_threads),
        channels_(sums_.channels()),
        means_(static_cast<std::size_t>(sums_.count() * (channels_ + 1))),
        parts_(static_cast<std::size_t>(sums_.count())),
        queued_(parts_.size(), kNever) {
    parallel_for(num_pieces(), 4096, num_threads_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto piece = static_cast<std::int32_t>(i);
        parts_[i].contacts = contacts.of(i);
        parts_[i].room = parts_[i].contacts.size;
        parts_[i].last = piece;
        if (sets_.root(piece) == piece) take_mean(piece);
      }
    });
    for (std::int32_t i = 0; i < num_pieces(); ++i) {
      const std::int32_t root = sets_.root(i);
      if (root == i) {
        queue(i);
      } else if (size(root) < min_size_) {
        append(root, i);
      }
    }
  }

  void run() {
    for (std::uint8_t i = 0; i < by_size_.size(); ++i) {
      pick(i);
      const std::vector<std::int32_t> fragments = std::move(by_size_[i]);
      for (std::size_t j = 0; j < fragments.size(); ++j) {
        if (picks_[j] >= 0) unite(fragments[j], picks_[j]);
      }
      for (std::size_t j = 0; j < fragments.size(); ++j) {
        if (picks_[j] < 0) continue;
        const std::int32_t root = sets_.find(fragments[j]);
        take_mean(root);
        queue(root);
      }
    }
    sets_.flatten();
  }

 private:
  using Contact = Contacts::Contact;

  /// A piece as part of what a root is made of: a root has a list of them, itself the first, as
  /// long as it is a fragment. A part that has no contacts left need not be in the list.
  struct Part {
    Contacts::List contacts;
    std::int32_t room = 0;  // for contacts
    std::int32_t next = -1;
    std::int32_t last = -1;  // of the list, at its root
  };
  static constexpr std::uint8_t kNever = 64;
  // Fewer fragments are picked for before another thread has their data in its cache.
  static constexpr std::int64_t kAtOnce = 1024;
  // Fragments whose data are on their way from memory while one picks.
  static constexpr std::int64_t kAhead = 6;

  std::int32_t num_pieces() const { return static_cast<std::int32_t>(sums_.count()); }
  std::int64_t size(std::int32_t root) const { return sums_[root][RegionSums::kSize]; }

  void append(std::int32_t root, std::int32_t list) {
    parts_[parts_[root].last].next = list;
    parts_[root].last = parts_[list].last;
  }

  /// The round in which a root picks: i for fragments of [2^i, 2^(i+1)) pixels.
  std::uint8_t round_of(std::int32_t root) const {
    if (size(root) >= min_size_) return kNever;
    return static_cast<std::uint8_t>(std::bit_width(static_cast<std::uint64_t>(size(root))) - 1);
  }

  void take_mean(std::int32_t root) {
    const std::int64_t* sums = sums_[root];
    double* mean = &means_[std::int64_t{root} * (channels_ + 1)];
    mean[0] = static_cast<double>(sums[RegionSums::kSize]);
    const double scale = 1.0 / mean[0];
    for (int c = 0; c < channels_; ++c) {
      mean[1 + c] = static_cast<double>(sums[RegionSums::kColor + c]) * scale;
    }
  }

  /// Lets a root wait for its round.
  void queue(std::int32_t root) {
    const std::uint8_t i = round_of(root);
    if (i == queued_[root]) return;
    queued_[root] = i;
    if (i == kNever) return;
    if (i >= by_size_.size()) by_size_.resize(i + std::size_t{1});
    by_size_[i].push_back(root);
  }

  /// For each fragment of a round, the neighbour that costs least; -1 for none.
  void pick(std::uint8_t i) {
    const std::vector<std::int32_t>& fragments = by_size_[i];
    picks_.resize(fragments.size());
    parallel_for(static_cast<std::int64_t>(fragments.size()), kAtOnce, num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   std::vector<Contact> shared;
                   for (std::int64_t j = begin; j < end; ++j) {
                     // It may have grown, or be part of another, since it was queued.
                     const std::int32_t fragment = fragments[j];
                     if (j + 2 * kAhead < end) prefetch(&parts_[fragments[j + 2 * kAhead]]);
                     if (j + kAhead < end) prefetch_contacts(fragments[j + kAhead]);
                     const bool waits = sets_.root(fragment) == fragment && queued_[fragment] == i;
                     picks_[j] = waits ? best_neighbor(fragment, shared) : -1;
                   }
                 });
  }

  void prefetch_contacts(std::int32_t fragment) const {
    prefetch(parts_[fragment].contacts.begin);
    prefetch(&means_[std::int64_t{fragment} * (channels_ + 1)]);
  }

  std::int32_t best_neighbor(std::int32_t fragment, std::vector<Contact>& shared) {
    shared.clear();
    for (std::int32_t part = fragment; part >= 0; part = parts_[part].next) {
      const Contacts::List& list = parts_[part].contacts;
      for (std::int32_t i = 0; i < list.size; ++i) {
        const std::int32_t neighbor = sets_.root(list.begin[i].piece);
        if (neighbor != fragment) shared.push_back({neighbor, list.begin[i].length});
      }
    }
    bring_together(shared);
    std::int32_t best = -1;
    double least = 0.0;
    for (const Contact& contact : shared) {
      const double c = cost(fragment, contact.piece, contact.length);
      if (best < 0 || c < least) {
        best = contact.piece;
        least = c;
      }
    }
    if (parts_[fragment].next >= 0) put_back(fragment, shared);
    return best;
  }

  /// The border with a neighbour may be in pieces: makes them one contact. Sorts by neighbour.
  static void bring_together(std::vector<Contact>& shared) {
    const auto lower = [](const Contact& a, const Contact& b) { return a.piece < b.piece; };
    std::sort(shared.begin(), shared.end(), lower);
    std::size_t count = 0;
    for (const Contact& contact : shared) {
      if (count > 0 && shared[count - 1].piece == contact.piece) {
        shared[count - 1].length += contact.length;
      } else {
        shared[count++] = contact;
      }
    }
    shared.resize(count);
  }

  /// Replaces the contacts of a fragment, of which there are no more than before.
  void put_back(std::int32_t fragment, const std::vector<Contact>& contacts) {
    std::size_t done = 0;
    std::int32_t part = fragment;
    for (;;) {
      Part& p = parts_[part];
      p.contacts.size = static_cast<std::int32_t>(
          std::min(contacts.size() - done, static_cast<std::size_t>(p.room)));
      std::copy_n(contacts.data() + done, p.contacts.size, p.contacts.begin);
      done += static_cast<std::size_t>(p.contacts.size);
      if (done == contacts.size()) break;
      part = p.next;
    }
    parts_[part].next = -1;
    parts_[fragment].last = part;
  }

  void unite(std::int32_t a, std::int32_t b) {
    a = sets_.find(a);
    b = sets_.find(b);
    if (!sets_.unite(a, b)) return;
    const std::int32_t kept = std::min(a, b);
    const std::int32_t gone = std::max(a, b);
    sums_.add(kept, sums_, gone);
    // What is large enough needs no list any more.
    if (size(kept) < min_size_) append(kept, gone);
  }

  double cost(std::int32_t a, std::int32_t b, std::int64_t border) const {
    const double* mean_a = &means_[std::int64_t{a} * (channels_ + 1)];
    const double* mean_b = &means_[std::int64_t{b} * (channels_ + 1)];
    double difference = 0.0;
    for (int c = 1; c <= channels_; ++c) {
      const double d = mean_a[c] - mean_b[c];
      difference += d * d;
    }
    const double s = mean_a[0];
    const double t = mean_b[0];
    return (kappa_ + difference * squared_unit_) * (s * t) /
           ((s + t) * static_cast<double>(border));
  }

  RegionSums& sums_;
  DisjointSets& sets_;
  std::int64_t min_size_;
  double squared_unit_;
  double kappa_;
  int num_threads_;
  int channels_;
  std::vector<double> means_;                       // [pieces][size, color], at roots
  std::vector<Part> parts_;                         // [pieces]
  std::vector<std::uint8_t> queued_;                // [pieces], the round that a root waits for
  std::vector<std::vector<std::int32_t>> by_size_;  // fragments waiting for each round
  std::vector<std::int32_t> picks_;                 // of by_size_ of the current round
};

}  // namespace

void merge_fragments(Components& components, std::int64_t min_size, double unit, double kappa,
                     int num_threads) {
  // One more than there are pieces: what is no piece asks for the first of its band.
  std::vector<std::uint8_t> small(static_cast<std::size_t>(components.num_pieces()) + 1, 0);
  for (std::int32_t i = 0; i < components.num_pieces(); ++i) {
    const std::int32_t root = components.sets.root(i);
    small[i] = components.sums[root][RegionSums::kSize] < min_size ? 1 : 0;
  }
  const Contacts contacts(components, small, num_threads);
  Merger(components, contacts, min_size, unit, kappa, num_threads).run();
}

}  // namespace superpix::cpu
