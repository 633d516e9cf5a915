// SPDX-License-Identifier: Apache-2.0
#include "cpu/connectivity.h"

#include <numeric>

#include "cpu/merge.h"
#include "cpu/split.h"

namespace superpix::cpu {
RegionSums enforce_connectivity(std::int32_t* labels, const Extent& shape,
                                const ColorSource* colors, const std::int64_t* label_totals,
                                double kappa, const ConnectivityParams& params, int num_threads) {
  Components components =
      find_components(labels, shape, colors, label_totals, params.min_size, num_threads);
  if (params.max_size > 0 && split_components(components, params.max_size, labels)) {
    // The totals were those of other labels.
    components = find_components(labels, shape, colors, nullptr, params.min_size, num_threads);
  }
  std::vector<std::int32_t> roots(static_cast<std::size_t>(components.count));
  if (params.min_size > 1) {
    const double unit = colors != nullptr ? colors->unit() : 0.0;
    roots = merge_fragments(components, params.min_size, unit, kappa, num_threads);
  } else {
    std::iota(roots.begin(), roots.end(), 0);
  }
  // A root is the least of its set, so it has its number before the others ask for it.
  std::vector<std::int32_t> number(roots.size());
  std::int32_t count = 0;
  for (std::int64_t c = 0; c < components.count; ++c) {
    number[c] = roots[c] == c ? count++ : number[roots[c]];
  }
  RegionSums sums;
  sums.channels = components.sums.channels;
  sums.resize(count);
  for (std::int64_t c = 0; c < components.count; ++c) sums.add(number[c], components.sums, c);
  for (std::int32_t& n : number) n += params.start_label;
  write_components(components, number, params.start_label - 1, labels, num_threads);
  return sums;
}

}  // namespace superpix::cpu
