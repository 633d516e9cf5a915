// SPDX-License-Identifier: Apache-2.0
//
// Two kernels, and a blur: one finds the least and the greatest value, of which its last block
// makes the stretch; the other makes features, a thread per pixel. A mask is blurred with them, so
// that what is outside does not darken the edge.
#include "float_volume.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "any_image.h"
#include "lab.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;

// As in cpu/float_volume.cpp.
constexpr double kGreatestFeature = 1e15;
constexpr double kGreatestChroma = 109.0;

/// What of the parameters the stretch follows from.
struct StretchParams {
  double compactness, chroma_weight;
  double range_low, range_high;
  bool has_range, convert_to_lab;
};

/// choose_stretch() of cpu/float_volume.cpp. Multiplications by powers of two are exact, so that it
/// does not matter whether an addition is joined with them.
__device__ Stretch stretch_of(double least, double greatest, const StretchParams& params) {
  const double low = params.has_range ? params.range_low : least;
  const double high = params.has_range ? params.range_high : greatest;
  double factor = 1.0 / params.compactness;
  const double chroma = kGreatestChroma * params.chroma_weight;
  if (params.convert_to_lab) factor = fmin(factor, kGreatestFeature / chroma);
  Stretch s{};
  double most = params.convert_to_lab ? 1.001 * factor * chroma : 0.0;
  if (high > low) {
    double reach = 0.0;
    if (!params.convert_to_lab) {
      reach = fmax(fabs(0.5 * least - 0.5 * low), fabs(0.5 * greatest - 0.5 * low));
    }
    if (reach == 0.0) reach = 0.5 * high - 0.5 * low;
    s.shrink = ldexp(1.0, -min(max(ilogb(reach), -1000), 1000));
    s.low = low * s.shrink;
    const double span = high * s.shrink - s.low;
    double scale = (params.convert_to_lab ? 1.0 : factor) / span;
    if (!params.convert_to_lab) {
      const double distance =
          fmax(fabs(least * s.shrink - s.low), fabs(greatest * s.shrink - s.low));
      scale = distance > 0 ? fmin(scale, kGreatestFeature / distance) : 0.0;
      if (distance > 0) most = 1.001 * fmin(factor * (distance / span), kGreatestFeature);
    }
    s.scale = static_cast<float>(scale);
  }
  s.lightness_factor = static_cast<float>(factor);
  s.chroma_factor = static_cast<float>(factor * params.chroma_weight);
  s.most = static_cast<float>(most);
  s.fixed_point = s.most > 0 ? ldexp(1.0, 27 - ilogb(s.most)) : 1.0;
  return s;
}

// --- the range -----------------------------------------------------------------------------------

// What the blocks agree on, all 0 before. Values are numbers that are in the order of the doubles.
enum Extreme { kGreatest, kLeastNegated, kBlocksDone, kExtremes };

__device__ unsigned long long ordered(double value) {
  const auto bits = static_cast<unsigned long long>(__double_as_longlong(value));
  constexpr unsigned long long kSign = 1ULL << 63;
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}
__device__ double value_of(unsigned long long order) {
  constexpr unsigned long long kSign = 1ULL << 63;
  return __longlong_as_double(
      static_cast<long long>((order & kSign) != 0 ? order & ~kSign : ~order));
}

/// Rows of pixels, one for each block.
struct Rows {
  std::int64_t per_plane;
  std::int64_t width, last_width;  // of all rows but the last, and of that one
  std::int64_t channels;
};

__global__ void __launch_bounds__(kThreads)
    extremes_kernel(AnyImage image, AnyMask mask, Rows rows, StretchParams params,
                    unsigned long long* extremes, Stretch* __restrict__ stretch) {
  auto* const shared = shared_memory<unsigned long long>();
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t z = blockIdx.x / rows.per_plane;
  const std::int64_t y = blockIdx.x % rows.per_plane;
  const char* const row = image.pixel(z, y, 0);
  const std::int64_t width = blockIdx.x + 1 == gridDim.x ? rows.last_width : rows.width;
  double greatest = -INFINITY;
  double least_negated = greatest;
  const auto include = [&](double value) {
    if (value > greatest) greatest = value;
    if (-value > least_negated) least_negated = -value;
  };
  image.with_reader([&](auto read) {
    if (rows.channels == 1 && !mask.leaves_out()) {
#pragma unroll 4
      for (std::int64_t x = thread; x < width; x += kThreads) {
        include(read(row + x * image.stride_x));
      }
    } else {
#pragma unroll 1
      for (std::int64_t x = thread; x < width; x += kThreads) {
        if (!mask.contains(z, y, x)) continue;
#pragma unroll 1
        for (std::int64_t c = 0; c < rows.channels; ++c) {
          include(read(row + x * image.stride_x + c * image.stride_c));
        }
      }
    }
  });
  unsigned long long found[2] = {ordered(greatest), ordered(least_negated)};
#pragma unroll
  for (int i = 0; i < 2; ++i) {
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) {
      const unsigned long long other = __shfl_xor_sync(~0U, found[i], lanes);
      if (other > found[i]) found[i] = other;
    }
    if (thread % 32 == 0) shared[i * kWarps + thread / 32] = found[i];
  }
  __syncthreads();
  if (thread != 0) return;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    for (int warp = 1; warp < kWarps; ++warp) {
      const unsigned long long other = shared[i * kWarps + warp];
      if (other > found[i]) found[i] = other;
    }
  }
  atomicMax(extremes + kGreatest, found[0]);
  atomicMax(extremes + kLeastNegated, found[1]);
  __threadfence();
  if (atomicAdd(extremes + kBlocksDone, 1ULL) + 1 != gridDim.x) return;
  // All others have said what they found.
  __threadfence();
  *stretch = stretch_of(-value_of(atomicMax(extremes + kLeastNegated, 0ULL)),
                        value_of(atomicMax(extremes + kGreatest, 0ULL)), params);
}

__global__ void stretch_kernel(StretchParams params, Stretch* __restrict__ stretch) {
  *stretch = stretch_of(0.0, 0.0, params);
}

// --- the features --------------------------------------------------------------------------------

__global__ void __launch_bounds__(kThreads)
    feature_kernel(AnyImage image, FloatVolume volume, bool convert_to_lab,
                   float* __restrict__ weights) {
  const VolumeGrid& grid = volume.grid;
  const std::int64_t n = volume.num_pixels;
  const std::int64_t p = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (p >= n) return;
  const Stretch s = *volume.stretch;
  const auto row = static_cast<unsigned>(p) / static_cast<unsigned>(grid.x.length);
  const unsigned z = row / static_cast<unsigned>(grid.y.length);
  const unsigned y = row - z * static_cast<unsigned>(grid.y.length);
  const std::int64_t x = p - static_cast<std::int64_t>(row) * grid.x.length;
  const bool is_inside = volume.mask.contains(z, y, x);
  if (weights != nullptr) weights[p] = is_inside ? 1.0F : 0.0F;
  if (!is_inside) {
    for (int c = 0; c < volume.channels; ++c) volume.features[c * n + p] = 0.0F;
    return;
  }
  const char* const from = image.pixel(z, y, x);
  float rgb[3] = {};
  image.with_reader([&](auto read) {
    const auto stretched = [&](int c) {
      const double shrunk = read(from + c * image.stride_c) * s.shrink;
      return __fmul_rn(static_cast<float>(shrunk - s.low), s.scale);
    };
    if (convert_to_lab) {
#pragma unroll
      for (int c = 0; c < 3; ++c) rgb[c] = stretched(c);
    } else {
      for (int c = 0; c < volume.channels; ++c) volume.features[c * n + p] = stretched(c);
    }
  });
  if (!convert_to_lab) return;
#pragma unroll
  for (float& value : rgb) {
    value = linear_from_srgb(value < 0.0F ? 0.0F : (1.0F < value ? 1.0F : value));
  }
  const Lab lab = lab_from_linear(rgb[0], rgb[1], rgb[2]);
  volume.features[p] = __fmul_rn(lab.l, s.lightness_factor);
  volume.features[n + p] = __fmul_rn(lab.a, s.chroma_factor);
  volume.features[2 * n + p] = __fmul_rn(lab.b, s.chroma_factor);
}

/// Makes blurred features means over what is inside.
__global__ void __launch_bounds__(kThreads)
    divide_kernel(FloatVolume volume, const float* __restrict__ weights) {
  const std::int64_t p = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (p >= volume.num_pixels) return;
  const float weight = fmaxf(weights[p], 1e-20F);
  for (int c = 0; c < volume.channels; ++c) volume.features[c * volume.num_pixels + p] /= weight;
}

bool is_blurred(const SlicParams& params) {
  return std::any_of(params.sigma.begin(), params.sigma.end(), [](double s) { return s > 0; });
}

}  // namespace

FloatVolumeMaker::FloatVolumeMaker(Call& call, const ArrayView& image, const ArrayView* mask,
                                   const VolumeGrid& grid, const SlicParams& params)
    : image_(image),
      params_(params),
      is_weighted_(mask != nullptr && is_blurred(params)),
      blur_(call, {grid.z.length, grid.y.length, grid.x.length}, params.sigma,
            image.shape[3] + (is_weighted_ ? 1 : 0)),
      volume_{grid,
              grid.num_pixels(),
              static_cast<int>(image.shape[3]),
              call.take<float>((image.shape[3] + (is_weighted_ ? 1 : 0)) * grid.num_pixels()),
              AnyMask::of(mask),
              nullptr},
      stretch_(call.take<Stretch>(1)),
      extremes_(call.take<unsigned long long>(kExtremes)) {
  volume_.stretch = stretch_;
}

void FloatVolumeMaker::enqueue(const Call& call) const {
  const VolumeGrid& grid = volume_.grid;
  const std::int64_t n = grid.num_pixels();
  const AnyImage image = AnyImage::of(image_);
  const auto [low, high] = params_.value_range.value_or(std::pair<double, double>(0.0, 0.0));
  const StretchParams params{
      params_.compactness,   std::sqrt(kChromaWeight), low, high, params_.value_range.has_value(),
      params_.convert_to_lab};
  if (params.has_range && params.convert_to_lab) {
    call.launch(stretch_kernel, 1, 1, 0, params, stretch_);
  } else {
    call.clear(extremes_, kExtremes);
    AnyImage values = image;
    Rows rows{grid.y.length, grid.x.length, grid.x.length, volume_.channels};
    std::int64_t num_rows = static_cast<std::int64_t>(grid.z.length) * grid.y.length;
    if (image_.is_contiguous() && !volume_.mask.leaves_out()) {  // it need not be read row by row
      constexpr std::int64_t kValues = 4096;
      num_rows = blocks_for(image_.size(), kValues);
      rows = {num_rows, kValues, image_.size() - (num_rows - 1) * kValues, 1};
      values.stride_x = static_cast<std::int64_t>(item_size(image_.dtype));
      values.stride_y = kValues * values.stride_x;
    }
    call.launch(extremes_kernel, num_rows, kThreads, 2 * kWarps * sizeof(unsigned long long),
                values, volume_.mask, rows, params, extremes_, stretch_);
  }
  float* const weights = is_weighted_ ? volume_.features + volume_.channels * n : nullptr;
  call.launch(feature_kernel, blocks_for(n, kThreads), kThreads, 0, image, volume_,
              params_.convert_to_lab, weights);
  blur_.enqueue(call, volume_.features);
  if (is_weighted_) {
    call.launch(divide_kernel, blocks_for(n, kThreads), kThreads, 0, volume_, weights);
  }
}

}  // namespace superpix::cuda
