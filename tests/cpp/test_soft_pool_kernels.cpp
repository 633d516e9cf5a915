// SPDX-License-Identifier: Apache-2.0
//
// The kernels of soft pooling, of every instruction set and for every type of element.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "array.h"
#include "cpu/kernels.h"
#include "cpu/soft_pool_strips.h"
#include "halves.h"

namespace superpix {
namespace {

using detail::ComputeType;
using test::Array;

constexpr std::int64_t kHeight = 13;
constexpr std::int64_t kWidth = 50;
constexpr int kChannels = 8;

/// Half of the distance between neighbours of 1, and what sums of hundreds add to it.
template <class S>
constexpr double kTolerance = 1e-4;
template <>
constexpr double kTolerance<double> = 1e-12;
template <>
constexpr double kTolerance<detail::Half> = 1e-3;
template <>
constexpr double kTolerance<detail::BFloat16> = 8e-3;

template <class S>
const cpu::ImageKernels<S>& kernels_of(const cpu::Kernels& all) {
  if constexpr (std::is_same_v<S, float>) return all.float_images;
  if constexpr (std::is_same_v<S, double>) return all.double_images;
  if constexpr (std::is_same_v<S, detail::Half>) return all.half_images;
  if constexpr (std::is_same_v<S, detail::BFloat16>) return all.bfloat16_images;
}

template <class T>
Array<T> random_array(const test::Shape& shape, unsigned seed) {
  Array<double> array(shape);
  test::Random random(seed);
  for (double& value : array.data) value = 2.0 * random.unit() - 1.0;
  return test::rounded<T>(array);
}

template <class T>
void expect_near(T found, double expected) {
  EXPECT_NEAR(detail::widen(found), expected, kTolerance<T> * (1.0 + std::abs(expected)));
}

/// A strip in the lower right corner of an image, so that what is read beyond it is beyond memory.
template <class S>
struct Strips {
  using R = ComputeType<S>;

  Strips(std::int64_t height, std::int64_t width, int count)
      : strip{kHeight - height, kWidth - width, height, width},
        num_candidates(count),
        association(random_array<R>({count, strip.stride()}, 1)),
        sums({count, kChannels}),
        centers(random_array<R>({count, kChannels}, 2)),
        coefficients(random_array<R>({kChannels, count}, 3)),
        origin(random_array<R>({kChannels}, 4)),
        bias(random_array<R>({count}, 5)),
        gradient(association.shape) {
    for (int j = 0; j < count; ++j) {
      for (std::int64_t i = strip.size(); i < strip.stride(); ++i) {
        association.data[j * strip.stride() + i] = R{0};
      }
      center_rows.push_back(centers.data.data() + j * kChannels);
    }
    pixels.set(strip, kWidth);
  }

  cpu::SoftPoolStrip<R> get() {
    return {pixels.blocks(),          strip.y * kWidth + strip.x, num_candidates,
            association.data.data(),  sums.data.data(),           center_rows.data(),
            coefficients.data.data(), origin.data.data(),         bias.data.data(),
            gradient.data.data()};
  }

  /// Calls f(pixel in a channel, element of a row).
  template <class F>
  void for_pixels(F f) const {
    for (std::int64_t i = 0; i < strip.size(); ++i) {
      f((strip.y + i / strip.width) * kWidth + strip.x + i % strip.width, i);
    }
  }

  cpu::Strip strip;
  int num_candidates;
  cpu::StripPixels pixels;
  Array<R> association, sums, centers, coefficients, origin, bias, gradient;
  std::vector<const R*> center_rows;
};

template <class S>
class SoftPoolKernels : public ::testing::Test {
 protected:
  /// Calls f(kernels, strips) for every instruction set, shapes and numbers of candidates.
  template <class F>
  void for_all(F f) const {
    for (const cpu::Kernels* kernels : cpu::all_kernels()) {
      SCOPED_TRACE(kernels->name);
      for (const std::int64_t width : {1, 3, 7, 8, 15, 16, 17, 24, 31, 32, 33, 50}) {
        for (const std::int64_t height : {1, 2, 5, 13}) {
          for (const int count : {1, 2, 4, 6, 9}) {
            SCOPED_TRACE(::testing::Message() << height << " x " << width << ", " << count);
            Strips<S> strips(height, width, count);
            f(kernels_of<S>(*kernels), strips);
          }
        }
      }
    }
  }
};
using Types = ::testing::Types<float, double, detail::Half, detail::BFloat16>;
TYPED_TEST_SUITE(SoftPoolKernels, Types, );

TYPED_TEST(SoftPoolKernels, SumValues) {
  using S = TypeParam;
  const auto image = random_array<S>({kChannels, kHeight, kWidth}, 6);
  this->for_all([&](const cpu::ImageKernels<S>& kernels, Strips<S>& strips) {
    const auto strip = strips.get();
    kernels.sum_values(&strip, 1, {image.data.data(), kHeight * kWidth, kChannels});
    for (int j = 0; j < strips.num_candidates; ++j) {
      for (int c = 0; c < kChannels; ++c) {
        double expected = 0.0;
        strips.for_pixels([&](std::int64_t p, std::int64_t i) {
          expected += static_cast<double>(strips.association.data[j * strips.strip.stride() + i]) *
                      detail::widen(image.data[c * kHeight * kWidth + p]);
        });
        expect_near(strips.sums.data[j * kChannels + c], expected);
      }
    }
  });
}

TYPED_TEST(SoftPoolKernels, MixValues) {
  using S = TypeParam;
  this->for_all([&](const cpu::ImageKernels<S>& kernels, Strips<S>& strips) {
    const S untouched = detail::narrow<S>(7);
    Array<S> image({kChannels, kHeight, kWidth}, untouched);
    const auto strip = strips.get();
    kernels.mix_values(&strip, 1, {image.data.data(), kHeight * kWidth, kChannels});
    for (int c = 0; c < kChannels; ++c) {
      strips.for_pixels([&](std::int64_t p, std::int64_t i) {
        double expected = 0.0;
        for (int j = 0; j < strips.num_candidates; ++j) {
          expected += static_cast<double>(strips.association.data[j * strips.strip.stride() + i]) *
                      static_cast<double>(strips.centers.data[j * kChannels + c]);
        }
        S& found = image.data[c * kHeight * kWidth + p];
        expect_near(found, expected);
        found = untouched;
      });
    }
    for (const S value : image.data) ASSERT_EQ(detail::widen(value), 7);
  });
}

TYPED_TEST(SoftPoolKernels, MixGradients) {
  using S = TypeParam;
  const auto image = random_array<S>({kChannels, kHeight, kWidth}, 6);
  this->for_all([&](const cpu::ImageKernels<S>& kernels, Strips<S>& strips) {
    auto strip = strips.get();
    kernels.mix_gradients(&strip, 1, {image.data.data(), kHeight * kWidth, kChannels});
    const auto expect_gradient = [&](int times) {
      for (int j = 0; j < strips.num_candidates; ++j) {
        strips.for_pixels([&](std::int64_t p, std::int64_t i) {
          double expected = 0.0;
          for (int c = 0; c < kChannels; ++c) {
            const double value = detail::widen(image.data[c * kHeight * kWidth + p]);
            expected += strips.coefficients.data[c * strips.num_candidates + j] *
                        (value - static_cast<double>(strips.origin.data[c]));
          }
          expected = times * expected + static_cast<double>(strips.bias.data[j]);
          expect_near(strips.gradient.data[j * strips.strip.stride() + i], expected);
        });
      }
    };
    expect_gradient(1);
    strip.bias = nullptr;
    kernels.mix_gradients(&strip, 1, {image.data.data(), kHeight * kWidth, kChannels});
    expect_gradient(2);
  });
}

// Channels in groups, each for all strips.
TYPED_TEST(SoftPoolKernels, SeveralStripsAtOnceAreAsOneByOne) {
  using S = TypeParam;
  using R = ComputeType<S>;
  const auto image = random_array<S>({kChannels, kHeight, kWidth}, 6);
  for (const cpu::Kernels* all : cpu::all_kernels()) {
    const cpu::ImageKernels<S>& kernels = kernels_of<S>(*all);
    Strips<S> first(13, 20, 6);
    Strips<S> second(5, 17, 9);
    const cpu::SoftPoolStrip<R> both[] = {first.get(), second.get()};
    const cpu::Channels<const S> values{image.data.data(), kHeight * kWidth, kChannels};
    kernels.sum_values(both, 2, values);
    kernels.mix_gradients(both, 2, values);
    for (Strips<S>* strips : {&first, &second}) {
      const Array<R> sums = strips->sums;
      const Array<R> gradient = strips->gradient;
      const auto alone = strips->get();
      kernels.sum_values(&alone, 1, values);
      kernels.mix_gradients(&alone, 1, values);
      EXPECT_EQ(strips->sums.data, sums.data);
      EXPECT_EQ(strips->gradient.data, gradient.data);
    }
  }
}

}  // namespace
}  // namespace superpix
