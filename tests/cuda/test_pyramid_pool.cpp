// SPDX-License-Identifier: Apache-2.0
//
// Pyramid pooling on CUDA: what the CPU gives. Maxima and their places are the same, sums are made
// in another order.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "cuda_runtime.h"
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
    for (const std::int64_t b : bins) text.append(" ").append(std::to_string(b));
    return text;
  }
};

const std::vector<Case> kCases = {
    // Several planes in a block, the last of which has fewer.
    {1, 1, 1, 1, {1}},
    {2, 5, 7, 5, {6, 3, 2, 1, 3}},
    {1, 7, 8, 16, {1, 2, 3, 6}},
    // One.
    {1, 2, 60, 40, {1, 2, 3, 6}},
    {1, 2, 31, 30, {1, 2, 3, 6}},
    // Many blocks a plane, in tiles.
    {1, 2, 40, 2048, {1, 2}},
    {1, 1, 33, 1030, {1, 3}},
    // Levels of their own.
    {1, 2, 15, 17, {9, 40, 1}},
    {0, 3, 8, 8, {1, 2}},
};

/// These are where planes are cut and how, which depends on the dtype only by its size.
std::vector<Case> shapes() {
  std::vector<Case> cases = {
      {1, 3, 1, 1, {1, 2, 3}},
      {1, 40, 2, 3, {2, 1}},
      {1, 2, 33, 31, {1, 2, 3, 6}},
      {1, 1, 16, 16, {4}},
      {1, 1, 48, 4, {1}},
      // Many blocks a plane; several parts of rows.
      {2, 1, 190, 181, {3, 4}},
      {1, 2, 130, 136, {1, 2, 3, 6}},
      {1, 1, 1100, 3, {1, 2}},
      {1, 1, 70, 400, {5}},
      // Tiles, where a bin begins with one and where none does.
      {1, 1, 9, 3072, {3}},
      {1, 1, 17, 3000, {2, 3, 4}},
      // More cells than shared memory has room for.
      {1, 1, 100, 160, {16, 15, 14, 13}},
      // Levels of their own: windows of threads, and of warps.
      {1, 1, 600, 34, {17, 2}},
      {1, 1, 3, 2, {70}},
      {1, 2, 40, 50, {30, 3}},
      {1, 1, 40, 1, {2, 33}},
      {1, 1, 2, 2, {20, 64, 100}},
      // Several tables of levels.
      {1, 2, 9, 11, {16, 3, 16, 15, 14, 13, 1, 3}},
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
void expect_mean_of_cpu(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    expect_mean_of_cpu(c, test::rounded<T>(random_values(c.features_shape(), 1)));
  }
}

template <class T>
void expect_max_of_cpu(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const auto features = test::rounded<T>(special_values(c.features_shape(), 2));
    if (c.pixels() % 2 == 0) {
      expect_max_of_cpu<std::int32_t>(c, features);
    } else {
      expect_max_of_cpu<std::int64_t>(c, features);
    }
  }
}

template <class T>
void expect_mean_backward_of_cpu(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    expect_mean_backward_of_cpu(c, test::rounded<T>(random_values(c.pooled_shape(), 3)));
  }
}

template <class T>
void expect_max_backward_of_cpu(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const auto values = test::rounded<T>(special_values(c.features_shape(), 4));
    const auto gradient = test::rounded<T>(random_values(c.pooled_shape(), 5));
    if (c.pixels() % 2 == 0) {
      expect_max_backward_of_cpu<std::int64_t>(c, values, gradient);
    } else {
      expect_max_backward_of_cpu<std::int32_t>(c, values, gradient);
    }
  }
}

template <class T>
class PyramidPoolOnCudaOf : public ::testing::Test {};
using Types = ::testing::Types<float, double, detail::Half, detail::BFloat16>;
TYPED_TEST_SUITE(PyramidPoolOnCudaOf, Types, );

TYPED_TEST(PyramidPoolOnCudaOf, MeanIsThatOfTheCpu) { expect_mean_of_cpu<TypeParam>(kCases); }
TYPED_TEST(PyramidPoolOnCudaOf, MaxIsThatOfTheCpu) { expect_max_of_cpu<TypeParam>(kCases); }
TYPED_TEST(PyramidPoolOnCudaOf, MeanBackwardIsThatOfTheCpu) {
  expect_mean_backward_of_cpu<TypeParam>(kCases);
}
TYPED_TEST(PyramidPoolOnCudaOf, MaxBackwardIsThatOfTheCpu) {
  expect_max_backward_of_cpu<TypeParam>(kCases);
}

TEST(PyramidPoolOnCuda, MeanOfAnyShapeIsThatOfTheCpu) { expect_mean_of_cpu<float>(shapes()); }
TEST(PyramidPoolOnCuda, MaxOfAnyShapeIsThatOfTheCpu) { expect_max_of_cpu<float>(shapes()); }
TEST(PyramidPoolOnCuda, MeanBackwardOfAnyShapeIsThatOfTheCpu) {
  expect_mean_backward_of_cpu<float>(shapes());
}
TEST(PyramidPoolOnCuda, MaxBackwardOfAnyShapeIsThatOfTheCpu) {
  expect_max_backward_of_cpu<float>(shapes());
}

TEST(PyramidPoolOnCuda, MeanOfNanIsNan) {
  for (const Case& c : kCases) {
    expect_mean_of_cpu(c, test::rounded<float>(special_values(c.features_shape(), 6)));
  }
}

TEST(PyramidPoolOnCuda, MaximaOfEqualPixelsAreTheFirst) {
  for (const double value : std::vector<double>{-INFINITY, INFINITY, -0.0, -3.0, NAN}) {
    for (const Case& c : {kCases[1], kCases[3], kCases[6]}) {
      expect_max_of_cpu<std::int32_t>(
          c, test::rounded<float>(Array<double>(c.features_shape(), value)));
    }
  }
}

TEST(PyramidPoolOnCuda, IndicesAreOptional) {
  const Case c = kCases[2];
  const PyramidPoolParams params{c.bins, PyramidReduce::kMax};
  const auto features = test::rounded<float>(random_values(c.features_shape(), 7));
  Array<float> expected(c.pooled_shape()), pooled(c.pooled_shape());
  pyramid_pool(features.view(), expected.view(), nullptr, params);
  test::run_on_cuda(
      [&](const Context& context) {
        pyramid_pool(features.view(), pooled.view(), nullptr, params, context);
      },
      pooled);
  expect_same_bits(pooled, expected, c);
}

/// The same values, one element after an address that is a multiple of 16.
Array<float> shifted(const Array<float>& aligned) {
  Array<float> shifted({static_cast<std::int64_t>(aligned.data.size()) + 1});
  std::copy(aligned.data.begin(), aligned.data.end(), shifted.data.begin() + 1);
  return shifted;
}
ArrayView shifted_view(const Array<float>& array, const Shape& shape) {
  return ArrayView::contiguous(array.data.data() + 1, {shape[0], shape[1], shape[2], shape[3]});
}

TEST(PyramidPoolOnCuda, BitsDoNotDependOnAlignment) {
  for (const Case& c : {kCases[2], kCases[3], kCases[5], kCases[6]}) {
    const Shape shape = c.features_shape();
    const PyramidPoolParams params{c.bins, PyramidReduce::kMean};
    // Sums that are rounded, in every order to something else.
    Array<float> features(shape);
    test::Random random(8);
    for (float& v : features.data) v = static_cast<float>(random.unit());
    const Array<float> elsewhere = shifted(features);
    Array<float> expected(c.pooled_shape()), pooled(c.pooled_shape());
    test::call_on_cuda([&](const Context& context) {
      pyramid_pool(features.view(), expected.view(), nullptr, params, context);
    });
    test::run_on_cuda(
        [&](const Context& context) {
          pyramid_pool(shifted_view(elsewhere, shape), pooled.view(), nullptr, params, context);
        },
        pooled);
    expect_same_bits(pooled, expected, c);

    Array<float> gradient(shape);
    test::call_on_cuda([&](const Context& context) {
      pyramid_pool_backward(pooled.view(), nullptr, gradient.view(), params, context);
    });
    Array<float> written = shifted(Array<float>(shape));
    test::call_on_cuda([&](const Context& context) {
      pyramid_pool_backward(pooled.view(), nullptr, shifted_view(written, shape), params, context);
    });
    written.data.erase(written.data.begin());
    expect_same_bits(written, gradient, c);
  }
}

TEST(PyramidPoolOnCuda, BitsDoNotDependOnTheBatch) {
  for (Case c : {kCases[1], kCases[3], Case{2, 1, 130, 136, {1, 2, 3, 6}}}) {
    const PyramidPoolParams params{c.bins, PyramidReduce::kMean};
    c.batch = 2;
    c.channels = 1;
    Case plane = c;
    plane.batch = 1;
    Array<float> all(c.features_shape()), second(plane.features_shape());
    test::Random random(9);
    for (float& v : all.data) v = static_cast<float>(random.unit());
    std::copy(all.data.begin() + c.pixels(), all.data.end(), second.data.begin());
    Array<float> both(c.pooled_shape()), one(plane.pooled_shape());
    test::call_on_cuda([&](const Context& context) {
      pyramid_pool(all.view(), both.view(), nullptr, params, context);
    });
    test::call_on_cuda([&](const Context& context) {
      pyramid_pool(second.view(), one.view(), nullptr, params, context);
    });
    both.data.erase(both.data.begin(), both.data.begin() + c.windows());
    expect_same_bits(both, one, c);
  }
}

/// All rounding errors are alike here.
TEST(PyramidPoolOnCuda, MeanOfLargePlanesIsExactEnough) {
  for (const Case& c : {Case{1, 1, 40000, 3, {1}}, Case{1, 1, 2, 60000, {1}}}) {
    const Array<float> features(c.features_shape(), 0.1F);
    Array<float> pooled(c.pooled_shape());
    test::call_on_cuda([&](const Context& context) {
      pyramid_pool(features.view(), pooled.view(), nullptr, {c.bins, PyramidReduce::kMean},
                   context);
    });
    EXPECT_NEAR(pooled.data[0], 0.1F, 2e-7F);
  }
}

TEST(PyramidPoolOnCuda, IndicesThatAreNotOfTheWindowGiveNothing) {
  for (const Bins& bins : {Bins{1, 2}, Bins{1, 2, 30}}) {
    const Case c{1, 2, 6, 8, bins};
    const PyramidPoolParams params{c.bins, PyramidReduce::kMax};
    const Array<float> gradient(c.pooled_shape(), 1.0F);
    Array<std::int64_t> indices(c.pooled_shape(), -1);
    indices.data[0] = 48;
    indices.data[1] = 47;  // of another window
    indices.data[2] = std::numeric_limits<std::int64_t>::max();
    indices.data[3] = std::int64_t{1} << 32;
    indices.data[4] = 47;
    indices.data[c.windows() + 1] = 40;  // of its columns, but not of its rows
    const ArrayView view = indices.view();
    Array<float> expected(c.features_shape()), features(c.features_shape());
    expected.data[47] = 1.0F;
    test::run_on_cuda(
        [&](const Context& context) {
          pyramid_pool_backward(gradient.view(), &view, features.view(), params, context);
        },
        features);
    EXPECT_EQ(features.data, expected.data);
  }
}

TEST(PyramidPoolOnCuda, OneLaunchIsEnoughForSmallPlanesAndTwoForLarge) {
  const auto launches = [](const Case& c, bool backward) {
    const PyramidPoolParams params{c.bins, PyramidReduce::kMean};
    const Array<float> features(c.features_shape()), pooled(c.pooled_shape());
    const long before = cuda_on_cpu::num_launches;
    test::call_on_cuda([&](const Context& context) {
      if (backward) {
        pyramid_pool_backward(pooled.view(), nullptr, features.view(), params, context);
      } else {
        pyramid_pool(features.view(), pooled.view(), nullptr, params, context);
      }
    });
    return cuda_on_cpu::num_launches - before;
  };
  const Case small{1, 4, 60, 60, {1, 2, 3, 6}};
  const Case large{1, 1, 130, 136, {1, 2, 3, 6}};
  EXPECT_EQ(launches(small, false), 1);
  EXPECT_EQ(launches(small, true), 1);
  EXPECT_EQ(launches(large, false), 2);
  EXPECT_EQ(launches(large, true), 1);
}

}  // namespace
}  // namespace superpix
