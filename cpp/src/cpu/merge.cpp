// SPDX-License-Identifier: Apache-2.0
#include "cpu/merge.h"

#include <algorithm>
#include <bit>

#include "cpu/buffer.h"
#include "cpu/contacts.h"
#include "cpu/merge_cost.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

/// Sets of pieces, one for each round, as bits: they are gone through in raster order, in which
/// neighbours are close in memory.
class Rounds {
 public:
  Rounds(std::int64_t rounds, std::int64_t pieces)
      : words_((pieces + 63) / 64), bits_(static_cast<std::size_t>(rounds * words_), 0) {}

  std::int64_t words() const { return words_; }
  std::uint64_t& word(int round, std::int64_t i) { return bits_[round * words_ + i]; }
  void add(int round, std::int32_t piece) {
    word(round, piece / 64) |= std::uint64_t{1} << (piece % 64);
  }

 private:
  std::int64_t words_;
  std::vector<std::uint64_t> bits_;  // [rounds][words]
};

/// Calls f(piece) for the bits of a word of pieces.
template <class F>
inline void for_each_piece(std::uint64_t bits, std::int64_t word, F f) {
  for (; bits != 0; bits &= bits - 1) {
    f(static_cast<std::int32_t>(64 * word + std::countr_zero(bits)));
  }
}

/// Rounds in which all fragments below a limit pick at once. The limit doubles until min_size: "the
/// smallest first" without a queue, so that threads can share the picking. A fragment that picked
/// is part of at least twice the old limit, so that each limit needs but one round.
class Merger {
 public:
  Merger(Components& components, std::int64_t min_size, double unit, double kappa, int num_threads)
      : sums_(components.sums),
        sets_(components.sets),
        contacts_(components, min_size, num_threads),
        min_size_(min_size),
        cost_(components.sums, unit, kappa),
        num_threads_(num_threads),
        num_rounds_(1 + round_of(std::min(min_size - 1, components.shape[0] * components.shape[1] *
                                                            components.shape[2]))),
        waiting_(num_rounds_, sums_.count()),
        picks_(sums_.count()) {
    for (std::int32_t i = 0; i < sums_.count(); ++i) {
      const std::int32_t root = sets_.root(i);
      if (size(root) >= min_size_) continue;
      if (root == i) {
        wait(i);
      } else {
        contacts_.join(root, i);
      }
    }
  }

  void run() {
    for (int i = 0; i < num_rounds_; ++i) {
      pick(i);
      for (std::int64_t word = 0; word < waiting_.words(); ++word) {
        for_each_piece(waiting_.word(i, word), word,
                       [&](std::int32_t fragment) { unite(fragment, picks_[fragment]); });
      }
    }
    sets_.flatten();
  }

 private:
  using Contact = Contacts::Contact;

  // Pieces, in words, among which a thread lets fragments pick at a time.
  static constexpr std::int64_t kAtOnce = 32;
  static constexpr std::size_t kFew = 8;

  std::int64_t size(std::int32_t root) const { return sums_[root][RegionSums::kSize]; }

  /// The round in which fragments of a size pick: i for [2^i, 2^(i+1)) pixels.
  static int round_of(std::int64_t size) {
    return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(size))) - 1;
  }

  /// Lets a root wait for its round.
  void wait(std::int32_t root) { waiting_.add(round_of(size(root)), root); }

  /// Whether it has not grown, nor become part of another.
  bool still_waits(std::int32_t fragment, int round) const {
    return sets_.root(fragment) == fragment && size(fragment) < min_size_ &&
           round_of(size(fragment)) == round;
  }

  /// Chooses, for each fragment of a round, the neighbour that costs least. Those that do not pick
  /// wait no longer.
  void pick(int round) {
    parallel_for(waiting_.words(), kAtOnce, num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   std::vector<Contact> shared;
                   for (std::int64_t word = begin; word < end; ++word) {
                     std::uint64_t& bits = waiting_.word(round, word);
                     for_each_piece(bits, word, [&](std::int32_t fragment) {
                       if (!still_waits(fragment, round) || !pick_neighbor(fragment, shared)) {
                         bits &= ~(std::uint64_t{1} << (fragment % 64));
                       }
                     });
                   }
                 });
  }

  /// Whether there was one to pick.
  bool pick_neighbor(std::int32_t fragment, std::vector<Contact>& shared) {
    shared.clear();
    contacts_.for_each(fragment, [&](const Contact& contact) {
      const std::int32_t neighbor = sets_.root(contact.piece);
      if (neighbor != fragment) add({neighbor, contact.length}, shared);
    });
    if (shared.empty()) return false;
    if (shared.size() > kFew) bring_together(shared);
    Contact& best = shared[shared.size() > 1 ? cheapest(fragment, shared) : 0];
    picks_[fragment] = best.piece;
    // Soon a border no more.
    best = shared.back();
    shared.pop_back();
    contacts_.replace(fragment, shared);
    return true;
  }

  /// The border with a neighbour may be in pieces: makes them one contact, if it is one of a few.
  static void add(const Contact& contact, std::vector<Contact>& shared) {
    for (std::size_t i = 0; i < std::min(shared.size(), kFew); ++i) {
      if (shared[i].piece == contact.piece) {
        shared[i].length += contact.length;
        return;
      }
    }
    shared.push_back(contact);
  }

  /// The same for many.
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

  /// Which is less is not to be foreseen, and costs take long: no branch waits for them. Costs are
  /// not negative, so that their bits are in their order.
  std::size_t cheapest(std::int32_t fragment, const std::vector<Contact>& shared) const {
    std::size_t best = 0;
    std::uint64_t least = ~std::uint64_t{0};
    std::int32_t best_piece = 0;
    for (std::size_t i = 0; i < shared.size(); ++i) {
      const std::int32_t piece = shared[i].piece;
      const auto c = std::bit_cast<std::uint64_t>(cost_(fragment, piece, shared[i].length));
      const bool better = (c < least) | ((c == least) & (piece < best_piece));
      best = better ? i : best;
      least = better ? c : least;
      best_piece = better ? piece : best_piece;
    }
    return best;
  }

  void unite(std::int32_t a, std::int32_t b) {
    a = sets_.find(a);
    b = sets_.find(b);
    if (!sets_.unite(a, b)) return;
    const std::int32_t kept = std::min(a, b);
    const std::int32_t gone = std::max(a, b);
    sums_.add(kept, sums_, gone);
    if (size(kept) >= min_size_) return;  // picks no more
    contacts_.join(kept, gone);
    wait(kept);
  }

  RegionSums& sums_;
  DisjointSets& sets_;
  Contacts contacts_;
  std::int64_t min_size_;
  MergeCost cost_;
  int num_threads_;
  int num_rounds_;
  Rounds waiting_;              // roots, each at least in the round of its size
  Buffer<std::int32_t> picks_;  // [pieces], of the fragments of the current round
};

}  // namespace

void merge_fragments(Components& components, std::int64_t min_size, double unit, double kappa,
                     int num_threads) {
  Merger(components, min_size, unit, kappa, num_threads).run();
}

}  // namespace superpix::cpu
