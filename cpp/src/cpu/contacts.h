// SPDX-License-Identifier: Apache-2.0
//
// What touches each fragment, and along how many pixel edges (faces).
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/components.h"

namespace superpix::cpu {

/// The contacts of those pieces of components that are marked, with pieces of other components.
class Contacts {
 public:
  struct Contact {
    std::int32_t piece, length;
  };
  /// The contacts of a piece. The border with one other may be in several parts.
  struct List {
    Contact* begin = nullptr;
    std::int32_t size = 0;
  };

  /// `marked` has an element for each piece, and one more.
  Contacts(const Components& components, const std::vector<std::uint8_t>& marked, int num_threads);

  List of(std::int64_t piece) const { return lists_[piece]; }

 private:
  /// That a marked piece touches another one.
  struct Touch {
    std::int32_t piece, other, length;
  };

  void find_in_band(std::size_t band_index);
  void find_along_seams(std::size_t band_index);
  void lay_out(std::size_t band_index);

  const Components& components_;
  const std::vector<std::uint8_t>& marked_;
  std::vector<std::vector<Touch>> touches_;     // [bands], within each
  std::vector<std::vector<Touch>> seams_;       // [bands], of each and earlier ones, both ways
  std::vector<std::vector<Contact>> contacts_;  // [bands]
  std::vector<List> lists_;                     // [pieces], into contacts_
};

}  // namespace superpix::cpu
