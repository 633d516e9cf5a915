// SPDX-License-Identifier: Apache-2.0
//
// Pyramid pooling on CUDA: what the CPU gives. Maxima and their places are the same, sums are made
// in another order.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "halves.h"
#include "on_cuda.h"

namespace superpix {
namespace {

using test::Array;
using test::Shape;
using Bins = std::vector<std::int64_t>;

struct Case {
  std::int64_t batch, channels, height, width;
  Bins bins;

  std::int64_t pixels() const { return height * width; }
  std::int64_t windows() const { return pyramid_pool_size(bins); }
  Shape features_shape() const { return {batch, channels, height, width}; }
  Shape pooled_shape() const { return {batch, channels, windows()}; }
  std::string name() const {
    std::string text = std::to_string(height) + " x " + std::to_string(width) + ", bins";
    for (const std::int64_t b : bins) text += " " + std::to_string(b);
    return text;
  }
};

/// Of every way that planes go, for at least one dtype.
std::vector<Case> cases() {
  std::vector<Case> cases = {
      // Several planes in a block, the last of which has fewer.
      {1, 1, 1, 1, {1}},
      {1, 3, 1, 1, {1, 2, 3}},
      {2, 5, 7, 5, {6, 3, 2, 1, 3}},
      {1, 7, 8, 16, {1, 2, 3, 6}},
      {1, 40, 2, 3, {2, 1}},
      // One.
      {1, 3, 60, 60, {1, 2, 3, 6}},
      {1, 2, 33, 31, {1, 2, 3, 6}},
      {1, 1, 16, 16, {4}},
      {1, 1, 48, 4, {1}},
      // Many blocks a plane; several parts of rows.
      {2, 1, 190, 181, {3, 4}},
      {1, 2, 130, 136, {1, 2, 3, 6}},
      {1, 1, 1100, 3, {1, 2}},
      // Tiles, where a bin begins with one and where none does.
      {1, 2, 10, 2048, {1, 2}},
      {1, 1, 9, 3072, {3}},
      {1, 1, 33, 1030, {1, 3}},
      // More cells than shared memory has room for.
      {1, 1, 100, 160, {16, 15, 14, 13}},
      // Levels of their own: windows of threads, and of warps.
      {1, 2, 15, 17, {9, 40, 1}},
      {1, 1, 150, 160, {17, 2}},
      {1, 1, 3, 2, {70}},
      {1, 1, 40, 1, {2, 33}},
      {1, 1, 2, 2, {20, 64, 100}},
      // Several tables of levels.
      {1, 2, 9, 11, {16, 3, 16, 15, 14, 13, 1, 3}},
      {0, 3, 8, 8, {1, 2}},
      {2, 0, 8, 8, {1, 2}},
  };
  cases.push_back({1, 1, 5, 6, Bins(20, 2)});
  cases.push_back({1, 1, 3, 4, Bins(260, 1)});
  return cases;
}

/// Multiples of 1/64 in [-1, 1], which every dtype has, with many ties.
Array<double> random_values(const Shape& shape, unsigned seed) {
  test::Random random(seed);
  Array<double> values(shape);
  for (double& v : values.data) v = static_cast<double>(random.below(129) - 64) / 64.0;
  return values;
}

/// The same with zeros of either sign, infinities and NaN.
Array<double> special_values(const Shape& shape, unsigned seed) {
  Array<double> values = random_values(shape, seed);
  test::Random random(seed + 1);
  for (double& v : values.data) {
    const std::int64_t kind = random.below(60);
    if (kind == 0) v = NAN;
    if (kind == 1) v = INFINITY;
    if (kind >= 2 && kind < 30) v = -INFINITY;
    if (kind == 30) v = -0.0;
    if (kind == 31) v = 0.0;
  }
  return values;
}

/// Of sums of values up to 1.
template <class T>
double tolerance() {
  return std::is_same_v<T, double>         ? 1e-14
         : std::is_same_v<T, float>        ? 1e-6
         : std::is_same_v<T, detail::Half> ? 1.0 / 1024
                                           : 1.0 / 128;
}

template <class T>
void expect_near(const Array<T>& found, const Array<T>& expected, const Case& c) {
  const std::vector<double> a = test::values_of(found.data);
  const std::vector<double> b = test::values_of(expected.data);
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(std::isnan(a[i]), std::isnan(b[i])) << i << " of " << c.name();
    if (std::isnan(b[i]) || a[i] == b[i]) continue;
    ASSERT_NEAR(a[i], b[i], tolerance<T>() * (1.0 + std::abs(b[i]))) << i << " of " << c.name();
  }
}

template <class T>
void expect_same_bits(const Array<T>& found, const Array<T>& expected, const Case& c) {
  ASSERT_EQ(found.data.size(), expected.data.size());
  if (found.data.empty()) return;
  EXPECT_EQ(std::memcmp(found.data.data(), expected.data.data(), found.data.size() * sizeof(T)), 0)
      << c.name();
}

template <class T>
void expect_mean_of_cpu(const Case& c, const Array<T>& features) {
  const PyramidPoolParams params{c.bins, PyramidReduce::kMean};
  Array<T> expected(c.pooled_shape()), pooled(c.pooled_shape());
  pyramid_pool(features.view(), expected.view(), nullptr, params);
  test::run_on_cuda(
      [&](const Context& context) {
        pyramid_pool(features.view(), pooled.view(), nullptr, params, context);
      },
      pooled);
  expect_near(pooled, expected, c);
}

template <class Index, class T>
void expect_max_of_cpu(const Case& c, const Array<T>& features) {
  const PyramidPoolParams params{c.bins, PyramidReduce::kMax};
  Array<T> expected(c.pooled_shape()), pooled(c.pooled_shape());
  Array<Index> expected_indices(c.pooled_shape()), indices(c.pooled_shape());
  const ArrayView expected_view = expected_indices.view(), view = indices.view();
  pyramid_pool(features.view(), expected.view(), &expected_view, params);
  test::run_on_cuda(
      [&](const Context& context) {
        pyramid_pool(features.view(), pooled.view(), &view, params, context);
      },
      pooled, indices);
  expect_same_bits(pooled, expected, c);
  EXPECT_EQ(indices.data, expected_indices.data) << c.name();
}

template <class T>
void expect_mean_backward_of_cpu(const Case& c, const Array<T>& gradient) {
  const PyramidPoolParams params{c.bins, PyramidReduce::kMean};
  Array<T> expected(c.features_shape()), features(c.features_shape());
  pyramid_pool_backward(gradient.view(), nullptr, expected.view(), params);
  test::run_on_cuda(
      [&](const Context& context) {
        pyramid_pool_backward(gradient.view(), nullptr, features.view(), params, context);
      },
      features);
  expect_near(features, expected, c);
}

/// Gradients whose sums are exact, so that the order of additions does not matter.
template <class Index, class T>
void expect_max_backward_of_cpu(const Case& c, const Array<T>& values, const Array<T>& gradient) {
  const PyramidPoolParams params{c.bins, PyramidReduce::kMax};
  Array<T> pooled(c.pooled_shape());
  Array<Index> indices(c.pooled_shape());
  const ArrayView view = indices.view();
  pyramid_pool(values.view(), pooled.view(), &view, params);
  Array<T> expected(c.features_shape()), features(c.features_shape());
  pyramid_pool_backward(gradient.view(), &view, expected.view(), params);
  test::run_on_cuda(
      [&](const Context& context) {
        pyramid_pool_backward(gradient.view(), &view, features.view(), params, context);
      },
      features);
  expect_near(features, expected, c);
}

template <class T>
class PyramidPoolOnCuda : public ::testing::Test {};
using Types = ::testing::Types<float, double, detail::Half, detail::BFloat16>;
TYPED_TEST_SUITE(PyramidPoolOnCuda, Types, );

TYPED_TEST(PyramidPoolOnCuda, MeanIsThatOfTheCpu) {
  for (const Case& c : cases()) {
    expect_mean_of_cpu(c, test::rounded<TypeParam>(random_values(c.features_shape(), 1)));
  }
}

TYPED_TEST(PyramidPoolOnCuda, MaxIsThatOfTheCpu) {
  for (const Case& c : cases()) {
    const auto features = test::rounded<TypeParam>(special_values(c.features_shape(), 2));
    if (c.pixels() % 2 == 0) {
      expect_max_of_cpu<std::int32_t>(c, features);
    } else {
      expect_max_of_cpu<std::int64_t>(c, features);
    }
  }
}

TYPED_TEST(PyramidPoolOnCuda, MeanBackwardIsThatOfTheCpu) {
  for (const Case& c : cases()) {
    expect_mean_backward_of_cpu(c, test::rounded<TypeParam>(random_values(c.pooled_shape(), 3)));
  }
}

TYPED_TEST(PyramidPoolOnCuda, MaxBackwardIsThatOfTheCpu) {
  for (const Case& c : cases()) {
    const auto values = test::rounded<TypeParam>(special_values(c.features_shape(), 4));
    const auto gradient = test::rounded<TypeParam>(random_values(c.pooled_shape(), 5));
    if (c.pixels() % 2 == 0) {
      expect_max_backward_of_cpu<std::int64_t>(c, values, gradient);
    } else {
      expect_max_backward_of_cpu<std::int32_t>(c, values, gradient);
    }
  }
}

}  // namespace
}  // namespace superpix
