// SPDX-License-Identifier: Apache-2.0
//
// Touching pieces are collected in raster order and then laid out fragment by fragment, as they are
// read again and again.
#include "cpu/contacts.h"

#include <algorithm>
#include <bit>

#include "cpu/touches.h"

namespace superpix::cpu {
namespace {

// Kinds of pieces. Of two that are together kFragment, one is a fragment and none is kNone.
enum Kind : std::uint8_t { kLarge = 0, kFragment = 1, kNone = 2 };

/// What is known of one band. Kept for the next: new memory costs more than its use.
struct Scratch {
  std::vector<std::uint8_t> kind;  // [1 + pieces of the band], of piece - 1
  std::vector<Touch> row;          // those that may count
  TouchList inside;                // of pieces of the band, by their numbers in it
  TouchList seams;                 // of fragments in the band (a) with pieces of others (b)
  std::vector<std::int32_t> next;  // [pieces of the band], where the next contact goes
};

/// Finds the contacts of the fragments in a band.
class BandContacts {
 public:
  BandContacts(const Components& components, std::size_t index, std::int64_t min_size, Scratch& s)
      : components_(components), index_(index), band_(components.bands[index]), s_(s) {
    take_kinds(min_size);
    const auto runs = static_cast<std::int64_t>(band_.start.size());
    s_.inside.start(8 * runs / (band_.last_row - band_.first_row));
    s_.seams.start(0);
    find();
    s_.inside.finish();
    s_.seams.finish();
  }

  // Before it is room for a contact of what is no fragment.
  static constexpr std::int32_t kBegin = 1;

  /// The contacts of fragments, one after the other, from kBegin on. Calls f(piece of the band,
  /// count) for all pieces in this order.
  template <class F>
  Buffer<Contacts::Contact> lay_out(F f) {
    std::vector<std::int32_t>& next = s_.next;
    next.assign(static_cast<std::size_t>(band_.num_pieces), 0);
    for_each_contact([&](std::int32_t piece, std::int32_t, std::int64_t) { ++next[piece]; });
    std::int32_t total = kBegin;
    for (std::int32_t i = 0; i < band_.num_pieces; ++i) {
      const std::int32_t count = is_fragment(i) ? next[i] : 0;
      f(i, count);
      next[i] = total;
      total += count;
    }
    Buffer<Contacts::Contact> contacts(total);
    for_each_contact([&](std::int32_t piece, std::int32_t other, std::int64_t length) {
      const bool counts = is_fragment(piece);
      contacts[counts ? next[piece] : 0] = {other, static_cast<std::int32_t>(length)};
      ++next[piece];
    });
    return contacts;
  }

 private:
  bool is_fragment(std::int32_t piece) const { return s_.kind[1 + piece] == kFragment; }

  void take_kinds(std::int64_t min_size) {
    s_.kind.resize(static_cast<std::size_t>(band_.num_pieces) + 1);
    s_.kind[0] = kNone;
    for (std::int32_t i = 0; i < band_.num_pieces; ++i) {
      const std::int32_t root = components_.sets.flat_root(band_.first_piece + i);
      const bool is_small = components_.sums[root][RegionSums::kSize] < min_size;
      s_.kind[1 + i] = is_small ? kFragment : kLarge;
    }
  }

  /// Calls f(piece of the band, other piece, length) for the contacts of fragments and some others.
  template <class F>
  void for_each_contact(F f) const {
    const std::int32_t first = band_.first_piece;
    for (const Touch& t : s_.inside) {
      f(t.a(), first + t.b(), t.length);
      f(t.b(), first + t.a(), t.length);
    }
    for (const Touch& t : s_.seams) f(t.a(), t.b(), t.length);
  }

  void find() {
    const std::int64_t height = components_.shape[1];
    const std::int64_t rows = components_.shape[0] * height;
    for (std::int64_t row = band_.first_row; row < band_.last_row; ++row) {
      const std::int64_t y = row % height;
      find_beside(row);
      if (y != 0) find_between(row, row - 1);
      if (y != height - 1 && row + 1 == band_.last_row) find_along_seam(row, row + 1);
      if (row >= height) find_between(row, row - height);
      if (row + height < rows && row + height >= band_.last_row) {
        find_along_seam(row, row + height);
      }
    }
  }

  /// Whether a pixel edge is one of a fragment is not to be foreseen: all are written down, and
  /// those that do not count are written over.
  Touch* note(Touch* to, std::int32_t a, std::int32_t b, std::int32_t length) const {
    *to = {a, b, length};
    const int kinds = s_.kind[a + 1] | s_.kind[b + 1];
    return to + ((a != b ? 1 : 0) & (kinds == kFragment ? 1 : 0));
  }

  void add_row(Touch* end) {
    for (Touch* t = s_.row.data(); t != end; ++t) {
      t->pair = std::min(t->pair, std::rotl(t->pair, 32));
    }
    s_.inside.add(s_.row.data(), end);
  }

  Touch* row_of(std::int64_t count) {
    if (static_cast<std::int64_t>(s_.row.size()) <= count) {
      s_.row.resize(static_cast<std::size_t>(2 * count + 1));
    }
    return s_.row.data();
  }

  void find_beside(std::int64_t row) {
    const Components::Band::Row here = band_.row(row);
    Touch* to = row_of(here.count);
    for (std::int64_t i = 1; i < here.count; ++i) {
      to = note(to, here.piece[i - 1], here.piece[i], 1);
    }
    add_row(to);
  }

  void find_between(std::int64_t row, std::int64_t other) {
    if (other < band_.first_row) {
      find_along_seam(row, other);
      return;
    }
    const Components::Band::Row here = band_.row(row);
    const Components::Band::Row there = band_.row(other);
    Touch* to = row_of(here.count + there.count);
    for_each_overlap(there.starts, here.starts, components_.shape[2],
                     [&](std::int32_t x, std::int32_t end, std::int32_t a, std::int32_t b) {
                       to = note(to, there.piece[a], here.piece[b], end - x);
                     });
    add_row(to);
  }

  /// The touches with a row of another band.
  void find_along_seam(std::int64_t row, std::int64_t other) {
    std::size_t j = index_;
    while (components_.bands[j].first_row > other) --j;
    while (components_.bands[j].last_row <= other) ++j;
    const std::int32_t first_there = components_.bands[j].first_piece;
    const Components::Band::Row here = band_.row(row);
    const Components::Band::Row there = components_.bands[j].row(other);
    Touch* const begin = row_of(here.count + there.count);
    Touch* to = begin;
    for_each_overlap(here.starts, there.starts, components_.shape[2],
                     [&](std::int32_t x, std::int32_t end, std::int32_t a, std::int32_t b) {
                       *to = {here.piece[a], there.piece[b] + first_there, end - x};
                       const bool is_piece = there.piece[b] >= 0;
                       to += s_.kind[here.piece[a] + 1] & (is_piece ? kFragment : kLarge);
                     });
    s_.seams.add(begin, drop_same(begin, to));
  }

  /// Drops touches with pieces of the same component.
  Touch* drop_same(Touch* begin, Touch* end) const {
    const DisjointSets& sets = components_.sets;
    Touch* to = begin;
    for (const Touch* t = begin; t != end; ++t) {
      const bool same = sets.flat_root(band_.first_piece + t->a()) == sets.flat_root(t->b());
      *to = *t;
      to += same ? 0 : 1;
    }
    return to;
  }

  const Components& components_;
  const std::size_t index_;
  const Components::Band& band_;
  Scratch& s_;
};

}  // namespace

Contacts::Contacts(const Components& components, std::int64_t min_size, int num_threads)
    : lists_(components.num_pieces()), contacts_(components.bands.size()) {
  for_bands(components, num_threads, [&](std::size_t index) {
    thread_local Scratch scratch;
    BandContacts band(components, index, min_size, scratch);
    const std::int32_t first_piece = components.bands[index].first_piece;
    List* lists = lists_.data() + first_piece;
    contacts_[index] = band.lay_out([&](std::int32_t i, std::int32_t count) {
      lists[i] = {nullptr, count, first_piece + i};
    });
    Contact* next = contacts_[index].data() + BandContacts::kBegin;
    for (std::int32_t i = 0; i < components.bands[index].num_pieces; ++i) {
      lists[i].begin = next;
      next += lists[i].size;
    }
  });
}

void Contacts::replace(std::int32_t piece, const std::vector<Contact>& contacts) {
  const Contact* next = contacts.data();
  const Contact* end = next + contacts.size();
  std::int32_t member = piece;
  for (;;) {
    List& list = lists_[member];
    list.size = static_cast<std::int32_t>(std::min<std::ptrdiff_t>(end - next, list.size));
    for (std::int32_t i = 0; i < list.size; ++i) list.begin[i] = *next++;
    if (next == end) break;
    member = list.next;
  }
  lists_[member].next = piece;
}

}  // namespace superpix::cpu
