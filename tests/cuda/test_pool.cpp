// SPDX-License-Identifier: Apache-2.0
//
// Pooling on CUDA: what the CPU computes, sums within rounding and all else exactly.
#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "halves.h"
#include "on_cuda.h"

namespace superpix {
namespace {

using test::Array;
using test::Random;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

enum class Pattern { kBlocks, kNoise, kMixed, kOne };

struct Case {
  std::int64_t batch, channels, height, width, label_height, label_width, segments;
  Pattern pattern;
};

const std::vector<Case> kCases = {
    {1, 1, 1, 1, 1, 1, 1, Pattern::kOne},
    {2, 3, 5, 7, 5, 7, 4, Pattern::kNoise},
    {2, 17, 17, 80, 17, 80, 20, Pattern::kBlocks},
    {1, 9, 1, 1500, 1, 1500, 9, Pattern::kMixed},
    {2, 2, 1300, 1, 1300, 1, 6, Pattern::kBlocks},
    {1, 70, 20, 64, 20, 64, 30, Pattern::kMixed},
    {1, 2, 32, 96, 32, 96, 500, Pattern::kNoise},
    {1, 5, 16, 128, 16, 128, 1, Pattern::kOne},
    // labels of a higher resolution
    {2, 3, 4, 6, 8, 12, 5, Pattern::kNoise},
    {1, 19, 10, 13, 37, 81, 12, Pattern::kBlocks},
    {1, 4, 1, 1, 30, 20, 40, Pattern::kNoise},
    {1, 2, 30, 40, 31, 80, 3, Pattern::kMixed},
};

/// Few cases for what does not depend on their shapes.
const std::vector<Case> kFewCases = {kCases[2], kCases[5], kCases[9]};

std::vector<std::int64_t> labels_of(const Case& c) {
  Random random(11);
  const auto side = static_cast<std::int64_t>(std::ceil(std::sqrt(c.segments)));
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < c.batch * c.label_height * c.label_width; ++i) {
    const std::int64_t y = i / c.label_width % c.label_height;
    const std::int64_t x = i % c.label_width;
    const std::int64_t block =
        (y * side / c.label_height * side + x * side / c.label_width) % c.segments;
    const std::int64_t noise = random.below(c.segments);
    std::int64_t label = 0;
    if (c.pattern == Pattern::kBlocks) label = block;
    if (c.pattern == Pattern::kNoise) label = noise;
    if (c.pattern == Pattern::kMixed) label = random.below(4) == 0 ? noise : block;
    if (label == 2 && c.segments > 3) label = 3;
    labels.push_back(random.below(9) == 0 && c.segments > 1 ? -1 : label);
  }
  return labels;
}

/// Whole numbers have many ties.
template <class T>
Array<T> numbers(const test::Shape& shape, unsigned seed, bool whole) {
  Random random(seed);
  Array<double> values(shape);
  for (double& v : values.data) {
    v = whole ? static_cast<double>(random.below(7)) - 3.0 : 2.0 * random.unit() - 1.0;
  }
  return test::rounded<T>(values);
}

template <class T>
double rounding() {
  return std::is_same_v<T, double>         ? 0x1p-52
         : std::is_same_v<T, float>        ? 0x1p-23
         : std::is_same_v<T, detail::Half> ? 0x1p-10
                                           : 0x1p-7;
}

/// Not finite where and as expected; else within `absolute` or the rounding of T.
template <class T>
void expect_near(const Array<T>& found, const Array<T>& expected, double absolute) {
  const std::vector<double> a = test::values_of(found.data);
  const std::vector<double> b = test::values_of(expected.data);
  for (std::size_t i = 0; i < b.size(); ++i) {
    const bool is_same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    if (is_same || std::abs(a[i] - b[i]) <= absolute + 2 * rounding<T>() * std::abs(b[i])) continue;
    FAIL() << "element " << i << ": " << a[i] << ", expected " << b[i];
  }
}

template <class T>
std::vector<std::uint8_t> bytes_of(const std::vector<T>& data) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(data.data());
  return {begin, begin + data.size() * sizeof(T)};
}

template <class T, class L>
struct Problem {
  explicit Problem(const Case& c, bool whole = false)
      : Problem(c, numbers<T>({c.batch, c.channels, c.height, c.width}, 3, whole)) {}
  Problem(const Case& c, Array<T> values)
      : shape(c),
        labels({c.batch, c.label_height, c.label_width}),
        features(std::move(values)),
        grad_pooled(numbers<T>({c.batch, c.channels, c.segments}, 4, false)) {
    const std::vector<std::int64_t> values_of_labels = labels_of(c);
    std::copy(values_of_labels.begin(), values_of_labels.end(), labels.data.begin());
  }

  struct Pooled {
    Array<T> pooled;
    Array<std::int32_t> saved;
  };
  Pooled outputs(Reduce reduce) const {
    const ArrayView layout = pool_saved_layout(shape.batch, shape.channels, shape.segments, reduce);
    return {Array<T>(grad_pooled.shape),
            Array<std::int32_t>({layout.shape.begin(), layout.shape.begin() + layout.ndim})};
  }
  Pooled pool_on_cpu(Reduce reduce) const {
    Pooled to = outputs(reduce);
    const ArrayView saved = to.saved.view();
    pool(features.view(), labels.view(), to.pooled.view(), &saved, reduce);
    return to;
  }
  Pooled pool_on_cuda(Reduce reduce) const {
    Pooled to = outputs(reduce);
    const ArrayView saved = to.saved.view();
    test::run_on_cuda(
        [&](const Context& context) {
          pool(features.view(), labels.view(), to.pooled.view(), &saved, reduce, context);
        },
        to.pooled, to.saved);
    return to;
  }
  /// Terms of a sum, none of which is above 3.
  double error(Reduce reduce) const {
    const double terms = reduce == Reduce::kMean
                             ? 3.0
                             : 3.0 * static_cast<double>(shape.label_height * shape.label_width);
    return terms * (std::is_same_v<T, double> ? 1e-14 : 1e-6);
  }

  Case shape;
  Array<L> labels;
  Array<T> features;
  Array<T> grad_pooled;
};

template <class T>
class PoolOnCuda : public ::testing::Test {};
using Types = ::testing::Types<float, double, detail::Half, detail::BFloat16>;
TYPED_TEST_SUITE(PoolOnCuda, Types, );

template <class L, class T>
void expect_sums(const Case& c) {
  const Problem<T, L> problem(c);
  for (const Reduce reduce : {Reduce::kSum, Reduce::kMean}) {
    const auto expected = problem.pool_on_cpu(reduce);
    const auto found = problem.pool_on_cuda(reduce);
    expect_near(found.pooled, expected.pooled, problem.error(reduce));
    EXPECT_EQ(found.saved.data, expected.saved.data);
  }
}

TYPED_TEST(PoolOnCuda, SumsAreThoseOfTheCpu) {
  const bool all = std::is_same_v<TypeParam, float>;
  for (const Case& c : all ? kCases : kFewCases) expect_sums<std::int32_t, TypeParam>(c);
  for (const Case& c : kFewCases) expect_sums<std::int64_t, TypeParam>(c);
}

TYPED_TEST(PoolOnCuda, ExtremesAreExactAndTheFirstWins) {
  const bool all = std::is_same_v<TypeParam, float>;
  for (const Case& c : all ? kCases : kFewCases) {
    const Problem<TypeParam, std::int32_t> problem(c, true);
    for (const Reduce reduce : {Reduce::kMax, Reduce::kMin}) {
      const auto expected = problem.pool_on_cpu(reduce);
      const auto found = problem.pool_on_cuda(reduce);
      EXPECT_EQ(found.saved.data, expected.saved.data);
      EXPECT_EQ(bytes_of(found.pooled.data), bytes_of(expected.pooled.data));
    }
  }
}

TYPED_TEST(PoolOnCuda, NanAndInfinityAreThoseOfTheCpu) {
  for (const Case& c : kFewCases) {
    Array<double> values({c.batch, c.channels, c.height, c.width});
    Random random(5);
    for (double& v : values.data) {
      const std::int64_t n = random.below(200);
      v = n == 0   ? kNan
          : n == 1 ? -kNan
          : n == 2 ? kInfinity
          : n == 3 ? -kInfinity
          : n == 4 ? -0.0
          : n < 30 ? 0.0
                   : random.unit();
    }
    // One channel has nothing else.
    std::fill_n(values.data.begin(), c.height * c.width, -kInfinity);
    const Problem<TypeParam, std::int32_t> problem(c, test::rounded<TypeParam>(values));
    for (const Reduce reduce : {Reduce::kSum, Reduce::kMean, Reduce::kMax, Reduce::kMin}) {
      const auto expected = problem.pool_on_cpu(reduce);
      const auto found = problem.pool_on_cuda(reduce);
      EXPECT_EQ(found.saved.data, expected.saved.data);
      if (reduce == Reduce::kSum || reduce == Reduce::kMean) {
        expect_near(found.pooled, expected.pooled, problem.error(reduce));
      } else {
        EXPECT_EQ(bytes_of(found.pooled.data), bytes_of(expected.pooled.data));
      }
    }
  }
}

template <class T, class L>
void expect_gradients(const Case& c) {
  const Problem<T, L> problem(c, true);
  for (const Reduce reduce : {Reduce::kSum, Reduce::kMean, Reduce::kMax, Reduce::kMin}) {
    const auto saved = problem.pool_on_cpu(reduce).saved;
    const ArrayView saved_view = saved.view();
    Array<T> expected(problem.features.shape), found(problem.features.shape);
    pool_backward(problem.grad_pooled.view(), problem.labels.view(), &saved_view, expected.view(),
                  reduce);
    test::run_on_cuda(
        [&](const Context& context) {
          pool_backward(problem.grad_pooled.view(), problem.labels.view(), &saved_view,
                        found.view(), reduce, context);
        },
        found);
    const bool has_a_label_per_cell = c.height == c.label_height && c.width == c.label_width;
    if (has_a_label_per_cell && reduce != Reduce::kMean) {
      EXPECT_EQ(bytes_of(found.data), bytes_of(expected.data));
    } else {
      // Terms are added up in another order.
      const std::int64_t pixels = c.label_height * c.label_width / (c.height * c.width);
      expect_near(found, expected, 1e-7 * static_cast<double>(pixels));
    }
  }
}

TYPED_TEST(PoolOnCuda, GradientsAreThoseOfTheCpu) {
  const bool all = std::is_same_v<TypeParam, float>;
  for (const Case& c : all ? kCases : kFewCases) expect_gradients<TypeParam, std::int32_t>(c);
  for (const Case& c : kFewCases) expect_gradients<TypeParam, std::int64_t>(c);
}

TYPED_TEST(PoolOnCuda, UnpoolIsThatOfTheCpu) {
  for (const Case& c : {kCases[2], kCases[3], kCases[5]}) {
    const Problem<TypeParam, std::int64_t> problem(c);
    Array<TypeParam> expected(problem.features.shape), found(problem.features.shape);
    unpool(problem.grad_pooled.view(), problem.labels.view(), expected.view());
    test::run_on_cuda(
        [&](const Context& context) {
          unpool(problem.grad_pooled.view(), problem.labels.view(), found.view(), context);
        },
        found);
    EXPECT_EQ(bytes_of(found.data), bytes_of(expected.data));

    Array<TypeParam> sums(problem.grad_pooled.shape), sums_found(problem.grad_pooled.shape);
    unpool_backward(problem.features.view(), problem.labels.view(), sums.view());
    test::run_on_cuda(
        [&](const Context& context) {
          unpool_backward(problem.features.view(), problem.labels.view(), sums_found.view(),
                          context);
        },
        sums_found);
    expect_near(sums_found, sums, problem.error(Reduce::kSum));
  }
}

// The last image and channel alone: the bits that they have among others.
TEST(PoolOnCuda, BitsDoNotDependOnOtherImagesAndChannels) {
  const Case c = kCases[2];
  const Problem<float, std::int32_t> problem(c);
  Case alone = c;
  alone.batch = alone.channels = 1;
  const std::int64_t plane = c.height * c.width;
  Problem<float, std::int32_t> one(
      alone, Array<float>({1, 1, c.height, c.width},
                          std::vector<float>(problem.features.data.end() - plane,
                                             problem.features.data.end())));
  std::copy(problem.labels.data.end() - plane, problem.labels.data.end(), one.labels.data.begin());
  const auto all = problem.pool_on_cuda(Reduce::kMean).pooled;
  const auto found = one.pool_on_cuda(Reduce::kMean).pooled;
  EXPECT_EQ(found.data, std::vector<float>(all.data.end() - c.segments, all.data.end()));
}

// Such pixels belong to no segment; nothing beyond the arrays is touched.
TEST(PoolOnCuda, LabelsThatNameNoSegmentAreIgnored) {
  for (const Case& c : kFewCases) {
    Problem<float, std::int64_t> wild(c);
    Problem<float, std::int64_t> tame(c);
    Random random(9);
    const std::int64_t outside[] = {-2,
                                    c.segments,
                                    c.segments + 1000000,
                                    std::int64_t{1} << 32,
                                    std::numeric_limits<std::int64_t>::min(),
                                    std::numeric_limits<std::int64_t>::max()};
    for (std::size_t i = 0; i < wild.labels.data.size(); ++i) {
      if (random.below(5) > 0) continue;
      wild.labels.data[i] = outside[random.below(6)];
      tame.labels.data[i] = -1;
    }
    for (const Reduce reduce : {Reduce::kMean, Reduce::kMax}) {
      const auto expected = tame.pool_on_cuda(reduce);
      const auto found = wild.pool_on_cuda(reduce);
      EXPECT_EQ(found.pooled.data, expected.pooled.data);
      EXPECT_EQ(found.saved.data, expected.saved.data);
      const ArrayView saved = expected.saved.view();
      Array<float> gradient(wild.features.shape), gradient_expected(wild.features.shape);
      const auto backward = [&](const auto& labels, auto& to) {
        test::run_on_cuda(
            [&](const Context& context) {
              pool_backward(wild.grad_pooled.view(), labels.view(), &saved, to.view(), reduce,
                            context);
            },
            to);
      };
      backward(wild.labels, gradient);
      backward(tame.labels, gradient_expected);
      EXPECT_EQ(gradient.data, gradient_expected.data);
    }
  }
}

// A word of tiles for each warp of a segment, several words for each, a bit for several tiles.
TEST(PoolOnCuda, TakesManyTiles) {
  for (const auto& [width, segments] : {std::pair{1088, 7}, {2112, 1500}, {1088, 5000}}) {
    const Case c{1, 1, 17, width, 17, width, segments, Pattern::kMixed};
    const Problem<float, std::int32_t> problem(c, true);
    for (const Reduce reduce : {Reduce::kSum, Reduce::kMax}) {
      const auto expected = problem.pool_on_cpu(reduce);
      auto found = problem.outputs(reduce);
      const ArrayView saved = found.saved.view();
      test::call_on_cuda([&](const Context& context) {
        pool(problem.features.view(), problem.labels.view(), found.pooled.view(), &saved, reduce,
             context);
      });
      EXPECT_EQ(found.pooled.data, expected.pooled.data);
      EXPECT_EQ(found.saved.data, expected.saved.data);
    }
  }
}

TEST(PoolOnCuda, RunsWhereMemoryIsNotAligned) {
  const Case c{1, 3, 16, 64, 16, 64, 7, Pattern::kBlocks};
  const Problem<float, std::int32_t> problem(c);
  Array<float> shifted({1 + 3 * 16 * 64});
  std::copy(problem.features.data.begin(), problem.features.data.end(), shifted.data.begin() + 1);
  const ArrayView features = ArrayView::contiguous(shifted.data.data() + 1, {1, 3, 16, 64});
  auto found = problem.outputs(Reduce::kSum);
  test::run_on_cuda(
      [&](const Context& context) {
        pool(features, problem.labels.view(), found.pooled.view(), nullptr, Reduce::kSum, context);
      },
      found.pooled);
  EXPECT_EQ(found.pooled.data, problem.pool_on_cuda(Reduce::kSum).pooled.data);

  Array<float> out({1 + 3 * 16 * 64}), expected(problem.features.shape);
  unpool(problem.grad_pooled.view(), problem.labels.view(), expected.view());
  const ArrayView out_view = ArrayView::contiguous(out.data.data() + 1, {1, 3, 16, 64});
  test::call_on_cuda([&](const Context& context) {
    unpool(problem.grad_pooled.view(), problem.labels.view(), out_view, context);
  });
  EXPECT_TRUE(std::equal(expected.data.begin(), expected.data.end(), out.data.begin() + 1));
}

// A CUDA graph that was captured with one map of labels is right for all others.
TEST(PoolOnCuda, LaunchesAndWorkspaceDoNotDependOnLabels) {
  std::vector<long> launches;
  std::vector<std::size_t> bytes;
  for (const Pattern pattern : {Pattern::kOne, Pattern::kNoise, Pattern::kBlocks}) {
    const Problem<float, std::int32_t> problem({1, 3, 20, 70, 20, 70, 12, pattern});
    const auto found = problem.outputs(Reduce::kSum);
    const long before = cuda_on_cpu::num_launches;
    test::call_on_cuda([&](const Context& context) {
      pool(problem.features.view(), problem.labels.view(), found.pooled.view(), nullptr,
           Reduce::kSum, context);
      if (context.workspace_query != nullptr) bytes.push_back(*context.workspace_query);
    });
    launches.push_back(cuda_on_cpu::num_launches - before);
  }
  EXPECT_EQ(launches, std::vector<long>(3, launches[0]));
  EXPECT_EQ(bytes, std::vector<std::size_t>(3, bytes[0]));
}

TEST(PoolOnCuda, NothingIsPooledOfNothing) {
  for (const Case& c :
       {Case{0, 3, 4, 5, 4, 5, 6, Pattern::kOne}, Case{2, 0, 4, 5, 4, 5, 6, Pattern::kOne}}) {
    const Problem<float, std::int32_t> problem(c);
    for (const Reduce reduce : {Reduce::kMean, Reduce::kMax}) {
      auto found = problem.outputs(reduce);
      const ArrayView saved = found.saved.view();
      Array<float> gradient(problem.features.shape);
      test::run_on_cuda(
          [&](const Context& context) {
            pool(problem.features.view(), problem.labels.view(), found.pooled.view(), &saved,
                 reduce, context);
            pool_backward(problem.grad_pooled.view(), problem.labels.view(), &saved,
                          gradient.view(), reduce, context);
          },
          gradient);
    }
  }
}

}  // namespace
}  // namespace superpix
