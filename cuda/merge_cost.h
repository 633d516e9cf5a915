// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "fixed_colors.h"
#include "regions.h"

namespace superpix::cuda {

/// What it costs to join two regions (step 3 in superpix/connectivity.h). Computed in float64,
/// operation by operation as on the CPU (cpu/merge_cost.h).
struct MergeCost {
  double kappa;
  double squared_unit;

  __device__ MergeCost(const FixedColors& colors, double kappa) : kappa(kappa) {
    squared_unit = __dmul_rn(colors.unit(), colors.unit());
  }

  /// Of two roots. It is not negative, so that its bits are in its order.
  __device__ unsigned long long operator()(const Regions& r, std::int32_t a, std::int32_t b,
                                           std::int32_t border) const {
    const std::int32_t fields = r.fields();
    const std::int64_t* sums_a = r.sums + static_cast<std::int64_t>(a) * fields + r.positions;
    const std::int64_t* sums_b = r.sums + static_cast<std::int64_t>(b) * fields + r.positions;
    const auto s = static_cast<double>(r.nodes[a].size);
    const auto t = static_cast<double>(r.nodes[b].size);
    const double scale_a = __ddiv_rn(1.0, s);
    const double scale_b = __ddiv_rn(1.0, t);
    double difference = 0.0;
    for (std::int32_t c = 0; c < r.channels; ++c) {
      const double d = __dsub_rn(__dmul_rn(static_cast<double>(sums_a[c]), scale_a),
                                 __dmul_rn(static_cast<double>(sums_b[c]), scale_b));
      difference = __dadd_rn(difference, __dmul_rn(d, d));
    }
    return static_cast<unsigned long long>(__double_as_longlong(
        __ddiv_rn(__dmul_rn(__dadd_rn(kappa, __dmul_rn(difference, squared_unit)), __dmul_rn(s, t)),
                  __dmul_rn(__dadd_rn(s, t), static_cast<double>(border)))));
  }
};

}  // namespace superpix::cuda
