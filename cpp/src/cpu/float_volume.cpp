// SPDX-License-Identifier: Apache-2.0
#include "cpu/float_volume.h"

#include <superpix/error.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "cpu/gaussian.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "detail/load.h"

namespace superpix::cpu {
namespace {

const bool* mask_row(const ArrayView& mask, std::int64_t z, std::int64_t y) {
  return reinterpret_cast<const bool*>(static_cast<const char*>(mask.data) + z * mask.strides[0] +
                                       y * mask.strides[1]);
}

bool masked_in(const ArrayView* mask, std::int64_t z, std::int64_t y, std::int64_t x) {
  return mask == nullptr ||
         *(reinterpret_cast<const char*>(mask_row(*mask, z, y)) + x * mask->strides[2]) != 0;
}

struct Extremes {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  bool nan = false;
};

void include(Extremes& all, const Extremes& e) {
  all.low = std::min(all.low, e.low);
  all.high = std::max(all.high, e.high);
  all.nan = all.nan || e.nan;
}

/// The extremes of row (z, y), whatever its layout.
template <class T>
Extremes row_extremes(const ArrayView& image, const ArrayView* mask, std::int64_t z,
                      std::int64_t y) {
  const char* at = detail::at(image, z, y);
  Extremes e;
  for (std::int64_t x = 0; x < image.shape[2]; ++x) {
    if (!masked_in(mask, z, y, x)) continue;
    for (std::int64_t c = 0; c < image.shape[3]; ++c) {
      const double v = detail::load<T>(at + x * image.strides[2] + c * image.strides[3]);
      if (v < e.low) e.low = v;
      if (v > e.high) e.high = v;
      if (v != v) e.nan = true;
    }
  }
  return e;
}

/// Of n integers that lie side by side.
template <class T>
Extremes extremes_of_integers(const char* from, std::int64_t n) {
  T low = std::numeric_limits<T>::max();
  T high = std::numeric_limits<T>::lowest();
  for (std::int64_t i = 0; i < n; ++i) {
    T v;
    std::memcpy(&v, from + i * static_cast<std::int64_t>(sizeof(T)), sizeof v);
    low = std::min(low, v);
    high = std::max(high, v);
  }
  return {static_cast<double>(low), static_cast<double>(high), false};
}

/// The least and greatest unmasked value.
template <class T>
Extremes find_extremes(const ArrayView& image, const ArrayView* mask, int num_threads) {
  constexpr std::int64_t kRowsAtOnce = 8;
  const std::int64_t rows = image.shape[0] * image.shape[1];
  const std::int64_t row_size = image.shape[2] * image.shape[3];
  constexpr auto kSize = static_cast<std::int64_t>(sizeof(T));
  const bool side_by_side =
      mask == nullptr && image.strides[3] == kSize && image.strides[2] == kSize * image.shape[3];
  std::vector<Extremes> pieces(static_cast<std::size_t>((rows + kRowsAtOnce - 1) / kRowsAtOnce));
  const auto extremes_of = [&](std::int64_t z, std::int64_t y) -> Extremes {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (side_by_side) return extremes_of_integers<T>(detail::at(image, z, y), row_size);
    }
    if constexpr (std::is_same_v<T, float>) {
      const char* at = detail::at(image, z, y);
      float low = 0.0F;
      float high = 0.0F;
      if (side_by_side && detail::is_aligned<float>(at) &&
          kernels().extremes_of_floats(reinterpret_cast<const float*>(at), row_size, &low, &high)) {
        return {low, high, false};
      }
    }
    return row_extremes<T>(image, mask, z, y);
  };
  parallel_for(static_cast<std::int64_t>(pieces.size()), 1, num_threads,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t piece = begin; piece < end; ++piece) {
                   const std::int64_t last = std::min(rows, (piece + 1) * kRowsAtOnce);
                   for (std::int64_t row = piece * kRowsAtOnce; row < last; ++row) {
                     include(pieces[piece],
                             extremes_of(row / image.shape[1], row % image.shape[1]));
                   }
                 }
               });
  Extremes all;
  for (const Extremes& e : pieces) include(all, e);
  return all;
}

// Squares of features, and their sums, are to stay far from the greatest float.
constexpr double kGreatestFeature = 1e15;

// CIELAB of sRGB in [0, 1] does not reach further from 0 than this; L* ends at 100.
constexpr double kGreatestChroma = 109.0;

/// value -> float(value * shrink - low) * scale: the same for the same value in every dtype. shrink
/// is a power of two, which keeps the span of the greatest doubles finite, that of the least above
/// 0, and rounds nothing.
struct Stretch {
  double shrink = 0.0;
  double low = 0.0;
  float scale = 0.0F;
  // What is left to do after the conversion to CIELAB, if there is one.
  float lightness_factor = 1.0F;
  float chroma_factor = 1.0F;
  float most = 0.0F;  // no feature is greater in magnitude

  /// value -> (value - low) * scale in single precision.
  struct Single {
    float low, scale;
  };
  /// What gives the same for float32, unless numbers are too large, too small or too long for it.
  std::optional<Single> single() const {
    const double low_value = low / shrink;
    const double scale_value = scale * shrink;
    const auto fits = [](double x) { return x > 1e-25 && x < 1e25; };
    const Single s{static_cast<float>(low_value), static_cast<float>(scale_value)};
    if (!fits(shrink) || !fits(scale_value) || s.low != low_value) return {};
    return s;
  }
};

/// The stretch to [0, 1] that `low` and `high` ask for, and to features.
Stretch choose_stretch(const Extremes& e, const SlicParams& params) {
  const std::pair<double, double> range = params.value_range.value_or(std::pair(e.low, e.high));
  const double low = range.first;
  const double high = range.second;
  const double chroma_weight = std::sqrt(kChromaWeight);
  double factor = 1.0 / params.compactness;
  if (params.convert_to_lab) {
    factor = std::min(factor, kGreatestFeature / (kGreatestChroma * chroma_weight));
  }
  Stretch s;
  double most = params.convert_to_lab ? 1.001 * factor * (kGreatestChroma * chroma_weight) : 0.0;
  if (high > low) {
    const auto from_low = [&](double value) { return std::abs(0.5 * value - 0.5 * low); };
    // How far values lie from `low`, which may be nothing beside the range, or far beyond it; but
    // CIELAB clips them to it.
    double reach = params.convert_to_lab ? 0.0 : std::max(from_low(e.low), from_low(e.high));
    if (reach == 0.0) reach = from_low(high);
    s.shrink = std::ldexp(1.0, -std::clamp(std::ilogb(reach), -1000, 1000));
    s.low = low * s.shrink;
    const double span = high * s.shrink - s.low;
    double scale = (params.convert_to_lab ? 1.0 : factor) / span;
    if (!params.convert_to_lab) {
      const double distance =
          std::max(std::abs(e.low * s.shrink - s.low), std::abs(e.high * s.shrink - s.low));
      scale = distance > 0 ? std::min(scale, kGreatestFeature / distance) : 0.0;
      if (distance > 0) most = 1.001 * std::min(factor * (distance / span), kGreatestFeature);
    }
    s.scale = static_cast<float>(scale);
  }
  s.lightness_factor = static_cast<float>(factor);
  s.chroma_factor = static_cast<float>(factor * chroma_weight);
  s.most = static_cast<float>(most);
  return s;
}

Stretch find_stretch(const ArrayView& image, const ArrayView* mask, const SlicParams& params,
                     int num_threads) {
  const Extremes e = detail::dispatch(image.dtype, [&](auto tag) {
    return find_extremes<typename decltype(tag)::type>(image, mask, num_threads);
  });
  if (e.nan) throw InvalidArgument("slic: unmasked NaN values in image are not supported");
  if (std::isinf(e.low) || std::isinf(e.high)) {
    throw InvalidArgument("slic: unmasked infinite values in image are not supported");
  }
  return choose_stretch(e, params);
}

/// Stretches n values that are `step` bytes apart. Step is a constant where they are side by side,
/// for the compiler to vectorise.
template <class T, class Step>
void stretch_values(const char* from, Step step, std::int64_t n, const Stretch& s, float* to) {
  for (std::int64_t i = 0; i < n; ++i) {
    to[i] = static_cast<float>(detail::load<T>(from + i * step) * s.shrink - s.low) * s.scale;
  }
}

/// Reads pixels of an image as features, or as sRGB that is yet to become features.
class Reader {
 public:
  Reader(const ArrayView& image, const ArrayView* mask, const Stretch& stretch, bool clip)
      : image_(image), mask_(mask), stretch_(stretch), single_(stretch.single()), clip_(clip) {}

  /// Pixels [x, x + n) of row (z, y) into planes that are `stride` apart; 0 where masked out.
  void read(std::int64_t z, std::int64_t y, std::int64_t x, std::int64_t n, float* planes,
            std::int64_t stride) const {
    detail::dispatch(image_.dtype, [&](auto tag) {
      read_as<typename decltype(tag)::type>(z, y, x, n, planes, stride);
    });
    if (clip_) {
      for (std::int64_t c = 0; c < image_.shape[3]; ++c) {
        float* plane = planes + c * stride;
        for (std::int64_t i = 0; i < n; ++i) plane[i] = std::clamp(plane[i], 0.0F, 1.0F);
      }
    }
    if (mask_ == nullptr) return;
    for (std::int64_t i = 0; i < n; ++i) {
      if (masked_in(mask_, z, y, x + i)) continue;
      for (std::int64_t c = 0; c < image_.shape[3]; ++c) planes[c * stride + i] = 0.0F;
    }
  }

 private:
  template <class T>
  void read_as(std::int64_t z, std::int64_t y, std::int64_t x, std::int64_t n, float* planes,
               std::int64_t stride) const {
    constexpr auto kSize = static_cast<std::int64_t>(sizeof(T));
    const char* from = detail::at(image_, z, y) + x * image_.strides[2];
    if (std::is_same_v<T, float> && single_ && detail::is_aligned<float>(from) &&
        read_in_single_precision(from, n, planes, stride)) {
      return;
    }
    for (std::int64_t c = 0; c < image_.shape[3]; ++c, from += image_.strides[3]) {
      float* to = planes + c * stride;
      if (image_.strides[2] == kSize) {
        stretch_values<T>(from, std::integral_constant<std::int64_t, kSize>{}, n, stretch_, to);
      } else {
        stretch_values<T>(from, image_.strides[2], n, stretch_, to);
      }
    }
  }

  /// Returns whether the layout is one that the kernel takes.
  bool read_in_single_precision(const char* from, std::int64_t n, float* planes,
                                std::int64_t stride) const {
    constexpr auto kSize = static_cast<std::int64_t>(sizeof(float));
    constexpr std::int64_t kLongestStep = 1 << 24;
    const std::int64_t step = image_.strides[2] / kSize;
    const auto channels = static_cast<int>(image_.shape[3]);
    if (image_.strides[2] % kSize != 0 || image_.strides[3] % kSize != 0 || step <= -kLongestStep ||
        step >= kLongestStep) {
      return false;
    }
    const auto* first = reinterpret_cast<const float*>(from);
    const auto stretch = [&](const StridedFloats& in, float* to) {
      kernels().stretch_floats(in, n, single_->low, single_->scale, to, stride);
    };
    if (image_.strides[3] == kSize) {
      stretch({first, step, channels}, planes);
    } else {
      for (int c = 0; c < channels; ++c) {
        stretch({first + c * (image_.strides[3] / kSize), step, 1}, planes + c * stride);
      }
    }
    return true;
  }

  const ArrayView& image_;
  const ArrayView* mask_;
  const Stretch& stretch_;
  std::optional<Stretch::Single> single_;
  bool clip_;
};

/// Calls f(z, y, first), first being the place in the cell, for the rows of a cell.
template <class F>
void for_rows(const CellGrid::Box& box, F f) {
  std::int64_t first = 0;
  for (std::int64_t z = box.begin[0]; z < box.end[0]; ++z) {
    for (std::int64_t y = box.begin[1]; y < box.end[1]; ++y, first += box.side(2)) f(z, y, first);
  }
}

/// Planes [channels][stride] -> [blocks][channels][16].
void cut_into_blocks(const float* planes, int channels, std::int64_t stride, float* blocks) {
  constexpr std::int64_t kBlock = FloatVolume::kBlock;
  for (std::int64_t first = 0; first < stride; first += kBlock) {
    for (int c = 0; c < channels; ++c, blocks += kBlock) {
      std::memcpy(blocks, planes + c * stride + first, kBlock * sizeof(float));
    }
  }
}

/// The blurred image as planes [channels][D*H*W].
Buffer<float> blurred_planes(const Reader& reader, const ArrayView* mask, int channels,
                             const Extent& shape, const SlicParams& params, const Stretch& stretch,
                             int num_threads) {
  const std::int64_t n = shape[0] * shape[1] * shape[2];
  const std::int64_t rows = shape[0] * shape[1];
  const std::int64_t width = shape[2];
  Buffer<float> planes(channels * n);
  parallel_for(rows, 8, num_threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* to = &planes[row * width];
      reader.read(row / shape[1], row % shape[1], 0, width, to, n);
      if (params.convert_to_lab) {
        kernels().lab_from_float(to, to + n, to + 2 * n, width, stretch.lightness_factor,
                                 stretch.chroma_factor, to, to + n, to + 2 * n);
      }
    }
  });
  Buffer<float> weight;  // what of the blurred mask is inside: outside must not darken the edge
  if (mask != nullptr) {
    weight = Buffer<float>(n);
    parallel_for(rows, 8, num_threads, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t x = 0; x < width; ++x) {
          weight[row * width + x] =
              masked_in(mask, row / shape[1], row % shape[1], x) ? 1.0F : 0.0F;
        }
      }
    });
    gaussian_blur(weight.data(), shape, params.sigma, num_threads);
  }
  for (int c = 0; c < channels; ++c) {
    float* plane = &planes[c * n];
    gaussian_blur(plane, shape, params.sigma, num_threads);
    if (mask == nullptr) continue;
    parallel_for(n, 1 << 14, num_threads, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) plane[i] /= std::max(weight[i], 1e-20F);
    });
  }
  return planes;
}

}  // namespace

FloatVolume make_float_volume(const ArrayView& image, const ArrayView* mask, const CellGrid& grid,
                              const SlicParams& params, int num_threads) {
  const Extent& shape = grid.shape();
  const int channels = static_cast<int>(image.shape[3]);
  const Stretch stretch = find_stretch(image, mask, params, num_threads);
  const Reader reader(image, mask, stretch, params.convert_to_lab);

  FloatVolume volume{grid, channels, stretch.most, {}, {}};
  volume.features = Buffer<float>(volume.padded_size() * channels);
  if (mask != nullptr) volume.outside = Buffer<std::uint8_t>(volume.padded_size());

  const bool blur =
      std::any_of(params.sigma.begin(), params.sigma.end(), [](double s) { return s > 0; });
  Buffer<float> blurred;
  if (blur) {
    blurred = blurred_planes(reader, mask, channels, shape, params, stretch, num_threads);
  }

  // A cell is made as planes [channels][stride], which are then cut into blocks.
  const std::int64_t most_in_cell =
      FloatVolume::padded(grid.longest_side(0) * grid.longest_side(1) * grid.longest_side(2));
  const auto fill_cell = [&](std::int64_t cell, float* planes) {
    const CellGrid::Box box = grid.box(cell);
    const std::int64_t n = box.size();
    const std::int64_t stride = FloatVolume::padded(n);
    for_rows(box, [&](std::int64_t z, std::int64_t y, std::int64_t first) {
      if (!blur) {
        reader.read(z, y, box.begin[2], box.side(2), planes + first, stride);
        return;
      }
      const std::int64_t from = (z * shape[1] + y) * shape[2] + box.begin[2];
      for (int c = 0; c < channels; ++c) {
        std::copy_n(&blurred[c * grid.num_pixels() + from], box.side(2),
                    planes + c * stride + first);
      }
    });
    if (params.convert_to_lab && !blur) {
      kernels().lab_from_float(planes, planes + stride, planes + 2 * stride, n,
                               stretch.lightness_factor, stretch.chroma_factor, planes,
                               planes + stride, planes + 2 * stride);
    }
    // Pads are read by the kernels, and ignored; but they must not be uninitialised.
    for (int c = 0; c < channels; ++c) {
      std::fill(planes + c * stride + n, planes + (c + 1) * stride, 0.0F);
    }
    const std::int64_t base = volume.begin(box, cell);
    cut_into_blocks(planes, channels, stride, &volume.features[base * channels]);
    if (mask == nullptr) return;
    std::uint8_t* outside = &volume.outside[base];
    for_rows(box, [&](std::int64_t z, std::int64_t y, std::int64_t first) {
      for (std::int64_t i = 0; i < box.side(2); ++i) {
        outside[first + i] = masked_in(mask, z, y, box.begin[2] + i) ? 0 : 1;
      }
    });
    std::fill(outside + n, outside + stride, std::uint8_t{1});
  };
  constexpr std::int64_t kPixelsAtOnce = 4096;
  parallel_for(grid.num_cells(),
               std::max<std::int64_t>(1, kPixelsAtOnce * grid.num_cells() / grid.num_pixels()),
               num_threads, [&](std::int64_t begin, std::int64_t end) {
                 Buffer<float> planes(most_in_cell * channels);
                 for (std::int64_t cell = begin; cell < end; ++cell) fill_cell(cell, planes.data());
               });
  return volume;
}

PixelFeatures::PixelFeatures(const FloatVolume& volume) : volume_(volume) {
  for (int axis = 0; axis < 3; ++axis) {
    const auto& edges = volume.grid.edges(axis);
    for (std::int32_t cell = 0; cell < volume.grid.cells()[axis]; ++cell) {
      spans_[axis].insert(spans_[axis].end(), edges[cell + 1] - edges[cell],
                          {edges[cell], edges[cell + 1], cell});
    }
  }
}

}  // namespace superpix::cpu
