// SPDX-License-Identifier: Apache-2.0
//
// Arrays that own their memory, views of them in any layout, and reproducible pictures.
#pragma once

#include <superpix/types.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

namespace superpix::test {

using Shape = std::vector<std::int64_t>;

inline std::int64_t product(const Shape& shape) {
  std::int64_t n = 1;
  for (const std::int64_t side : shape) n *= side;
  return n;
}

/// The same numbers on every platform, which the distributions of <random> are not.
class Random {
 public:
  explicit Random(unsigned seed) : bits_(seed) {}
  /// In [0, n).
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(bits_() % n); }
  /// In [0, 1).
  double unit() { return static_cast<double>(bits_()) / 4294967296.0; }

 private:
  std::mt19937 bits_;
};

/// A C-contiguous array. Its memory ends with its last element, for AddressSanitizer.
template <class T>
class Array {
 public:
  /// std::vector<bool> has no elements to point to.
  using Element = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;

  explicit Array(Shape array_shape, Element value = Element{})
      : shape(std::move(array_shape)), data(static_cast<std::size_t>(product(shape)), value) {
    data.shrink_to_fit();
  }
  Array(Shape array_shape, std::vector<Element> values)
      : shape(std::move(array_shape)), data(std::move(values)) {}

  ArrayView view() const {
    ArrayView v;
    v.data = const_cast<Element*>(data.data());
    v.dtype = DTypeOf<T>::value;
    v.ndim = static_cast<int>(shape.size());
    std::int64_t stride = sizeof(Element);
    for (int axis = v.ndim - 1; axis >= 0; --axis) {
      v.shape[axis] = shape[axis];
      v.strides[axis] = stride;
      stride *= shape[axis];
    }
    return v;
  }

  Shape shape;
  std::vector<Element> data;
};

/// The elements of an array in an order and with gaps that no C array has: axes swapped, the first
/// axis last in memory, every stride negative and none a multiple of the element size.
class Scattered {
 public:
  explicit Scattered(const ArrayView& dense) : view(dense) {
    const auto item = static_cast<std::int64_t>(item_size(dense.dtype));
    std::int64_t step = 2 * item + 1;
    std::int64_t first = 0;
    for (int axis = 0; axis < dense.ndim; ++axis) {
      view.strides[axis] = -step;
      first += step * (dense.shape[axis] - 1);
      step = step * dense.shape[axis] + 1;
    }
    memory_.resize(static_cast<std::size_t>(first + item));
    view.data = memory_.data() + first;
    const std::int64_t n = dense.size();
    for (std::int64_t i = 0; i < n; ++i) {
      const char* from = static_cast<const char*>(dense.data);
      char* to = memory_.data() + first;
      std::int64_t rest = i;
      for (int axis = dense.ndim - 1; axis >= 0; --axis) {
        from += rest % dense.shape[axis] * dense.strides[axis];
        to += rest % dense.shape[axis] * view.strides[axis];
        rest /= dense.shape[axis];
      }
      std::memcpy(to, from, item_size(dense.dtype));
    }
  }

  ArrayView view;

 private:
  std::vector<char> memory_;
};

/// Every element in [0, n).
template <class T>
Array<T> noise(const Shape& shape, std::int64_t n, unsigned seed) {
  Random random(seed);
  Array<T> array(shape);
  for (auto& v : array.data) v = static_cast<typename Array<T>::Element>(random.below(n));
  return array;
}

/// Discs (balls) of different colours on a ramp, with some noise: [..., H, W, C] in [0, 255].
template <class T>
Array<T> picture(const Shape& shape, unsigned seed = 1) {
  Random random(seed);
  Array<T> array(shape);
  const std::int64_t channels = shape.back();
  const std::int64_t width = shape[shape.size() - 2];
  const std::int64_t height = shape[shape.size() - 3];
  const std::int64_t depth = shape.size() == 4 ? shape[0] : 1;
  struct Disc {
    std::int64_t z, y, x, squared_radius, color;
  };
  std::vector<Disc> discs;
  for (int i = 0; i < 12; ++i) {
    const std::int64_t radius = 2 + random.below(2 + (height + width) / 8);
    discs.push_back({random.below(depth), random.below(height), random.below(width),
                     radius * radius, 20 + random.below(180)});
  }
  auto* to = array.data.data();
  for (std::int64_t z = 0; z < depth; ++z) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        std::int64_t color = (60 * y / height) + (60 * x / width);
        for (const Disc& d : discs) {
          const std::int64_t dz = z - d.z, dy = y - d.y, dx = x - d.x;
          if (dz * dz + dy * dy + dx * dx < d.squared_radius) color = d.color;
        }
        for (std::int64_t c = 0; c < channels; ++c) {
          *to++ = static_cast<T>((color * (c + 2) / (c + 1) + random.below(12)) % 256);
        }
      }
    }
  }
  return array;
}

}  // namespace superpix::test
