// SPDX-License-Identifier: Apache-2.0
//
// What touches each fragment, and along how many pixel edges (faces).
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/components.h"

namespace superpix::cpu {

/// The contacts of those pieces of components that are marked, with pieces of other components.
/// The border with one of them may be in several parts.
class Contacts {
 public:
  Contacts(const Components& components, const std::vector<std::uint8_t>& marked, int num_threads);

  /// Calls f(other piece, length) for the contacts of a marked piece.
  template <class F>
  void for_each(std::int32_t piece, F f) const {
    const Range& range = in_band_[piece];
    for (const Contact* c = range.begin; c != range.end; ++c) f(c->piece, c->length);
    for (std::int64_t i = seam_begin_[piece]; i < seam_begin_[piece + 1]; ++i) {
      f(seams_[i].piece, seams_[i].length);
    }
  }

 private:
  struct Contact {
    std::int32_t piece, length;
  };
  struct Range {
    const Contact* begin = nullptr;
    const Contact* end = nullptr;
  };
  /// Two pieces that touch.
  struct Touch {
    std::int32_t a, b, length;
  };

  void find_in_band(std::size_t band_index);
  std::vector<Touch> find_along_seams(std::size_t band_index) const;
  void lay_out_seams(const std::vector<std::vector<Touch>>& seams);

  const Components& components_;
  const std::vector<std::uint8_t>& marked_;
  std::vector<std::vector<Contact>> bands_;
  std::vector<Range> in_band_;             // [pieces], into bands_
  std::vector<std::int64_t> seam_begin_;  // [pieces + 1]
  std::vector<Contact> seams_;
};

}  // namespace superpix::cpu
