// SPDX-License-Identifier: Apache-2.0
//
// A block converts 1024 pixels by way of shared memory, because a pixel is three values, and what
// neighbouring threads move should be neighbours too: values come in as they lie and become linear
// light one by one, then every thread turns four pixels to CIELAB, then values leave as they lie.
#include "color.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "call.h"
#include "element.h"
#include "lab.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPixels = 4 * kThreads;  // of a block
constexpr int kValues = 3 * kPixels;
constexpr int kBytes = 256;  // different values of a byte

/// An image of any strides, its axes merged where possible. Strides are in bytes.
struct StridedImage {
  const char* data;
  int num_inner;            // axes besides the outermost one and the channels
  std::int64_t shape[2];    // of these, the innermost first
  std::int64_t strides[2];  // likewise
  std::int64_t outer_stride;
  std::int64_t channel_stride;
};

StridedImage strided_image(const ArrayView& rgb) {
  StridedImage image{static_cast<const char*>(rgb.data), 0, {}, {}, 0, rgb.strides[rgb.ndim - 1]};
  std::int64_t length = 1;
  for (int axis = rgb.ndim - 2; axis >= 0; --axis) {
    if (axis < rgb.ndim - 2) {
      if (rgb.strides[axis] == length * image.outer_stride) {
        length *= rgb.shape[axis];
        continue;
      }
      image.shape[image.num_inner] = length;
      image.strides[image.num_inner] = image.outer_stride;
      ++image.num_inner;
    }
    length = rgb.shape[axis];
    image.outer_stride = rgb.strides[axis];
  }
  return image;
}

__device__ __forceinline__ const char* pixel_at(const StridedImage& image, std::int64_t i) {
  const char* at = image.data;
#pragma unroll
  for (int axis = 0; axis < 2; ++axis) {
    if (axis >= image.num_inner) break;
    const std::int64_t n = image.shape[axis];
    // A division of 64 bits takes several times as long, and is rarely needed.
    const std::int64_t next = (i | n) >> 32 == 0
                                  ? static_cast<std::int64_t>(static_cast<std::uint32_t>(i) /
                                                              static_cast<std::uint32_t>(n))
                                  : i / n;
    at += (i - next * n) * image.strides[axis];
    i = next;
  }
  return at + i * image.outer_stride;
}

/// An element as sRGB, nominally in [0, 1].
template <class S>
__device__ __forceinline__ float srgb_from(S value) {
  if constexpr (std::is_same_v<S, std::uint8_t>) {
    return static_cast<float>(1.0 / 255.0 * value);
  } else if constexpr (std::is_same_v<S, std::uint16_t>) {
    return static_cast<float>(1.0 / 65535.0 * value);
  } else {
    return static_cast<float>(widen(value));
  }
}

/// Four elements that lie side by side, in accesses of up to 16 bytes.
template <class S>
struct Four {
  static constexpr int kPack = std::min<int>(4, kPackSize<S>);
  Pack<S, kPack> packs[4 / kPack];

  __device__ __forceinline__ explicit Four(const S* from) {
#pragma unroll
    for (int i = 0; i < 4 / kPack; ++i) packs[i] = load_pack<kPack>(from + i * kPack);
  }
  __device__ __forceinline__ S get(int i) const { return packs[i / kPack].element[i % kPack]; }
};

/// Of a byte there are so few values that a table is made of them.
template <class S>
inline constexpr bool kHasTable = std::is_same_v<S, std::uint8_t>;

template <class S>
__device__ __forceinline__ float linear_light(S value, const float* table) {
  if constexpr (kHasTable<S>) {
    return table[value];
  } else {
    return linear_from_srgb(srgb_from(value));
  }
}

/// With kDense, the values lie side by side from a multiple of their size times four on.
template <class S, bool kDense>
__global__ void __launch_bounds__(kThreads)
    lab_kernel(StridedImage image, float* __restrict__ lab, std::int64_t num_pixels,
               bool lab_is_aligned) {
  float* const values = shared_memory<float>();
  float* const table = values + kValues;
  const int thread = static_cast<int>(threadIdx.x);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kPixels;
  const std::int64_t left = num_pixels - first;
  const int count = left < kPixels ? static_cast<int>(left) : kPixels;
  if constexpr (kHasTable<S>) {
    static_assert(kThreads == kBytes);
    table[thread] = linear_from_srgb(srgb_from(static_cast<S>(thread)));
    __syncthreads();
  }

  if constexpr (kDense) {
    const S* const from = reinterpret_cast<const S*>(image.data) + 3 * first;
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      const int at = 4 * (i * kThreads + thread);
      float4 light{0.0F, 0.0F, 0.0F, 0.0F};
      if (at + 4 <= 3 * count) {
        const Four<S> four(from + at);
        light = {linear_light(four.get(0), table), linear_light(four.get(1), table),
                 linear_light(four.get(2), table), linear_light(four.get(3), table)};
      } else {
        if (at < 3 * count) light.x = linear_light(from[at], table);
        if (at + 1 < 3 * count) light.y = linear_light(from[at + 1], table);
        if (at + 2 < 3 * count) light.z = linear_light(from[at + 2], table);
      }
      *reinterpret_cast<float4*>(values + at) = light;
    }
  } else {
    for (int pixel = thread; pixel < kPixels; pixel += kThreads) {
      const char* const at = pixel < count ? pixel_at(image, first + pixel) : nullptr;
#pragma unroll
      for (int c = 0; c < 3; ++c) {
        S value{};
        if (at != nullptr) std::memcpy(&value, at + c * image.channel_stride, sizeof value);
        values[3 * pixel + c] = linear_light(value, table);
      }
    }
  }
  __syncthreads();

  // Threads are 48 bytes apart, so that eight of them take 16 bytes each from all banks.
  float4* const own = reinterpret_cast<float4*>(values + 12 * thread);
  const float4 in[3] = {own[0], own[1], own[2]};
  const Lab pixels[4] = {
      lab_from_linear(in[0].x, in[0].y, in[0].z), lab_from_linear(in[0].w, in[1].x, in[1].y),
      lab_from_linear(in[1].z, in[1].w, in[2].x), lab_from_linear(in[2].y, in[2].z, in[2].w)};
  own[0] = {pixels[0].l, pixels[0].a, pixels[0].b, pixels[1].l};
  own[1] = {pixels[1].a, pixels[1].b, pixels[2].l, pixels[2].a};
  own[2] = {pixels[2].b, pixels[3].l, pixels[3].a, pixels[3].b};
  __syncthreads();

  float* const to = lab + 3 * first;
  if (lab_is_aligned && count == kPixels) {
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      const int at = 4 * (i * kThreads + thread);
      *reinterpret_cast<float4*>(to + at) = *reinterpret_cast<const float4*>(values + at);
    }
  } else {
    for (int i = thread; i < 3 * count; i += kThreads) to[i] = values[i];
  }
}

template <class S>
void run(const Call& call, const ArrayView& rgb, float* lab) {
  const std::int64_t num_pixels = rgb.size() / 3;
  const StridedImage image = strided_image(rgb);
  const std::size_t shared = (kValues + (kHasTable<S> ? kBytes : 0)) * sizeof(float);
  const auto launch = [&](auto kernel) {
    call.launch(kernel, blocks_for(num_pixels, kPixels), kThreads, shared, image, lab, num_pixels,
                is_aligned(lab, 16));
  };
  if (rgb.is_contiguous() && is_aligned(rgb.data, std::min<std::uintptr_t>(16, 4 * sizeof(S)))) {
    launch(lab_kernel<S, true>);
  } else {
    launch(lab_kernel<S, false>);
  }
}

}  // namespace

void rgb_to_lab(const ArrayView& rgb, const ArrayView& lab, const Context& context) {
  Call call("rgb_to_lab", context);
  if (!call.begin()) return;
  auto* const to = static_cast<float*>(lab.data);
  switch (rgb.dtype) {
    case DType::kUInt8:
      return run<std::uint8_t>(call, rgb, to);
    case DType::kUInt16:
      return run<std::uint16_t>(call, rgb, to);
    case DType::kFloat16:
      return run<Half>(call, rgb, to);
    case DType::kFloat32:
      return run<float>(call, rgb, to);
    default:
      return run<double>(call, rgb, to);
  }
}

}  // namespace superpix::cuda
