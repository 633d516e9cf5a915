// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.h"
#include "fixed_colors.h"
#include "regions.h"

namespace superpix::cuda {

/// What splitting works in.
struct SplitScratch {
  std::uint32_t* claim;   // [N]
  std::int32_t* flooded;  // [N], pixels
  std::int32_t* starts;   // [N], pixels
};

/// The mean colours of labels, and where labels are found.
struct LabelMeans {
  const double* means;         // [num_labels][channels], or nullptr
  std::int32_t* num_large;     // [num_labels], of regions that are not fragments; zero at first
  const std::int32_t* labels;  // [N], of a node
};

/// Splits regions above max_size (the rule is that of cpu/split.h), and gives the only large region
/// of a label the mean colour of that. `labels` becomes that of new nodes, too, unless it is
/// nullptr.
void split_regions(const Call& call, const Regions& regions, const SplitScratch& scratch,
                   const StageColors& colors, const LabelMeans& means, std::int32_t* labels);

}  // namespace superpix::cuda
