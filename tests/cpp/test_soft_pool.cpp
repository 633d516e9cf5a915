// SPDX-License-Identifier: Apache-2.0
//
// Soft pooling against its formulas, its gradients against central differences.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "array.h"
#include "calls.h"
#include "halves.h"
#include "soft_pool_reference.h"

namespace superpix {
namespace {

using detail::BFloat16;
using detail::ComputeType;
using detail::Half;
using test::Array;
using test::on_threads;
using test::Shape;
using test::SoftPoolReference;

struct Case {
  std::int64_t batch, channels, height, width, rows, columns;

  Shape pixels() const { return {batch, channels, height, width}; }
  Shape association() const { return {batch, 9, height, width}; }
  Shape centers() const { return {batch, channels, rows * columns}; }
  Shape weights() const { return {batch, rows * columns}; }
  SoftPoolReference reference() const { return {channels, height, width, rows, columns}; }
};

// Cells of less than a register, of whole ones, of more pixels than a strip and with more in a row;
// channels that fill no group, one, several.
const std::vector<Case> kCases = {
    {1, 3, 20, 30, 4, 5},    {2, 5, 33, 47, 3, 4},  {1, 1, 1, 1, 1, 1},    {1, 2, 1, 40, 1, 6},
    {1, 2, 40, 1, 5, 1},     {3, 4, 9, 11, 9, 11},  {1, 20, 24, 70, 2, 3}, {1, 7, 40, 700, 1, 1},
    {1, 13, 31, 1100, 2, 2}, {2, 50, 32, 48, 2, 3}, {1, 131, 8, 21, 2, 2}, {2, 6, 50, 64, 2, 4},
};

Array<double> random_array(const Shape& shape, unsigned seed, double low, double high) {
  Array<double> array(shape);
  test::Random random(seed);
  for (double& value : array.data) value = low + (high - low) * random.unit();
  return array;
}

/// Not normalised; some pixels belong to nothing, some wholly to one superpixel.
Array<double> association_of(const Case& c) {
  Array<double> association = random_array(c.association(), 11, 0.0, 1.0);
  const std::int64_t plane = c.height * c.width;
  for (std::size_t i = 0; i < association.data.size(); ++i) {
    const std::int64_t p = static_cast<std::int64_t>(i) % plane;
    const std::int64_t slot = static_cast<std::int64_t>(i) / plane % 9;
    if (p % 17 == 5) association.data[i] = 0.0;
    if (p % 17 == 6) association.data[i] = slot == 4 ? 1.0 : 0.0;
  }
  return association;
}

/// Calls f(element of the association) where it is for a superpixel that does not exist.
void for_missing(const Case& c, const std::function<void(std::size_t)>& f) {
  const std::int64_t plane = c.height * c.width;
  const SoftPoolReference reference = c.reference();
  for (std::int64_t i = 0; i < c.batch * 9 * plane; ++i) {
    const std::int64_t p = i % plane;
    if (reference.candidate(p / c.width, p % c.width, static_cast<int>(i / plane % 9)) < 0) {
      f(static_cast<std::size_t>(i));
    }
  }
}

template <class T>
struct Pooled {
  Array<T> pooled;
  Array<ComputeType<T>> weights;
};

SoftPoolParams pool_params(const Case& c, double eps) { return {c.rows, c.columns, eps}; }

constexpr double kEps = 1e-3;

template <class T>
Pooled<T> pool(const Case& c, const Array<T>& values, const Array<T>& association,
               double eps = kEps, int num_threads = 1) {
  Pooled<T> out{Array<T>(c.centers(), T{7}), Array<ComputeType<T>>(c.weights(), 7)};
  const ArrayView weights = out.weights.view();
  soft_pool(values.view(), association.view(), out.pooled.view(), &weights, pool_params(c, eps),
            on_threads(num_threads));
  return out;
}

template <class T>
struct Gradients {
  Array<T> values, association;
};

template <class T>
Gradients<T> pool_backward(const Case& c, const Array<T>& values, const Array<T>& association,
                           const Array<T>& gradient, double eps = kEps, int num_threads = 1) {
  const Pooled<T> out = pool(c, values, association, eps);
  Gradients<T> gradients{Array<T>(values.shape, T{7}), Array<T>(association.shape, T{7})};
  const ArrayView of_values = gradients.values.view();
  const ArrayView of_association = gradients.association.view();
  soft_pool_backward(values.view(), association.view(), out.pooled.view(), out.weights.view(),
                     gradient.view(), &of_values, &of_association, pool_params(c, eps),
                     on_threads(num_threads));
  return gradients;
}

template <class T>
Array<T> unpool(const Case& c, const Array<T>& centers, const Array<T>& association, bool normalize,
                int num_threads = 1) {
  Array<T> out(c.pixels(), T{7});
  soft_unpool(centers.view(), association.view(), out.view(), {c.rows, c.columns, normalize},
              on_threads(num_threads));
  return out;
}

template <class T>
Gradients<T> unpool_backward(const Case& c, const Array<T>& centers, const Array<T>& association,
                             const Array<T>& gradient, bool normalize, int num_threads = 1) {
  Gradients<T> gradients{Array<T>(centers.shape, T{7}), Array<T>(association.shape, T{7})};
  const ArrayView of_centers = gradients.values.view();
  const ArrayView of_association = gradients.association.view();
  soft_unpool_backward(centers.view(), association.view(), gradient.view(), &of_centers,
                       &of_association, {c.rows, c.columns, normalize}, on_threads(num_threads));
  return gradients;
}

template <class T>
std::vector<double> image_of(const Array<T>& array, std::int64_t image) {
  const auto n = static_cast<std::ptrdiff_t>(array.data.size() / array.shape[0]);
  return test::values_of(
      std::vector<T>(array.data.begin() + image * n, array.data.begin() + (image + 1) * n));
}

template <class T>
void expect_near(const Array<T>& found, std::int64_t image, const std::vector<double>& expected,
                 double tolerance) {
  const std::vector<double> values = image_of(found, image);
  ASSERT_EQ(values.size(), expected.size());
  double most = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    most = std::max(most, std::abs(values[i] - expected[i]) / (1.0 + std::abs(expected[i])));
    ASSERT_FALSE(std::isnan(values[i])) << i;
  }
  EXPECT_LE(most, tolerance);
}

template <class T>
bool same_bits(const Array<T>& a, const Array<T>& b) {
  return a.shape == b.shape &&
         std::memcmp(a.data.data(), b.data.data(), a.data.size() * sizeof(T)) == 0;
}

/// Everything against the reference, whose input is what T makes of the values.
template <class T>
void expect_reference(double tolerance, double offset = 0.0) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(::testing::PrintToString(c.pixels()));
    const auto values = test::rounded<T>(random_array(c.pixels(), 1, offset - 1.0, offset + 1.0));
    const auto centers = test::rounded<T>(random_array(c.centers(), 2, offset - 1.0, offset + 1.0));
    const auto of_pixels = test::rounded<T>(random_array(c.pixels(), 3, -1.0, 1.0));
    const auto of_centers = test::rounded<T>(random_array(c.centers(), 4, -1.0, 1.0));
    const auto association = test::rounded<T>(association_of(c));
    const SoftPoolReference reference = c.reference();
    const Pooled<T> pooled = pool(c, values, association);
    const Gradients<T> pooled_back = pool_backward(c, values, association, of_centers);
    for (std::int64_t i = 0; i < c.batch; ++i) {
      const auto v = image_of(values, i);
      const auto a = image_of(association, i);
      const auto expected = reference.pool(v, a, kEps);
      expect_near(pooled.pooled, i, expected.pooled, tolerance);
      expect_near(pooled.weights, i, expected.weights, tolerance);
      const auto back = reference.pool_backward(v, a, kEps, image_of(of_centers, i));
      expect_near(pooled_back.values, i, back.values, tolerance);
      expect_near(pooled_back.association, i, back.association, tolerance);
    }
    for (const bool normalize : {true, false}) {
      const Array<T> out = unpool(c, centers, association, normalize);
      const auto found = unpool_backward(c, centers, association, of_pixels, normalize);
      for (std::int64_t i = 0; i < c.batch; ++i) {
        const auto s = image_of(centers, i);
        const auto a = image_of(association, i);
        expect_near(out, i, reference.unpool(s, a, normalize), tolerance);
        const auto back = reference.unpool_backward(s, a, normalize, image_of(of_pixels, i));
        expect_near(found.values, i, back.values, tolerance);
        expect_near(found.association, i, back.association, tolerance);
      }
    }
  }
}

TEST(SoftPool, MatchesReferenceInDouble) { expect_reference<double>(1e-12); }

TEST(SoftPool, MatchesReferenceInFloat) { expect_reference<float>(1e-5); }

// Half of the distance between neighbours, and for the gradient of the association that of the
// pooled values, which it is made of.
TEST(SoftPool, MatchesReferenceInHalfPrecision) {
  expect_reference<Half>(std::ldexp(1.0, -10));
  expect_reference<BFloat16>(std::ldexp(1.0, -7));
}

// Like positions, which are large where what tells them apart is small. Neighbours of 500 are 3e-5
// apart.
TEST(SoftPool, KeepsItsPrecisionFarFromZero) { expect_reference<float>(2e-4, 500.0); }

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void expect_numeric_gradient(const Array<double>& gradient, Array<double>& input,
                             const std::function<double()>& loss) {
  const std::size_t every = std::max<std::size_t>(1, input.data.size() / 60);
  for (std::size_t i = 0; i < input.data.size(); i += every) {
    constexpr double kStep = 1e-5;
    const double value = input.data[i];
    input.data[i] = value + kStep;
    const double more = loss();
    input.data[i] = value - kStep;
    const double less = loss();
    input.data[i] = value;
    const double expected = (more - less) / (2 * kStep);
    EXPECT_NEAR(gradient.data[i], expected, 1e-6 * (1.0 + std::abs(expected))) << i;
  }
}

TEST(SoftPoolBackward, MatchesCentralDifferences) {
  for (const Case& c : kCases) {
    if (c.height * c.width > 4000) continue;
    Array<double> values = random_array(c.pixels(), 1, -1.0, 1.0);
    Array<double> association = random_array(c.association(), 2, 0.1, 1.0);
    const Array<double> g = random_array(c.centers(), 3, -1.0, 1.0);
    const auto loss = [&] { return dot(pool(c, values, association).pooled.data, g.data); };
    const auto found = pool_backward(c, values, association, g);
    expect_numeric_gradient(found.values, values, loss);
    expect_numeric_gradient(found.association, association, loss);
  }
}

TEST(SoftUnpoolBackward, MatchesCentralDifferences) {
  for (const Case& c : kCases) {
    if (c.height * c.width > 4000) continue;
    for (const bool normalize : {true, false}) {
      Array<double> centers = random_array(c.centers(), 1, -1.0, 1.0);
      Array<double> association = random_array(c.association(), 2, 0.1, 1.0);
      const Array<double> g = random_array(c.pixels(), 3, -1.0, 1.0);
      const auto loss = [&] {
        return dot(unpool(c, centers, association, normalize).data, g.data);
      };
      const auto found = unpool_backward(c, centers, association, g, normalize);
      expect_numeric_gradient(found.values, centers, loss);
      expect_numeric_gradient(found.association, association, loss);
    }
  }
}

TEST(SoftPool, CandidatesThatDoNotExistAreLeftOut) {
  for (const Case& c : kCases) {
    const auto values = test::rounded<float>(random_array(c.pixels(), 1, -1.0, 1.0));
    const auto centers = test::rounded<float>(random_array(c.centers(), 2, -1.0, 1.0));
    const auto association = test::rounded<float>(association_of(c));
    Array<float> spoiled = association;
    for_missing(c, [&](std::size_t i) { spoiled.data[i] = i % 2 == 0 ? NAN : 1e30F; });
    EXPECT_TRUE(same_bits(pool(c, values, spoiled).pooled, pool(c, values, association).pooled));
    const auto back = pool_backward(c, values, spoiled, centers);
    const auto expected_back = pool_backward(c, values, association, centers);
    EXPECT_TRUE(same_bits(back.values, expected_back.values));
    EXPECT_TRUE(same_bits(back.association, expected_back.association));
    for_missing(c, [&](std::size_t i) { EXPECT_EQ(back.association.data[i], 0.0F); });
    for (const bool normalize : {true, false}) {
      EXPECT_TRUE(same_bits(unpool(c, centers, spoiled, normalize),
                            unpool(c, centers, association, normalize)));
      const auto found = unpool_backward(c, centers, spoiled, values, normalize);
      const auto expected = unpool_backward(c, centers, association, values, normalize);
      EXPECT_TRUE(same_bits(found.values, expected.values));
      EXPECT_TRUE(same_bits(found.association, expected.association));
      for_missing(c, [&](std::size_t i) { EXPECT_EQ(found.association.data[i], 0.0F); });
    }
  }
}

template <class T>
void expect_same_for_threads_and_places() {
  for (const Case& c : kCases) {
    const auto values = test::rounded<T>(random_array(c.pixels(), 1, -1.0, 1.0));
    const auto centers = test::rounded<T>(random_array(c.centers(), 2, -1.0, 1.0));
    const auto association = test::rounded<T>(association_of(c));
    const Pooled<T> pooled = pool(c, values, association);
    const auto pooled_back = pool_backward(c, values, association, centers);
    const Array<T> out = unpool(c, centers, association, true);
    const auto out_back = unpool_backward(c, centers, association, values, true);
    for (const int threads : {2, 3, 8}) {
      const Pooled<T> p = pool(c, values, association, kEps, threads);
      EXPECT_TRUE(same_bits(p.pooled, pooled.pooled));
      EXPECT_TRUE(same_bits(p.weights, pooled.weights));
      const auto pb = pool_backward(c, values, association, centers, kEps, threads);
      EXPECT_TRUE(same_bits(pb.values, pooled_back.values));
      EXPECT_TRUE(same_bits(pb.association, pooled_back.association));
      EXPECT_TRUE(same_bits(unpool(c, centers, association, true, threads), out));
      const auto ob = unpool_backward(c, centers, association, values, true, threads);
      EXPECT_TRUE(same_bits(ob.values, out_back.values));
      EXPECT_TRUE(same_bits(ob.association, out_back.association));
    }
    Case alone = c;
    alone.batch = 1;
    const auto last = [&](const Array<T>& batch) {
      Shape shape = batch.shape;
      shape[0] = 1;
      const auto n = static_cast<std::ptrdiff_t>(test::product(shape));
      return Array<T>(shape, std::vector<T>(batch.data.end() - n, batch.data.end()));
    };
    EXPECT_TRUE(
        same_bits(last(pooled.pooled), pool(alone, last(values), last(association)).pooled));
    EXPECT_TRUE(same_bits(last(out), unpool(alone, last(centers), last(association), true)));
    EXPECT_TRUE(same_bits(
        last(out_back.values),
        unpool_backward(alone, last(centers), last(association), last(values), true).values));
  }
}

TEST(SoftPool, HasTheSameBitsForAnyNumberOfThreadsAndPlaceInTheBatch) {
  expect_same_for_threads_and_places<float>();
  expect_same_for_threads_and_places<double>();
  expect_same_for_threads_and_places<BFloat16>();
}

TEST(SoftPool, SuperpixelWithoutWeightGetsZero) {
  const Case c{1, 2, 8, 12, 2, 3};
  const auto values = test::rounded<float>(random_array(c.pixels(), 1, -1.0, 1.0));
  const Array<float> association(c.association());
  const Pooled<float> out = pool(c, values, association, SoftPoolParams{}.eps);
  for (const float value : out.pooled.data) EXPECT_EQ(value, 0.0F);
  for (const float value : out.weights.data) EXPECT_EQ(value, 0.0F);
}

TEST(SoftUnpool, PixelWithoutWeightGetsZeroAndNoGradient) {
  const Case c{1, 2, 8, 12, 2, 3};
  const auto centers = test::rounded<float>(random_array(c.centers(), 1, -1.0, 1.0));
  const auto g = test::rounded<float>(random_array(c.pixels(), 1, -1.0, 1.0));
  for (const float tiny : {0.0F, 1e-44F}) {  // 1 / 1e-44 is infinite
    const Array<float> association(c.association(), tiny);
    for (const float value : unpool(c, centers, association, true).data) EXPECT_EQ(value, 0.0F);
    const auto back = unpool_backward(c, centers, association, g, true);
    for (const float value : back.values.data) EXPECT_EQ(value, 0.0F);
    for (const float value : back.association.data) EXPECT_EQ(value, 0.0F);
  }
}

TEST(SoftUnpool, WithoutNormalizationWhatGoesBeyondTheGridIsLost) {
  const Case c{1, 1, 6, 6, 2, 2};
  const Array<double> centers(c.centers(), 1.0);
  const Array<double> association(c.association(), 1.0 / 9.0);
  const Array<double> out = unpool(c, centers, association, false);
  for (const double value : out.data) EXPECT_NEAR(value, 4.0 / 9.0, 1e-15);
}

TEST(SoftPool, WeightsAndGradientsAreOptional) {
  for (const Case& c : kCases) {
    const auto values = test::rounded<float>(random_array(c.pixels(), 1, -1.0, 1.0));
    const auto centers = test::rounded<float>(random_array(c.centers(), 2, -1.0, 1.0));
    const auto association = test::rounded<float>(association_of(c));
    const Pooled<float> out = pool(c, values, association);
    const Array<float> pooled(c.centers());
    soft_pool(values.view(), association.view(), pooled.view(), nullptr, pool_params(c, kEps));
    EXPECT_TRUE(same_bits(pooled, out.pooled));
    const auto both = pool_backward(c, values, association, centers);
    const auto unpool_both = unpool_backward(c, centers, association, values, true);
    for (const bool first : {true, false}) {
      const Array<float> of_values(c.pixels());
      const Array<float> of_centers(c.centers());
      const Array<float> of_association(c.association());
      const ArrayView values_view = of_values.view();
      const ArrayView centers_view = of_centers.view();
      const ArrayView association_view = of_association.view();
      soft_pool_backward(values.view(), association.view(), out.pooled.view(), out.weights.view(),
                         centers.view(), first ? &values_view : nullptr,
                         first ? nullptr : &association_view, pool_params(c, kEps));
      EXPECT_TRUE(first ? same_bits(of_values, both.values)
                        : same_bits(of_association, both.association));
      soft_unpool_backward(centers.view(), association.view(), values.view(),
                           first ? &centers_view : nullptr, first ? nullptr : &association_view,
                           {c.rows, c.columns, true});
      EXPECT_TRUE(first ? same_bits(of_centers, unpool_both.values)
                        : same_bits(of_association, unpool_both.association));
    }
  }
}

// What is not finite in one superpixel stays out of the gradients of others.
TEST(SoftPool, NotFiniteValuesStayWhereTheyAre) {
  const Case c{1, 2, 30, 40, 3, 4};
  const auto association = test::rounded<float>(random_array(c.association(), 1, 0.1, 1.0));
  for (const float bad : {NAN, INFINITY}) {
    auto values = test::rounded<float>(random_array(c.pixels(), 2, -1.0, 1.0));
    values.data[0] = bad;  // in the cell in the upper left corner
    const Pooled<float> out = pool(c, values, association);
    for (std::int64_t k = 0; k < 12; ++k) {
      EXPECT_EQ(std::isfinite(out.pooled.data[k]), k % 4 > 1 || k / 4 > 1) << k;
    }
    const auto g = test::rounded<float>(random_array(c.centers(), 3, -1.0, 1.0));
    const auto back = pool_backward(c, values, association, g);
    for (const float value : back.values.data) EXPECT_TRUE(std::isfinite(value));
    // The pixels of the cell below and right of it, towards the superpixel below and right of them.
    const std::int64_t p = 15 * 40 + 15;
    EXPECT_TRUE(std::isfinite(back.association.data[8 * 1200 + p]));
    EXPECT_FALSE(std::isfinite(back.association.data[0 * 1200 + p]));
    auto centers = test::rounded<float>(random_array(c.centers(), 4, -1.0, 1.0));
    centers.data[5] = bad;
    unpool_backward(c, centers, association, values, true);
  }
}

TEST(SoftPool, EmptyBatchIsFine) {
  const Case c{0, 3, 20, 30, 4, 5};
  const Array<float> values(c.pixels());
  const Array<float> association(c.association());
  EXPECT_TRUE(pool(c, values, association).pooled.data.empty());
  EXPECT_TRUE(unpool(c, Array<float>(c.centers()), association, true).data.empty());
}

void expect_error(const std::string& what, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "no error for " << what;
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
  }
}

TEST(SoftPoolErrors, NameTheArgument) {
  const Case c{1, 3, 20, 30, 4, 5};
  const Array<float> values(c.pixels());
  const Array<float> association(c.association());
  const Array<float> pooled(c.centers());
  const Array<float> weights(c.weights());
  const ArrayView weights_view = weights.view();
  const auto call = [&](const ArrayView& v, const ArrayView& a, const ArrayView& p,
                        const ArrayView* w, const SoftPoolParams& params) {
    return [=] { soft_pool(v, a, p, w, params); };
  };
  const auto with = [&](const SoftPoolParams& params) {
    return call(values.view(), association.view(), pooled.view(), nullptr, params);
  };
  const SoftPoolParams good = pool_params(c, kEps);
  EXPECT_NO_THROW(with(good)());
  expect_error("soft_pool: the grid", with({0, 5, kEps}));
  expect_error("the grid", with({21, 5, kEps}));
  expect_error("the grid", with({4, 31, kEps}));
  expect_error("eps", with({4, 5, -1.0}));
  expect_error("eps", with({4, 5, NAN}));
  expect_error("eps", with({4, 5, INFINITY}));
  const Array<float> eight({1, 8, 20, 30});
  expect_error("association must be [1, 9, 20, 30], got [1, 8, 20, 30]",
               call(values.view(), eight.view(), pooled.view(), nullptr, good));
  const Array<std::int32_t> integers(c.association());
  expect_error("association must be float16, bfloat16, float32 or float64, got int32",
               call(values.view(), integers.view(), pooled.view(), nullptr, good));
  expect_error("values must have 4 dimensions",
               call(pooled.view(), association.view(), pooled.view(), nullptr, good));
  const Array<float> none({1, 0, 20, 30});
  expect_error("values must have from 1 to 65536 channels",
               call(none.view(), association.view(), pooled.view(), nullptr, good));
  const Array<float> other({1, 3, 20, 29});
  expect_error("values must be [1, 3, 20, 30]",
               call(other.view(), association.view(), pooled.view(), nullptr, good));
  const Array<double> wide(c.pixels());
  expect_error("values must be float32, got float64",
               call(wide.view(), association.view(), pooled.view(), nullptr, good));
  expect_error("pooled must be [1, 3, 20]",
               call(values.view(), association.view(), values.view(), nullptr, good));
  const ArrayView pooled_view = pooled.view();
  expect_error("weights must be [1, 20]",
               call(values.view(), association.view(), pooled.view(), &pooled_view, good));
  test::Scattered scattered(values.view());
  expect_error("values must be C-contiguous",
               call(scattered.view, association.view(), pooled.view(), nullptr, good));
  Context context;
  context.num_threads = -1;
  expect_error("threads", [&] {
    soft_pool(values.view(), association.view(), pooled.view(), nullptr, good, context);
  });
  context.num_threads = 0;
  context.device = Device::kCuda;
  expect_error("soft_pool", [&] {
    soft_pool(values.view(), association.view(), pooled.view(), nullptr, good, context);
  });

  const ArrayView values_view = values.view();
  const ArrayView association_view = association.view();
  const auto backward = [&](const ArrayView& g, const ArrayView* v, const ArrayView* a) {
    return [=, &association, &values, &pooled] {
      soft_pool_backward(values.view(), association.view(), pooled.view(), weights_view, g, v, a,
                         good);
    };
  };
  EXPECT_NO_THROW(backward(pooled.view(), &values_view, &association_view)());
  expect_error("soft_pool_backward: grad_pooled", backward(values.view(), nullptr, nullptr));
  expect_error("grad_values", backward(pooled.view(), &association_view, nullptr));
  expect_error("grad_association", backward(pooled.view(), nullptr, &values_view));
}

TEST(SoftUnpoolErrors, NameTheArgument) {
  const Case c{1, 3, 20, 30, 4, 5};
  const Array<float> centers(c.centers());
  const Array<float> association(c.association());
  const Array<float> out(c.pixels());
  const auto call = [&](const ArrayView& s, const ArrayView& a, const ArrayView& o,
                        std::int64_t rows) {
    return [=] { soft_unpool(s, a, o, {rows, 5, true}); };
  };
  EXPECT_NO_THROW(call(centers.view(), association.view(), out.view(), 4)());
  expect_error("soft_unpool: the grid", call(centers.view(), association.view(), out.view(), 0));
  expect_error("centers must have 3 dimensions",
               call(out.view(), association.view(), out.view(), 4));
  expect_error("centers must be [1, 3, 15], got [1, 3, 20]",
               call(centers.view(), association.view(), out.view(), 3));
  expect_error("association must be [1, 9, 20, 30]",
               call(centers.view(), out.view(), out.view(), 4));
  expect_error("out must be [1, 3, 20, 30]",
               call(centers.view(), association.view(), association.view(), 4));
  const ArrayView out_view = out.view();
  const ArrayView centers_view = centers.view();
  const auto backward = [&](const ArrayView& g, const ArrayView* s, const ArrayView* a) {
    return [=, &association, &centers] {
      soft_unpool_backward(centers.view(), association.view(), g, s, a, {4, 5, true});
    };
  };
  EXPECT_NO_THROW(backward(out.view(), &centers_view, nullptr)());
  expect_error("soft_unpool_backward: grad_out", backward(centers.view(), nullptr, nullptr));
  expect_error("grad_centers", backward(out.view(), &out_view, nullptr));
  expect_error("grad_association", backward(out.view(), nullptr, &out_view));
}

}  // namespace
}  // namespace superpix
