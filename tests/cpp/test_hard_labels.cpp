// SPDX-License-Identifier: Apache-2.0
//
// Hard labels against an argmax, pixel by pixel.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "array.h"
#include "calls.h"
#include "cpu/kernels.h"
#include "halves.h"
#include "soft_slic_reference.h"

namespace superpix {
namespace {

using test::Array;
using test::Shape;
using test::SoftSlicReference;

struct Case {
  std::int64_t batch, height, width, rows, columns;

  Shape association() const { return {batch, 9, height, width}; }
};

const std::vector<Case> kCases = {
    {1, 20, 30, 4, 5},   {2, 33, 47, 3, 4},     {1, 1, 1, 1, 1},      {1, 1, 40, 1, 6},
    {1, 40, 1, 5, 1},    {3, 9, 11, 9, 11},     {1, 24, 70, 2, 3},    {1, 40, 700, 1, 1},
    {2, 31, 1100, 2, 2}, {4, 128, 160, 10, 11}, {1, 120, 250, 7, 31},
};

/// Few different values, so that there are many ties; some not finite.
template <class T>
Array<T> association_of(const Case& c) {
  Array<double> association(c.association());
  test::Random random(3);
  for (double& value : association.data) {
    const std::int64_t n = random.below(24);
    value = n == 0   ? NAN
            : n == 1 ? INFINITY
            : n == 2 ? -INFINITY
                     : static_cast<double>(n % 4) - 1.0;
    if (n == 4) value = -0.0;
  }
  return test::rounded<T>(association);
}

template <class T>
std::vector<std::int64_t> expected_labels(const Case& c, const Array<T>& association) {
  const SoftSlicReference grid{1, c.height, c.width, c.rows, c.columns, 0};
  const std::int64_t plane = c.height * c.width;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < c.batch * plane; ++i) {
    const std::int64_t p = i % plane;
    std::int64_t label = -1;
    double best = 0.0;
    for (int slot = 0; slot < 9; ++slot) {
      const std::int64_t k = grid.candidate(p / c.width, p % c.width, slot);
      if (k < 0) continue;
      const double value = detail::widen(association.data[(i / plane * 9 + slot) * plane + p]);
      if (label < 0 || value > best || (std::isnan(value) && !std::isnan(best))) {
        label = k;
        best = value;
      }
    }
    labels.push_back(label);
  }
  return labels;
}

template <class L, class T>
std::vector<std::int64_t> labels_of(const Case& c, const Array<T>& association,
                                    int num_threads = 1) {
  Array<L> labels({c.batch, c.height, c.width}, -7);
  hard_labels(association.view(), labels.view(), {c.rows, c.columns},
              test::on_threads(num_threads));
  return {labels.data.begin(), labels.data.end()};
}

template <class T>
class HardLabels : public ::testing::Test {};
using Types = ::testing::Types<float, double, detail::Half, detail::BFloat16>;
TYPED_TEST_SUITE(HardLabels, Types, );

TYPED_TEST(HardLabels, AreTheArgmaxOverCandidates) {
  for (const Case& c : kCases) {
    const auto association = association_of<TypeParam>(c);
    const std::vector<std::int64_t> expected = expected_labels(c, association);
    for (const int threads : {1, 2, 5}) {
      EXPECT_EQ(labels_of<std::int32_t>(c, association, threads), expected);
      EXPECT_EQ(labels_of<std::int64_t>(c, association, threads), expected);
    }
  }
}

TYPED_TEST(HardLabels, KernelsOfEveryInstructionSet) {
  constexpr std::int64_t kPlane = 1000;
  const Case c{1, 1, kPlane, 1, 1};
  const auto association = association_of<TypeParam>(c);
  for (const cpu::Kernels* kernels : cpu::all_kernels()) {
    SCOPED_TRACE(kernels->name);
    const auto label_row = [&] {
      if constexpr (std::is_same_v<TypeParam, float>) return kernels->float_images.label_row;
      if constexpr (std::is_same_v<TypeParam, double>) return kernels->double_images.label_row;
      if constexpr (std::is_same_v<TypeParam, detail::Half>) return kernels->half_images.label_row;
      if constexpr (std::is_same_v<TypeParam, detail::BFloat16>)
        return kernels->bfloat16_images.label_row;
    }();
    for (std::int64_t width = 1; width <= 40; ++width) {
      const cpu::LabelSegment segments[] = {
          {width, 3, {1, 4, 7}, {10, 11, 12}},
          {width + 1, 9, {0, 1, 2, 3, 4, 5, 6, 7, 8}, {20, 21, 22, 23, 24, 25, 26, 27, 28}},
          {width, 1, {8}, {30}},
      };
      std::vector<std::int32_t> labels(static_cast<std::size_t>(3 * width + 1 + 15));
      // The last pixels of the rows: none are beyond the last row.
      const std::int64_t first = kPlane - (3 * width + 1);
      label_row(association.data.data() + first, kPlane, segments, 3, labels.data());
      std::int64_t x = 0;
      for (const cpu::LabelSegment& segment : segments) {
        for (std::int64_t i = 0; i < segment.width; ++i, ++x) {
          int winner = 0;
          const auto value = [&](int j) {
            return detail::widen(association.data[segment.slots[j] * kPlane + first + x]);
          };
          for (int j = 1; j < segment.count; ++j) {
            if (value(j) > value(winner) || (std::isnan(value(j)) && !std::isnan(value(winner)))) {
              winner = j;
            }
          }
          EXPECT_EQ(labels[x], segment.labels[winner]) << width << ' ' << x;
        }
      }
    }
  }
}

TEST(HardLabelsErrors, NameTheArgument) {
  const Array<float> association({2, 9, 20, 30});
  const Array<std::int32_t> labels({2, 20, 30});
  const auto expect_error = [](const std::string& what, const std::function<void()>& call) {
    try {
      call();
      ADD_FAILURE() << "no error for " << what;
    } catch (const std::exception& error) {
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
  };
  const auto call = [](const ArrayView& a, const ArrayView& l, const HardLabelsParams& params) {
    return [=] { hard_labels(a, l, params); };
  };
  const HardLabelsParams good{4, 5};
  EXPECT_NO_THROW(call(association.view(), labels.view(), good)());
  expect_error("hard_labels: the grid", call(association.view(), labels.view(), {0, 5}));
  expect_error("the grid", call(association.view(), labels.view(), {4, 31}));
  const Array<float> eight({2, 8, 20, 30});
  expect_error("association must be [2, 9, 20, 30]", call(eight.view(), labels.view(), good));
  const Array<std::uint8_t> bytes({2, 9, 20, 30});
  expect_error("association must be float16", call(bytes.view(), labels.view(), good));
  const Array<float> floats({2, 20, 30});
  expect_error("labels must be int32 or int64, got float32",
               call(association.view(), floats.view(), good));
  const Array<std::int64_t> other({2, 20, 29});
  expect_error("labels must be [2, 20, 30]", call(association.view(), other.view(), good));
  const test::Scattered scattered(labels.view());
  expect_error("labels must be C-contiguous", call(association.view(), scattered.view, good));
}

TEST(HardLabelsEmpty, BatchIsFine) {
  const Array<float> association({0, 9, 20, 30});
  EXPECT_TRUE(labels_of<std::int32_t>({0, 20, 30, 4, 5}, association).empty());
}

}  // namespace
}  // namespace superpix
