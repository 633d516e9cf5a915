// SPDX-License-Identifier: Apache-2.0
#include "cpu/colors.h"

#include <algorithm>

namespace superpix::cpu {

VolumeColors::VolumeColors(const FloatVolume& volume) : volume_(volume), pixels_(volume) {
  float most = 0.0F;
  for (std::int64_t cell = 0; cell < volume.grid.num_cells(); ++cell) {
    const CellGrid::Box box = volume.grid.box(cell);
    const std::int64_t n = FloatVolume::stride(box.size()) * volume.channels;
    const float* p = &volume.features[volume.begin(box, cell) * volume.channels];
    for (std::int64_t i = 0; i < n; ++i) most = std::max(most, std::abs(p[i]));
  }
  scale_ = fixed_point_scale(most);
}

void VolumeColors::add(std::int64_t row, std::int64_t begin, std::int64_t end,
                       std::int64_t* sums) const {
  const Extent& shape = volume_.grid.shape();
  const auto& xs = volume_.grid.edges(2);
  while (begin < end) {
    const std::int64_t stop = std::min<std::int64_t>(end, xs[volume_.grid.cell_of(2, begin) + 1]);
    const PixelFeatures::Place place = pixels_.at(row / shape[1], row % shape[1], begin);
    for (int c = 0; c < volume_.channels; ++c) {
      const float* p = place.first + c * place.stride;
      for (std::int64_t x = begin; x < stop; ++x) sums[c] += to_fixed_point(*p++, scale_);
    }
    begin = stop;
  }
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
