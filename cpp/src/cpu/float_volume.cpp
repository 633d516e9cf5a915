// SPDX-License-Identifier: Apache-2.0
#include "cpu/float_volume.h"

#include <superpix/error.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>
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

/// The least and greatest unmasked value.
template <class T>
Extremes find_extremes(const ArrayView& image, const ArrayView* mask, int num_threads) {
  const std::int64_t rows = image.shape[0] * image.shape[1];
  std::vector<Extremes> by_row(static_cast<std::size_t>(rows));
  parallel_for(rows, 8, num_threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t z = row / image.shape[1];
      const std::int64_t y = row % image.shape[1];
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
      by_row[row] = e;
    }
  });
  Extremes all;
  for (const Extremes& e : by_row) {
    all.low = std::min(all.low, e.low);
    all.high = std::max(all.high, e.high);
    all.nan = all.nan || e.nan;
  }
  return all;
}

/// value -> (value * shrink - low) / span. shrink keeps the span of the greatest doubles finite.
struct Stretch {
  double shrink = 1.0;
  double low = 0.0;
  double span = 1.0;
};

Stretch choose_stretch(const ArrayView& image, const ArrayView* mask, const SlicParams& params,
                       int num_threads) {
  const Extremes e = detail::dispatch(image.dtype, [&](auto tag) {
    return find_extremes<typename decltype(tag)::type>(image, mask, num_threads);
  });
  if (e.nan) throw InvalidArgument("unmasked NaN values in image are not supported");
  if (std::isinf(e.low) || std::isinf(e.high)) {
    throw InvalidArgument("unmasked infinite values in image are not supported");
  }
  const auto [low, high] =
      params.value_range ? *params.value_range : std::pair<double, double>(e.low, e.high);
  if (!(high > low)) return {0.0, 0.0, 1.0};
  const double shrink = std::isfinite(high - low) ? 1.0 : 0.5;
  return {shrink, shrink * low, shrink * high - shrink * low};
}

/// Reads row (z, y) into planes [channels][width]; 0 where masked out.
template <class T>
void read_row(const ArrayView& image, const ArrayView* mask, std::int64_t z, std::int64_t y,
              Stretch stretch, bool clip, float* planes) {
  const std::int64_t width = image.shape[2];
  const char* at = detail::at(image, z, y);
  for (std::int64_t c = 0; c < image.shape[3]; ++c) {
    float* to = planes + c * width;
    const char* from = at + c * image.strides[3];
    for (std::int64_t x = 0; x < width; ++x, from += image.strides[2]) {
      const double v = detail::load<T>(from);
      to[x] = static_cast<float>((v * stretch.shrink - stretch.low) / stretch.span);
    }
    if (clip) {
      for (std::int64_t x = 0; x < width; ++x) to[x] = std::clamp(to[x], 0.0F, 1.0F);
    }
  }
  if (mask == nullptr) return;
  for (std::int64_t x = 0; x < width; ++x) {
    if (masked_in(mask, z, y, x)) continue;
    for (std::int64_t c = 0; c < image.shape[3]; ++c) planes[c * width + x] = 0.0F;
  }
}

}  // namespace

FloatVolume make_float_volume(const ArrayView& image, const ArrayView* mask, const CellGrid& grid,
                              const SlicParams& params, int num_threads) {
  const Extent& shape = grid.shape();
  const std::int64_t width = shape[2];
  const std::int64_t rows = shape[0] * shape[1];
  const int channels = static_cast<int>(image.shape[3]);
  const Stretch stretch = choose_stretch(image, mask, params, num_threads);

  FloatVolume volume{grid, channels, {}, {}};
  volume.features = Buffer<float>(volume.padded_size() * channels);
  if (mask != nullptr) volume.outside = Buffer<std::uint8_t>(volume.padded_size());

  // Pads are read by the kernels, and ignored; but they must not be uninitialised.
  parallel_for(grid.num_cells(), 64, num_threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t cell = begin; cell < end; ++cell) {
      const CellGrid::Box box = grid.box(cell);
      const std::int64_t n = box.size();
      const std::int64_t stride = FloatVolume::stride(n);
      for (int c = 0; c < channels; ++c) {
        float* plane = &volume.features[volume.begin(box, cell) * channels + c * stride];
        std::fill(plane + n, plane + stride, 0.0F);
      }
      if (mask != nullptr) {
        std::uint8_t* outside = &volume.outside[volume.begin(box, cell)];
        std::fill(outside + n, outside + stride, std::uint8_t{1});
      }
    }
  });

  const float factor = static_cast<float>(1.0 / params.compactness);
  const float chroma_factor = static_cast<float>(std::sqrt(kChromaWeight) / params.compactness);
  const auto read = [&](std::int64_t z, std::int64_t y, float* planes) {
    detail::dispatch(image.dtype, [&](auto tag) {
      read_row<typename decltype(tag)::type>(image, mask, z, y, stretch, params.convert_to_lab,
                                             planes);
    });
    if (params.convert_to_lab) {
      kernels().lab_from_float(planes, planes + width, planes + 2 * width, width, factor,
                               chroma_factor, planes, planes + width, planes + 2 * width);
    } else {
      for (std::int64_t i = 0; i < channels * width; ++i) planes[i] *= factor;
    }
  };

  Buffer<float> blurred;  // [channels][D*H*W]
  const bool blur =
      std::any_of(params.sigma.begin(), params.sigma.end(), [](double s) { return s > 0; });
  if (blur) {
    const std::int64_t n = grid.num_pixels();
    blurred = Buffer<float>(channels * n);
    parallel_for(rows, 8, num_threads, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> planes(static_cast<std::size_t>(channels * width));
      for (std::int64_t row = begin; row < end; ++row) {
        read(row / shape[1], row % shape[1], planes.data());
        for (int c = 0; c < channels; ++c) {
          std::copy_n(&planes[c * width], width, &blurred[c * n + row * width]);
        }
      }
    });
    Buffer<float> weight;  // what of the blurred mask is inside: outside must not darken the edge
    if (mask != nullptr) {
      weight = Buffer<float>(n);
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t x = 0; x < width; ++x) {
          weight[row * width + x] =
              masked_in(mask, row / shape[1], row % shape[1], x) ? 1.0F : 0.0F;
        }
      }
      gaussian_blur(weight.data(), shape, params.sigma, num_threads);
    }
    for (int c = 0; c < channels; ++c) {
      float* plane = &blurred[c * n];
      gaussian_blur(plane, shape, params.sigma, num_threads);
      if (mask == nullptr) continue;
      for (std::int64_t i = 0; i < n; ++i) plane[i] /= std::max(weight[i], 1e-20F);
    }
  }

  parallel_for(rows, 8, num_threads, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> planes(static_cast<std::size_t>(channels * width));
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t z = row / shape[1];
      const std::int64_t y = row % shape[1];
      if (blur) {
        for (int c = 0; c < channels; ++c) {
          std::copy_n(&blurred[c * grid.num_pixels() + row * width], width, &planes[c * width]);
        }
      } else {
        read(z, y, planes.data());
      }
      const std::int64_t first_cell =
          (grid.cell_of(0, z) * grid.cells()[1] + grid.cell_of(1, y)) * grid.cells()[2];
      for (std::int64_t cx = 0; cx < grid.cells()[2]; ++cx) {
        const CellGrid::Box box = grid.box(first_cell + cx);
        const std::int64_t base = volume.begin(box, first_cell + cx);
        const std::int64_t in_cell =
            ((z - box.begin[0]) * box.side(1) + y - box.begin[1]) * box.side(2);
        const std::int64_t stride = FloatVolume::stride(box.size());
        for (int c = 0; c < channels; ++c) {
          std::copy_n(&planes[c * width + box.begin[2]], box.side(2),
                      &volume.features[base * channels + c * stride + in_cell]);
        }
        if (mask == nullptr) continue;
        for (std::int64_t x = box.begin[2]; x < box.end[2]; ++x) {
          volume.outside[base + in_cell + x - box.begin[2]] = masked_in(mask, z, y, x) ? 0 : 1;
        }
      }
    }
  });
  return volume;
}

}  // namespace superpix::cpu
