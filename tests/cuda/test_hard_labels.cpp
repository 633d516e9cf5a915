// SPDX-License-Identifier: Apache-2.0
//
// Hard labels on CUDA: those of the CPU.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <cmath>
#include <cstdint>

#include "halves.h"
#include "on_cuda.h"

namespace superpix {
namespace {

using test::Array;

struct Case {
  std::int64_t batch, height, width, rows, columns;
};

const Case kCases[] = {
    {1, 20, 32, 4, 5}, {2, 33, 47, 3, 4},  {1, 1, 1, 1, 1},  {1, 1, 40, 1, 6}, {1, 40, 1, 5, 1},
    {3, 9, 11, 9, 11}, {1, 24, 70, 2, 70}, {2, 16, 8, 1, 1}, {0, 8, 8, 2, 2},  {1, 61, 64, 7, 9},
};

/// Few different values, so that there are many ties; some not finite.
template <class T>
Array<T> association_of(const Case& c) {
  Array<double> association({c.batch, 9, c.height, c.width});
  test::Random random(3);
  for (double& value : association.data) {
    const std::int64_t n = random.below(24);
    value = n == 0   ? NAN
            : n == 1 ? INFINITY
            : n == 2 ? -INFINITY
                     : static_cast<double>(n % 4) - 1.0;
  }
  return test::rounded<T>(association);
}

template <class T>
class HardLabelsOnCuda : public ::testing::Test {};
using Types = ::testing::Types<float, double, detail::Half, detail::BFloat16>;
TYPED_TEST_SUITE(HardLabelsOnCuda, Types, );

template <class L, class T>
void expect_labels_of_cpu(const Case& c, const Array<T>& association) {
  const HardLabelsParams params{c.rows, c.columns};
  Array<L> expected({c.batch, c.height, c.width});
  hard_labels(association.view(), expected.view(), params);
  Array<L> labels(expected.shape);
  test::run_on_cuda(
      [&](const Context& context) {
        hard_labels(association.view(), labels.view(), params, context);
      },
      labels);
  EXPECT_EQ(labels.data, expected.data) << c.height << " x " << c.width;
}

TYPED_TEST(HardLabelsOnCuda, AreThoseOfTheCpu) {
  for (const Case& c : kCases) {
    const auto association = association_of<TypeParam>(c);
    expect_labels_of_cpu<std::int32_t>(c, association);
    expect_labels_of_cpu<std::int64_t>(c, association);
  }
}

TEST(HardLabelsOnCuda, RunsWhereMemoryIsNotAligned) {
  const Case c{1, 8, 16, 2, 4};
  const auto aligned = association_of<float>(c);
  Array<float> shifted({1 + 9 * 8 * 16});
  std::copy(aligned.data.begin(), aligned.data.end(), shifted.data.begin() + 1);
  const ArrayView view = ArrayView::contiguous(shifted.data.data() + 1, {1, 9, 8, 16});
  Array<std::int32_t> expected({1, 8, 16}), labels({1, 8, 16});
  hard_labels(aligned.view(), expected.view(), {2, 4});
  test::run_on_cuda(
      [&](const Context& context) {
        hard_labels(view, labels.view(), {2, 4}, context);
      },
      labels);
  EXPECT_EQ(labels.data, expected.data);
}

}  // namespace
}  // namespace superpix
