// SPDX-License-Identifier: Apache-2.0
//
// Prints a checksum of the result of each of many calls, one a line, for test_simd.cpp to compare
// between instruction sets.
#include <superpix/superpix.h>

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

#include "array.h"
#include "calls.h"

namespace superpix {
namespace {

using test::Array;
using test::Shape;

/// FNV-1a.
template <class T>
std::uint64_t checksum(const std::vector<T>& data) {
  std::uint64_t hash = 14695981039346656037U;
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  for (std::size_t i = 0; i < data.size() * sizeof(T); ++i)
    hash = (hash ^ bytes[i]) * 1099511628211U;
  return hash;
}

template <class T>
void print(const char* what, const Shape& shape, const std::vector<T>& data) {
  std::printf("%s", what);
  for (const std::int64_t side : shape) std::printf(" %" PRId64, side);
  std::printf(": %016" PRIx64 "\n", checksum(data));
}

void print_labs() {
  for (const Shape& shape : {Shape{1, 1, 3}, {1, 15, 3}, {1, 17, 3}, {3, 31, 3}, {90, 101, 3}}) {
    print("lab uint8", shape, test::lab_of(test::noise<std::uint8_t>(shape, 256, 1).view()));
    Array<float> floats(shape);
    test::Random random(2);
    for (float& v : floats.data) v = static_cast<float>(1.2 * random.unit() - 0.1);
    print("lab float32", shape, test::lab_of(floats.view()));
  }
}

void print_integer_labels() {
  const Shape shapes[] = {{1, 1, 3},   {1, 70, 3},   {70, 1, 3},    {7, 9, 3},
                          {33, 65, 3}, {64, 128, 3}, {100, 131, 3}, {240, 321, 3}};
  for (const Shape& shape : shapes) {
    for (const std::int64_t n : {1, 4, 50, 400}) {
      for (const double compactness : {1.0, 10.0, 80.0}) {
        SlicParams params;
        params.convert_to_lab = true;
        params.num_segments = n;
        params.compactness = compactness;
        params.perturb_seeds = n == 50;
        for (const bool connected : {false, true}) {
          params.enforce_connectivity = connected;
          const char* what = connected ? "slic uint8 connected" : "slic uint8";
          print(what, shape,
                test::slic_of(test::picture<std::uint8_t>(shape).view(), params).labels);
          const auto noise = test::noise<std::uint8_t>(shape, 256, 5);
          print(what, shape, test::slic_of(noise.view(), params).labels);
        }
      }
    }
  }
}

void print_float_labels() {
  const Shape shapes[] = {{1, 70, 3},   {7, 9, 1},      {33, 65, 3},    {64, 128, 16},
                          {90, 101, 3}, {9, 17, 33, 1}, {6, 20, 30, 5}, {40, 50, 21}};
  for (const Shape& shape : shapes) {
    Array<float> image = test::picture<float>(shape);
    for (std::size_t i = 0; i < image.data.size(); ++i)
      image.data[i] += std::sqrt(static_cast<float>(i % 97));
    Array<bool> mask(Shape(shape.begin(), shape.end() - 1), 1);
    for (std::size_t i = 0; i < mask.data.size(); i += 1 + i % 13) mask.data[i] = 0;
    const ArrayView mask_view = mask.view();
    for (const std::int64_t n : {4, 50}) {
      for (int variant = 0; variant < 16; ++variant) {
        SlicParams params;
        params.num_segments = n;
        params.slic_zero = (variant & 1) != 0;
        params.convert_to_lab = (variant & 2) != 0 && shape.back() == 3;
        params.compactness = params.convert_to_lab ? 10.0 : 0.1;
        params.sigma =
            (variant & 8) != 0 ? std::array<double, 3>{1.0, 1.0, 1.0} : std::array<double, 3>{};
        const ArrayView* used = (variant & 4) != 0 ? &mask_view : nullptr;
        print("slic float32", shape, test::slic_of(image.view(), params, used).labels);
      }
    }
  }
}

void print_components() {
  for (const Shape& shape : {Shape{1, 1}, {3, 15}, {5, 64}, {40, 257}, {8, 9, 65}}) {
    for (const std::int64_t n : {2, 5, 100}) {
      ConnectivityParams params;
      for (const std::int64_t min_size : {0, 9}) {
        params.min_size = min_size;
        const auto map = test::noise<std::int32_t>(shape, n, 3);
        print("connectivity", shape, test::connected(map.view(), nullptr, params).labels);
      }
    }
  }
}

void print_pools() {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, {1, 5, 32, 32}, {2, 17, 20, 31}, {1, 16, 90, 70}}) {
    for (const std::int64_t scale : {1, 2}) {
      const std::int64_t n = 40;
      Array<float> features(shape);
      test::Random random(6);
      for (float& v : features.data) v = static_cast<float>(random.unit());
      const auto labels = test::noise<std::int32_t>(
          {shape[0], scale * shape[2], scale * shape[3] + scale - 1}, n, 7);
      const Array<float> pooled({shape[0], shape[1], n});
      for (const Reduce reduce : {Reduce::kSum, Reduce::kMean, Reduce::kMax}) {
        Array<std::int32_t> saved(reduce == Reduce::kMax ? pooled.shape : Shape{shape[0], n});
        const ArrayView saved_view = saved.view();
        const bool keeps = reduce != Reduce::kSum;
        pool(features.view(), labels.view(), pooled.view(), keeps ? &saved_view : nullptr, reduce);
        print("pool", shape, pooled.data);
        const Array<float> gradient(shape);
        pool_backward(pooled.view(), labels.view(), keeps ? &saved_view : nullptr, gradient.view(),
                      reduce);
        print("pool_backward", shape, gradient.data);
      }
    }
  }
}

}  // namespace
}  // namespace superpix

int main() {
  try {
    std::printf("level: %s\n", superpix::simd_level().c_str());
    superpix::print_labs();
    superpix::print_integer_labels();
    superpix::print_float_labels();
    superpix::print_components();
    superpix::print_pools();
  } catch (const std::exception& error) {
    std::printf("error: %s\n", error.what());
    return 1;
  }
}
