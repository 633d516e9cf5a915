// SPDX-License-Identifier: Apache-2.0
//
// Contacts are collected in raster order and then laid out fragment by fragment, as they are read
// again and again: within bands in parallel, and apart from that along the seams between bands.
#include "cpu/contacts.h"

#include <algorithm>

namespace superpix::cpu {

Contacts::Contacts(const Components& components, const std::vector<std::uint8_t>& marked,
                   int num_threads)
    : components_(components),
      marked_(marked),
      bands_(components.bands.size()),
      in_band_(marked.size()) {
  std::vector<std::vector<Touch>> seams(bands_.size());
  for_bands(components, num_threads, [&](std::size_t i) {
    find_in_band(i);
    seams[i] = find_along_seams(i);
  });
  lay_out_seams(seams);
}

void Contacts::find_in_band(std::size_t band_index) {
  const Components::Band& band = components_.bands[band_index];
  const std::uint8_t* marked = marked_.data() + band.first_piece;
  const std::int64_t width = components_.shape[2];
  const std::int64_t height = components_.shape[1];

  std::vector<Touch> touches;  // with numbers of the band
  std::size_t count = 0;
  const auto note = [&](std::int32_t a, std::int32_t b, std::int32_t length) {
    touches[count] = {a, b, length};
    const bool counts = a != b && (a | b) >= 0 && (marked[std::max(a, 0)] | marked[std::max(b, 0)]) != 0;
    count += counts ? 1 : 0;
  };
  const auto reserve = [&](std::int64_t more) {
    const std::size_t needed = count + static_cast<std::size_t>(more) + 1;
    if (touches.size() < needed) touches.resize(std::max(needed, 2 * touches.size()));
  };
  for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
    const Components::Band::Row here = band.row(row);
    reserve(here.count);
    for (std::int64_t i = 1; i < here.count; ++i) note(here.piece[i - 1], here.piece[i], 1);
    const auto compare = [&](std::int64_t other) {
      const Components::Band::Row there = band.row(other);
      reserve(here.count + there.count);
      for_each_overlap(there.starts, here.starts, width,
                       [&](std::int32_t x, std::int32_t end, std::int32_t a, std::int32_t b) {
                         note(there.piece[a], here.piece[b], end - x);
                       });
    };
    if (row % height != 0 && row > band.first_row) compare(row - 1);
    if (row - height >= band.first_row) compare(row - height);
  }

  std::vector<std::int64_t> begin(static_cast<std::size_t>(band.num_pieces) + 1, 0);
  for (std::size_t i = 0; i < count; ++i) {
    begin[touches[i].a + 1] += marked[touches[i].a];
    begin[touches[i].b + 1] += marked[touches[i].b];
  }
  for (std::size_t i = 1; i < begin.size(); ++i) begin[i] += begin[i - 1];
  std::vector<Contact>& contacts = bands_[band_index];
  contacts.resize(static_cast<std::size_t>(begin.back()));
  std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [a, b, length] = touches[i];
    if (marked[a] != 0) contacts[next[a]++] = {b, length};
    if (marked[b] != 0) contacts[next[b]++] = {a, length};
  }

  // Brings together what a fragment has of borders with the same piece.
  std::vector<std::int64_t>& at = next;  // of the contact with each piece
  std::fill(at.begin(), at.end(), -1);
  for (std::int32_t piece = 0; piece < band.num_pieces; ++piece) {
    std::int64_t end = begin[piece];
    for (std::int64_t i = begin[piece]; i < begin[piece + 1]; ++i) {
      const Contact contact = contacts[i];
      std::int64_t& known = at[contact.piece];
      if (known >= begin[piece]) {
        contacts[known].length += contact.length;
      } else {
        known = end;
        contacts[end++] = contact;
      }
    }
    for (std::int64_t i = begin[piece]; i < end; ++i) contacts[i].piece += band.first_piece;
    in_band_[band.first_piece + piece] = {contacts.data() + begin[piece], contacts.data() + end};
  }
}

std::vector<Contacts::Touch> Contacts::find_along_seams(std::size_t band_index) const {
  std::vector<Touch> touches;
  const Components::Band& band = components_.bands[band_index];
  for_each_seam(
      components_, band_index, [&](std::int64_t row, std::size_t j, std::int64_t other) {
        const Components::Band& earlier = components_.bands[j];
        const Components::Band::Row here = band.row(row);
        const Components::Band::Row there = earlier.row(other);
        for_each_overlap(there.starts, here.starts, components_.shape[2],
                         [&](std::int32_t x, std::int32_t end, std::int32_t i, std::int32_t k) {
                           if (there.piece[i] < 0 || here.piece[k] < 0) return;
                           const std::int32_t a = there.piece[i] + earlier.first_piece;
                           const std::int32_t b = here.piece[k] + band.first_piece;
                           const bool apart = components_.sets.root(a) != components_.sets.root(b);
                           if (apart && (marked_[a] | marked_[b]) != 0) {
                             touches.push_back({a, b, end - x});
                           }
                         });
      });
  return touches;
}

void Contacts::lay_out_seams(const std::vector<std::vector<Touch>>& seams) {
  seam_begin_.assign(in_band_.size() + 1, 0);
  const auto for_marked = [&](auto f) {
    for (const auto& touches : seams) {
      for (const auto& [a, b, length] : touches) {
        if (marked_[a] != 0) f(a, b, length);
        if (marked_[b] != 0) f(b, a, length);
      }
    }
  };
  for_marked([&](std::int32_t a, std::int32_t, std::int32_t) { ++seam_begin_[a + 1]; });
  for (std::size_t i = 1; i < seam_begin_.size(); ++i) seam_begin_[i] += seam_begin_[i - 1];
  seams_.resize(static_cast<std::size_t>(seam_begin_.back()));
  std::vector<std::int64_t> next(seam_begin_.begin(), seam_begin_.end() - 1);
  for_marked([&](std::int32_t a, std::int32_t b, std::int32_t length) {
    seams_[next[a]++] = {b, length};
  });
}

}  // namespace superpix::cpu
