// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "array.h"
#include "calls.h"

namespace superpix {
namespace {

using test::Array;
using test::lab_of;
using test::Scattered;

// The tolerance that color.h promises.
constexpr double kTolerance = 2e-4;

using Color = std::array<double, 3>;

/// IEC 61966-2-1 and CIE 15 in double precision, with scikit-image's matrix and white point.
Color reference_lab(const Color& rgb) {
  Color linear{};
  for (int i = 0; i < 3; ++i) {
    linear[i] = rgb[i] > 0.04045 ? std::pow((rgb[i] + 0.055) / 1.055, 2.4) : rgb[i] / 12.92;
  }
  const double x = 0.412453 * linear[0] + 0.357580 * linear[1] + 0.180423 * linear[2];
  const double y = 0.212671 * linear[0] + 0.715160 * linear[1] + 0.072169 * linear[2];
  const double z = 0.019334 * linear[0] + 0.119193 * linear[1] + 0.950227 * linear[2];
  const auto f = [](double t) { return t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16.0 / 116.0; };
  const double fx = f(x / 0.95047), fy = f(y), fz = f(z / 1.08883);
  return {116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)};
}

/// The greatest difference of `lab` from the reference for colours `rgb` in [0, 1].
double worst_error(const std::vector<Color>& rgb, const std::vector<float>& lab) {
  double worst = 0.0;
  for (std::size_t i = 0; i < rgb.size(); ++i) {
    const Color expected = reference_lab(rgb[i]);
    for (int c = 0; c < 3; ++c) {
      const double error = std::abs(static_cast<double>(lab[3 * i + c]) - expected[c]);
      if (!(error <= worst)) worst = error;  // NaN too
    }
  }
  return worst;
}

template <class T>
std::vector<Color> colors_of(const Array<T>& array, double unit) {
  std::vector<Color> colors(array.data.size() / 3);
  for (std::size_t i = 0; i < array.data.size(); ++i) {
    colors[i / 3][i % 3] = static_cast<double>(array.data[i]) / unit;
  }
  return colors;
}

/// Values in [0, 1]: the ends, both sides of the two thresholds, and anything.
template <class T>
Array<T> floats(std::int64_t n) {
  test::Random random(11);
  Array<T> array({n, 3});
  const double special[] = {0.0,      1.0, 0.04045,          0.040451,       0.040449, 1e-6,
                            0.999999, 0.5, 0.008856 * 12.92, 0.0088 * 12.92, 1.0 / 3,  0.25};
  for (auto& v : array.data) {
    v = static_cast<T>(random.below(4) == 0 ? special[random.below(12)] : random.unit());
  }
  return array;
}

TEST(Color, GoldenValues) {
  const struct {
    std::array<std::uint8_t, 3> rgb;
    std::array<float, 3> lab;
  } table[] = {
      {{0, 0, 0}, {0.0F, 0.0F, 0.0F}},           {{255, 255, 255}, {100.0F, 0.0F, 0.0F}},
      {{255, 0, 0}, {53.24F, 80.09F, 67.20F}},   {{0, 255, 0}, {87.74F, -86.18F, 83.18F}},
      {{0, 0, 255}, {32.30F, 79.19F, -107.86F}}, {{128, 128, 128}, {53.59F, 0.0F, 0.0F}},
  };
  for (const auto& row : table) {
    const auto lab = lab_of(ArrayView::contiguous(row.rgb.data(), {3}));
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(lab[c], row.lab[c], 0.01) << int{row.rgb[0]};
  }
}

TEST(Color, MatchesReferenceForBytes) {
  Array<std::uint8_t> rgb({52, 52, 52, 3});
  for (std::size_t i = 0; i < rgb.data.size() / 3; ++i) {
    rgb.data[3 * i] = static_cast<std::uint8_t>(5 * (i / 2704));
    rgb.data[3 * i + 1] = static_cast<std::uint8_t>(5 * (i / 52 % 52));
    rgb.data[3 * i + 2] = static_cast<std::uint8_t>(5 * (i % 52));
  }
  EXPECT_LE(worst_error(colors_of(rgb, 255.0), lab_of(rgb.view())), kTolerance);
}

TEST(Color, MatchesReferenceForEveryGrey) {
  Array<std::uint16_t> rgb({65536, 3});
  for (std::size_t i = 0; i < rgb.data.size(); ++i) rgb.data[i] = static_cast<std::uint16_t>(i / 3);
  const std::vector<float> lab = lab_of(rgb.view());
  EXPECT_LE(worst_error(colors_of(rgb, 65535.0), lab), kTolerance);
  for (std::size_t i = 3; i < lab.size(); i += 3) ASSERT_GE(lab[i], lab[i - 3] - 1e-5F) << i / 3;
}

TEST(Color, MatchesReferenceForFloats) {
  const Array<float> rgb = floats<float>(20000);
  EXPECT_LE(worst_error(colors_of(rgb, 1.0), lab_of(rgb.view())), kTolerance);
  const Array<double> wide = floats<double>(20000);
  EXPECT_LE(worst_error(colors_of(wide, 1.0), lab_of(wide.view())), kTolerance);
}

TEST(Color, MatchesReferenceForHalves) {
  // All halves from 0 to 1, whose bits count upwards, and their values by the definition.
  constexpr std::int64_t kOne = 0x3c00;
  std::vector<std::uint16_t> rgb;
  std::vector<Color> expected;
  for (std::int64_t bits = 0; bits <= kOne; ++bits) {
    const auto fraction = static_cast<double>(bits % 1024);
    const int exponent = static_cast<int>(bits / 1024);
    const double value = exponent == 0 ? std::ldexp(fraction, -24)
                                       : std::ldexp(1.0 + fraction / 1024.0, exponent - 15);
    rgb.insert(rgb.end(), {static_cast<std::uint16_t>(bits), kOne / 2, kOne});
    expected.push_back({value, std::ldexp(1.5, -8), 1.0});
  }
  const ArrayView view = ArrayView::contiguous(rgb.data(), DType::kFloat16, {kOne + 1, 3});
  EXPECT_LE(worst_error(expected, lab_of(view)), kTolerance);
}

TEST(Color, DoesNotDependOnTheNumberOfThreads) {
  const Array<float> rgb = floats<float>(50001);
  const std::vector<float> expected = lab_of(rgb.view(), 1);
  for (const int n : {2, 3, 7}) EXPECT_EQ(lab_of(rgb.view(), n), expected) << n;
}

TEST(Color, DoesNotDependOnWhereAPixelLies) {
  const Array<float> rgb = floats<float>(100);
  const std::vector<float> all = lab_of(rgb.view());
  for (std::int64_t i = 0; i < 100; ++i) {
    const auto one = lab_of(ArrayView::contiguous(&rgb.data[3 * i], {3}));
    EXPECT_TRUE(std::equal(one.begin(), one.end(), &all[3 * i])) << i;
  }
}

TEST(Color, TakesAnyLayoutAndUpToFourDimensions) {
  for (const test::Shape& shape :
       {test::Shape{3}, {1, 3}, {7, 3}, {5, 6, 3}, {2, 5, 6, 3}, {40, 41, 3}}) {
    const Array<double> rgb = test::picture<double>(
        shape.size() >= 3 ? shape : test::Shape{1, test::product(shape) / 3, 3});
    Array<double> scaled(shape);
    std::transform(rgb.data.begin(), rgb.data.end(), scaled.data.begin(),
                   [](double v) { return v / 255.0; });
    const std::vector<float> expected = lab_of(scaled.view());
    EXPECT_EQ(lab_of(Scattered(scaled.view()).view), expected);
    EXPECT_LE(worst_error(colors_of(scaled, 1.0), expected), kTolerance);
  }
}

TEST(Color, EmptyIsEmpty) {
  for (const test::Shape& shape : {test::Shape{0, 3}, {0, 5, 3}, {5, 0, 3}}) {
    EXPECT_TRUE(lab_of(Array<float>(shape).view()).empty());
  }
}

/// The message of the E that `call` throws.
template <class E, class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "no exception";
}

TEST(Color, ErrorsNameTheArgument) {
  const Array<float> good({4, 5, 3});
  const auto call = [&](const ArrayView& rgb, const ArrayView& lab, const Context& context = {}) {
    return [=] { rgb_to_lab(rgb, lab, context); };
  };
  const auto names = [](const std::string& message, const std::string& argument) {
    EXPECT_NE(message.find("rgb_to_lab"), std::string::npos) << message;
    EXPECT_NE(message.find(argument), std::string::npos) << message;
  };
  for (const test::Shape& shape : {test::Shape{}, {4}, {4, 5}, {3, 5, 4}, {1, 1, 2, 2, 3}}) {
    const Array<float> bad(shape);
    names(message_of<InvalidArgument>(call(bad.view(), bad.view())), "image");
  }
  names(message_of<InvalidType>(call(Array<bool>({4, 5, 3}).view(), good.view())), "image");
  names(message_of<InvalidType>(call(Array<std::int8_t>({4, 5, 3}).view(), good.view())), "image");
  names(message_of<InvalidType>(call(Array<std::int64_t>({4, 5, 3}).view(), good.view())), "image");
  names(message_of<InvalidType>(call(good.view(), Array<double>({4, 5, 3}).view())), "lab");
  names(message_of<InvalidArgument>(call(good.view(), Array<float>({4, 4, 3}).view())), "lab");
  names(message_of<InvalidArgument>(call(good.view(), Array<float>({20, 3}).view())), "lab");
  names(message_of<InvalidArgument>(call(good.view(), Scattered(good.view()).view)), "lab");
  Context cuda;
  cuda.device = Device::kCuda;
  names(message_of<DeviceUnavailable>(call(good.view(), good.view(), cuda)), "CUDA");
}

}  // namespace
}  // namespace superpix
