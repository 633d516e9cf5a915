// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "cpu/components.h"

namespace superpix::cpu {

/// What it costs to join two regions (step 3 in superpix/connectivity.h).
class MergeCost {
 public:
  /// `unit` is that of the colours that were summed.
  MergeCost(const RegionSums& sums, double unit, double kappa)
      : sums_(sums), channels_(sums.channels()), squared_unit_(unit * unit), kappa_(kappa) {}

  double operator()(std::int32_t a, std::int32_t b, std::int64_t border) const {
    const std::int64_t* sums_a = sums_[a];
    const std::int64_t* sums_b = sums_[b];
    const auto s = static_cast<double>(sums_a[RegionSums::kSize]);
    const auto t = static_cast<double>(sums_b[RegionSums::kSize]);
    const double scale_a = 1.0 / s;
    const double scale_b = 1.0 / t;
    double difference = 0.0;
    for (int c = RegionSums::kColor; c < RegionSums::kColor + channels_; ++c) {
      const double d =
          static_cast<double>(sums_a[c]) * scale_a - static_cast<double>(sums_b[c]) * scale_b;
      difference += d * d;
    }
    return (kappa_ + difference * squared_unit_) * (s * t) /
           ((s + t) * static_cast<double>(border));
  }

 private:
  const RegionSums& sums_;
  int channels_;
  double squared_unit_;
  double kappa_;
};

}  // namespace superpix::cpu
