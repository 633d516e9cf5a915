// SPDX-License-Identifier: Apache-2.0
#include "cpu/color.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"
#include "detail/load.h"

namespace superpix::cpu {
namespace {

constexpr std::int64_t kPixelsAtOnce = 1024;

/// Address of pixel i in raster order.
const char* pixel_at(const ArrayView& rgb, std::int64_t i) {
  const char* p = static_cast<const char*>(rgb.data);
  for (int axis = rgb.ndim - 2; axis >= 0; --axis) {
    p += i % rgb.shape[axis] * rgb.strides[axis];
    i /= rgb.shape[axis];
  }
  return p;
}

template <class T>
void read_planes(const ArrayView& rgb, std::int64_t first, std::int64_t n, float* planes) {
  const double unit = std::is_same_v<T, std::uint8_t>    ? 1.0 / 255.0
                      : std::is_same_v<T, std::uint16_t> ? 1.0 / 65535.0
                                                         : 1.0;
  for (std::int64_t i = 0; i < n; ++i) {
    const char* p = pixel_at(rgb, first + i);
    for (int c = 0; c < 3; ++c) {
      planes[c * kPixelsAtOnce + i] =
          static_cast<float>(unit * detail::load<T>(p + c * rgb.strides[rgb.ndim - 1]));
    }
  }
}

}  // namespace

void rgb_to_lab(const ArrayView& rgb, float* lab, int num_threads) {
  const std::int64_t n = rgb.size() / 3;
  const std::int64_t pieces = (n + kPixelsAtOnce - 1) / kPixelsAtOnce;
  parallel_for(pieces, 4, num_threads, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> planes(3 * kPixelsAtOnce);
    float* r = planes.data();
    float* g = r + kPixelsAtOnce;
    float* b = g + kPixelsAtOnce;
    for (std::int64_t piece = begin; piece < end; ++piece) {
      const std::int64_t first = piece * kPixelsAtOnce;
      const std::int64_t count = std::min(kPixelsAtOnce, n - first);
      detail::dispatch(rgb.dtype, [&](auto tag) {
        read_planes<typename decltype(tag)::type>(rgb, first, count, planes.data());
      });
      kernels().lab_from_float(r, g, b, count, 1.0F, 1.0F, r, g, b);
      for (std::int64_t i = 0; i < count; ++i) {
        lab[3 * (first + i)] = r[i];
        lab[3 * (first + i) + 1] = g[i];
        lab[3 * (first + i) + 2] = b[i];
      }
    }
  });
}

}  // namespace superpix::cpu
