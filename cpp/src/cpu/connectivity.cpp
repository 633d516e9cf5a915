// SPDX-License-Identifier: Apache-2.0
#include "cpu/connectivity.h"

#include "cpu/labels.h"
#include "cpu/merge.h"
#include "cpu/merge_pairs.h"

namespace superpix::cpu {

template <class Labels>
RegionSums enforce_connectivity(const Labels& labels, std::int32_t* out, const ColorSource* colors,
                                const double* label_means, double kappa,
                                const ConnectivityParams& params, int num_threads) {
  Components components = find_components(labels, out, colors, label_means,
                                          {params.min_size, params.max_size}, num_threads);
  const double unit = colors != nullptr ? colors->unit() : 0.0;
  if (params.min_size > 1) {
    merge_fragments(components, params.min_size, unit, kappa, num_threads);
  }
  if (params.max_segments > 0) {
    merge_pairs(components, params.max_segments, unit, kappa, num_threads);
  }
  // A component goes by the least of its pieces, which has its number before the others ask for it.
  std::vector<std::int32_t> number(static_cast<std::size_t>(components.num_pieces()));
  std::int32_t count = 0;
  for (std::int64_t i = 0; i < components.num_pieces(); ++i) {
    number[i] = components.is_root(i) ? count++
                                      : number[components.sets.root(static_cast<std::int32_t>(i))];
  }
  RegionSums sums(count, components.sums.channels());
  for (std::int64_t i = 0; i < components.num_pieces(); ++i) {
    if (components.is_root(i)) sums.add(number[i], components.sums, i);
  }
  for (std::int32_t& n : number) n += params.start_label;
  write_components(components, number, params.start_label - 1, out, num_threads);
  return sums;
}

template RegionSums enforce_connectivity(const LabelImage&, std::int32_t*, const ColorSource*,
                                         const double*, double, const ConnectivityParams&, int);
template RegionSums enforce_connectivity(const LabelTags&, std::int32_t*, const ColorSource*,
                                         const double*, double, const ConnectivityParams&, int);

}  // namespace superpix::cpu
