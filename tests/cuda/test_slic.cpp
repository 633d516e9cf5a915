// SPDX-License-Identifier: Apache-2.0
//
// SLIC on CUDA: in integers the labels of the CPU, bit for bit; in single precision nearly so.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <cstdint>
#include <vector>

#include "calls.h"
#include "halves.h"
#include "on_cuda.h"

namespace superpix {
namespace {

using test::Array;
using test::Shape;

std::vector<std::int32_t> labels_on_cuda(const ArrayView& image, const SlicParams& params) {
  Array<std::int32_t> labels(test::shape_of(image, image.ndim - 1));
  test::run_on_cuda(
      [&](const Context& context) { slic(image, nullptr, labels.view(), params, context); },
      labels);
  return std::move(labels.data);
}

/// How many labels differ from those of the CPU.
std::int64_t num_differing(const ArrayView& image, const SlicParams& params) {
  const auto expected = test::slic_of(image, params).labels;
  const auto labels = labels_on_cuda(image, params);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) count += labels[i] != expected[i] ? 1 : 0;
  return count;
}

SlicParams integer_params(std::int64_t num_segments) {
  SlicParams params;
  params.num_segments = num_segments;
  params.convert_to_lab = true;
  params.enforce_connectivity = false;
  params.max_num_iter = 5;
  return params;
}

TEST(IntegerSlicOnCuda, HasTheLabelsOfTheCpu) {
  const struct {
    Shape shape;
    std::int64_t num_segments;
  } cases[] = {
      {{40, 60, 3}, 20},   {{37, 53, 3}, 1},   {{37, 53, 3}, 2},     {{61, 47, 3}, 300},
      {{2, 2, 3}, 1},      {{1, 90, 3}, 7},    {{90, 1, 3}, 6},      {{33, 34, 3}, 1000},
      {{150, 130, 3}, 12}, {{100, 220, 3}, 4}, {{48, 200, 3}, 1200}, {{9, 9, 3}, 80},
  };
  for (const auto& c : cases) {
    for (const bool is_noise : {false, true}) {
      const auto image = is_noise ? test::noise<std::uint8_t>(c.shape, 256, 7)
                                  : test::picture<std::uint8_t>(c.shape);
      EXPECT_EQ(num_differing(image.view(), integer_params(c.num_segments)), 0)
          << c.shape[0] << " x " << c.shape[1] << ", " << c.num_segments;
    }
  }
}

TEST(IntegerSlicOnCuda, TakesAllParameters) {
  const auto image = test::picture<std::uint8_t>({70, 91, 3});
  for (const int num_iter : {0, 1, 2, 3, 4, 8, 12}) {
    SlicParams params = integer_params(15);
    params.max_num_iter = num_iter;
    EXPECT_EQ(num_differing(image.view(), params), 0) << num_iter << " iterations";
  }
  for (const double compactness : {3.0, 8.0, 40.0, 100.0, 3000.0}) {
    SlicParams params = integer_params(25);
    params.compactness = compactness;
    EXPECT_EQ(num_differing(image.view(), params), 0) << "compactness " << compactness;
  }
  for (const double spacing : {0.3, 1.7, 4.0}) {
    SlicParams params = integer_params(25);
    params.spacing = {1.0, spacing, 1.0};
    EXPECT_EQ(num_differing(image.view(), params), 0) << "spacing " << spacing;
  }
  using Range = std::pair<double, double>;
  for (const Range& range : {Range{0, 255}, Range{30.5, 180.25}, Range{-100, 1000}}) {
    SlicParams params = integer_params(25);
    params.value_range = range;
    EXPECT_EQ(num_differing(image.view(), params), 0) << "range from " << range.first;
  }
  SlicParams params = integer_params(25);
  params.start_label = 0;
  EXPECT_EQ(num_differing(image.view(), params), 0) << "start_label 0";
}

TEST(IntegerSlicOnCuda, PerturbsSeeds) {
  for (const std::int64_t num_segments : {3, 20, 400}) {
    SlicParams params = integer_params(num_segments);
    params.perturb_seeds = true;
    const auto image = test::picture<std::uint8_t>({51, 64, 3});
    EXPECT_EQ(num_differing(image.view(), params), 0) << num_segments;
    // Nothing changes in a flat image: seeds stay where they were moved.
    const Array<std::uint8_t> flat({51, 64, 3}, 90);
    EXPECT_EQ(num_differing(flat.view(), params), 0) << num_segments << ", flat";
  }
  SlicParams params = integer_params(4);
  params.perturb_seeds = true;
  const auto narrow = test::picture<std::uint8_t>({2, 40, 3});
  EXPECT_EQ(num_differing(narrow.view(), params), 0) << "no pixel has a gradient";
}

TEST(IntegerSlicOnCuda, SettlesTies) {
  // Few colours in a pattern: many pixels are equally near to several clusters.
  for (const std::int64_t period : {1, 2, 3, 8}) {
    Array<std::uint8_t> image({48, 48, 3});
    for (std::int64_t i = 0; i < 48 * 48; ++i) {
      const std::int64_t stripe = (i / 48 / period + i % 48 / period) % 2;
      for (int c = 0; c < 3; ++c) image.data[3 * i + c] = static_cast<std::uint8_t>(200 * stripe);
    }
    for (const double compactness : {4.0, 10.0, 60.0}) {
      SlicParams params = integer_params(36);
      params.compactness = compactness;
      EXPECT_EQ(num_differing(image.view(), params), 0) << period << ", " << compactness;
    }
  }
}

TEST(IntegerSlicOnCuda, TakesAnyStrides) {
  const auto image = test::picture<std::uint8_t>({45, 38, 3});
  const test::Scattered scattered(image.view());
  EXPECT_EQ(num_differing(scattered.view, integer_params(20)), 0);
  // Columns left out, at an address that is a multiple of nothing.
  ArrayView cut = image.view();
  cut.data = const_cast<std::uint8_t*>(image.data.data() + 3);
  cut.shape[1] = 35;
  EXPECT_EQ(num_differing(cut, integer_params(20)), 0);
}

TEST(IntegerSlicOnCuda, SumsUpCellsOfAnySize) {
  // More pixels than sums of 32 bits hold, and several blocks for a cell.
  const auto image = test::picture<std::uint8_t>({300, 310, 3});
  for (const std::int64_t num_segments : {1, 2}) {
    SlicParams params = integer_params(num_segments);
    params.max_num_iter = 3;
    EXPECT_EQ(num_differing(image.view(), params), 0) << num_segments;
  }
}

}  // namespace
}  // namespace superpix
