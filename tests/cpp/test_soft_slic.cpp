// SPDX-License-Identifier: Apache-2.0
//
// Soft SLIC against its formulas, its gradients against central differences.
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
#include "halves.h"
#include "soft_slic_reference.h"

namespace superpix {
namespace {

using detail::BFloat16;
using detail::ComputeType;
using detail::Half;
using test::Array;
using test::random_array;
using test::Shape;
using test::SoftSlicReference;

struct Case {
  std::int64_t batch, channels, height, width, rows, columns;
  int num_iter;
};

const std::vector<Case> kCases = {
    {1, 3, 20, 30, 4, 5, 3},  {2, 5, 33, 47, 3, 4, 4},  {1, 1, 1, 1, 1, 1, 2},
    {1, 2, 1, 40, 1, 6, 3},   {1, 2, 40, 1, 5, 1, 3},   {3, 4, 9, 11, 9, 11, 2},
    {1, 20, 24, 70, 2, 3, 3}, {1, 7, 40, 700, 1, 1, 2}, {1, 13, 31, 1100, 2, 2, 2},
    {1, 3, 17, 23, 2, 2, 10},
};

/// Features that vary slowly along y and x, and noise.
template <class T>
Array<T> features_of(const Case& c, double offset = 0.0) {
  Array<T> features = random_array<T>({c.batch, c.channels, c.height, c.width}, 3, 0.5);
  for (std::size_t i = 0; i < features.data.size(); ++i) {
    const auto x = static_cast<double>(static_cast<std::int64_t>(i) % c.width);
    const auto y = static_cast<double>(static_cast<std::int64_t>(i) / c.width % c.height);
    const auto channel =
        static_cast<double>(static_cast<std::int64_t>(i) / (c.width * c.height) % c.channels);
    const double trend = offset + std::sin(0.3 * x + channel) + std::cos(0.2 * y - channel);
    features.data[i] =
        detail::narrow<T>(detail::widen(features.data[i]) + static_cast<ComputeType<T>>(trend));
  }
  return features;
}

SoftSlicParams params_of(const Case& c) {
  SoftSlicParams params;
  params.rows = c.rows;
  params.columns = c.columns;
  params.num_iter = c.num_iter;
  return params;
}

template <class T>
struct Output {
  Array<T> association, centers;
  Array<ComputeType<T>> history;
};

template <class T>
Output<T> run(const Case& c, const Array<T>& features, const SoftSlicParams& params,
              const Array<T>* initial = nullptr, int num_threads = 1) {
  Output<T> out{
      Array<T>({c.batch, 9, c.height, c.width}, T{7}),
      Array<T>({c.batch, c.channels, c.rows * c.columns}, T{7}),
      Array<ComputeType<T>>({soft_slic_history_size(c.batch, c.channels, params)}, 7),
  };
  Context context;
  context.num_threads = num_threads;
  const ArrayView initial_view = initial != nullptr ? initial->view() : ArrayView{};
  const ArrayView association = out.association.view();
  const ArrayView history = out.history.view();
  soft_slic(features.view(), initial != nullptr ? &initial_view : nullptr, &association,
            out.centers.view(), &history, params, context);
  return out;
}

template <class T>
std::vector<double> image_of(const Array<T>& array, std::int64_t image) {
  const auto n =
      static_cast<std::ptrdiff_t>(array.data.size()) / static_cast<std::ptrdiff_t>(array.shape[0]);
  return test::values_of(
      std::vector<T>(array.data.begin() + image * n, array.data.begin() + (image + 1) * n));
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(a[i] - b[i]) / (1.0 + std::abs(b[i])));
    if (std::isnan(a[i])) return INFINITY;
  }
  return most;
}

template <class T>
void expect_reference(const Case& c, const SoftSlicParams& params, double offset, bool initial,
                      double tolerance) {
  const Array<T> features = features_of<T>(c, offset);
  const Array<T> start =
      random_array<T>({c.batch, c.channels, c.rows * c.columns}, 5, 1.0 + std::abs(offset));
  const Output<T> found = run(c, features, params, initial ? &start : nullptr);
  const SoftSlicReference reference{c.channels, c.height,   c.width,           c.rows,
                                    c.columns,  c.num_iter, params.temperature};
  for (std::int64_t image = 0; image < c.batch; ++image) {
    const std::vector<double> values = image_of(features, image);
    const auto expected =
        reference.run(values, initial ? image_of(start, image) : reference.means(values));
    EXPECT_LE(largest_difference(image_of(found.association, image), expected.association),
              tolerance);
    EXPECT_LE(largest_difference(image_of(found.centers, image), expected.centers), tolerance);
  }
}

TEST(SoftSlic, MatchesReferenceInDouble) {
  for (const Case& c : kCases) {
    for (const double temperature : {1.0, 0.1}) {
      SoftSlicParams params = params_of(c);
      params.temperature = temperature;
      expect_reference<double>(c, params, 0.0, false, 1e-10);
      expect_reference<double>(c, params, 0.0, true, 1e-10);
    }
  }
}

TEST(SoftSlic, MatchesReferenceInFloat) {
  for (const Case& c : kCases) {
    expect_reference<float>(c, params_of(c), 0.0, false, 1e-5);
    expect_reference<float>(c, params_of(c), 0.0, true, 1e-5);
  }
}

// 16-bit results are the nearest to what float32 computes: 2^-11 and 2^-8 are half of the distance
// between neighbours.
TEST(SoftSlic, MatchesReferenceInHalfPrecision) {
  for (const Case& c : kCases) {
    for (const bool initial : {false, true}) {
      expect_reference<Half>(c, params_of(c), 0.0, initial, 1e-5 + std::ldexp(1.0, -11));
      expect_reference<BFloat16>(c, params_of(c), 0.0, initial, 1e-5 + std::ldexp(1.0, -8));
    }
  }
}

// Far from 0 as positions are: squares of features are large, what tells them apart is small.
TEST(SoftSlic, KeepsItsPrecisionFarFromZero) {
  for (const Case& c : kCases) expect_reference<float>(c, params_of(c), 80.0, false, 5e-4);
}

// Pixels of a cell whose own centre is nowhere near them have others to tell apart.
TEST(SoftSlic, KeepsItsPrecisionWhereACenterIsFar) {
  const Case c{1, 3, 64, 64, 4, 4, 5};
  const Array<float> features = features_of<float>(c);
  auto start = random_array<float>({1, 3, 16}, 5, 1.0);
  for (int channel = 0; channel < 3; ++channel) start.data[channel * 16 + 5] += 1000.0F;
  const Output<float> found = run(c, features, params_of(c), &start);
  const SoftSlicReference reference{3, 64, 64, 4, 4, 5, 1.0};
  const auto expected = reference.run(image_of(features, 0), image_of(start, 0));
  EXPECT_LE(largest_difference(image_of(found.association, 0), expected.association), 1e-5);
  EXPECT_LE(largest_difference(image_of(found.centers, 0), expected.centers), 1e-5);
}

template <class T>
bool same_bits(const Array<T>& a, const Array<T>& b) {
  return a.shape == b.shape &&
         std::memcmp(a.data.data(), b.data.data(), a.data.size() * sizeof(T)) == 0;
}

template <class T>
void expect_same_for_threads_and_places(const Case& c) {
  const Array<T> features = features_of<T>(c);
  const SoftSlicParams params = params_of(c);
  const Output<T> expected = run(c, features, params);
  for (const int threads : {2, 3, 8}) {
    const Output<T> found = run<T>(c, features, params, nullptr, threads);
    EXPECT_TRUE(same_bits(found.association, expected.association));
    EXPECT_TRUE(same_bits(found.centers, expected.centers));
    EXPECT_EQ(found.history.data, expected.history.data);
  }
  Case twice = c;
  twice.batch *= 2;
  Array<T> repeated({twice.batch, c.channels, c.height, c.width});
  std::copy(features.data.begin(), features.data.end(), repeated.data.begin());
  std::copy(features.data.begin(), features.data.end(),
            repeated.data.begin() + static_cast<std::ptrdiff_t>(features.data.size()));
  const Output<T> found = run<T>(twice, repeated, params, nullptr, 2);
  Array<T> second(expected.centers.shape);
  std::copy(found.centers.data.begin() + static_cast<std::ptrdiff_t>(second.data.size()),
            found.centers.data.end(), second.data.begin());
  EXPECT_TRUE(same_bits(second, expected.centers));
}

TEST(SoftSlic, HasTheSameBitsForAnyNumberOfThreadsAndPlaceInTheBatch) {
  for (const Case& c : kCases) {
    expect_same_for_threads_and_places<float>(c);
    expect_same_for_threads_and_places<double>(c);
    expect_same_for_threads_and_places<Half>(c);
    expect_same_for_threads_and_places<BFloat16>(c);
  }
}

TEST(SoftSlic, AssociationsSumToOneAndAreZeroBeyondTheGrid) {
  const Case c = kCases[1];
  const Output<float> out = run(c, features_of<float>(c), params_of(c));
  const SoftSlicReference reference{c.channels, c.height, c.width, c.rows, c.columns, c.num_iter};
  const std::int64_t plane = c.height * c.width;
  for (std::int64_t image = 0; image < c.batch; ++image) {
    for (std::int64_t p = 0; p < plane; ++p) {
      double sum = 0.0;
      for (int slot = 0; slot < 9; ++slot) {
        const float a = out.association.data[(image * 9 + slot) * plane + p];
        sum += a;
        if (reference.candidate(p / c.width, p % c.width, slot) < 0) {
          EXPECT_EQ(a, 0.0F);
        }
      }
      EXPECT_NEAR(sum, 1.0, 1e-5);
    }
  }
}

TEST(SoftSlic, CenterWithoutWeightKeepsItsPlace) {
  const Case c{1, 1, 6, 12, 1, 2, 3};
  const Array<double> features({1, 1, 6, 12}, 0.5);
  const Array<double> start({1, 1, 2}, std::vector<double>{0.5, 1000.0});
  const Output<double> out = run(c, features, params_of(c), &start);
  EXPECT_EQ(out.centers.data, (std::vector<double>{0.5, 1000.0}));
}

TEST(SoftSlic, AssociationAndHistoryAreOptional) {
  const Case c = kCases[0];
  const Array<float> features = features_of<float>(c);
  const Output<float> expected = run(c, features, params_of(c));
  const Array<float> centers(expected.centers.shape);
  soft_slic(features.view(), nullptr, nullptr, centers.view(), nullptr, params_of(c));
  EXPECT_EQ(centers.data, expected.centers.data);
}

TEST(SoftSlic, LeavesDenormalNumbersToTheCaller) {
  const Case c = kCases[0];
  const Array<float> features = features_of<float>(c);
  run(c, features, params_of(c));  // on this thread alone
  volatile float least = 1e-40F;
  volatile float half = 0.5F;
  EXPECT_GT(least * half, 0.0F);
}

/// sum of association * a + centers * s: its gradients are a and s.
double loss_of(const Output<double>& out, const Array<double>& a, const Array<double>& s) {
  double loss = 0.0;
  for (std::size_t i = 0; i < a.data.size(); ++i) loss += out.association.data[i] * a.data[i];
  for (std::size_t i = 0; i < s.data.size(); ++i) loss += out.centers.data[i] * s.data[i];
  return loss;
}

template <class T>
struct Gradients {
  Array<T> features, initial;
};

template <class T>
Gradients<T> differentiate(const Case& c, const Array<T>& features, const SoftSlicParams& params,
                           const Array<T>* initial, const Array<T>* a, const Array<T>* s,
                           int num_threads = 1) {
  const Output<T> out = run(c, features, params, initial);
  Gradients<T> gradients{Array<T>(features.shape, T{7}), Array<T>(out.centers.shape, T{7})};
  Context context;
  context.num_threads = num_threads;
  const ArrayView association = a != nullptr ? a->view() : ArrayView{};
  const ArrayView centers = s != nullptr ? s->view() : ArrayView{};
  const ArrayView grad_initial = gradients.initial.view();
  soft_slic_backward(features.view(), out.history.view(), a != nullptr ? &association : nullptr,
                     s != nullptr ? &centers : nullptr, gradients.features.view(),
                     initial != nullptr ? &grad_initial : nullptr, params, context);
  return gradients;
}

void expect_numeric_gradient(const Array<double>& gradient, Array<double>& input,
                             const std::function<double()>& loss) {
  const std::size_t every = std::max<std::size_t>(1, input.data.size() / 40);
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

TEST(SoftSlicBackward, MatchesCentralDifferences) {
  for (const Case& c : kCases) {
    if (c.height * c.width > 4000) continue;
    for (const bool given : {false, true}) {
      for (const double temperature : {1.0, 0.5}) {
        SoftSlicParams params = params_of(c);
        params.temperature = temperature;
        Array<double> features = features_of<double>(c);
        const std::int64_t k = c.rows * c.columns;
        Array<double> initial = random_array<double>({c.batch, c.channels, k}, 5, 1.0);
        const auto a = random_array<double>({c.batch, 9, c.height, c.width}, 6, 1.0);
        const auto s = random_array<double>({c.batch, c.channels, k}, 7, 1.0);
        const Array<double>* start = given ? &initial : nullptr;
        const auto loss = [&] { return loss_of(run(c, features, params, start), a, s); };
        const auto found = differentiate(c, features, params, start, &a, &s);
        expect_numeric_gradient(found.features, features, loss);
        if (given) expect_numeric_gradient(found.initial, initial, loss);
      }
    }
  }
}

TEST(SoftSlicBackward, GradientOfACenterThatKeptItsPlaceIsHandedOn) {
  const Case c{1, 1, 6, 12, 1, 2, 3};
  Array<double> features = random_array<double>({1, 1, 6, 12}, 1, 0.5);
  Array<double> start({1, 1, 2}, std::vector<double>{0.5, 1000.0});
  const auto a = random_array<double>({1, 9, 6, 12}, 6, 1.0);
  const auto s = random_array<double>({1, 1, 2}, 7, 1.0);
  const auto found = differentiate(c, features, params_of(c), &start, &a, &s);
  EXPECT_EQ(found.initial.data[1], s.data[1]);
  const auto loss = [&] { return loss_of(run(c, features, params_of(c), &start), a, s); };
  expect_numeric_gradient(found.features, features, loss);
}

template <class T>
void expect_gradients_near_double(double tolerance) {
  for (const Case& c : kCases) {
    const Shape centers = {c.batch, c.channels, c.rows * c.columns};
    const auto features = features_of<T>(c);
    const auto start = random_array<T>(centers, 5, 1.0);
    const auto a = random_array<T>({c.batch, 9, c.height, c.width}, 6, 1.0);
    const auto s = random_array<T>(centers, 7, 1.0);
    const Array<double> wide_start = test::widened(start);
    const Array<double> wide_a = test::widened(a);
    const Array<double> wide_s = test::widened(s);
    for (const bool given : {false, true}) {
      const auto found =
          differentiate<T>(c, features, params_of(c), given ? &start : nullptr, &a, &s);
      const auto expected = differentiate<double>(c, test::widened(features), params_of(c),
                                                  given ? &wide_start : nullptr, &wide_a, &wide_s);
      EXPECT_LE(largest_difference(test::values_of(found.features.data), expected.features.data),
                tolerance);
      if (!given) continue;
      EXPECT_LE(largest_difference(test::values_of(found.initial.data), expected.initial.data),
                tolerance);
    }
  }
}

TEST(SoftSlicBackward, FloatIsNearDouble) { expect_gradients_near_double<float>(2e-4); }

TEST(SoftSlicBackward, HalfPrecisionIsNearDouble) {
  expect_gradients_near_double<Half>(2e-4 + std::ldexp(1.0, -11));
  expect_gradients_near_double<BFloat16>(2e-4 + std::ldexp(1.0, -8));
}

TEST(SoftSlicBackward, NoGradientFromOutsideIsZero) {
  const Case c = kCases[0];
  const Array<float> features = features_of<float>(c);
  const auto found = differentiate<float>(c, features, params_of(c), nullptr, nullptr, nullptr);
  EXPECT_TRUE(std::all_of(found.features.data.begin(), found.features.data.end(),
                          [](float g) { return g == 0.0F; }));
}

TEST(SoftSlicBackward, HasTheSameBitsForAnyNumberOfThreads) {
  for (const Case& c : kCases) {
    const Array<float> features = features_of<float>(c);
    const auto a = random_array<float>({c.batch, 9, c.height, c.width}, 6, 1.0);
    const auto s = random_array<float>({c.batch, c.channels, c.rows * c.columns}, 7, 1.0);
    const auto expected = differentiate<float>(c, features, params_of(c), nullptr, &a, &s);
    for (const int threads : {2, 5}) {
      const auto found = differentiate<float>(c, features, params_of(c), nullptr, &a, &s, threads);
      EXPECT_EQ(found.features.data, expected.features.data);
    }
  }
}

// Truncated to the last k iterations: as if these started from the centres before them, given.
TEST(SoftSlicBackward, GradientsGoBackAsManyIterationsAsAsked) {
  Case c = kCases[1];
  const Array<double> features = features_of<double>(c);
  const auto a = random_array<double>({c.batch, 9, c.height, c.width}, 6, 1.0);
  const auto s = random_array<double>({c.batch, c.channels, c.rows * c.columns}, 7, 1.0);
  SoftSlicParams params = params_of(c);
  params.grad_iter = 2;
  const auto found = differentiate<double>(c, features, params, nullptr, &a, &s);
  Case before = c;
  before.num_iter = c.num_iter - 2;
  const Output<double> start = run(before, features, params_of(before));
  Case after = c;
  after.num_iter = 2;
  const auto expected =
      differentiate<double>(after, features, params_of(after), &start.centers, &a, &s);
  EXPECT_LE(largest_difference(found.features.data, expected.features.data), 1e-9);
}

TEST(SoftSlicErrors, NameTheArgument) {
  const Case c = kCases[0];
  const Array<float> features = features_of<float>(c);
  const Array<float> centers({1, 3, 20});
  const auto expect_error = [&](const std::string& what, const std::function<void()>& call) {
    try {
      call();
      ADD_FAILURE() << "no error for " << what;
    } catch (const std::exception& error) {
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
  };
  const auto with = [&](const std::function<void(SoftSlicParams&)>& change) {
    return [&, change] {
      SoftSlicParams params = params_of(c);
      change(params);
      soft_slic(features.view(), nullptr, nullptr, centers.view(), nullptr, params);
    };
  };
  expect_error("grid", with([](SoftSlicParams& p) { p.rows = 0; }));
  expect_error("grid", with([](SoftSlicParams& p) { p.rows = 21; }));
  expect_error("grid", with([](SoftSlicParams& p) { p.columns = 31; }));
  expect_error("num_iter", with([](SoftSlicParams& p) { p.num_iter = 0; }));
  expect_error("temperature", with([](SoftSlicParams& p) { p.temperature = 0.0; }));
  expect_error("temperature", with([](SoftSlicParams& p) { p.temperature = NAN; }));
  expect_error("temperature", with([](SoftSlicParams& p) { p.temperature = 1e-40; }));
  expect_error("grad_iter", with([](SoftSlicParams& p) { p.grad_iter = -1; }));
  const Array<float> other({1, 3, 21});
  expect_error("centers must be [1, 3, 20], got [1, 3, 21]", [&] {
    soft_slic(features.view(), nullptr, nullptr, other.view(), nullptr, params_of(c));
  });
  const Array<Half> half_features({1, 3, 20, 30});
  const Array<Half> half_centers({1, 3, 20});
  const Array<Half> half_history({soft_slic_history_size(1, 3, params_of(c))});
  const ArrayView half_history_view = half_history.view();
  expect_error("history must be float32, got float16", [&] {
    soft_slic(half_features.view(), nullptr, nullptr, half_centers.view(), &half_history_view,
              params_of(c));
  });
  expect_error("centers must be float16, got float32", [&] {
    soft_slic(half_features.view(), nullptr, nullptr, centers.view(), nullptr, params_of(c));
  });
  const Array<double> wide({1, 3, 20});
  expect_error("centers", [&] {
    soft_slic(features.view(), nullptr, nullptr, wide.view(), nullptr, params_of(c));
  });
  const Array<std::int32_t> integers({1, 3, 20, 30});
  expect_error("features", [&] {
    soft_slic(integers.view(), nullptr, nullptr, centers.view(), nullptr, params_of(c));
  });
  const ArrayView centers_view = centers.view();
  expect_error("history", [&] {
    soft_slic(features.view(), nullptr, nullptr, centers.view(), &centers_view, params_of(c));
  });
  test::Scattered scattered(features.view());
  expect_error("features must be C-contiguous", [&] {
    soft_slic(scattered.view, nullptr, nullptr, centers.view(), nullptr, params_of(c));
  });
}

TEST(SoftSlic, EmptyBatchIsFine) {
  const Array<float> features({0, 3, 20, 30});
  const Array<float> centers({0, 3, 20});
  soft_slic(features.view(), nullptr, nullptr, centers.view(), nullptr, params_of(kCases[0]));
}

template <class T>
void expect_nan_where_features_are_not_finite() {
  const Case c{1, 2, 12, 12, 4, 4, 1};
  const auto a = random_array<T>({c.batch, 9, c.height, c.width}, 6, 1.0);
  for (const T bad : {static_cast<T>(NAN), static_cast<T>(INFINITY), static_cast<T>(-INFINITY)}) {
    Array<T> features = features_of<T>(c);
    features.data[0] = bad;
    const Output<T> out = run(c, features, params_of(c));
    const auto gradients = differentiate<T>(c, features, params_of(c), nullptr, &a, nullptr);
    // The first pixel's own centre has no finite mean: its cell and those next to it see that.
    for (const std::int64_t pixel : {0, 5, 5 * 12 + 5}) {
      EXPECT_TRUE(std::isnan(out.association.data[4 * 144 + pixel])) << pixel;
      EXPECT_TRUE(std::isnan(gradients.features.data[pixel])) << pixel;
    }
    EXPECT_TRUE(std::isfinite(out.association.data[5 * 144 - 1]));
  }
}

TEST(SoftSlic, NotFiniteFeaturesGiveNaNNearThem) {
  expect_nan_where_features_are_not_finite<float>();
  expect_nan_where_features_are_not_finite<double>();
}

TEST(SoftSlic, HugeFeaturesDoNotCrash) {
  const Case c = kCases[0];
  Array<float> features = features_of<float>(c);
  features.data[7] = 3e38F;
  const auto a = random_array<float>({c.batch, 9, c.height, c.width}, 6, 1.0);
  differentiate<float>(c, features, params_of(c), nullptr, &a, nullptr);
}

}  // namespace
}  // namespace superpix
