// SPDX-License-Identifier: Apache-2.0
//
// Colours as integers in a fixed point, of which sums are exact: those of cpu/colors.h.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "element.h"

namespace superpix::cuda {

/// The colours of pixels, of which integers in a fixed point are summed.
struct StageColors {
  enum class Kind : std::uint8_t {
    kNone,
    /// int16 [D*H*W][4]: L, a, b and one that is not read, at a multiple of 8 bytes, as quantised
    /// by LabQuantization. 3 channels.
    kShorts,
    /// float32: channel c of pixel p is data[p * pixel_stride + c * channel_stride].
    kFloats,
  };
  Kind kind = Kind::kNone;
  int channels = 0;
  const void* data = nullptr;
  /// kFloats only.
  std::int64_t pixel_stride = 0;
  std::int64_t channel_stride = 0;
  /// kFloats only, on the device: at least the greatest magnitude of all colours. The fixed point
  /// follows from its exponent (cpu/colors.h), so it must be that of the CPU: FloatVolume::most.
  const float* most = nullptr;
  /// kShorts only: the colour / compactness that one step stands for, 1 / (scale * compactness).
  double unit = 0.0;
};

/// Colours as integers, on the device.
struct FixedColors {
  StageColors::Kind kind;
  const void* data;
  std::int64_t pixel_stride, channel_stride;
  const float* most;
  double short_unit;

  FixedColors() = default;
  explicit FixedColors(const StageColors& c)
      : kind(c.kind),
        data(c.data),
        pixel_stride(c.pixel_stride),
        channel_stride(c.channel_stride),
        most(c.most),
        short_unit(c.unit) {}

  /// 2^exponent.
  __device__ static double power_of_2(int exponent) {
    return __longlong_as_double(static_cast<long long>(exponent + 1023) << 52);
  }
  /// The steps of the fixed point in a unit are 2 to this power (floats): fixed_point_scale().
  __device__ int exponent() const {
    const std::uint32_t bits = __float_as_uint(*most);
    if (bits == 0) return 0;
    const int exponent = static_cast<int>(bits >> 23 & 0xffU);
    // Numbers without an implicit one begin with their first bit.
    return 27 - (exponent != 0 ? exponent - 127 : -118 - __clz(static_cast<int>(bits)));
  }
  __device__ double scale() const {
    return kind == StageColors::Kind::kFloats ? power_of_2(exponent()) : 1.0;
  }
  __device__ double unit() const {
    return kind == StageColors::Kind::kFloats   ? power_of_2(-exponent())
           : kind == StageColors::Kind::kShorts ? short_unit
                                                : 0.0;
  }

  __device__ Pack<std::int16_t, 4> shorts(std::int32_t pixel) const {
    return static_cast<const Pack<std::int16_t, 4>*>(data)[pixel];
  }
  __device__ float value(std::int32_t pixel, std::int32_t channel) const {
    return static_cast<const float*>(data)[pixel * pixel_stride + channel * channel_stride];
  }
  __device__ static std::int32_t fixed(float value, double scale) {
    return static_cast<std::int32_t>(static_cast<double>(value) * scale);
  }
  /// One channel of a pixel in the fixed point.
  __device__ std::int32_t at(std::int32_t pixel, std::int32_t channel, double scale) const {
    if (kind == StageColors::Kind::kShorts) {
      return static_cast<const std::int16_t*>(data)[std::int64_t{4} * pixel + channel];
    }
    return fixed(value(pixel, channel), scale);
  }
};

}  // namespace superpix::cuda
