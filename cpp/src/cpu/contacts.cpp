// SPDX-License-Identifier: Apache-2.0
//
// Touching pieces are collected in raster order and then laid out fragment by fragment, as they are
// read again and again.
#include "cpu/contacts.h"

#include <algorithm>

namespace superpix::cpu {

Contacts::Contacts(const Components& components, const std::vector<std::uint8_t>& marked,
                   int num_threads)
    : components_(components),
      marked_(marked),
      touches_(components.bands.size()),
      seams_(components.bands.size()),
      contacts_(components.bands.size()),
      lists_(marked.size()) {
  for_bands(components, num_threads, [&](std::size_t i) {
    find_in_band(i);
    find_along_seams(i);
  });
  for_bands(components, num_threads, [&](std::size_t i) { lay_out(i); });
  touches_ = {};
  seams_ = {};
}

void Contacts::find_in_band(std::size_t band_index) {
  const Components::Band& band = components_.bands[band_index];
  const std::uint8_t* marked = marked_.data() + band.first_piece;
  const std::int64_t height = components_.shape[1];
  // Kept for the next band: its size is not known before, and new memory costs more than its use.
  thread_local std::vector<Touch> scratch;
  std::vector<Touch>& touches = scratch;  // with numbers of the band
  std::size_t count = 0;
  // Whether a pixel edge is one of a marked piece is not to be foreseen: all are written down, and
  // those that do not count are written over.
  const auto note = [&](std::int32_t a, std::int32_t b, std::int32_t length) {
    const std::uint8_t counts = a != b && (a | b) >= 0 ? 1 : 0;
    touches[count] = {a, b, length};
    count += counts & marked[std::max(a, 0)];
    touches[count] = {b, a, length};
    count += counts & marked[std::max(b, 0)];
  };
  const auto make_room = [&](std::int64_t more) {
    const std::size_t needed = count + 2 * static_cast<std::size_t>(more) + 1;
    if (touches.size() < needed) touches.resize(std::max(needed, 2 * touches.size()));
  };
  for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
    const Components::Band::Row here = band.row(row);
    make_room(here.count);
    for (std::int64_t i = 1; i < here.count; ++i) note(here.piece[i - 1], here.piece[i], 1);
    const auto compare = [&](std::int64_t other) {
      const Components::Band::Row there = band.row(other);
      make_room(here.count + there.count);
      for_each_overlap(there.starts, here.starts, components_.shape[2],
                       [&](std::int32_t x, std::int32_t end, std::int32_t a, std::int32_t b) {
                         note(there.piece[a], here.piece[b], end - x);
                       });
    };
    if (row % height != 0 && row > band.first_row) compare(row - 1);
    if (row - height >= band.first_row) compare(row - height);
  }
  touches_[band_index].assign(touches.begin(),
                              touches.begin() + static_cast<std::ptrdiff_t>(count));
}

void Contacts::find_along_seams(std::size_t band_index) {
  const Components::Band& band = components_.bands[band_index];
  for_each_seam(components_, band_index, [&](std::int64_t row, std::size_t j, std::int64_t other) {
    const Components::Band& earlier = components_.bands[j];
    const Components::Band::Row here = band.row(row);
    const Components::Band::Row there = earlier.row(other);
    for_each_overlap(there.starts, here.starts, components_.shape[2],
                     [&](std::int32_t x, std::int32_t end, std::int32_t i, std::int32_t k) {
                       if (there.piece[i] < 0 || here.piece[k] < 0) return;
                       const std::int32_t a = there.piece[i] + earlier.first_piece;
                       const std::int32_t b = here.piece[k] + band.first_piece;
                       if (components_.sets.root(a) == components_.sets.root(b)) return;
                       if (marked_[a] != 0) seams_[band_index].push_back({a, b, end - x});
                       if (marked_[b] != 0) seams_[band_index].push_back({b, a, end - x});
                     });
  });
}

/// Puts the contacts of each marked piece of a band side by side.
void Contacts::lay_out(std::size_t band_index) {
  const Components::Band& band = components_.bands[band_index];
  const std::int32_t first = band.first_piece;
  // Calls f(piece as the band numbers it, other piece, length).
  const auto for_each_contact = [&](auto f) {
    for (const auto& [piece, other, length] : touches_[band_index]) f(piece, other + first, length);
    // Seams reach back one row, or one plane.
    const std::int64_t reach = components_.shape[0] > 1 ? components_.shape[1] : 1;
    for (std::size_t i = band_index; i < components_.bands.size(); ++i) {
      if (components_.bands[i].first_row >= band.last_row + reach) break;
      for (const auto& [piece, other, length] : seams_[i]) {
        const std::int32_t own = piece - first;
        if (own >= 0 && own < band.num_pieces) f(own, other, length);
      }
    }
  };

  std::vector<std::int64_t> begin(static_cast<std::size_t>(band.num_pieces) + 1, 0);
  for_each_contact([&](std::int32_t own, std::int32_t, std::int32_t) { ++begin[own + 1]; });
  for (std::size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
  std::vector<Contact>& contacts = contacts_[band_index];
  contacts.resize(static_cast<std::size_t>(begin.back()));
  std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
  for_each_contact([&](std::int32_t own, std::int32_t other, std::int32_t length) {
    contacts[next[own]++] = {other, length};
  });

  // Brings together what a fragment has of borders with the same piece of the band.
  std::vector<std::int64_t>& at = next;  // of the contact with each piece
  std::fill(at.begin(), at.end(), -1);
  for (std::int32_t piece = 0; piece < band.num_pieces; ++piece) {
    std::int64_t end = begin[piece];
    for (std::int64_t i = begin[piece]; i < begin[piece + 1]; ++i) {
      const Contact contact = contacts[i];
      const std::int32_t other = contact.piece - first;
      if (other >= 0 && other < band.num_pieces) {
        if (at[other] >= begin[piece]) {
          contacts[at[other]].length += contact.length;
          continue;
        }
        at[other] = end;
      }
      contacts[end++] = contact;
    }
    lists_[first + piece] = {contacts.data() + begin[piece],
                             static_cast<std::int32_t>(end - begin[piece])};
  }
}

}  // namespace superpix::cpu
