// SPDX-License-Identifier: Apache-2.0
//
// From the labels of clusters to connected superpixels, as enforce_connectivity and slic do it: the
// majority filter, components, splitting, merging, numbering and the refinement of borders. All
// bits are those of the CPU (cpu/smooth, cpu/connectivity, cpu/refine).
//
//     Call call("slic", context);
//     ...                                                // what slic itself takes
//     ConnectivityStage stage(call, shape, num_labels);  // takes workspace
//     if (!call.begin()) return;
//     ...                                                // labels, colours, means are written
//     stage.enqueue(call, input, out);
//
// Pixels are numbered in raster order, p = (z H + y) W + x, in all arrays: nothing is stored cell
// by cell.
#pragma once

#include <cstdint>

#include "call.h"
#include "fixed_colors.h"
#include "grid.h"
#include "merge_pairs.h"
#include "refine.h"
#include "regions.h"
#include "split.h"

namespace superpix::cuda {

/// All that decides how much workspace is needed and what is launched.
struct StageShape {
  Volume volume;
  int channels = 0;           // of the colours; 0 without
  std::int64_t min_size = 0;  // as in ConnectivityParams
  std::int64_t max_size = 0;
  std::int64_t max_segments = 0;
  std::int32_t start_label = 1;
  /// Whether a pixel may have no label. If none has, there are fewer labels to refine, and room for
  /// no more.
  bool has_outside = true;
  /// How often borders are refined; planes only. Anything but 0 needs colours.
  int refine_iter = 0;
};

/// What is read, on the device.
struct StageInput {
  enum class Labels : std::uint8_t {
    /// uint8 [H*W], of planes whose grid can be named so (cpu/labels.h, LabelTags::can_name): the
    /// tag of cell (row, column) is row % 8 << 3 | column % 8, and 255 is outside. Never the memory
    /// of `out`.
    kTags,
    /// As kTags, and the majority filter comes first (cpu/smooth.h).
    kTagsToSmooth,
    /// Integers of `dtype` with strides in bytes; negative is outside. May be the memory of `out`
    /// if they are contiguous int32.
    kIntegers,
  };
  Labels kind = Labels::kIntegers;
  const void* labels = nullptr;
  DType dtype = DType::kInt32;                            // kIntegers only
  std::int64_t stride_z = 0, stride_y = 0, stride_x = 0;  // kIntegers only
  Grid grid{};                                            // kTags and kTagsToSmooth only
  StageColors colors;
  /// nullptr; or float64 [num_labels][channels], the mean colour of the pixels that had each label
  /// before smoothing (in steps of the fixed point for kShorts, as colours for kFloats): a label's
  /// only component of at least min_size pixels is taken to have it (cpu/components.h). Labels are
  /// then tags, or integers below num_labels that are int32 and contiguous.
  const double* label_means = nullptr;
  /// Of the merging rule; slic's is 0.01.
  double kappa = 1.0;
  /// Of the refinement (cpu/refine.h).
  double weight_y = 0.0, weight_x = 0.0, smoothness = 0.0;
};

/// Takes its workspace, then enqueues its kernels.
class ConnectivityStage {
 public:
  /// To be called before call.begin(). num_labels: the rows of label_means, 0 without.
  ConnectivityStage(Call& call, const StageShape& shape, std::int64_t num_labels);

  /// int32 [D*H*W] `out`: labels from start_label on, in raster order of first pixels; start_label
  /// - 1 outside.
  void enqueue(const Call& call, const StageInput& input, std::int32_t* out) const;

 private:
  StageShape shape_;
  Regions regions_{};
  SplitScratch split_{};
  PairScratch pairs_{};
  RefineScratch refine_{};
  std::int64_t max_labels_ = 0;   // to refine
  std::int32_t* zero_ = nullptr;  // what begins as zero
  std::int64_t num_zero_ = 0;
};

}  // namespace superpix::cuda
