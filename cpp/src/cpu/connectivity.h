// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/connectivity.h>

#include "cpu/components.h"

namespace superpix::cpu {

/// superpix/connectivity.h in place, over labels [D,H,W]. `colors` may be nullptr.
std::int64_t enforce_connectivity(std::int32_t* labels, const Extent& shape,
                                  const ColorSource* colors, double kappa,
                                  const ConnectivityParams& params, int num_threads);

/// Steps per unit for values up to `most`, so that sums of 2^34 of them still fit.
double fixed_point_scale(float most);

inline std::int64_t to_fixed_point(float value, double scale) {
  return static_cast<std::int64_t>(static_cast<double>(value) * scale);
}

/// The colours of a float image [D*H*W][channels].
class FloatColors final : public ColorSource {
 public:
  FloatColors(const float* image, const Extent& shape, int channels);
  int channels() const override { return channels_; }
  double squared_unit() const override { return 1.0 / (scale_ * scale_); }
  void add(std::int64_t row, std::int64_t begin, std::int64_t end,
           std::int64_t* sums) const override;

 private:
  const float* image_;
  std::int64_t width_;
  int channels_;
  double scale_;
};

}  // namespace superpix::cpu
