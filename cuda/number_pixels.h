// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "any_image.h"
#include "call.h"
#include "regions.h"

namespace superpix::cuda {

/// Numbers the pixels of a mask in raster order: superpixels of one pixel each.
class PixelNumbering {
 public:
  /// Takes workspace, where there is a mask.
  PixelNumbering(Call& call, const Volume& volume, const AnyMask& mask);

  /// int32 [D*H*W] `labels`: from start_label on; start_label - 1 outside.
  void enqueue(const Call& call, std::int32_t start_label, std::int32_t* labels) const;

 private:
  static constexpr std::int64_t kMostChunks = 2048;

  Volume volume_;
  AnyMask mask_;
  std::int64_t chunk_;              // pixels
  std::int32_t* counts_ = nullptr;  // [chunks]: pixels inside
};

}  // namespace superpix::cuda
