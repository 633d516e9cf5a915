// SPDX-License-Identifier: Apache-2.0
//
// Soft pooling on CUDA: the values and gradients of the CPU, up to the order of sums.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "halves.h"
#include "on_cuda.h"
#include "soft_pool_reference.h"

namespace superpix {
namespace {

using detail::BFloat16;
using detail::ComputeType;
using detail::Half;
using test::Array;
using test::Shape;

struct Case {
  std::int64_t batch, channels, height, width, rows, columns;

  Shape pixels() const { return {batch, channels, height, width}; }
  Shape association() const { return {batch, 9, height, width}; }
  Shape centers() const { return {batch, channels, rows * columns}; }
  Shape weights() const { return {batch, rows * columns}; }
};

const std::vector<Case> kCases = {
    // Packs of pixels; cells of less than a piece, of one, of several; strips of several cells.
    {1, 3, 16, 32, 2, 2},
    {2, 5, 32, 48, 2, 3},
    {1, 20, 32, 64, 2, 2},
    {1, 4, 48, 128, 1, 2},
    {1, 6, 40, 80, 5, 10},
    // Cells that begin anywhere.
    {1, 3, 20, 30, 4, 5},
    {2, 5, 33, 47, 3, 4},
    {1, 7, 24, 100, 1, 1},
    {1, 1, 140, 130, 1, 1},
    {1, 2, 1, 640, 1, 1},
    // Small cells, down to pixels, and more of them than a strip has.
    {3, 4, 9, 11, 9, 11},
    {1, 9, 12, 40, 6, 20},
    {1, 3, 16, 64, 4, 16},
    {1, 9, 2, 300, 2, 300},
    {1, 2, 300, 2, 300, 2},
    {2, 2, 1, 40, 1, 6},
    {1, 2, 40, 1, 5, 1},
    {1, 1, 1, 1, 1, 1},
    // Channels for several groups, and for several blocks.
    {1, 50, 16, 24, 2, 3},
    {1, 131, 8, 21, 1, 2},
    {1, 131, 8, 16, 2, 4},
    {1, 70, 256, 4, 256, 1},
    {0, 3, 8, 8, 2, 2},
};

std::string name_of(const Case& c) {
  return ::testing::PrintToString(c.pixels()) + " of " + std::to_string(c.rows) + " x " +
         std::to_string(c.columns);
}

Array<double> random_array(const Shape& shape, unsigned seed, double low, double high) {
  Array<double> array(shape);
  test::Random random(seed);
  for (double& value : array.data) value = low + (high - low) * random.unit();
  return array;
}

/// Not normalised; some pixels belong to nothing, some wholly to one superpixel. What candidates
/// that do not exist have must not matter.
Array<double> association_of(const Case& c) {
  Array<double> association = random_array(c.association(), 11, 0.0, 1.0);
  const test::SoftPoolReference reference{c.channels, c.height, c.width, c.rows, c.columns};
  const std::int64_t plane = c.height * c.width;
  for (std::size_t i = 0; i < association.data.size(); ++i) {
    const std::int64_t p = static_cast<std::int64_t>(i) % plane;
    const auto slot = static_cast<int>(static_cast<std::int64_t>(i) / plane % 9);
    if (p % 17 == 5) association.data[i] = 0.0;
    if (p % 17 == 6) association.data[i] = slot == 4 ? 1.0 : 0.0;
    if (reference.candidate(p / c.width, p % c.width, slot) < 0) {
      association.data[i] = i % 2 == 0 ? NAN : 1e4;
    }
  }
  return association;
}

template <class T>
struct Input {
  Array<T> values, association, centers, of_pixels, of_centers;
};

template <class T>
Input<T> input_of(const Case& c, double offset = 0.0) {
  return {test::rounded<T>(random_array(c.pixels(), 1, offset - 1.0, offset + 1.0)),
          test::rounded<T>(association_of(c)),
          test::rounded<T>(random_array(c.centers(), 2, offset - 1.0, offset + 1.0)),
          test::rounded<T>(random_array(c.pixels(), 3, -1.0, 1.0)),
          test::rounded<T>(random_array(c.centers(), 4, -1.0, 1.0))};
}

/// What all ops have as outputs.
template <class T>
struct Output {
  explicit Output(const Case& c)
      : pooled(c.centers()),
        weights(c.weights()),
        pool_values(c.pixels()),
        pool_association(c.association()),
        unpooled(c.pixels()),
        unpool_centers(c.centers()),
        unpool_association(c.association()) {}

  Array<T> pooled;
  Array<ComputeType<T>> weights;
  Array<T> pool_values, pool_association;
  Array<T> unpooled;
  Array<T> unpool_centers, unpool_association;
};

constexpr double kEps = 1e-3;

struct Options {
  bool normalize = true;
  double eps = kEps;
};

template <class T>
void pool(const Case& c, const Input<T>& in, Output<T>& out, const Options& options,
          const Context& context) {
  const ArrayView weights = out.weights.view();
  soft_pool(in.values.view(), in.association.view(), out.pooled.view(), &weights,
            {c.rows, c.columns, options.eps}, context);
}
template <class T>
void pool_backward(const Case& c, const Input<T>& in, Output<T>& out, const Options& options,
                   const Context& context) {
  const ArrayView of_values = out.pool_values.view();
  const ArrayView of_association = out.pool_association.view();
  soft_pool_backward(in.values.view(), in.association.view(), out.pooled.view(), out.weights.view(),
                     in.of_centers.view(), &of_values, &of_association,
                     {c.rows, c.columns, options.eps}, context);
}
template <class T>
void unpool(const Case& c, const Input<T>& in, Output<T>& out, const Options& options,
            const Context& context) {
  soft_unpool(in.centers.view(), in.association.view(), out.unpooled.view(),
              {c.rows, c.columns, options.normalize}, context);
}
template <class T>
void unpool_backward(const Case& c, const Input<T>& in, Output<T>& out, const Options& options,
                     const Context& context) {
  const ArrayView of_centers = out.unpool_centers.view();
  const ArrayView of_association = out.unpool_association.view();
  soft_unpool_backward(in.centers.view(), in.association.view(), in.of_pixels.view(), &of_centers,
                       &of_association, {c.rows, c.columns, options.normalize}, context);
}

template <class T>
Output<T> on_cpu(const Case& c, const Input<T>& in, const Options& options = {}) {
  Output<T> out(c);
  pool(c, in, out, options, {});
  pool_backward(c, in, out, options, {});
  unpool(c, in, out, options, {});
  unpool_backward(c, in, out, options, {});
  return out;
}

/// Backward takes what forward gave on the CPU, so that both devices compute the same thing.
template <class T>
Output<T> on_cuda(const Case& c, const Input<T>& in, const Output<T>& forward,
                  const Options& options = {}) {
  Output<T> out(c);
  test::run_on_cuda([&](const Context& context) { unpool(c, in, out, options, context); },
                    out.unpooled);
  test::run_on_cuda([&](const Context& context) { unpool_backward(c, in, out, options, context); },
                    out.unpool_centers, out.unpool_association);
  out.pooled = forward.pooled;
  out.weights = forward.weights;
  test::run_on_cuda([&](const Context& context) { pool_backward(c, in, out, options, context); },
                    out.pool_values, out.pool_association);
  test::run_on_cuda([&](const Context& context) { pool(c, in, out, options, context); }, out.pooled,
                    out.weights);
  return out;
}

/// Not finite where the other is not, in the same way; else near it, and 0 where it is 0.
template <class T>
void expect_near(const Array<T>& found, const Array<T>& expected, double tolerance,
                 const char* what) {
  const std::vector<double> a = test::values_of(found.data);
  const std::vector<double> b = test::values_of(expected.data);
  double most = 0.0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (std::isfinite(b[i])) {
      const double error = std::abs(a[i] - b[i]) / (1.0 + std::abs(b[i]));
      most = std::isnan(error) ? INFINITY : std::max(most, error);
    } else {
      ASSERT_TRUE(std::isnan(b[i]) ? std::isnan(a[i]) : a[i] == b[i]) << what << " " << i;
    }
  }
  EXPECT_LE(most, tolerance) << what;
}

template <class T>
void expect_near(const Output<T>& found, const Output<T>& expected, double tolerance) {
  expect_near(found.pooled, expected.pooled, tolerance, "pooled");
  expect_near(found.weights, expected.weights,
              std::is_same_v<ComputeType<T>, double> ? 1e-14 : 2e-6, "weights");
  expect_near(found.pool_values, expected.pool_values, tolerance, "gradient of values");
  expect_near(found.pool_association, expected.pool_association, tolerance,
              "gradient of soft_pool's association");
  expect_near(found.unpooled, expected.unpooled, tolerance, "unpooled");
  expect_near(found.unpool_centers, expected.unpool_centers, tolerance, "gradient of centers");
  expect_near(found.unpool_association, expected.unpool_association, tolerance,
              "gradient of soft_unpool's association");
}

/// Half of the distance between neighbours, and as much for another sum that falls on the other
/// side of a tie; elsewhere, the rounding of some hundred sums.
template <class T>
constexpr double kTolerance = std::is_same_v<T, double>  ? 1e-13
                              : std::is_same_v<T, float> ? 5e-6
                              : std::is_same_v<T, Half>  ? 0x1p-10
                                                         : 0x1p-7;

template <class T>
class SoftPoolOnCuda : public ::testing::Test {};
using Types = ::testing::Types<float, double, Half, BFloat16>;
TYPED_TEST_SUITE(SoftPoolOnCuda, Types, );

TYPED_TEST(SoftPoolOnCuda, GivesWhatTheCpuGives) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(name_of(c));
    const auto in = input_of<TypeParam>(c);
    const auto expected = on_cpu(c, in);
    expect_near(on_cuda(c, in, expected), expected, kTolerance<TypeParam>);
  }
}

TEST(SoftPoolOnCuda, GivesWhatTheCpuGivesWithoutNormalization) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(name_of(c));
    const auto in = input_of<float>(c);
    const Options options{.normalize = false};
    const auto expected = on_cpu(c, in, options);
    Output<float> found(c);
    test::run_on_cuda([&](const Context& context) { unpool(c, in, found, options, context); },
                      found.unpooled);
    test::run_on_cuda(
        [&](const Context& context) { unpool_backward(c, in, found, options, context); },
        found.unpool_centers, found.unpool_association);
    expect_near(found.unpooled, expected.unpooled, 5e-6, "unpooled");
    expect_near(found.unpool_centers, expected.unpool_centers, 5e-6, "centers");
    expect_near(found.unpool_association, expected.unpool_association, 5e-6, "association");
  }
}

// Like positions, which are large where what tells them apart is small. Neighbours of 500 are 3e-5
// apart.
TEST(SoftPoolOnCuda, KeepsItsPrecisionFarFromZero) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(name_of(c));
    const auto in = input_of<float>(c, 500.0);
    const auto expected = on_cpu(c, in);
    expect_near(on_cuda(c, in, expected), expected, 2e-4);
  }
}

TEST(SoftPoolOnCuda, CandidatesThatDoNotExistHaveNoGradient) {
  const Case c{1, 3, 12, 20, 3, 5};
  const auto in = input_of<float>(c);
  const auto out = on_cuda(c, in, on_cpu(c, in));
  const test::SoftPoolReference reference{c.channels, c.height, c.width, c.rows, c.columns};
  const std::int64_t plane = c.height * c.width;
  for (std::int64_t i = 0; i < 9 * plane; ++i) {
    const std::int64_t p = i % plane;
    if (reference.candidate(p / c.width, p % c.width, static_cast<int>(i / plane)) >= 0) continue;
    EXPECT_EQ(out.pool_association.data[i], 0.0F);
    EXPECT_EQ(out.unpool_association.data[i], 0.0F);
  }
}

TEST(SoftPoolOnCuda, WithoutWeightThereIsNothing) {
  for (const Case& c : {Case{1, 2, 8, 12, 2, 3}, Case{1, 2, 16, 32, 2, 3}}) {
    for (const float tiny : {0.0F, 1e-44F}) {  // 1 / 1e-44 is infinite
      auto in = input_of<float>(c);
      in.association = Array<float>(c.association(), tiny);
      const auto out = on_cuda(c, in, on_cpu(c, in));
      for (const float value : out.unpooled.data) EXPECT_EQ(value, 0.0F);
      for (const float value : out.unpool_centers.data) EXPECT_EQ(value, 0.0F);
      for (const float value : out.unpool_association.data) EXPECT_EQ(value, 0.0F);
      if (tiny > 0.0F) continue;
      for (const float value : out.pooled.data) EXPECT_EQ(value, 0.0F);
      for (const float value : out.weights.data) EXPECT_EQ(value, 0.0F);
    }
  }
}

// What is not finite reaches what the CPU lets it reach: the superpixels around, and no further.
TEST(SoftPoolOnCuda, NotFiniteValuesStayWhereTheyAre) {
  for (const Case& c :
       {Case{1, 3, 30, 40, 3, 4}, Case{1, 3, 20, 48, 5, 12}, Case{1, 2, 15, 256, 3, 4}}) {
    for (const float bad : {NAN, INFINITY}) {
      SCOPED_TRACE(bad);
      auto in = input_of<float>(c);
      in.values.data[0] = bad;
      const auto expected = on_cpu(c, in);
      const auto out = on_cuda(c, in, expected);
      expect_near(out, expected, 5e-6);
      EXPECT_FALSE(std::isfinite(out.pooled.data[0]));
      EXPECT_TRUE(std::isfinite(out.pooled.data[2]));
      in.centers.data[c.columns + 1] = bad;
      in.of_pixels.data[c.width + 1] = bad;
      in.association.data[(4 * c.height + 2) * c.width + 2] = bad;
      const auto worse = on_cpu(c, in);
      const auto found = on_cuda(c, in, worse);
      expect_near(found.unpooled, worse.unpooled, 5e-6, "unpooled");
      expect_near(found.unpool_centers, worse.unpool_centers, 5e-6, "centers");
      for (std::size_t i = 0; i < worse.unpool_association.data.size(); ++i) {
        EXPECT_EQ(std::isfinite(found.unpool_association.data[i]),
                  std::isfinite(worse.unpool_association.data[i]))
            << i;
      }
    }
  }
}

template <class T>
Array<T> last_image(const Array<T>& batch) {
  Shape shape = batch.shape;
  shape[0] = 1;
  const auto n = static_cast<std::ptrdiff_t>(test::product(shape));
  return Array<T>(shape, std::vector<T>(batch.data.end() - n, batch.data.end()));
}

TEST(SoftPoolOnCuda, HasTheSameBitsInAnyPlaceOfTheBatch) {
  for (const Case& c : {Case{3, 5, 32, 48, 2, 3}, Case{2, 3, 9, 11, 9, 11}}) {
    const auto in = input_of<float>(c);
    const auto forward = on_cpu(c, in);
    Case alone = c;
    alone.batch = 1;
    const Input<float> last{last_image(in.values), last_image(in.association),
                            last_image(in.centers), last_image(in.of_pixels),
                            last_image(in.of_centers)};
    const auto batch = on_cuda(c, in, forward);
    const auto found = on_cuda(alone, last, on_cpu(alone, last));
    EXPECT_EQ(found.pooled.data, last_image(batch.pooled).data);
    EXPECT_EQ(found.weights.data, last_image(batch.weights).data);
    EXPECT_EQ(found.pool_values.data, last_image(batch.pool_values).data);
    EXPECT_EQ(found.pool_association.data, last_image(batch.pool_association).data);
    EXPECT_EQ(found.unpooled.data, last_image(batch.unpooled).data);
    EXPECT_EQ(found.unpool_centers.data, last_image(batch.unpool_centers).data);
    EXPECT_EQ(found.unpool_association.data, last_image(batch.unpool_association).data);
  }
}

TEST(SoftPoolOnCuda, WeightsAndGradientsAreOptional) {
  for (const Case& c : {Case{2, 5, 32, 48, 2, 3}, Case{2, 3, 9, 11, 9, 11}}) {
    const auto in = input_of<float>(c);
    const auto forward = on_cpu(c, in);
    const auto all = on_cuda(c, in, forward);
    Output<float> out(c);
    test::run_on_cuda(
        [&](const Context& context) {
          soft_pool(in.values.view(), in.association.view(), out.pooled.view(), nullptr,
                    {c.rows, c.columns, kEps}, context);
        },
        out.pooled);
    EXPECT_EQ(out.pooled.data, all.pooled.data);
    for (const bool first : {true, false}) {
      const ArrayView of_values = out.pool_values.view();
      const ArrayView of_association = out.pool_association.view();
      test::call_on_cuda([&](const Context& context) {
        soft_pool_backward(in.values.view(), in.association.view(), forward.pooled.view(),
                           forward.weights.view(), in.of_centers.view(),
                           first ? &of_values : nullptr, first ? nullptr : &of_association,
                           {c.rows, c.columns, kEps}, context);
      });
      const ArrayView of_centers = out.unpool_centers.view();
      const ArrayView of_unpool = out.unpool_association.view();
      test::call_on_cuda([&](const Context& context) {
        soft_unpool_backward(in.centers.view(), in.association.view(), in.of_pixels.view(),
                             first ? &of_centers : nullptr, first ? nullptr : &of_unpool,
                             {c.rows, c.columns, true}, context);
      });
    }
    EXPECT_EQ(out.pool_values.data, all.pool_values.data);
    EXPECT_EQ(out.pool_association.data, all.pool_association.data);
    EXPECT_EQ(out.unpool_centers.data, all.unpool_centers.data);
    EXPECT_EQ(out.unpool_association.data, all.unpool_association.data);
  }
}

/// The same elements, at an address that is a multiple of nothing but their size, or of 16 bytes.
class Placed {
 public:
  Placed(const Array<float>& array, bool aligned)
      : shape_(array.shape), memory_({test::product(array.shape) + 4}) {
    const auto misfit = reinterpret_cast<std::uintptr_t>(memory_.data.data()) % 16 / sizeof(float);
    first_ = static_cast<std::ptrdiff_t>((4 - misfit) % 4);
    if (!aligned) first_ = first_ == 3 ? 2 : first_ + 1;
    std::copy(array.data.begin(), array.data.end(), memory_.data.begin() + first_);
    view = array.view();
    view.data = memory_.data.data() + first_;
  }
  ArrayView view;
  Array<float> array() const {
    const auto begin = memory_.data.begin() + first_;
    return {shape_, std::vector<float>(begin, begin + test::product(shape_))};
  }

 private:
  Shape shape_;
  Array<float> memory_;
  std::ptrdiff_t first_ = 0;
};

// Each array in turn, and all of them.
TEST(SoftPoolOnCuda, RunsWhereMemoryIsNotAligned) {
  const Case c{1, 3, 16, 32, 2, 2};
  const auto in = input_of<float>(c);
  const auto forward = on_cpu(c, in);
  for (int which = 0; which < 8; ++which) {
    SCOPED_TRACE(which);
    const auto aligned = [&](int array) { return which != array && which != 7; };
    const Placed values(in.values, aligned(0));
    const Placed association(in.association, aligned(1));
    const Placed of_pixels(in.of_pixels, aligned(2));
    const Placed unpooled(in.values, aligned(3));
    const Placed pool_values(in.values, aligned(4));
    const Placed pool_association(in.association, aligned(5));
    const Placed unpool_association(in.association, aligned(6));
    Output<float> out(c);
    const ArrayView of_centers = out.unpool_centers.view();
    test::call_on_cuda([&](const Context& context) {
      soft_pool(values.view, association.view, out.pooled.view(), nullptr,
                {c.rows, c.columns, kEps}, context);
    });
    test::call_on_cuda([&](const Context& context) {
      soft_pool_backward(values.view, association.view, forward.pooled.view(),
                         forward.weights.view(), in.of_centers.view(), &pool_values.view,
                         &pool_association.view, {c.rows, c.columns, kEps}, context);
    });
    test::call_on_cuda([&](const Context& context) {
      soft_unpool(in.centers.view(), association.view, unpooled.view, {c.rows, c.columns, true},
                  context);
    });
    test::call_on_cuda([&](const Context& context) {
      soft_unpool_backward(in.centers.view(), association.view, of_pixels.view, &of_centers,
                           &unpool_association.view, {c.rows, c.columns, true}, context);
    });
    expect_near(out.pooled, forward.pooled, 5e-6, "pooled");
    expect_near(out.unpool_centers, forward.unpool_centers, 5e-6, "gradient of centers");
    expect_near(unpooled.array(), forward.unpooled, 5e-6, "unpooled");
    expect_near(pool_values.array(), forward.pool_values, 5e-6, "gradient of values");
    expect_near(pool_association.array(), forward.pool_association, 5e-6,
                "gradient of soft_pool's association");
    expect_near(unpool_association.array(), forward.unpool_association, 5e-6,
                "gradient of soft_unpool's association");
  }
}

}  // namespace
}  // namespace superpix
