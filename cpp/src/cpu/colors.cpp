// SPDX-License-Identifier: Apache-2.0
#include "cpu/colors.h"

#include <algorithm>
#include <cmath>

namespace superpix::cpu {

namespace {

// Runs whose colours are on their way from memory while one is added up.
constexpr std::size_t kRunsAhead = 12;

}  // namespace

void IntegerColors::add(std::int64_t row, const Run* runs, std::size_t count) const {
  for (std::size_t i = 0; i < count; ++i) {
    if (i + kRunsAhead < count) {
      prefetch_pixel(row, runs[i + kRunsAhead].begin);
    }
    std::int64_t lightness = 0, a = 0, b = 0;
    for (std::int64_t x = runs[i].begin; x < runs[i].end;) {
      const std::int64_t end = std::min<std::int64_t>(runs[i].end, image_.cell_end(x));
      const std::int64_t p = image_.offset(row, x);
      const std::int16_t* la = &image_.la[2 * p];
      const std::int16_t* bs = &image_.b[p];
      for (std::int64_t k = 0; k < end - x; ++k) {
        lightness += la[2 * k];
        a += la[2 * k + 1];
        b += bs[k];
      }
      x = end;
    }
    runs[i].sums[0] += lightness;
    runs[i].sums[1] += a;
    runs[i].sums[2] += b;
  }
}

void VolumeColors::add(std::int64_t row, const Run* runs, std::size_t count) const {
  const PixelFeatures::Row pixels = this->row(row);
  for (const Run* run = runs; run != runs + count; ++run) {
    for (std::int64_t x = run->begin; x < run->end;) {
      const PixelFeatures::Place place = pixels.at(x);
      const std::int64_t n = std::min(run->end - x, place.count);
      for (int c = 0; c < channels_; ++c) {
        const float* p = place.first + c * FloatVolume::kBlock;
        std::int64_t sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += to_fixed_point(p[i], scale_);
        run->sums[c] += sum;
      }
      x += n;
    }
  }
}

InterleavedColors::InterleavedColors(const float* image, const Extent& shape, int channels)
    : image_(image), width_(shape[2]), channels_(channels) {
  const std::int64_t n = shape[0] * shape[1] * shape[2] * channels;
  float most = 0.0F;
  for (std::int64_t i = 0; i < n; ++i) most = std::max(most, std::abs(image[i]));
  scale_ = fixed_point_scale(most);
}

void InterleavedColors::add(std::int64_t row, const Run* runs, std::size_t count) const {
  for (const Run* run = runs; run != runs + count; ++run) {
    const float* p = image_ + (row * width_ + run->begin) * channels_;
    for (std::int64_t x = run->begin; x < run->end; ++x) {
      for (int c = 0; c < channels_; ++c) run->sums[c] += to_fixed_point(*p++, scale_);
    }
  }
}

}  // namespace superpix::cpu
