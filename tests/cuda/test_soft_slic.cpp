// SPDX-License-Identifier: Apache-2.0
//
// Soft SLIC and its gradient on CUDA against the CPU's, which are compared with their formulas and
// central differences elsewhere.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "halves.h"
#include "on_cuda.h"

namespace superpix {
namespace {

using detail::BFloat16;
using detail::ComputeType;
using detail::Half;
using test::Array;
using test::random_array;
using test::Shape;

struct Case {
  std::int64_t batch, channels, height, width, rows, columns;
  int num_iter;

  Shape pixels(std::int64_t of) const { return {batch, of, height, width}; }
  Shape centers() const { return {batch, channels, rows * columns}; }
};

// Cells of one pixel and of a thousand, more channels than shared memory is for, one to three warps
// for the sums of a tile.
const std::vector<Case> kCases = {
    {1, 3, 20, 30, 4, 5, 3},  {2, 5, 33, 47, 3, 4, 2},   {1, 1, 1, 1, 1, 1, 2},
    {1, 2, 1, 40, 1, 6, 3},   {1, 2, 40, 1, 5, 1, 3},    {2, 4, 5, 6, 5, 6, 2},
    {1, 20, 24, 70, 2, 3, 2}, {1, 7, 34, 31, 1, 1, 2},   {1, 13, 21, 50, 1, 2, 2},
    {0, 3, 8, 8, 2, 2, 2},    {1, 130, 12, 11, 2, 1, 2}, {1, 8, 40, 17, 2, 1, 4},
};

/// Features that vary slowly along y and x, and noise.
template <class T>
Array<T> features_of(const Case& c, double offset = 0.0) {
  Array<double> features = test::widened(random_array<T>(c.pixels(c.channels), 3, 0.5));
  for (std::size_t i = 0; i < features.data.size(); ++i) {
    const auto n = static_cast<std::int64_t>(i);
    const auto channel = static_cast<double>(n / (c.width * c.height) % c.channels);
    features.data[i] += offset + std::sin(0.3 * static_cast<double>(n % c.width) + channel) +
                        std::cos(0.2 * static_cast<double>(n / c.width % c.height) - channel);
    features.data[i] /= std::sqrt(static_cast<double>(c.channels) / 3.0);
  }
  return test::rounded<T>(features);
}

template <class T>
struct Call {
  Call(const Case& c, bool with_initial)
      : params{c.rows, c.columns, c.num_iter, 0.7, 0},
        features(features_of<T>(c)),
        initial(random_array<T>(c.centers(), 5, 1.0)),
        association(c.pixels(9)),
        centers(c.centers()),
        history({soft_slic_history_size(c.batch, c.channels, params)}),
        grad_association(random_array<T>(c.pixels(9), 7, 1.0)),
        grad_centers(random_array<T>(c.centers(), 9, 1.0)),
        grad_features(c.pixels(c.channels)),
        grad_initial(c.centers()),
        has_initial(with_initial) {}

  void forward(const Context& context) {
    const ArrayView start = initial.view();
    const ArrayView a = association.view();
    const ArrayView h = history.view();
    soft_slic(features.view(), has_initial ? &start : nullptr, &a, centers.view(), &h, params,
              context);
  }
  void backward(const Context& context) {
    const ArrayView a = grad_association.view();
    const ArrayView s = grad_centers.view();
    const ArrayView start = grad_initial.view();
    soft_slic_backward(features.view(), history.view(), has_grad_association ? &a : nullptr,
                       has_grad_centers ? &s : nullptr, grad_features.view(),
                       has_initial ? &start : nullptr, params, context);
  }

  SoftSlicParams params;
  Array<T> features, initial, association, centers;
  Array<ComputeType<T>> history;
  Array<T> grad_association, grad_centers, grad_features, grad_initial;
  bool has_initial;
  bool has_grad_association = true;
  bool has_grad_centers = true;
};

/// The largest difference, in units of the largest expected value or of 1.
template <class T>
double difference(const Array<T>& found, const Array<T>& expected) {
  const std::vector<double> a = test::values_of(found.data);
  const std::vector<double> b = test::values_of(expected.data);
  double most = 0.0;
  double unit = 1.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return INFINITY;
    if (std::isnan(b[i])) continue;
    most = std::max(most, std::abs(a[i] - b[i]));
    unit = std::max(unit, std::abs(b[i]));
  }
  return most / unit;
}

/// What float32 sums of hundreds of terms in another order differ by, or one rounding step.
template <class T>
constexpr double kTolerance = sizeof(T) == 8                ? 1e-12
                              : std::is_same_v<T, float>    ? 2e-5
                              : std::is_same_v<T, BFloat16> ? 8e-3
                                                            : 1e-3;

template <class T>
class SoftSlicOnCuda : public ::testing::Test {};
using Types = ::testing::Types<float, double, Half, BFloat16>;
TYPED_TEST_SUITE(SoftSlicOnCuda, Types, );

TYPED_TEST(SoftSlicOnCuda, IsThatOfTheCpu) {
  for (const Case& c : kCases) {
    for (const bool with_initial : {false, true}) {
      SCOPED_TRACE(testing::Message()
                   << c.channels << " x " << c.height << " x " << c.width << ' ' << with_initial);
      Call<TypeParam> cpu(c, with_initial);
      cpu.forward({});
      Call<TypeParam> cuda(c, with_initial);
      test::run_on_cuda([&](const Context& context) { cuda.forward(context); }, cuda.association,
                        cuda.centers, cuda.history);
      EXPECT_LE(difference(cuda.association, cpu.association), kTolerance<TypeParam>);
      EXPECT_LE(difference(cuda.centers, cpu.centers), kTolerance<TypeParam>);
      EXPECT_LE(difference(cuda.history, cpu.history), sizeof(TypeParam) == 8 ? 1e-12 : 2e-5);
    }
  }
}

TYPED_TEST(SoftSlicOnCuda, GradientIsThatOfTheCpu) {
  for (const Case& c : kCases) {
    for (const int variant : {0, 1, 2, 3, 4}) {
      SCOPED_TRACE(testing::Message()
                   << c.channels << " x " << c.height << " x " << c.width << ' ' << variant);
      Call<TypeParam> cpu(c, variant == 1 || variant == 4);
      cpu.has_grad_association = variant != 2;
      cpu.has_grad_centers = variant != 3;
      cpu.params.grad_iter = variant == 4 ? 1 : 0;
      cpu.forward({});
      Call<TypeParam> cuda = cpu;
      cpu.backward({});
      if (cuda.has_initial) {
        test::run_on_cuda([&](const Context& context) { cuda.backward(context); },
                          cuda.grad_features, cuda.grad_initial);
      } else {
        test::run_on_cuda([&](const Context& context) { cuda.backward(context); },
                          cuda.grad_features);
      }
      EXPECT_LE(difference(cuda.grad_features, cpu.grad_features), 4 * kTolerance<TypeParam>);
      EXPECT_LE(difference(cuda.grad_initial, cpu.grad_initial), 4 * kTolerance<TypeParam>);
    }
  }
}

}  // namespace
}  // namespace superpix
