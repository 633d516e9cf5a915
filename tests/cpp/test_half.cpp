// SPDX-License-Identifier: Apache-2.0
//
// All values of the 16-bit floating point types there and back, and rounding to them, by the plain
// functions and by the kernels of every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "array.h"
#include "cpu/kernels.h"
#include "detail/half.h"

namespace superpix {
namespace {

using detail::BFloat16;
using detail::Half;

/// How a type is made: a sign, bits of the exponent, bits of the fraction.
template <class S>
struct Format;
template <>
struct Format<Half> {
  static constexpr int kExponentBits = 5;
  static const cpu::ImageKernels<Half>& kernels(const cpu::Kernels& all) { return all.half_images; }
};
template <>
struct Format<BFloat16> {
  static constexpr int kExponentBits = 8;
  static const cpu::ImageKernels<BFloat16>& kernels(const cpu::Kernels& all) {
    return all.bfloat16_images;
  }
};

/// IEEE 754's definition of a value; what follows the greatest number is not infinite.
template <class S>
double unbounded_value(int bits) {
  constexpr int kFractionBits = 15 - Format<S>::kExponentBits;
  constexpr int kBias = (1 << (Format<S>::kExponentBits - 1)) - 1;
  const int exponent = (bits & 0x7fff) >> kFractionBits;
  const int fraction = bits & ((1 << kFractionBits) - 1);
  const int significand = exponent == 0 ? fraction : fraction | 1 << kFractionBits;
  const double magnitude = std::ldexp(significand, std::max(exponent, 1) - kBias - kFractionBits);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

template <class S>
constexpr int kInfinity = ((1 << Format<S>::kExponentBits) - 1) << (15 - Format<S>::kExponentBits);

template <class S>
float value_of(int bits) {
  const int magnitude = bits & 0x7fff;
  if (magnitude > kInfinity<S>) return std::numeric_limits<float>::quiet_NaN();
  if (magnitude == kInfinity<S>) return (bits & 0x8000) != 0 ? -INFINITY : INFINITY;
  return static_cast<float>(unbounded_value<S>(bits));
}

/// The nearest of all magnitudes, the even one of two; searched for.
template <class S>
int bits_nearest(float value) {
  const int sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::abs(static_cast<double>(value));
  int low = 0;
  int high = kInfinity<S>;
  if (magnitude >= unbounded_value<S>(high)) return sign | high;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (unbounded_value<S>(middle) <= magnitude ? low : high) = middle;
  }
  const double below = magnitude - unbounded_value<S>(low);
  const double above = unbounded_value<S>(high) - magnitude;
  return sign | (below < above || (below == above && low % 2 == 0) ? low : high);
}

template <class S>
std::vector<S> all_values() {
  std::vector<S> values(65536);
  for (int bits = 0; bits < 65536; ++bits) values[bits].bits = static_cast<std::uint16_t>(bits);
  return values;
}

/// Values, the middles between them, what is next to the middles; NaNs; and any bits.
template <class S>
std::vector<float> floats_to_round() {
  std::vector<float> floats;
  for (int bits = 0; bits < 65536; ++bits) {
    if ((bits & 0x7fff) >= kInfinity<S>) continue;
    const auto middle =
        static_cast<float>((unbounded_value<S>(bits) + unbounded_value<S>(bits + 1)) / 2);
    floats.insert(floats.end(), {value_of<S>(bits), middle, std::nextafter(middle, -INFINITY),
                                 std::nextafter(middle, INFINITY)});
  }
  floats.insert(floats.end(), {INFINITY, -INFINITY, 1e30F, -1e30F, 1e-40F, -1e-40F});
  test::Random random(1);
  for (int i = 0; i < 100000; ++i) {
    floats.push_back(
        detail::float_of_bits(static_cast<std::uint32_t>(random.below(std::int64_t{1} << 32))));
  }
  return floats;
}

template <class S>
void expect_value(float found, int bits) {
  const float expected = value_of<S>(bits);
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(found)) << bits;
  } else {
    EXPECT_EQ(detail::bits_of_float(found), detail::bits_of_float(expected)) << bits;
  }
}

template <class S>
void expect_rounded(S found, float from) {
  if (std::isnan(from)) {
    EXPECT_GT(found.bits & 0x7fff, kInfinity<S>);
  } else {
    EXPECT_EQ(found.bits, bits_nearest<S>(from)) << from;
  }
}

template <class S>
class HalfTypes : public ::testing::Test {};
using Types = ::testing::Types<Half, BFloat16>;
TYPED_TEST_SUITE(HalfTypes, Types, );

TYPED_TEST(HalfTypes, AllValuesThereAndBack) {
  for (const TypeParam value : all_values<TypeParam>()) {
    expect_value<TypeParam>(detail::widen(value), value.bits);
    expect_rounded(detail::narrow<TypeParam>(detail::widen(value)),
                   value_of<TypeParam>(value.bits));
  }
}

TYPED_TEST(HalfTypes, RoundToTheNearestAndTiesToEven) {
  for (const float value : floats_to_round<TypeParam>()) {
    expect_rounded(detail::narrow<TypeParam>(value), value);
  }
}

// Widths up to two registers and a bit, so that whole ones and every number of lanes occur. Memory
// ends with the last element, for AddressSanitizer.
TYPED_TEST(HalfTypes, KernelsOfEveryInstructionSetRead) {
  const std::vector<TypeParam> values = all_values<TypeParam>();
  for (const cpu::Kernels* kernels : cpu::all_kernels()) {
    SCOPED_TRACE(kernels->name);
    for (std::int64_t width = 1; width <= 37; ++width) {
      const std::int64_t height = 65536 / width;
      const std::vector<TypeParam> image(values.end() - height * width, values.end());
      std::vector<float> rows(static_cast<std::size_t>(height * width + 15));
      const cpu::Segment<float> segment{width, 0.0F, rows.data()};
      Format<TypeParam>::kernels(*kernels).take_segments(image.data(), width, height, &segment, 1);
      for (std::int64_t i = 0; i < height * width; ++i) {
        expect_value<TypeParam>(rows[i], image[i].bits);
      }
    }
  }
}

TYPED_TEST(HalfTypes, KernelsOfEveryInstructionSetWrite) {
  const std::vector<float> values = floats_to_round<TypeParam>();
  for (const cpu::Kernels* kernels : cpu::all_kernels()) {
    SCOPED_TRACE(kernels->name);
    for (const std::int64_t width : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33}) {
      // A column on the right that is not written to.
      const std::int64_t height = static_cast<std::int64_t>(values.size()) / width;
      std::vector<float> rows(values.begin(), values.begin() + height * width);
      rows.resize(rows.size() + 15);
      const TypeParam untouched{0x1234};
      std::vector<TypeParam> image(static_cast<std::size_t>(height * (width + 1)), untouched);
      Format<TypeParam>::kernels(*kernels).put_row(rows.data(), width + 1, height, width,
                                                   image.data());
      for (std::int64_t i = 0; i < height * (width + 1); ++i) {
        if (i % (width + 1) == width) {
          ASSERT_EQ(image[i].bits, untouched.bits);
        } else {
          expect_rounded(image[i], rows[i / (width + 1) * width + i % (width + 1)]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace superpix
