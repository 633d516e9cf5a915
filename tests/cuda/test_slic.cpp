// SPDX-License-Identifier: Apache-2.0
//
// SLIC on CUDA: in integers the labels of the CPU, bit for bit; in single precision nearly so.
#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "calls.h"
#include "halves.h"
#include "on_cuda.h"

namespace superpix {
namespace {

using test::Array;
using test::Shape;

std::vector<std::int32_t> labels_on_cuda(const ArrayView& image, SlicParams params,
                                         const ArrayView* mask = nullptr) {
  if (mask != nullptr) params.seed_grid = choose_seed_grid(*mask, params);
  Array<std::int32_t> labels(test::shape_of(image, image.ndim - 1));
  test::run_on_cuda(
      [&](const Context& context) { slic(image, mask, labels.view(), params, context); }, labels);
  return std::move(labels.data);
}

/// How many labels differ from those of the CPU.
std::int64_t num_differing(const ArrayView& image, const SlicParams& params,
                           const ArrayView* mask = nullptr) {
  const auto expected = test::slic_of(image, params, mask).labels;
  const auto labels = labels_on_cuda(image, params, mask);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) count += labels[i] != expected[i] ? 1 : 0;
  return count;
}

/// A disc that is not in the middle.
Array<bool> disc_mask(const Shape& shape) {
  Array<bool> mask(shape);
  const std::int64_t width = shape.back();
  const std::int64_t height = shape[shape.size() - 2];
  for (std::size_t p = 0; p < mask.data.size(); ++p) {
    const auto at = static_cast<std::int64_t>(p);
    const double y =
        2.0 * static_cast<double>(at / width % height) / static_cast<double>(height) - 1.0;
    const double x = 2.0 * static_cast<double>(at % width) / static_cast<double>(width) - 0.8;
    mask.data[p] = x * x + y * y < 0.7 ? 1 : 0;
  }
  return mask;
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

TEST(IntegerSlicOnCuda, ConnectsAndRefines) {
  const struct {
    Shape shape;
    std::int64_t num_segments;
  } cases[] = {{{64, 90, 3}, 24}, {{61, 47, 3}, 700}, {{40, 40, 3}, 1500},
               {{37, 53, 3}, 1},  {{1, 90, 3}, 7},    {{2, 2, 3}, 1}};
  for (const auto& c : cases) {
    for (const int refine_iter : {0, 2}) {
      const auto image = test::picture<std::uint8_t>(c.shape);
      SlicParams params = integer_params(c.num_segments);
      params.enforce_connectivity = true;
      params.refine_iter = refine_iter;
      params.start_label = refine_iter == 0 ? 0 : 1;
      EXPECT_EQ(num_differing(image.view(), params), 0)
          << c.shape[0] << " x " << c.shape[1] << ", " << c.num_segments << ", " << refine_iter;
    }
  }
  const auto image = test::noise<std::uint8_t>({50, 70, 3}, 256, 3);
  SlicParams params = integer_params(30);
  params.enforce_connectivity = true;
  params.min_size_factor = 0.2;
  params.max_size_factor = 0.6;
  params.spacing = {1.0, 1.4, 0.8};
  params.max_num_iter = 0;
  EXPECT_EQ(num_differing(image.view(), params), 0) << "no iterations";
  params.max_num_iter = 4;
  EXPECT_EQ(num_differing(image.view(), params), 0) << "sizes";
  // Borders give way to colours more easily along one axis.
  const auto stretched = test::picture<std::uint8_t>({72, 84, 3}, 5);
  for (const double spacing : {0.4, 3.0}) {
    SlicParams refined = integer_params(12);
    refined.enforce_connectivity = true;
    refined.refine_iter = 4;
    refined.compactness = 30.0;
    refined.spacing = {1.0, spacing, 1.0};
    EXPECT_EQ(num_differing(stretched.view(), refined), 0) << "spacing " << spacing;
  }
}

// --- single precision ----------------------------------------------------------------------------

SlicParams float_params(std::int64_t num_segments) {
  SlicParams params;
  params.num_segments = num_segments;
  params.enforce_connectivity = false;
  params.max_num_iter = 5;
  return params;
}

/// The device rounds sums of products, and the means of clusters, where the CPU does not: a pixel
/// that is nearly as near to two clusters may go to either.
constexpr double kAgreement = 0.998;

double agreement(const ArrayView& image, const SlicParams& params) {
  const double pixels = static_cast<double>(image.size() / image.shape[image.ndim - 1]);
  return 1.0 - static_cast<double>(num_differing(image, params)) / pixels;
}

template <class T>
class FloatSlicOnCuda : public ::testing::Test {};
using Types = ::testing::Types<bool, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
                               std::int32_t, std::uint32_t, std::int64_t, std::uint64_t,
                               detail::Half, detail::BFloat16, float, double>;
TYPED_TEST_SUITE(FloatSlicOnCuda, Types, );

template <class T>
Array<T> picture_of(const Shape& shape) {
  const auto bytes = test::picture<std::uint8_t>(shape);
  Array<T> image(shape);
  for (std::size_t i = 0; i < image.data.size(); ++i) {
    if constexpr (std::is_same_v<T, bool>) {
      image.data[i] = bytes.data[i] > 100 ? 1 : 0;
    } else if constexpr (std::is_same_v<T, detail::Half> || std::is_same_v<T, detail::BFloat16>) {
      image.data[i] = detail::narrow<T>(static_cast<float>(bytes.data[i]));
    } else {
      image.data[i] = static_cast<T>(bytes.data[i] / 2);
    }
  }
  return image;
}

TYPED_TEST(FloatSlicOnCuda, HasNearlyTheLabelsOfTheCpu) {
  const auto image = picture_of<TypeParam>({33, 40, 2});
  SlicParams params = float_params(20);
  params.compactness = 0.1;
  EXPECT_GE(agreement(image.view(), params), kAgreement);
  const test::Scattered scattered(image.view());
  EXPECT_GE(agreement(scattered.view, params), kAgreement) << "any strides";
}

TEST(FloatSlicOnCuda, TakesAnyShape) {
  const struct {
    Shape shape;
    std::int64_t num_segments;
  } cases[] = {
      {{1, 1, 1}, 1},       {{2, 3, 1}, 100},     {{37, 53, 1}, 1},     {{61, 47, 3}, 300},
      {{80, 90, 5}, 6},     {{21, 30, 40}, 9},    {{9, 12, 700}, 4},    {{7, 9, 8, 1}, 30},
      {{12, 20, 18, 2}, 4}, {{5, 8, 6, 120}, 12}, {{1, 20, 30, 3}, 12}, {{20, 1, 30, 1}, 12},
      {{150, 130, 1}, 2},
  };
  for (const auto& c : cases) {
    const auto image = test::picture<float>(c.shape);
    SlicParams params = float_params(c.num_segments);
    params.compactness = 0.1;
    params.max_num_iter = 4;
    EXPECT_GE(agreement(image.view(), params), kAgreement) << image.view().shape_string();
  }
}

TEST(FloatSlicOnCuda, TakesAllParameters) {
  const auto color = test::picture<float>({48, 55, 3});
  const auto volume = test::picture<std::uint8_t>({9, 20, 18, 3});
  const auto expect_agreement = [&](const SlicParams& params, const char* what) {
    EXPECT_GE(agreement(color.view(), params), kAgreement) << what;
    EXPECT_GE(agreement(volume.view(), params), kAgreement) << what << ", volume";
  };
  const auto with = [&](auto change) {
    SlicParams params = float_params(12);
    params.compactness = 0.2;
    change(params);
    return params;
  };
  expect_agreement(with([](SlicParams& p) { p.max_num_iter = 0; }), "0 iterations");
  expect_agreement(with([](SlicParams& p) { p.max_num_iter = 9; }), "9 iterations");
  expect_agreement(with([](SlicParams& p) {
                     p.convert_to_lab = true;
                     p.compactness = 10;
                   }),
                   "CIELAB");
  expect_agreement(with([](SlicParams& p) {
                     p.convert_to_lab = true;
                     p.compactness = 10;
                     p.value_range = {10.0, 190.0};
                   }),
                   "CIELAB in a range");
  expect_agreement(with([](SlicParams& p) { p.value_range = {-20.0, 300.0}; }), "a range");
  expect_agreement(with([](SlicParams& p) { p.spacing = {2.0, 0.7, 1.3}; }), "spacing");
  expect_agreement(with([](SlicParams& p) { p.sigma = {0.5, 1.0, 2.0}; }), "blur");
  expect_agreement(with([](SlicParams& p) { p.sigma = {0.0, 50.0, 0.0}; }), "blur along y");
  expect_agreement(with([](SlicParams& p) { p.slic_zero = true; }), "SLICO");
  expect_agreement(with([](SlicParams& p) { p.perturb_seeds = true; }), "perturbed seeds");
  expect_agreement(with([](SlicParams& p) { p.start_label = 0; }), "start_label 0");
}

TEST(FloatSlicOnCuda, ConnectsAndRefines) {
  const struct {
    Shape shape;
    std::int64_t num_segments;
  } cases[] = {{{48, 55, 2}, 20}, {{40, 40, 1}, 1200}, {{8, 20, 21, 1}, 16}, {{6, 7, 8, 2}, 300}};
  for (const auto& c : cases) {
    const auto image = test::picture<float>(c.shape);
    for (const bool slic_zero : {false, true}) {
      SlicParams params = float_params(c.num_segments);
      params.compactness = 0.1;
      params.enforce_connectivity = true;
      params.slic_zero = slic_zero;
      EXPECT_GE(agreement(image.view(), params), kAgreement)
          << image.view().shape_string() << ", " << slic_zero;
    }
  }
}

TEST(FloatSlicOnCuda, GivesTiesToTheOwnCluster) {
  // Pixel 3 is as near to the second cluster as to its own: (0.5)^2 + (1.5 / 4)^2 is (2.5 / 4)^2.
  const Array<float> image({1, 8, 1}, {0.0F, 0.0F, 0.25F, 0.75F, 0.75F, 0.75F, 0.75F, 0.75F});
  SlicParams params = float_params(2);
  params.compactness = 1.0;
  params.value_range = {0.0, 1.0};
  params.max_num_iter = 1;
  params.start_label = 0;
  EXPECT_EQ(labels_on_cuda(image.view(), params),
            (std::vector<std::int32_t>{0, 0, 0, 0, 1, 1, 1, 1}));
}

TEST(SlicOnCuda, DoesNotSayHowManyLabelsThereAre) {
  const auto image = test::picture<std::uint8_t>({30, 30, 3});
  SlicParams params = integer_params(9);
  Array<std::int32_t> labels({30, 30});
  for (const bool connected : {false, true}) {
    params.enforce_connectivity = connected;
    test::call_on_cuda([&](const Context& context) {
      EXPECT_EQ(slic(image.view(), nullptr, labels.view(), params, context), connected ? -1 : 9);
    });
  }
  const Array<bool> disc = disc_mask({30, 30});
  const ArrayView mask = disc.view();
  params.enforce_connectivity = false;
  params.seed_grid = choose_seed_grid(mask, params);
  test::call_on_cuda([&](const Context& context) {
    EXPECT_EQ(slic(image.view(), &mask, labels.view(), params, context),
              test::slic_of(image.view(), params, &mask).count);
  });
}

TEST(FloatSlicOnCuda, TakesValuesOfAnySize) {
  for (const double factor : {1e-300, 1e-40, 1.0, 1e30, 1e305}) {
    Array<double> image = test::picture<double>({30, 30, 1});
    for (double& value : image.data) value *= factor;
    SlicParams params = float_params(9);
    params.compactness = 0.1;
    EXPECT_GE(agreement(image.view(), params), kAgreement) << factor;
  }
  const Array<double> flat({30, 30, 1}, 3.25);
  EXPECT_EQ(num_differing(flat.view(), float_params(9)), 0) << "flat";
}

// --- the mask ------------------------------------------------------------------------------------

/// In space alone, pixels are often as near to two clusters.
constexpr double kMaskedAgreement = 0.98;

/// How much of what lies together in one partition lies together in the other, too: where there is
/// a label more, all that follow have other numbers.
double overlap(const std::vector<std::int32_t>& labels, const std::vector<std::int32_t>& other,
               std::int32_t outside) {
  std::map<std::int32_t, std::map<std::int32_t, std::int64_t>> common;
  std::int64_t inside = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == outside) continue;
    ++common[labels[i]][other[i]];
    ++inside;
  }
  std::int64_t together = 0;
  for (const auto& [label, counts] : common) {
    std::int64_t most = 0;
    for (const auto& [other_label, count] : counts) most = std::max(most, count);
    together += most;
  }
  return static_cast<double>(together) / static_cast<double>(inside);
}

double masked_agreement(const ArrayView& image, const SlicParams& params, const ArrayView& mask) {
  const auto expected = test::slic_of(image, params, &mask).labels;
  const auto labels = labels_on_cuda(image, params, &mask);
  if (!params.enforce_connectivity) {
    std::int64_t inside = 0;
    std::int64_t same = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      inside += expected[i] >= params.start_label ? 1 : 0;
      same += expected[i] >= params.start_label && labels[i] == expected[i] ? 1 : 0;
    }
    return static_cast<double>(same) / static_cast<double>(inside);
  }
  const std::int32_t outside = params.start_label - 1;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if ((labels[i] == outside) != (expected[i] == outside)) return 0.0;
  }
  return std::min(overlap(labels, expected, outside), overlap(expected, labels, outside));
}

Shape spatial(const Shape& shape) { return {shape.begin(), shape.end() - 1}; }

TEST(MaskedSlicOnCuda, HasNearlyTheLabelsOfTheCpu) {
  const struct {
    Shape shape;
    std::int64_t num_segments;
  } cases[] = {{{48, 60, 3}, 20}, {{61, 47, 1}, 150},  {{40, 40, 2}, 1},
               {{40, 51, 3}, 2},  {{6, 20, 21, 1}, 9}, {{9, 12, 10, 2}, 100}};
  for (const auto& c : cases) {
    const auto image = test::picture<float>(c.shape);
    const Array<bool> disc = disc_mask(spatial(c.shape));
    Array<bool> speckles = test::noise<bool>(spatial(c.shape), 100, 9);
    for (auto& m : speckles.data) m = m < 20 ? 1 : 0;
    for (const Array<bool>* mask : {&disc, &static_cast<const Array<bool>&>(speckles)}) {
      const ArrayView inside = mask->view();
      for (const bool connected : {false, true}) {
        SlicParams params = float_params(c.num_segments);
        params.compactness = 0.1;
        params.enforce_connectivity = connected;
        EXPECT_GE(masked_agreement(image.view(), params, inside), kMaskedAgreement)
            << image.view().shape_string() << ", " << c.num_segments
            << (mask == &disc ? ", disc" : ", speckles") << (connected ? ", connected" : "");
      }
    }
  }
}

TEST(MaskedSlicOnCuda, TakesAllParameters) {
  const auto image = test::picture<std::uint8_t>({48, 55, 3});
  const Array<bool> disc = disc_mask({48, 55});
  const test::Scattered scattered(disc.view());
  const auto expect_agreement = [&](const char* what, auto change) {
    SlicParams params = float_params(12);
    params.compactness = 0.2;
    change(params);
    EXPECT_GE(masked_agreement(image.view(), params, scattered.view), kMaskedAgreement) << what;
  };
  expect_agreement("0 iterations", [](SlicParams& p) { p.max_num_iter = 0; });
  expect_agreement("9 iterations", [](SlicParams& p) { p.max_num_iter = 9; });
  expect_agreement("CIELAB", [](SlicParams& p) {
    p.convert_to_lab = true;
    p.compactness = 10;
    p.enforce_connectivity = true;
  });
  expect_agreement("a range", [](SlicParams& p) { p.value_range = {-20.0, 300.0}; });
  expect_agreement("spacing", [](SlicParams& p) { p.spacing = {2.0, 0.7, 1.3}; });
  expect_agreement("blur", [](SlicParams& p) { p.sigma = {0.0, 1.0, 2.0}; });
  expect_agreement("blur of CIELAB", [](SlicParams& p) {
    p.convert_to_lab = true;
    p.compactness = 10;
    p.sigma = {0.0, 1.0, 2.0};
  });
  expect_agreement("SLICO", [](SlicParams& p) { p.slic_zero = true; });
  expect_agreement("perturbed seeds", [](SlicParams& p) { p.perturb_seeds = true; });
  expect_agreement("start_label 0", [](SlicParams& p) { p.start_label = 0; });
}

TEST(MaskedSlicOnCuda, DoesNotReadWhatIsOutside) {
  const Array<bool> disc = disc_mask({40, 51});
  const ArrayView mask = disc.view();
  Array<float> image = test::picture<float>({40, 51, 2});
  SlicParams params = float_params(12);
  params.compactness = 0.1;
  params.sigma = {0.0, 1.0, 1.0};
  const auto expected = labels_on_cuda(image.view(), params, &mask);
  for (const float value : {1e9F, std::numeric_limits<float>::quiet_NaN()}) {
    for (std::size_t i = 0; i < image.data.size(); ++i) {
      if (disc.data[i / 2] == 0) image.data[i] = value;
    }
    EXPECT_EQ(labels_on_cuda(image.view(), params, &mask), expected) << value;
  }
}

TEST(MaskedSlicOnCuda, NumbersPixels) {
  const struct {
    Shape shape;
    int share;  // of pixels inside, per cent
  } cases[] = {{{1, 6, 1}, 60}, {{90, 100, 1}, 50}, {{90, 100, 1}, 3}, {{4, 50, 60, 1}, 70}};
  for (const auto& c : cases) {
    Array<bool> noise = test::noise<bool>(spatial(c.shape), 100, 5);
    for (auto& m : noise.data) m = m < c.share ? 1 : 0;
    const ArrayView mask = noise.view();
    const auto image = test::picture<std::uint8_t>(c.shape);
    for (const std::int32_t start_label : {0, 1}) {
      SlicParams params = float_params(mask.size());
      params.start_label = start_label;
      EXPECT_EQ(num_differing(image.view(), params, &mask), 0)
          << image.view().shape_string() << ", " << c.share;
    }
  }
}

TEST(MaskedSlicOnCuda, NeedsTheGridOfItsMask) {
  const auto image = test::picture<float>({8, 10, 1});
  const Array<bool> all({8, 10}, 1);
  const ArrayView mask = all.view();
  Array<std::int32_t> labels({8, 10});
  SlicParams params = float_params(4);
  const auto expect_refusal = [&](const char* why) {
    Context context;
    context.device = Device::kCuda;
    try {
      slic(image.view(), &mask, labels.view(), params, context);
      ADD_FAILURE() << "no exception: " << why;
    } catch (const InvalidArgument& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
  };
  expect_refusal("a mask on CUDA needs params.seed_grid");
  const SeedGrid right = choose_seed_grid(mask, params);
  for (const SeedGrid& wrong :
       {SeedGrid{{1, 9, 2}, 4, 80}, SeedGrid{{1, 0, 2}, 4, 80}, SeedGrid{{2, 2, 2}, 4, 80},
        SeedGrid{right.cells, 0, 80}, SeedGrid{right.cells, 81, 80}, SeedGrid{right.cells, 4, 0},
        SeedGrid{right.cells, 4, 81}}) {
    params.seed_grid = wrong;
    expect_refusal("params.seed_grid must be what choose_seed_grid() gives");
  }
}

TEST(SlicOnCuda, MakesAsManyLaunchesWhateverTheImage) {
  const auto launches = [](const Array<std::uint8_t>& image) {
    const long before = cuda_on_cpu::num_launches;
    Array<std::int32_t> labels({40, 50});
    test::call_on_cuda([&](const Context& context) {
      slic(image.view(), nullptr, labels.view(), integer_params(20), context);
    });
    return cuda_on_cpu::num_launches - before;
  };
  const Shape shape{40, 50, 3};
  EXPECT_EQ(launches(test::picture<std::uint8_t>(shape)), launches(Array<std::uint8_t>(shape, 7)));
}

}  // namespace
}  // namespace superpix
