// SPDX-License-Identifier: Apache-2.0
#include "cpu/colors.h"

#include <algorithm>
#include <cmath>

namespace superpix::cpu {

void VolumeColors::add(std::int64_t row, std::int64_t begin, std::int64_t end,
                       std::int64_t* sums) const {
  const PixelFeatures::Row pixels = this->row(row);
  while (begin < end) {
    const PixelFeatures::Place place = pixels.at(begin);
    const std::int64_t n = std::min(end - begin, place.count);
    for (int c = 0; c < channels_; ++c) {
      const float* p = place.first + c * FloatVolume::kBlock;
      std::int64_t sum = 0;
      for (std::int64_t i = 0; i < n; ++i) sum += to_fixed_point(p[i], scale_);
      sums[c] += sum;
    }
    begin += n;
  }
}

std::vector<std::int64_t> VolumeColors::fixed(const std::vector<double>& sums) const {
  std::vector<std::int64_t> result(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    result[i] = static_cast<std::int64_t>(std::nearbyint(sums[i] * scale_));
  }
  return result;
}

InterleavedColors::InterleavedColors(const float* image, const Extent& shape, int channels)
    : image_(image), width_(shape[2]), channels_(channels) {
  const std::int64_t n = shape[0] * shape[1] * shape[2] * channels;
  float most = 0.0F;
  for (std::int64_t i = 0; i < n; ++i) most = std::max(most, std::abs(image[i]));
  scale_ = fixed_point_scale(most);
}

void InterleavedColors::add(std::int64_t row, std::int64_t begin, std::int64_t end,
                            std::int64_t* sums) const {
  const float* p = image_ + (row * width_ + begin) * channels_;
  for (std::int64_t x = begin; x < end; ++x) {
    for (int c = 0; c < channels_; ++c) sums[c] += to_fixed_point(*p++, scale_);
  }
}

}  // namespace superpix::cpu
