// SPDX-License-Identifier: Apache-2.0
//
// An image or volume as float32 features on the device, with the bits of FloatVolume on the CPU
// (but for a blur), channel by channel in raster order.
#pragma once

#include <superpix/slic.h>
#include <superpix/types.h>

#include <cstdint>

#include "any_image.h"
#include "call.h"
#include "gaussian.h"
#include "volume_grid.h"

namespace superpix::cuda {

/// How values become features; cpu/float_volume.cpp tells why so. On the device, as it follows from
/// the least and greatest value.
struct Stretch {
  double shrink;
  double low;
  double fixed_point;  // steps per unit in which features are summed up (cpu/colors.h)
  float scale;
  float lightness_factor;
  float chroma_factor;
  float most;  // no feature is greater in magnitude
};

struct FloatVolume {
  VolumeGrid grid;
  std::int64_t num_pixels;
  int channels;
  float* features;  // [channels][D*H*W]; outside the mask 0, or what a blur makes of it
  AnyMask mask;
  const Stretch* stretch;

  __device__ __forceinline__ const float* plane(int channel) const {
    return features + channel * num_pixels;
  }
  /// Feature `value` in the fixed point, of at most 29 bits.
  __device__ static int fixed(float value, double steps) {
    return static_cast<int>(static_cast<double>(value) * steps);
  }
};

/// Makes a FloatVolume: first takes what that needs of the workspace, then enqueues the work.
class FloatVolumeMaker {
 public:
  /// The mask may be nullptr.
  FloatVolumeMaker(Call& call, const ArrayView& image, const ArrayView* mask,
                   const VolumeGrid& grid, const SlicParams& params);

  const FloatVolume& volume() const { return volume_; }
  void enqueue(const Call& call) const;

 private:
  const ArrayView& image_;
  const SlicParams& params_;
  bool is_weighted_;  // blurred inside a mask: behind the features lies what of it is inside
  GaussianBlur blur_;
  FloatVolume volume_;
  Stretch* stretch_;
  unsigned long long* extremes_;  // [kExtremes], see float_volume.cu
};

}  // namespace superpix::cuda
