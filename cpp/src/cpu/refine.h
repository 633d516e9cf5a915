// SPDX-License-Identifier: Apache-2.0
//
// Border refinement of connected superpixels (docs/accuracy.md).
//
// A pixel with neighbours of other labels takes the label of one of its 4 neighbours when that has
// the lesser
//     |f - mean f|^2 + (m' / m)^2 |position - mean position|^2 / S^2 - lambda * n,
// f being colour / m and n the pixel's 8 neighbours with that label, provided that the superpixel
// it leaves stays connected: that its 4 neighbours with the old label hang together within the 8.
// The pixels of one parity of x and y are done at once, as none is among another's neighbours; the
// four parities make a round, after which the means are taken anew.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/cell_grid.h"

namespace superpix::cpu {

/// A pixel's colour divided by the compactness, wherever and however it is stored.
class FeatureSource {
 public:
  FeatureSource() = default;
  FeatureSource(const FeatureSource&) = delete;
  FeatureSource& operator=(const FeatureSource&) = delete;
  virtual ~FeatureSource() = default;
  virtual int channels() const = 0;
  /// Writes the features of pixel (y, x) to out[channels].
  virtual void read(std::int64_t y, std::int64_t x, float* out) const = 0;
};

/// Refines `labels` ([H,W]; start_label, start_label + 1, ... each connected; start_label - 1 is
/// outside) in `rounds` rounds. weights: of a squared pixel along y and x, spacing^2 / S^2.
/// Returns the sizes of the superpixels.
std::vector<std::int64_t> refine(std::int32_t* labels, std::int64_t height, std::int64_t width,
                                 std::int32_t start_label, std::int64_t num_labels,
                                 const FeatureSource& features, double weight_y, double weight_x,
                                 int rounds, int num_threads);

}  // namespace superpix::cpu
