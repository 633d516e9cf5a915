// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "regions.h"

namespace superpix::cuda {

/// Numbers regions in the raster order of their first pixels.
struct Numbering {
  static constexpr std::int32_t kMostChunks = 4096;

  /// Bits in words of 32: the first pixels of regions. All zero at first.
  std::uint32_t* is_first;
  /// How many of them are in each chunk of words; then, in those before it. All zero at first.
  std::int32_t* chunks;

  static std::int64_t words(const Volume& v) { return (v.num_pixels() + 31) / 32; }
  static std::int64_t words_per_chunk(const Volume& v) {
    return (words(v) + kMostChunks - 1) / kMostChunks;
  }
};

/// Gives every node the label of its region, in `first_y`: from start_label on in raster order of
/// first pixels. Unless it is nullptr, roots[label - start_label] becomes the root of each region.
void number_regions(const Call& call, const Regions& regions, const Numbering& numbering,
                    std::int32_t start_label, std::int32_t* roots);

/// Writes the labels of all pixels, `outside` where there is none.
void write_labels(const Call& call, const Regions& regions, std::int32_t outside,
                  std::int32_t* out);

}  // namespace superpix::cuda
