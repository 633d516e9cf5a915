// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "array.h"
#include "calls.h"
#include "reference.h"
#include "slic_reference.h"

namespace superpix {
namespace {

using test::Array;
using test::Labels;
using test::Scattered;
using test::Shape;
using test::slic_of;
using test::Volume;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

SlicParams lab_params(std::int64_t num_segments) {
  SlicParams params;
  params.num_segments = num_segments;
  params.convert_to_lab = true;
  return params;
}

/// For images with values in [0, 255].
SlicParams raw_params(std::int64_t num_segments, double compactness = 0.1) {
  SlicParams params;
  params.num_segments = num_segments;
  params.compactness = compactness;
  return params;
}

Volume volume_of(const ArrayView& image) {
  return image.ndim == 3 ? Volume{1, image.shape[0], image.shape[1]}
                         : Volume{image.shape[0], image.shape[1], image.shape[2]};
}

/// Share of pixels with equal labels.
double agreement(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  return static_cast<double>(equal) / static_cast<double>(a.size());
}

/// Calls slic with 1, 2 and 3 threads, and checks all that holds for every result.
Labels checked(const ArrayView& image, const SlicParams& params,
               const Array<bool>* mask = nullptr) {
  const ArrayView mask_view = mask != nullptr ? mask->view() : ArrayView{};
  const ArrayView* mask_pointer = mask != nullptr ? &mask_view : nullptr;
  const Labels result = slic_of(image, params, mask_pointer, 1);
  for (const int n : {2, 3}) EXPECT_EQ(slic_of(image, params, mask_pointer, n), result) << n;

  const Volume v = volume_of(image);
  const std::vector<std::uint8_t> inside =
      mask != nullptr ? mask->data : std::vector<std::uint8_t>{};
  if (params.enforce_connectivity) {
    SlicParams plain = params;
    plain.enforce_connectivity = false;
    const std::int64_t clusters = slic_of(image, plain, mask_pointer, 1).count;
    const std::int64_t pixels =
        inside.empty() ? test::num_pixels(v) : std::count(inside.begin(), inside.end(), 1);
    const double smallest =
        params.min_size_factor * static_cast<double>(pixels) / static_cast<double>(clusters);
    const auto min_size = static_cast<std::int64_t>(std::min(smallest, 1e9));
    EXPECT_EQ(test::what_is_wrong(result.labels, v, inside, params.start_label, result.count,
                                  params.num_segments < pixels ? min_size : 0),
              "");
  } else {
    for (std::size_t p = 0; p < result.labels.size(); ++p) {
      const std::int32_t number = result.labels[p] - params.start_label;
      const bool in = inside.empty() || inside[p] != 0;
      // Clusters are named after cells, of which those outside the mask have none.
      if (in ? number < 0 || number >= test::num_pixels(v) : number != -1) {
        ADD_FAILURE() << "label " << result.labels[p] << " at pixel " << p;
        break;
      }
    }
  }
  return result;
}

// --- the clustering, against a reference ---------------------------------------------------------

struct Case {
  Shape shape;  // without channels
  int channels;
  std::int64_t num_segments;
  Volume cells;
  std::array<double, 3> spacing{1.0, 1.0, 1.0};
};

const std::vector<Case> kCases = {
    {{48, 60}, 1, 20, {1, 4, 5}},
    {{50, 61}, 3, 20, {1, 4, 5}},
    {{37, 36}, 7, 9, {1, 3, 3}},
    {{1, 60}, 2, 6, {1, 1, 6}},
    {{60, 1}, 2, 6, {1, 6, 1}},
    {{40, 40}, 3, 8, {1, 2, 4}, {1.0, 1.0, 2.0}},
    {{70, 90}, 3, 12, {1, 3, 4}},
    {{18, 19, 27}, 2, 12, {2, 2, 3}},
    {{10, 40, 40}, 1, 64, {4, 4, 4}, {4.0, 1.0, 1.0}},
};

/// Whether seeds that move by a pixel can come to the same one: then two clusters are one, and who
/// gets its pixels is up to rounding.
bool seeds_can_meet(const Volume& shape, const Volume& cells) {
  for (int axis = 0; axis < 3; ++axis) {
    if (cells[axis] > 1 && shape[axis] < 4 * cells[axis]) return true;
  }
  return false;
}

Shape with_channels(Shape shape, std::int64_t channels) {
  shape.push_back(channels);
  return shape;
}

using Turns = test::SlicReference::Turns;
constexpr Turns kTurns{64, 3};
bool has_turns(const test::SlicReference& r) {
  return r.shape[0] == 1 && test::num_pixels(r.shape) > 192 * test::num_pixels(r.cells);
}

TEST(SlicReference, IsMetByTheFloatPath) {
  for (const Case& c : kCases) {
    auto image = test::picture<float>(with_channels(c.shape, c.channels));
    test::Random random(2);  // whole numbers would make ties of gradients
    for (float& v : image.data) v += static_cast<float>(random.unit());
    for (const bool perturb : {false, true}) {
      if (perturb && seeds_can_meet(volume_of(image.view()), c.cells)) continue;
      for (const int iterations : {0, 1, 4}) {
        SlicParams params = raw_params(c.num_segments, 40.0);
        params.spacing = c.spacing;
        params.value_range = {{0.0, 1.0}};
        params.max_num_iter = iterations;
        params.perturb_seeds = perturb;
        params.enforce_connectivity = false;
        params.start_label = 0;
        const Labels found = checked(image.view(), params);

        test::SlicReference reference{
            volume_of(image.view()), c.cells, c.spacing, c.channels, {}, iterations, perturb};
        for (const float v : image.data) reference.features.push_back(v / 40.0);
        if (has_turns(reference)) reference.turns = kTurns;
        EXPECT_EQ(found.count, test::num_pixels(c.cells));
        // Where two distances are equal but for rounding, either will do.
        EXPECT_GE(agreement(found.labels, reference.run()), 0.995)
            << image.view().shape_string() << perturb << iterations;
      }
    }
  }
}

TEST(SlicReference, IsMetByTheIntegerPath) {
  for (const Case& c : kCases) {
    if (c.shape.size() != 2) continue;
    const auto image = test::picture<std::uint8_t>(with_channels(c.shape, 3));
    const std::vector<float> lab = test::lab_of(image.view());
    for (const bool perturb : {false, true}) {
      for (const int iterations : {0, 1, 4}) {
        SlicParams params = lab_params(c.num_segments);
        params.spacing = c.spacing;
        params.value_range = {{0.0, 255.0}};
        params.max_num_iter = iterations;
        params.perturb_seeds = perturb;
        params.enforce_connectivity = false;
        params.start_label = 0;
        const Labels found = checked(image.view(), params);

        test::SlicReference reference{
            volume_of(image.view()), c.cells, c.spacing, 3, {}, iterations, perturb};
        for (std::size_t i = 0; i < lab.size(); ++i) {
          const double weight = i % 3 == 0 ? 1.0 : std::sqrt(kChromaWeight);
          reference.features.push_back(lab[i] * weight / params.compactness);
        }
        if (has_turns(reference)) reference.turns = kTurns;
        EXPECT_EQ(found.count, test::num_pixels(c.cells));
        EXPECT_GE(agreement(found.labels, reference.run()), 0.98)
            << image.view().shape_string() << perturb << iterations;
      }
    }
  }
}

// In noise, where every assignment counts: which pixels wait for their turn is seen.
TEST(SlicReference, IsMetInNoiseWithItsTurnsOnly) {
  const Volume cells{1, 3, 4};
  const auto noise = test::noise<std::uint8_t>({70, 90, 3}, 256, 1);
  const auto only_turns_agree = [&](const auto& image, const std::vector<float>& features,
                                    const SlicParams& params) {
    const Labels found = checked(image.view(), params);
    test::SlicReference reference{volume_of(image.view()), cells, {1.0, 1.0, 1.0}, 3, {},
                                  params.max_num_iter};
    reference.features.assign(features.begin(), features.end());
    EXPECT_LT(agreement(found.labels, reference.run()), 0.97);
    reference.turns = kTurns;
    reference.turns.first = 1;
    EXPECT_LT(agreement(found.labels, reference.run()), 0.97);
    reference.turns = kTurns;
    EXPECT_GT(agreement(found.labels, reference.run()), 0.98);
  };
  SlicParams params = lab_params(12);
  params.value_range = {{0.0, 255.0}};
  params.max_num_iter = 3;
  params.enforce_connectivity = false;
  params.start_label = 0;
  std::vector<float> features = test::lab_of(noise.view());
  for (std::size_t i = 0; i < features.size(); ++i) {
    const double weight = i % 3 == 0 ? 1.0 : std::sqrt(kChromaWeight);
    features[i] = static_cast<float>(features[i] * weight / params.compactness);
  }
  only_turns_agree(noise, features, params);
  Array<float> floats(noise.shape);
  std::copy(noise.data.begin(), noise.data.end(), floats.data.begin());
  only_turns_agree(floats, features, params);
}

TEST(SlicReference, IsMetWithBlurByTheBlurredImage) {
  const auto image = test::picture<float>({50, 61, 2});
  constexpr double kSigma = 1.5;
  constexpr std::int64_t kRadius = 6;  // 4 sigma, to the nearest
  const auto reflected = [](std::int64_t i, std::int64_t n) {
    return i < 0 ? -1 - i : i >= n ? 2 * n - 1 - i : i;
  };
  Array<float> blurred({50, 61, 2});
  for (std::int64_t y = 0; y < 50; ++y) {
    for (std::int64_t x = 0; x < 61; ++x) {
      for (std::int64_t c = 0; c < 2; ++c) {
        double sum = 0.0, total = 0.0;
        for (std::int64_t dy = -kRadius; dy <= kRadius; ++dy) {
          for (std::int64_t dx = -kRadius; dx <= kRadius; ++dx) {
            const double w =
                std::exp(-0.5 * static_cast<double>(dy * dy + dx * dx) / (kSigma * kSigma));
            sum += w * image.data[(reflected(y + dy, 50) * 61 + reflected(x + dx, 61)) * 2 + c];
            total += w;
          }
        }
        blurred.data[(y * 61 + x) * 2 + c] = static_cast<float>(sum / total);
      }
    }
  }
  SlicParams params = raw_params(20, 40.0);
  params.value_range = {{0.0, 1.0}};
  params.enforce_connectivity = false;
  const Labels expected = checked(blurred.view(), params);
  params.sigma = {7.0, kSigma, kSigma};  // a plane has no z
  EXPECT_GE(agreement(checked(image.view(), params).labels, expected.labels), 0.995);
}

// --- results that are known ----------------------------------------------------------------------

TEST(Slic, OnePixelIsOneLabel) {
  for (const std::int32_t start : {0, 1}) {
    SlicParams params = lab_params(100);
    params.start_label = start;
    const Labels expected{1, {start}};
    EXPECT_EQ(checked(Array<std::uint8_t>({1, 1, 3}, 9).view(), params), expected);
    EXPECT_EQ(checked(Array<float>({1, 1, 3}, 0.5F).view(), params), expected);
    EXPECT_EQ(checked(Array<float>({1, 1, 1, 3}, 0.5F).view(), params), expected);
  }
}

TEST(Slic, FromTheNumberOfPixelsOnEveryPixelIsALabel) {
  for (const std::int64_t n : {20L, 21L, 1000L, std::numeric_limits<long>::max()}) {
    std::vector<std::int32_t> expected(20);
    for (int i = 0; i < 20; ++i) expected[i] = i + 1;
    EXPECT_EQ(checked(test::picture<std::uint8_t>({4, 5, 3}).view(), lab_params(n)).labels,
              expected);
    EXPECT_EQ(checked(test::picture<float>({4, 5, 2}).view(), raw_params(n)).labels, expected);
    EXPECT_EQ(checked(test::picture<float>({2, 2, 5, 2}).view(), raw_params(n)).labels, expected);
  }
}

TEST(Slic, OneSegmentIsOneLabel) {
  for (const Shape& shape : {Shape{30, 41, 3}, {1, 50, 3}, {5, 9, 8, 3}}) {
    SlicParams params = lab_params(1);
    EXPECT_EQ(checked(test::picture<std::uint8_t>(shape).view(), params).count, 1);
    EXPECT_EQ(checked(test::picture<double>(shape).view(), params).count, 1);
  }
}

TEST(Slic, RowsAndColumnsWork) {
  for (const Shape& shape : {Shape{1, 200, 3}, {200, 1, 3}, {1, 1, 200, 3}, {2, 77, 3}}) {
    const Labels bytes = checked(test::picture<std::uint8_t>(shape).view(), lab_params(10));
    const Labels floats = checked(test::picture<float>(shape).view(), lab_params(10));
    for (const Labels& result : {bytes, floats}) {
      EXPECT_GE(result.count, 3);
      EXPECT_LE(result.count, 20);
    }
  }
}

TEST(Slic, ConstantImageGivesTheGrid) {
  std::vector<std::int32_t> expected;
  for (int p = 0; p < 48 * 60; ++p) expected.push_back(1 + p / 60 / 12 * 5 + p % 60 / 12);
  for (const bool zero : {false, true}) {
    for (const bool connected : {false, true}) {
      SlicParams params = lab_params(20);
      params.slic_zero = zero;
      params.enforce_connectivity = connected;
      for (const int value : {0, 100, 255}) {
        const Array<std::uint8_t> bytes({48, 60, 3}, static_cast<std::uint8_t>(value));
        EXPECT_EQ(checked(bytes.view(), params).labels, expected);
        const Array<double> floats({48, 60, 3}, value);
        EXPECT_EQ(checked(floats.view(), params).labels, expected);
      }
    }
  }
}

TEST(Slic, FindsRegionsThatCannotBeMissed) {
  // Two colours along a slanted border: no label may have much of both.
  for (const bool zero : {false, true}) {
    Array<std::uint8_t> bytes({60, 80, 3});
    Array<float> floats({60, 80, 3});
    std::vector<bool> left(4800);
    for (std::int64_t p = 0; p < 4800; ++p) {
      left[p] = p % 80 < 25 + p / 80 / 2;
      const std::uint8_t colors[2][3] = {{200, 40, 30}, {20, 90, 220}};
      for (int c = 0; c < 3; ++c) {
        bytes.data[3 * p + c] = colors[left[p] ? 0 : 1][c];
        floats.data[3 * p + c] = static_cast<float>(colors[left[p] ? 0 : 1][c]) / 255.0F;
      }
    }
    SlicParams params = lab_params(24);
    params.slic_zero = zero;
    for (const ArrayView& image : {bytes.view(), floats.view()}) {
      const Labels result = checked(image, params);
      std::map<std::int32_t, std::array<int, 2>> votes;
      for (std::size_t p = 0; p < 4800; ++p) ++votes[result.labels[p]][left[p] ? 0 : 1];
      int wrong = 0;
      for (const auto& [label, count] : votes) wrong += std::min(count[0], count[1]);
      EXPECT_LE(wrong, zero ? 60 : 10);
      EXPECT_GE(result.count, 15);
    }
  }
}

TEST(Slic, NoiseDoesNotCollapse) {
  for (const double compactness : {0.01, 1.0, 10.0, 100.0, 10000.0}) {
    SlicParams params = lab_params(100);
    params.compactness = compactness;
    for (const bool zero : {false, true}) {
      params.slic_zero = zero;
      const Labels bytes = checked(test::noise<std::uint8_t>({90, 100, 3}, 256, 1).view(), params);
      const Labels floats = checked(test::noise<float>({90, 100, 3}, 256, 1).view(), params);
      for (const Labels& result : {bytes, floats}) {
        EXPECT_GE(result.count, 50) << compactness << zero;
        EXPECT_LE(result.count, 250) << compactness << zero;
      }
    }
  }
}

TEST(Slic, CompactnessMakesSquares) {
  const auto image = test::picture<std::uint8_t>({60, 80, 3});
  const auto border_length = [&](double compactness) {
    SlicParams params = lab_params(48);
    params.compactness = compactness;
    const auto labels = checked(image.view(), params).labels;
    std::int64_t length = 0;
    for (std::int64_t p = 0; p < 4800; ++p) {
      test::for_each_neighbor({1, 60, 80}, p,
                              [&](std::int64_t q) { length += labels[p] != labels[q] ? 1 : 0; });
    }
    return length;
  };
  EXPECT_GT(border_length(1.0), border_length(10.0));
  EXPECT_GT(border_length(10.0), border_length(1000.0));
}

// --- parameters ----------------------------------------------------------------------------------

TEST(SlicParameters, StartLabelShiftsTheResult) {
  const auto bytes = test::picture<std::uint8_t>({40, 50, 3});
  const auto floats = test::picture<float>({6, 20, 20, 3});
  Array<bool> mask({40, 50}, 1);
  for (int p = 0; p < 300; ++p) mask.data[7 * p % 2000] = 0;
  for (const bool connected : {false, true}) {
    SlicParams params = lab_params(30);
    params.enforce_connectivity = connected;
    SlicParams from_zero = params;
    from_zero.start_label = 0;
    const auto expect_shifted = [&](const ArrayView& image, const Array<bool>* m) {
      Labels shifted = checked(image, from_zero, m);
      for (std::int32_t& label : shifted.labels) ++label;
      EXPECT_EQ(shifted, checked(image, params, m));
    };
    expect_shifted(bytes.view(), nullptr);
    expect_shifted(floats.view(), nullptr);
    expect_shifted(bytes.view(), &mask);
  }
}

TEST(SlicParameters, ValueRangeIsTheExtremesUnlessGiven) {
  Array<std::uint8_t> bytes = test::picture<std::uint8_t>({40, 50, 3});
  for (auto& v : bytes.data) v = static_cast<std::uint8_t>(10 + v / 2);
  const auto [low, high] = std::minmax_element(bytes.data.begin(), bytes.data.end());
  const double extremes[] = {static_cast<double>(*low), static_cast<double>(*high)};
  Array<double> doubles({40, 50, 3});
  std::copy(bytes.data.begin(), bytes.data.end(), doubles.data.begin());
  for (const bool lab : {false, true}) {
    SlicParams params = lab ? lab_params(30) : raw_params(30);
    const Labels by_default = checked(bytes.view(), params);
    const Labels by_default_doubles = checked(doubles.view(), params);
    params.value_range = {{extremes[0], extremes[1]}};
    EXPECT_EQ(checked(bytes.view(), params), by_default);
    EXPECT_EQ(checked(doubles.view(), params), by_default_doubles);
    params.value_range = {{0.0, 255.0}};
    EXPECT_NE(checked(bytes.view(), params), by_default);
    EXPECT_NE(checked(doubles.view(), params), by_default_doubles);
  }
}

TEST(SlicParameters, ScaleAndOffsetOfTheImageDoNotMatter) {
  // By a power of two, so that rounding does not either.
  Array<double> image = test::picture<double>({40, 50, 2});
  for (const bool lab : {false, true}) {
    if (lab) image = test::picture<double>({40, 50, 3});
    const SlicParams params = lab ? lab_params(30) : raw_params(30);
    const Labels expected = checked(image.view(), params);
    Array<double> scaled = image;
    for (double& v : scaled.data) v = 1024.0 * v - 65536.0;
    EXPECT_EQ(checked(scaled.view(), params), expected);
  }
}

TEST(SlicParameters, ValueRangeMakesTheRestOfTheImageIrrelevant) {
  // A far corner that is black or white changes nothing at the opposite one.
  for (const bool lab : {false, true}) {
    SlicParams params = lab ? lab_params(96) : raw_params(96, 20.0);
    params.value_range = {{0.0, 255.0}};
    params.enforce_connectivity = false;
    params.max_num_iter = 3;
    Array<std::uint8_t> bytes = test::picture<std::uint8_t>({80, 120, 3});
    for (auto& v : bytes.data) v = static_cast<std::uint8_t>(50 + v / 2);
    const Labels before = checked(bytes.view(), params);
    for (int i = 0; i < 6; ++i) bytes.data[i] = i < 3 ? 0 : 255;
    const Labels after = checked(bytes.view(), params);
    for (std::size_t p = 40 * 120; p < 80 * 120; ++p) ASSERT_EQ(before.labels[p], after.labels[p]);
  }
}

TEST(SlicParameters, SigmaZeroIsNoBlurAndLargeIsFlat) {
  const auto image = test::noise<float>({48, 60, 2}, 256, 3);
  SlicParams params = raw_params(20, 0.3);
  const Labels sharp = checked(image.view(), params);
  params.sigma = {0.0, 2.0, 0.0};
  EXPECT_NE(checked(image.view(), params), sharp);
  params.sigma = {0.0, 30.0, 30.0};
  const Labels flat = checked(image.view(), params);
  std::vector<std::int32_t> grid;
  for (int p = 0; p < 48 * 60; ++p) grid.push_back(1 + p / 60 / 12 * 5 + p % 60 / 12);
  EXPECT_GE(agreement(flat.labels, grid), 0.9);
}

TEST(SlicParameters, SigmaGoesAlongEachAxisOfAVolume) {
  const auto image = test::noise<float>({9, 20, 20, 1}, 256, 3);
  SlicParams params = raw_params(20, 0.3);
  std::vector<Labels> results{checked(image.view(), params)};
  for (int axis = 0; axis < 3; ++axis) {
    params.sigma = {0.0, 0.0, 0.0};
    params.sigma[axis] = 1.5;
    results.push_back(checked(image.view(), params));
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(results[i], results[j]);
  }
}

TEST(SlicParameters, SpacingIsOnlyRelativeWhereAllAxesShareIt) {
  const auto image = test::picture<float>({8, 24, 30, 2});
  SlicParams params = raw_params(40);
  const Labels expected = checked(image.view(), params);
  params.spacing = {2.0, 1.0, 1.0};
  const Labels thick = checked(image.view(), params);
  EXPECT_NE(thick, expected);
}

TEST(SlicParameters, MinimumAndMaximumSizeBoundTheLabels) {
  const auto image = test::noise<std::uint8_t>({60, 80, 3}, 256, 3);
  SlicParams params = lab_params(48);
  params.refine_iter = 0;
  params.min_size_factor = 0.0;
  params.max_size_factor = 0.25;
  const Labels small = checked(image.view(), params);
  std::map<std::int32_t, std::int64_t> size;
  for (const std::int32_t label : small.labels) ++size[label];
  for (const auto& [label, n] : size) EXPECT_LE(n, 25);
  params.max_size_factor = 3.0;
  const Labels all = checked(image.view(), params);
  for (const double factor : {0.1, 0.5, 1.0, 2.0, 1e6, 1e300, kInf}) {
    params.min_size_factor = factor;
    const Labels merged = checked(image.view(), params);  // checks the minimum
    EXPECT_LT(merged.count, all.count) << factor;
    if (factor >= 1e6) {
      EXPECT_EQ(merged.count, 1);
    }
  }
  params.min_size_factor = 0.5;
  const Labels by_default = checked(image.view(), params);
  params.max_size_factor = kInf;
  EXPECT_LE(checked(image.view(), params).count, by_default.count);
}

TEST(SlicParameters, RefinementKeepsEveryPromise) {
  const auto bytes = test::picture<std::uint8_t>({60, 80, 3});
  const auto floats = test::picture<float>({60, 80, 20});
  for (const std::int64_t n : {2, 30, 500, 2000}) {
    for (const int rounds : {0, 1, 5}) {
      SlicParams lab = lab_params(n);
      lab.refine_iter = rounds;
      checked(bytes.view(), lab);
      SlicParams raw = raw_params(n);
      raw.refine_iter = rounds;
      checked(floats.view(), raw);
    }
  }
  SlicParams params = lab_params(30);
  const Labels refined = checked(bytes.view(), params);
  params.refine_iter = 0;
  EXPECT_NE(checked(bytes.view(), params), refined);
}

TEST(SlicParameters, SlicZeroAdaptsToContrast) {
  // The same discs faint on the left and strong on the right: only SLICO follows the faint ones at
  // a compactness at which the strong ones are followed.
  Array<float> image({60, 120, 1});
  for (std::int64_t p = 0; p < 60 * 120; ++p) {
    const std::int64_t y = p / 120, x = p % 60, dy = y - 30, dx = x - 27;
    const bool disc = dy * dy + dx * dx < 300;
    image.data[p] = (disc ? 1.0F : 0.0F) * (p % 120 < 60 ? 0.02F : 1.0F);
  }
  const auto mixed = [&](bool zero) {
    SlicParams params = raw_params(72, 0.3);
    params.slic_zero = zero;
    params.value_range = {{0.0, 1.0}};
    params.refine_iter = 0;
    const Labels result = checked(image.view(), params);
    std::map<std::int32_t, std::array<int, 2>> votes;
    for (std::int64_t p = 0; p < 60 * 120; ++p) {
      if (p % 120 < 60) ++votes[result.labels[p]][image.data[p] > 0.0F ? 1 : 0];
    }
    int wrong = 0;
    for (const auto& [label, count] : votes) wrong += std::min(count[0], count[1]);
    return wrong;
  };
  EXPECT_GT(mixed(false), 100);
  EXPECT_LE(mixed(true), mixed(false));
}

// --- the mask ------------------------------------------------------------------------------------

Array<bool> disc_mask(const Shape& shape) {
  Array<bool> mask(shape);
  const std::int64_t width = shape.back(), height = shape[shape.size() - 2];
  for (std::size_t p = 0; p < mask.data.size(); ++p) {
    const auto i = static_cast<std::int64_t>(p);
    const std::int64_t dy = 2 * (i / width % height) - height, dx = 2 * (i % width) - width;
    mask.data[p] =
        dy * dy * width * width + dx * dx * height * height < height * height * width * width ? 1
                                                                                              : 0;
  }
  return mask;
}

TEST(SlicMask, OfTrueIsWithinRoundingOfNone) {
  const auto image = test::picture<float>({48, 60, 2});
  const Array<bool> mask({48, 60}, 1);
  const SlicParams params = raw_params(20);
  const Labels masked = checked(image.view(), params, &mask);
  EXPECT_NEAR(static_cast<double>(masked.count),
              static_cast<double>(checked(image.view(), params).count), 5.0);
}

TEST(SlicMask, IsKeptToInEveryPath) {
  for (const bool connected : {false, true}) {
    for (const bool zero : {false, true}) {
      SlicParams params = lab_params(30);
      params.enforce_connectivity = connected;
      params.slic_zero = zero;
      params.perturb_seeds = zero;
      const Array<bool> plane = disc_mask({40, 51});
      const Labels result =
          checked(test::picture<std::uint8_t>({40, 51, 3}).view(), params, &plane);
      EXPECT_GE(result.count, 15);
      EXPECT_LE(result.count, 60);
      checked(test::picture<float>({40, 51, 3}).view(), params, &plane);
      const Array<bool> volume = disc_mask({6, 20, 21});
      checked(test::picture<float>({6, 20, 21, 3}).view(), params, &volume);
    }
  }
}

TEST(SlicMask, OfScatteredPixelsWorks) {
  for (const std::int64_t share : {2, 10, 90, 98}) {
    Array<bool> mask = test::noise<bool>({40, 51}, 100, 9);
    for (auto& m : mask.data) m = m < share ? 1 : 0;
    for (const std::int64_t n : {1, 30, 1000}) {
      checked(test::picture<std::uint8_t>({40, 51, 3}).view(), lab_params(n), &mask);
    }
  }
}

TEST(SlicMask, OfOnePixelIsOneLabel) {
  for (const std::size_t p : {0, 777, 40 * 51 - 1}) {
    Array<bool> mask({40, 51});
    mask.data[p] = 1;
    for (const std::int64_t n : {1, 30}) {
      const Labels result = checked(test::picture<float>({40, 51, 1}).view(), raw_params(n), &mask);
      EXPECT_EQ(result.count, 1);
      EXPECT_EQ(result.labels[p], 1);
    }
  }
}

TEST(SlicMask, NumbersThePixelsWhereThereAreNoMoreThanSegments) {
  const Array<bool> mask({1, 6}, {1, 0, 1, 1, 0, 1});
  SlicParams params = raw_params(4);
  EXPECT_EQ(checked(test::picture<float>({1, 6, 1}).view(), params, &mask),
            (Labels{4, {1, 0, 2, 3, 0, 4}}));
  params.start_label = 0;
  EXPECT_EQ(checked(test::picture<float>({1, 6, 1}).view(), params, &mask),
            (Labels{4, {0, -1, 1, 2, -1, 3}}));
}

TEST(SlicMask, HasTheSeedGridThatIsChosenForIt) {
  for (const int share : {3, 40, 90}) {
    Array<bool> mask = test::noise<bool>({40, 51}, 100, 9);
    for (auto& m : mask.data) m = m < share ? 1 : 0;
    const ArrayView view = mask.view();
    SlicParams params = raw_params(15);
    params.enforce_connectivity = false;
    params.spacing = {1.0, 2.0, 1.0};
    const SeedGrid grid = choose_seed_grid(view, params);
    EXPECT_EQ(grid.num_seeds,
              slic_of(test::picture<float>({40, 51, 1}).view(), params, &view).count);
    EXPECT_EQ(grid.num_pixels, std::count(mask.data.begin(), mask.data.end(), 1));
    EXPECT_LE(grid.num_seeds, grid.cells[0] * grid.cells[1] * grid.cells[2]);
    EXPECT_EQ(grid.cells[0], 1);
  }
}

TEST(SlicMask, MakesWhatIsOutsideIrrelevant) {
  const Array<bool> mask = disc_mask({40, 51});
  for (const bool blur : {false, true}) {
    SlicParams params = lab_params(30);
    if (blur) params.sigma = {0.0, 1.5, 1.5};
    Array<float> image = test::picture<float>({40, 51, 3});
    const Labels expected = checked(image.view(), params, &mask);
    const float values[] = {std::numeric_limits<float>::quiet_NaN(),
                            std::numeric_limits<float>::infinity(), -1e30F, 0.0F};
    for (const float value : values) {
      for (std::size_t i = 0; i < image.data.size(); ++i) {
        if (mask.data[i / 3] == 0) image.data[i] = value;
      }
      EXPECT_EQ(checked(image.view(), params, &mask), expected) << value;
    }
  }
}

// --- layouts and element types -------------------------------------------------------------------

std::uint16_t half_of(int value) {
  if (value == 0) return 0;
  const int exponent = std::ilogb(static_cast<double>(value));
  return static_cast<std::uint16_t>((exponent + 15) * 1024 +
                                    (value - (1 << exponent)) * (1024 >> exponent));
}

TEST(SlicInput, AnyElementTypeGivesTheSameLabels) {
  for (const Shape& shape : {Shape{40, 51, 2}, {6, 20, 21, 2}}) {
    Array<float> image = test::picture<float>(shape);
    for (float& v : image.data) v = std::floor(v / 2.1F);  // fits int8
    const SlicParams params = raw_params(30);
    const Labels expected = checked(image.view(), params);
    const auto check = [&](auto type) {
      Array<decltype(type)> other(shape);
      std::transform(image.data.begin(), image.data.end(), other.data.begin(),
                     [](float v) { return static_cast<decltype(type)>(v); });
      EXPECT_EQ(checked(other.view(), params), expected) << name(DTypeOf<decltype(type)>::value);
      EXPECT_EQ(slic_of(Scattered(other.view()).view, params), expected);
    };
    check(std::int8_t{});
    check(std::int16_t{});
    check(std::int32_t{});
    check(std::int64_t{});
    check(std::uint8_t{});
    check(std::uint16_t{});
    check(std::uint32_t{});
    check(std::uint64_t{});
    check(double{});

    Array<std::uint16_t> half(shape);
    std::transform(image.data.begin(), image.data.end(), half.data.begin(),
                   [](float v) { return half_of(static_cast<int>(v)); });
    ArrayView half_view = half.view();
    half_view.dtype = DType::kFloat16;
    EXPECT_EQ(checked(half_view, params), expected);
  }
}

TEST(SlicInput, BoolIsZeroOrOne) {
  const Array<bool> image = test::noise<bool>({40, 51, 1}, 2, 4);
  Array<float> floats({40, 51, 1});
  std::copy(image.data.begin(), image.data.end(), floats.data.begin());
  EXPECT_EQ(checked(image.view(), raw_params(30)), checked(floats.view(), raw_params(30)));
}

TEST(SlicInput, AnyLayoutGivesTheSameLabels) {
  const auto bytes = test::picture<std::uint8_t>({40, 51, 3});
  const auto floats = test::picture<float>({6, 20, 21, 3});
  EXPECT_EQ(slic_of(Scattered(bytes.view()).view, lab_params(30)),
            checked(bytes.view(), lab_params(30)));
  SlicParams params = lab_params(30);
  params.sigma = {1.0, 1.0, 1.0};
  EXPECT_EQ(slic_of(Scattered(floats.view()).view, params), checked(floats.view(), params));

  const Array<bool> mask = disc_mask({40, 51});
  const Scattered scattered_mask(mask.view());
  EXPECT_EQ(slic_of(bytes.view(), lab_params(30), &scattered_mask.view),
            checked(bytes.view(), lab_params(30), &mask));
}

TEST(SlicInput, RowsMayBeApart) {
  // The common case of a crop: pixels contiguous, rows not.
  const auto wide = test::picture<std::uint8_t>({40, 80, 3});
  Array<std::uint8_t> crop({40, 51, 3});
  for (std::int64_t y = 0; y < 40; ++y) {
    std::copy_n(&wide.data[(y * 80 + 10) * 3], 51 * 3, &crop.data[y * 51 * 3]);
  }
  ArrayView view = wide.view();
  view.data = static_cast<std::uint8_t*>(view.data) + 30;
  view.shape[1] = 51;
  EXPECT_EQ(slic_of(view, lab_params(30)), checked(crop.view(), lab_params(30)));
}

TEST(SlicInput, IsNotWrittenTo) {
  const auto bytes = test::picture<std::uint8_t>({40, 51, 3});
  const auto floats = test::picture<float>({40, 51, 3});
  const std::vector<std::uint8_t> bytes_before = bytes.data;
  const std::vector<float> floats_before = floats.data;
  SlicParams params = lab_params(30);
  slic_of(bytes.view(), params);
  params.sigma = {1.0, 1.0, 1.0};
  slic_of(floats.view(), params);
  EXPECT_EQ(bytes.data, bytes_before);
  EXPECT_EQ(floats.data, floats_before);
}

TEST(SlicInput, EverySizeFits) {
  // Kernels work on groups of pixels: widths on all sides of their sizes.
  for (std::int64_t width = 1; width <= 70; ++width) {
    for (const std::int64_t height : {1, 2, 3, 17}) {
      for (const std::int64_t n : {1, 2, 9}) {
        SlicParams params = lab_params(n);
        params.max_num_iter = 2;
        checked(test::picture<std::uint8_t>({height, width, 3}).view(), params);
        checked(test::picture<float>({height, width, 2}).view(), raw_params(n));
      }
    }
  }
}

TEST(SlicInput, LargeImagesAreTheSameForEveryNumberOfThreads) {
  SlicParams params = lab_params(300);
  checked(test::picture<std::uint8_t>({300, 500, 3}).view(), params);
  checked(test::noise<std::uint8_t>({300, 500, 3}, 256, 1).view(), params);
  params.max_num_iter = 3;
  checked(test::picture<float>({300, 500, 3}).view(), params);
  checked(test::picture<float>({20, 90, 100, 2}).view(), raw_params(300));
}

TEST(SlicInput, ExtremeButFiniteValuesWork) {
  const double high = std::numeric_limits<double>::max();
  for (const auto& [low_value, high_value] : {std::pair<double, double>{-high, high},
                                              {0.0, high},
                                              {0.0, 5e-324},
                                              {1.0, 1.0 + 1e-15},
                                              {-1e-300, 1e-300}}) {
    Array<double> image = test::noise<double>({20, 30, 3}, 2, 3);
    for (double& v : image.data) v = v > 0.0 ? high_value : low_value;
    for (const bool lab : {false, true}) {
      const Labels result = checked(image.view(), lab ? lab_params(12) : raw_params(12));
      EXPECT_GE(result.count, 4) << low_value << " " << high_value;
    }
  }
}

TEST(SlicInput, AnyCombinationKeepsEveryPromise) {
  test::Random random(17);
  for (int i = 0; i < 400; ++i) {
    Shape shape{1 + random.below(24), 1 + random.below(24)};
    if (random.below(3) == 0) shape.insert(shape.begin(), 1 + random.below(6));
    SlicParams params;
    params.num_segments = 1 + random.below(60);
    params.compactness = std::pow(10.0, 6.0 * random.unit() - 3.0);
    params.max_num_iter = static_cast<int>(random.below(6));
    for (int axis = 0; axis < 3; ++axis) {
      params.spacing[axis] = std::pow(10.0, random.unit() - 0.5);
      params.sigma[axis] = random.below(4) == 0 ? 2.0 * random.unit() : 0.0;
    }
    params.slic_zero = random.below(3) == 0;
    params.perturb_seeds = random.below(3) == 0;
    params.enforce_connectivity = random.below(4) != 0;
    params.min_size_factor = 2.0 * random.unit();
    params.max_size_factor = 0.1 + 4.0 * random.unit();
    params.refine_iter = static_cast<int>(random.below(4));
    params.start_label = static_cast<std::int32_t>(random.below(2));
    Array<bool> mask = test::noise<bool>(shape, 100, static_cast<unsigned>(i));
    const std::int64_t share = random.below(101);
    for (auto& m : mask.data) m = m < share ? 1 : 0;
    mask.data[random.below(test::product(shape))] = 1;
    const Array<bool>* mask_used = random.below(2) == 0 ? &mask : nullptr;
    const std::int64_t channels = random.below(2) == 0 ? 3 : 1 + random.below(5);
    params.convert_to_lab = channels == 3 && random.below(4) != 0;
    shape.push_back(channels);
    const std::int64_t levels = 1 + random.below(256);
    if (random.below(2) == 0) {
      checked(test::noise<std::uint8_t>(shape, levels, 1).view(), params, mask_used);
    } else {
      checked(test::noise<float>(shape, levels, 1).view(), params, mask_used);
    }
    ASSERT_FALSE(HasFailure()) << "case " << i;
  }
}

// --- errors --------------------------------------------------------------------------------------

template <class E>
void expect_error(const std::string& argument, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "no error for " << argument;
  } catch (const E& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find(argument), std::string::npos) << message;
  }
}

TEST(SlicInput, RangesFarFromTheValuesLeaveFeaturesFinite) {
  // Under UBSan, a feature that is not finite would not become an integer.
  const Array<std::uint8_t> image({3, 4, 1}, {0, 0, 0, 1, 71, 72, 9, 9, 255, 3, 4, 5});
  const Array<std::uint8_t> flat({3, 4, 1}, 71);
  for (const double compactness : {1e-300, 10.0, 1e300}) {
    for (const auto& range : {std::pair(-300.0, 1e300), std::pair(0.0, 1e-300),
                              std::pair(71.0, 1e300), std::pair(71.0, 72.0)}) {
      SlicParams params;
      params.num_segments = 3;
      params.compactness = compactness;
      params.value_range = range;
      for (const Array<std::uint8_t>* array : {&image, &flat}) {
        const test::Labels found = test::slic_of(array->view(), params);
        EXPECT_GE(found.count, 1);
        EXPECT_LE(found.count, 12);
      }
    }
  }
}

TEST(SlicErrors, NameTheParameter) {
  const auto bytes = test::picture<std::uint8_t>({8, 9, 3});
  const auto floats = test::picture<float>({8, 9, 3});
  const auto refuse = [&](const std::string& parameter,
                          const std::function<void(SlicParams&)>& set) {
    for (const ArrayView& image : {bytes.view(), floats.view()}) {
      SlicParams params = lab_params(4);
      set(params);
      expect_error<InvalidArgument>(parameter, [&] { slic_of(image, params); });
    }
  };
  for (const std::int64_t n :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
    refuse("num_segments", [&](SlicParams& p) { p.num_segments = n; });
  }
  for (const double x : {0.0, -1.0, kNaN, kInf, -kInf}) {
    refuse("compactness", [&](SlicParams& p) { p.compactness = x; });
    for (int axis = 0; axis < 3; ++axis) {
      refuse("spacing", [&](SlicParams& p) { p.spacing[axis] = x; });
    }
  }
  for (const double x : {-1e-9, -kInf, kInf, kNaN}) {
    for (int axis = 0; axis < 3; ++axis) {
      refuse("sigma", [&](SlicParams& p) { p.sigma[axis] = x; });
    }
  }
  refuse("max_num_iter", [&](SlicParams& p) { p.max_num_iter = -1; });
  for (const double x : {-0.1, -kInf, kNaN}) {
    refuse("min_size_factor", [&](SlicParams& p) { p.min_size_factor = x; });
  }
  for (const double x : {0.0, -0.1, kNaN}) {
    refuse("max_size_factor", [&](SlicParams& p) { p.max_size_factor = x; });
  }
  for (const std::int32_t n : {-1, 2, std::numeric_limits<std::int32_t>::max()}) {
    refuse("start_label", [&](SlicParams& p) { p.start_label = n; });
  }
  refuse("refine_iter", [&](SlicParams& p) { p.refine_iter = -1; });
  const std::pair<double, double> ranges[] = {{1, 1},    {2, 1},    {kNaN, 1},
                                              {0, kNaN}, {0, kInf}, {-kInf, 0}};
  for (const auto& range : ranges) {
    refuse("value_range", [&](SlicParams& p) { p.value_range = range; });
  }
}

TEST(SlicErrors, NameWhatHasNoSeedGrid) {
  const Array<bool> none({4, 5});
  expect_error<InvalidArgument>("mask", [&] { choose_seed_grid(none.view(), raw_params(2)); });
  const Array<bool> line({20}, 1);
  expect_error<InvalidArgument>("mask", [&] { choose_seed_grid(line.view(), raw_params(2)); });
  const Array<std::uint8_t> bytes({4, 5}, 1);
  expect_error<InvalidType>("mask", [&] { choose_seed_grid(bytes.view(), raw_params(2)); });
  const Array<bool> all({4, 5}, 1);
  expect_error<InvalidArgument>("choose_seed_grid: num_segments",
                                [&] { choose_seed_grid(all.view(), raw_params(0)); });
}

TEST(SlicErrors, NameTheArray) {
  const auto image = test::picture<float>({8, 9, 3});
  const Array<std::int32_t> labels({8, 9});
  const auto with_image = [&](const ArrayView& bad) {
    return [=, &labels] { slic(bad, nullptr, labels.view(), raw_params(4)); };
  };
  for (const Shape& shape :
       {Shape{}, {8}, {8, 9}, {1, 2, 2, 2, 3}, {0, 9, 3}, {8, 0, 3}, {8, 9, 0}, {0, 8, 9, 3}}) {
    expect_error<InvalidArgument>("image", with_image(Array<float>(shape).view()));
  }
  ArrayView unread = image.view();
  unread.data = nullptr;
  expect_error<InvalidArgument>("image", with_image(unread));
  for (const std::int64_t channels : {1, 2, 4}) {
    const auto other = test::picture<float>({8, 9, channels});
    expect_error<InvalidArgument>("RGB", [&] { slic_of(other.view(), lab_params(4)); });
  }

  const auto with_labels = [&](const ArrayView& bad) {
    return [=, &image] { slic(image.view(), nullptr, bad, raw_params(4)); };
  };
  expect_error<InvalidType>("labels", with_labels(Array<std::int64_t>({8, 9}).view()));
  expect_error<InvalidType>("labels", with_labels(Array<float>({8, 9}).view()));
  expect_error<InvalidArgument>("labels", with_labels(Array<std::int32_t>({9, 8}).view()));
  expect_error<InvalidArgument>("labels", with_labels(Array<std::int32_t>({8, 9, 3}).view()));
  expect_error<InvalidArgument>("labels", with_labels(Array<std::int32_t>({72}).view()));
  expect_error<InvalidArgument>("labels", with_labels(Scattered(labels.view()).view));
  ArrayView nowhere = labels.view();
  nowhere.data = nullptr;
  expect_error<InvalidArgument>("labels", with_labels(nowhere));

  const auto with_mask = [&](const ArrayView& bad) {
    return [=, &image] { slic_of(image.view(), raw_params(4), &bad); };
  };
  expect_error<InvalidType>("mask", with_mask(Array<std::uint8_t>({8, 9}, 1).view()));
  expect_error<InvalidArgument>("mask", with_mask(Array<bool>({9, 8}, 1).view()));
  expect_error<InvalidArgument>("mask", with_mask(Array<bool>({8, 9, 3}, 1).view()));
  expect_error<InvalidArgument>("mask", with_mask(Array<bool>({8, 9}).view()));

  Context cuda;
  cuda.device = Device::kCuda;
  expect_error<DeviceUnavailable>(
      "CUDA", [&] { slic(image.view(), nullptr, labels.view(), raw_params(4), cuda); });
}

TEST(SlicErrors, RefuseValuesThatAreNotFinite) {
  for (const double value : {kNaN, kInf, -kInf}) {
    for (const std::size_t at : {0, 100, 8 * 9 * 3 - 1}) {
      Array<double> image = test::picture<double>({8, 9, 3});
      image.data[at] = value;
      for (const std::int64_t n : {1, 4, 1000}) {
        SlicParams params = lab_params(n);
        expect_error<InvalidArgument>("image", [&] { slic_of(image.view(), params); });
        params.value_range = {{0.0, 255.0}};
        expect_error<InvalidArgument>("image", [&] { slic_of(image.view(), params); });
      }
    }
  }
}

}  // namespace
}  // namespace superpix
