// SPDX-License-Identifier: Apache-2.0
//
// From the labels of clusters to connected superpixels, as enforce_connectivity and slic do it: the
// majority filter, components, splitting, merging, numbering and the refinement of borders. All
// bits are those of the CPU (cpu/smooth, cpu/connectivity, cpu/refine).
//
//     Call call("slic", context);
//     ...                                     // what slic itself takes
//     ConnectivityStage stage(call, shape);   // takes workspace
//     if (!call.begin()) return;
//     ...                                     // labels, colours and means are written
//     stage.enqueue(call, input, out);
//
// Pixels are numbered in raster order, p = (z H + y) W + x, in all arrays: nothing is stored cell
// by cell.
#pragma once

#include <cstdint>

#include "call.h"
#include "grid.h"

namespace superpix::cuda {

/// The sides of a volume; a plane has depth 1.
struct Volume {
  int depth;
  int height;
  int width;

  __host__ __device__ std::int64_t plane() const {
    return static_cast<std::int64_t>(height) * width;
  }
  __host__ __device__ std::int64_t num_pixels() const { return depth * plane(); }
};

/// The colours of pixels, of which integers in a fixed point are summed.
struct StageColors {
  enum class Kind : std::uint8_t {
    kNone,
    /// int16 [D*H*W][4]: L, a, b and one that is not read, at a multiple of 8 bytes, as quantised
    /// by LabQuantization. 3 channels.
    kShorts,
    /// float32: channel c of pixel p is data[p * pixel_stride + c * channel_stride].
    kFloats,
  };
  Kind kind = Kind::kNone;
  int channels = 0;
  const void* data = nullptr;
  /// kFloats only.
  std::int64_t pixel_stride = 0;
  std::int64_t channel_stride = 0;
  /// kFloats only, on the device: at least the greatest magnitude of all colours. The fixed point
  /// follows from its exponent (cpu/colors.h), so it must be that of the CPU: FloatVolume::most.
  const float* most = nullptr;
  /// kShorts only: the colour / compactness that one step stands for, 1 / (scale * compactness).
  double unit = 0.0;
};

/// All that decides how much workspace is needed and what is launched.
struct StageShape {
  Volume volume;
  int channels = 0;           // of the colours; 0 without
  std::int64_t min_size = 0;  // as in ConnectivityParams
  std::int64_t max_size = 0;
  std::int32_t start_label = 1;
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
  /// Of the refinement: of a squared pixel along y and x, spacing^2 / S^2.
  double weight_y = 0.0, weight_x = 0.0;
};

/// Takes its workspace, then enqueues its kernels.
class ConnectivityStage {
 public:
  /// To be called before call.begin(). num_labels: the rows of label_means, 0 without.
  ConnectivityStage(Call& call, const StageShape& shape, std::int64_t num_labels);

  /// int32 [D*H*W] `out`: labels from start_label on, in raster order of first pixels; start_label
  /// - 1 outside.
  void enqueue(const Call& call, const StageInput& input, std::int32_t* out) const;
};

}  // namespace superpix::cuda
