// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "fixed_colors.h"
#include "regions.h"

namespace superpix::cuda {

/// What refinement works in. Of labels there are at most max_labels().
struct RefineScratch {
  std::int32_t* roots;      // [labels], where their sums are; to be filled by the caller
  float* means;             // [labels][channels + 2], of colour, y, x
  std::int32_t* room;       // [labels], pixels above min_size, less those that leave
  std::int32_t* gain;       // [2][labels], pixels that came, or came back, in each step
  std::uint32_t* borders;   // [H][words()], bits of pixels to visit
  std::int32_t* num_moves;  // [(H + 1) / 2], of a row
  int2* moves;              // [(H + 1) / 2][(W + 1) / 2], x and the label left

  static std::int64_t words(const Volume& v) { return (v.width + 31) / 32; }
  /// Every region has min_size pixels, but for what lies isolated in what is outside.
  static std::int64_t max_labels(const Volume& v, std::int64_t min_size, bool has_outside);
};

struct RefineParams {
  std::int32_t start_label;
  float weight_y, weight_x, smoothness;
  int rounds;
};

/// Writes the labels of regions that were numbered, and refines their borders (the rule is that of
/// cpu/refine.h). Sums have positions.
void refine(const Call& call, const Regions& regions, const RefineScratch& scratch,
            const StageColors& colors, const RefineParams& params, std::int64_t max_labels,
            std::int32_t* labels);

}  // namespace superpix::cuda
