// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "call.h"

namespace superpix::cuda {

/// Blurs planes [D,H,W] of float32 along z, y and x, as cpu/gaussian.h does: reflected at the
/// edges, cut off after four standard deviations.
class GaussianBlur {
 public:
  /// Takes workspace for axes of positive sigma.
  GaussianBlur(Call& call, const std::array<std::int64_t, 3>& shape,
               const std::array<double, 3>& sigma, std::int64_t num_planes);

  /// Blurs `planes` in place.
  void enqueue(const Call& call, float* planes) const;

 private:
  struct Axis {
    double sigma;  // 0: not blurred
    std::int64_t length, stride;
    std::int64_t radius;
    float* weights;  // [radius + 1], from the centre outwards
  };
  std::array<Axis, 3> axes_{};
  std::int64_t size_;  // of all planes
  float* copy_ = nullptr;
};

}  // namespace superpix::cuda
