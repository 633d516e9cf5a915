// SPDX-License-Identifier: Apache-2.0
#include "cpu/connectivity.h"

#include <algorithm>
#include <cmath>

#include "cpu/merge.h"
#include "cpu/split.h"

namespace superpix::cpu {

std::int64_t enforce_connectivity(std::int32_t* labels, const Extent& shape,
                                  const ColorSource* colors, double kappa,
                                  const ConnectivityParams& params, int num_threads) {
  Components components = find_components(labels, shape, colors, num_threads);
  if (params.max_size > 0 && split_components(components, params.max_size, labels)) {
    components = find_components(labels, shape, colors, num_threads);
  }
  std::vector<std::int32_t> new_label(static_cast<std::size_t>(components.count));
  std::int32_t next = params.start_label;
  if (params.min_size > 1) {
    const std::vector<std::int32_t> roots = merge_fragments(
        components, params.min_size, colors != nullptr ? colors->channels() : 0,
        colors != nullptr ? colors->squared_unit() : 0.0, kappa, num_threads);
    // A root is the least of its set, so it has its label before the others ask for it.
    for (std::int64_t c = 0; c < components.count; ++c) {
      new_label[c] = roots[c] == c ? next++ : new_label[roots[c]];
    }
  } else {
    for (std::int32_t& label : new_label) label = next++;
  }
  write_components(components, new_label, params.start_label - 1, labels, num_threads);
  return next - params.start_label;
}

double fixed_point_scale(float most) {
  return most > 0 ? std::ldexp(1.0, 27 - std::ilogb(most)) : 1.0;
}

FloatColors::FloatColors(const float* image, const Extent& shape, int channels)
    : image_(image), width_(shape[2]), channels_(channels) {
  const std::int64_t n = shape[0] * shape[1] * shape[2] * channels;
  float most = 0.0F;
  for (std::int64_t i = 0; i < n; ++i) most = std::max(most, std::abs(image[i]));
  scale_ = fixed_point_scale(most);
}

void FloatColors::add(std::int64_t row, std::int64_t begin, std::int64_t end,
                      std::int64_t* sums) const {
  const float* p = image_ + (row * width_ + begin) * channels_;
  for (std::int64_t x = begin; x < end; ++x) {
    for (int c = 0; c < channels_; ++c) {
      sums[c] += to_fixed_point(*p++, scale_);
    }
  }
}

}  // namespace superpix::cpu
