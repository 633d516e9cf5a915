// SPDX-License-Identifier: Apache-2.0
//
// The colours that connectivity and refinement work with, in the storage of each clustering path
// and in that of a caller's image.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "cpu/components.h"
#include "cpu/float_volume.h"
#include "cpu/integer_image.h"
#include "cpu/prefetch.h"

namespace superpix::cpu {

/// An IntegerImage. The unit is that of colour / compactness.
class IntegerColors final : public ColorSource {
 public:
  IntegerColors(const IntegerImage& image, double compactness)
      : image_(image), unit_(1.0 / (image.quantization.scale * compactness)) {}

  int channels() const override { return 3; }
  double unit() const override { return unit_; }

  void add(std::int64_t row, const Run* runs, std::size_t count) const override;

  void prefetch_pixel(std::int64_t row, std::int64_t x) const {
    const std::int64_t p = image_.offset(row, x);
    prefetch(&image_.la[2 * p]);
    prefetch(&image_.b[p]);
  }

  /// Fetches all that row y has in its cells, if the image is larger than caches near the
  /// processor.
  void prefetch_row(std::int64_t y) const {
    constexpr std::int64_t kCached = 1 << 20;
    constexpr std::int64_t kLine = 64;
    if (image_.b.size() < kCached) return;
    const std::vector<std::int32_t>& edges = image_.grid.edges(2);
    for (std::size_t cell = 0; cell + 1 < edges.size(); ++cell) {
      const std::int64_t p = image_.offset(y, edges[cell]);
      const std::int64_t n = edges[cell + 1] - edges[cell];
      for (std::int64_t i = 0; i < n; i += kLine / 4) prefetch(&image_.la[2 * (p + i)]);
      for (std::int64_t i = 0; i < n; i += kLine / 2) prefetch(&image_.b[p + i]);
    }
  }

  /// The colour of pixel (row, x).
  void read(std::int64_t row, std::int64_t x, std::int32_t* out) const {
    const std::int64_t p = image_.offset(row, x);
    out[0] = image_.la[2 * p];
    out[1] = image_.la[2 * p + 1];
    out[2] = image_.b[p];
  }

  /// The same for the kernels, of which every value is a colour / compactness.
  IntegerRow row(std::int64_t y) const {
    const IntegerImage::Span& rows = image_.rows[y];
    IntegerRow r{};
    r.la = image_.la.data();
    r.b = image_.b.data();
    r.columns = &image_.columns[0].begin;
    r.offset = static_cast<std::int32_t>(rows.begin * image_.grid.shape()[2]);
    r.cell_height = rows.end - rows.begin;
    r.y_in_cell = static_cast<std::int32_t>(y) - rows.begin;
    r.unit = static_cast<float>(unit_);
    return r;
  }

 private:
  const IntegerImage& image_;
  double unit_;
};

/// Steps per unit for values up to `most`: a value fits int32 with room for a difference of two,
/// and a sum of 2^34 values fits int64.
inline double fixed_point_scale(float most) {
  return most > 0 ? std::ldexp(1.0, 27 - std::ilogb(most)) : 1.0;
}

inline std::int32_t to_fixed_point(float value, double scale) {
  return static_cast<std::int32_t>(static_cast<double>(value) * scale);
}

/// A FloatVolume. The unit is that of its features.
class VolumeColors final : public ColorSource {
 public:
  static constexpr std::int64_t kChannelStride = FloatVolume::kBlock;

  explicit VolumeColors(const FloatVolume& volume)
      : channels_(volume.channels),
        height_(volume.grid.shape()[1]),
        pixels_(volume),
        scale_(fixed_point_scale(volume.most)) {}

  int channels() const override { return channels_; }
  double unit() const override { return 1.0 / scale_; }

  void add(std::int64_t row, const Run* runs, std::size_t count) const override;

  void read(std::int64_t row, std::int64_t x, std::int32_t* out) const {
    const PixelFeatures::Place place = pixels_.at(row / height_, row % height_, x);
    for (int c = 0; c < channels_; ++c) {
      out[c] = to_fixed_point(place.first[c * FloatVolume::kBlock], scale_);
    }
  }

  PixelFeatures::Row row(std::int64_t row) const {
    return pixels_.row(row / height_, row % height_);
  }

  /// Features in the fixed point.
  std::vector<double> fixed(std::vector<double> features) const {
    for (double& f : features) f *= scale_;
    return features;
  }

 private:
  int channels_;
  std::int64_t height_;
  PixelFeatures pixels_;
  double scale_;
};

/// A caller's float image [D*H*W][channels].
class InterleavedColors final : public ColorSource {
 public:
  static constexpr std::int64_t kChannelStride = 1;

  InterleavedColors(const float* image, const Extent& shape, int channels);
  int channels() const override { return channels_; }
  double unit() const override { return 1.0 / scale_; }
  void add(std::int64_t row, const Run* runs, std::size_t count) const override;

  void read(std::int64_t row, std::int64_t x, std::int32_t* out) const {
    const float* pixel = image_ + (row * width_ + x) * channels_;
    for (int c = 0; c < channels_; ++c) out[c] = to_fixed_point(pixel[c], scale_);
  }

  /// A row of pixels, as VolumeColors::row() gives one.
  struct Row {
    struct Place {
      const float* first;
    };
    const float* begin;
    int channels;
    Place at(std::int64_t x) const { return {begin + x * channels}; }
  };
  Row row(std::int64_t row) const { return {image_ + row * width_ * channels_, channels_}; }

 private:
  const float* image_;
  std::int64_t width_;
  int channels_;
  double scale_;
};

}  // namespace superpix::cpu
