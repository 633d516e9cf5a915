// SPDX-License-Identifier: Apache-2.0
//
// What touches each fragment, and along how many pixel edges (faces).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/components.h"
#include "cpu/prefetch.h"

namespace superpix::cpu {

/// The contacts of the pieces of fragments, components of less than min_size pixels, with pieces of
/// other components. Each piece has a list of its own at first; lists can be joined to rings.
class Contacts {
 public:
  struct Contact {
    std::int32_t piece, length;
  };

  Contacts(const Components& components, std::int64_t min_size, int num_threads);

  /// Calls f(contact) for what is in a piece's ring of lists. The border with one other may be in
  /// several parts.
  template <class F>
  void for_each(std::int32_t piece, F f) const {
    std::int32_t member = piece;
    do {
      const List& list = lists_[member];
      prefetch(lists_[list.next].begin);
      for (std::int32_t i = 0; i < list.size; ++i) f(list.begin[i]);
      member = list.next;
    } while (member != piece);
  }

  /// Makes one ring of two.
  void join(std::int32_t a, std::int32_t b) { std::swap(lists_[a].next, lists_[b].next); }

  /// Replaces what is in a piece's ring, by no more contacts than there were.
  void replace(std::int32_t piece, const std::vector<Contact>& contacts);

 private:
  struct List {
    Contact* begin;
    std::int32_t size;
    std::int32_t next;  // piece in the ring
  };

  Buffer<List> lists_;                     // [pieces]
  std::vector<Buffer<Contact>> contacts_;  // [bands], what lists_ point to
};

}  // namespace superpix::cpu
