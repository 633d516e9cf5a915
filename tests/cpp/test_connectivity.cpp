// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "array.h"
#include "calls.h"
#include "reference.h"

namespace superpix {
namespace {

using test::Array;
using test::connected;
using test::Labels;
using test::Scattered;
using test::Volume;

using Map = Array<std::int32_t>;

Volume volume_of(const test::Shape& s) {
  return s.size() == 2 ? Volume{1, s[0], s[1]} : Volume{s[0], s[1], s[2]};
}

ConnectivityParams sizes(std::int64_t min_size, std::int64_t max_size = 0,
                         std::int32_t start_label = 1) {
  ConnectivityParams params;
  params.min_size = min_size;
  params.max_size = max_size;
  params.start_label = start_label;
  return params;
}

ConnectivityParams at_most(std::int64_t max_segments, std::int64_t min_size = 0) {
  ConnectivityParams params;
  params.min_size = min_size;
  params.max_segments = max_segments;
  return params;
}

std::vector<std::int32_t> plus(std::vector<std::int32_t> numbers, std::int32_t n) {
  for (std::int32_t& number : numbers) number += n;
  return numbers;
}

std::vector<std::uint8_t> inside_of(const Map& map) {
  std::vector<std::uint8_t> inside;
  for (const std::int32_t label : map.data) inside.push_back(label >= 0 ? 1 : 0);
  return inside;
}

/// Labels in [-1, n): specks, patches of specks, and stripes.
std::vector<Map> maps() {
  std::vector<Map> all;
  unsigned seed = 1;
  for (const test::Shape& shape : {test::Shape{1, 1},
                                   {1, 40},
                                   {40, 1},
                                   {2, 2},
                                   {13, 17},
                                   {30, 64},
                                   {31, 65},
                                   {20, 130},
                                   {1, 1, 1},
                                   {1, 9, 8},
                                   {9, 1, 8},
                                   {9, 8, 1},
                                   {5, 6, 7},
                                   {7, 12, 19}}) {
    for (const std::int64_t n : {1, 2, 3, 6}) {
      Map specks = test::noise<std::int32_t>(shape, n + 1, seed++);
      for (std::int32_t& label : specks.data) --label;
      all.push_back(specks);

      Map patches(shape);
      const std::int64_t width = shape.back();
      for (std::int64_t p = 0; p < test::product(shape); ++p) {
        const std::int64_t patch = p / width / 4 * 31 + p % width / 5;
        patches.data[p] = specks.data[p] % 3 == 0 ? specks.data[p]
                                                  : static_cast<std::int32_t>(patch * 7 % (n + 1));
      }
      all.push_back(patches);
    }
  }
  return all;
}

/// Whole numbers, so that sums are exact and ties are ties for everybody.
std::vector<float> colors_for(const Map& map, int channels) {
  const test::Shape shape{static_cast<std::int64_t>(map.data.size()), channels};
  return test::noise<float>(shape, 100, 77).data;
}

ArrayView image_view(const Map& map, const std::vector<float>& colors, int channels) {
  const auto& s = map.shape;
  return s.size() == 2 ? ArrayView::contiguous(colors.data(), {s[0], s[1], channels})
                       : ArrayView::contiguous(colors.data(), {s[0], s[1], s[2], channels});
}

// --- components ----------------------------------------------------------------------------------

TEST(Components, AreThoseOfAFloodFill) {
  for (const Map& map : maps()) {
    const auto expected = test::flood_fill(map.data, volume_of(map.shape));
    for (const std::int64_t min_size : {0, 1}) {
      const Labels found = connected(map.view(), nullptr, sizes(min_size));
      ASSERT_EQ(found.labels, plus(expected, 1)) << map.view().shape_string();
      ASSERT_EQ(found.count, static_cast<std::int64_t>(test::sizes(expected).size()));
    }
  }
}

TEST(Components, JoinThroughEdgesAndFacesOnly) {
  const Map flat({2, 2}, {1, 2, 2, 1});
  EXPECT_EQ(connected(flat.view(), nullptr, {}).labels, (std::vector<std::int32_t>{1, 2, 3, 4}));
  const Map deep({2, 2, 2}, {1, 0, 0, 1, 0, 0, 0, 0});
  EXPECT_EQ(connected(deep.view(), nullptr, {}).labels,
            (std::vector<std::int32_t>{1, 2, 2, 3, 2, 2, 2, 2}));
}

TEST(Components, OfASnakeIsOne) {
  // Every other row, joined at the left and at the right in turn: a single path through the map.
  Map map({41, 40}, 1);
  for (std::int64_t y = 1; y < 41; y += 2) {
    for (std::int64_t x = 0; x < 40; ++x) {
      map.data[y * 40 + x] = x == (y % 4 == 1 ? 39 : 0) ? 1 : 0;
    }
  }
  const Labels found = connected(map.view(), nullptr, {});
  EXPECT_EQ(found.count, 1 + 20);
  EXPECT_EQ(found.labels, plus(test::flood_fill(map.data, volume_of(map.shape)), 1));
}

TEST(Components, OfNoPixelsAreNone) {
  for (const test::Shape& shape : {test::Shape{0, 5}, {5, 0}, {0, 0}, {3, 0, 4}}) {
    EXPECT_EQ(connected(Map(shape).view(), nullptr, sizes(3, 5)).count, 0);
  }
}

TEST(Components, OfIgnoredPixelsAreNone) {
  const Map map({4, 5}, -1);
  const Labels found = connected(map.view(), nullptr, sizes(3, 5, 7));
  EXPECT_EQ(found.count, 0);
  EXPECT_EQ(found.labels, std::vector<std::int32_t>(20, 6));
}

TEST(Components, StartAtTheStartLabel) {
  const Map map({1, 5}, {3, 3, -5, 3, 2});
  for (const std::int32_t start : {-10, 0, 1, 1000}) {
    EXPECT_EQ(connected(map.view(), nullptr, sizes(0, 0, start)).labels,
              (std::vector<std::int32_t>{start, start, start - 1, start + 1, start + 2}));
  }
}

// --- layouts and element types -------------------------------------------------------------------

template <class T>
void expect_same_for() {
  for (const test::Shape& shape : {test::Shape{30, 64}, {7, 12, 19}}) {
    const Map map = test::noise<std::int32_t>(shape, 5, 2);
    Array<T> other(shape);
    std::copy(map.data.begin(), map.data.end(), other.data.begin());
    const Labels expected = connected(map.view(), nullptr, sizes(4, 50));
    EXPECT_EQ(connected(other.view(), nullptr, sizes(4, 50)), expected) << name(DTypeOf<T>::value);
    EXPECT_EQ(connected(Scattered(other.view()).view, nullptr, sizes(4, 50)), expected)
        << name(DTypeOf<T>::value);
  }
}

TEST(ConnectivityInput, AnyIntegersInAnyLayoutAreTheSame) {
  expect_same_for<std::int8_t>();
  expect_same_for<std::int16_t>();
  expect_same_for<std::int32_t>();
  expect_same_for<std::int64_t>();
  expect_same_for<std::uint8_t>();
  expect_same_for<std::uint16_t>();
  expect_same_for<std::uint32_t>();
  expect_same_for<std::uint64_t>();
}

TEST(ConnectivityInput, NegativeOfEveryTypeIsIgnoredAndTheGreatestIsALabel) {
  const auto check = [](auto type) {
    using T = decltype(type);
    const T high = std::numeric_limits<T>::max(), low = std::numeric_limits<T>::min();
    const Array<T> map({1, 6}, {high, high, static_cast<T>(high - 1), low, low, high});
    const std::int32_t outside = low < 0 ? 0 : 3;
    EXPECT_EQ(connected(map.view(), nullptr, {}).labels,
              (std::vector<std::int32_t>{1, 1, 2, outside, outside, low < 0 ? 3 : 4}))
        << name(DTypeOf<T>::value);
  };
  check(std::int8_t{});
  check(std::int16_t{});
  check(std::int32_t{});
  check(std::int64_t{});
  check(std::uint8_t{});
  check(std::uint16_t{});
  check(std::uint32_t{});
  check(std::uint64_t{});
}

TEST(ConnectivityInput, WideLabelsAreToldApartByEveryBit) {
  for (int bit = 0; bit < 63; ++bit) {
    const std::int64_t other = std::int64_t{1} << bit;
    const Array<std::int64_t> map({1, 3}, {0, other, 0});
    EXPECT_EQ(connected(map.view(), nullptr, {}).count, 3) << bit;
  }
  const Array<std::uint64_t> map({1, 3}, {0, std::uint64_t{1} << 63, 0});
  EXPECT_EQ(connected(map.view(), nullptr, {}).count, 3);
}

TEST(ConnectivityInput, MayBeTheOutputToo) {
  for (const test::Shape& shape : {test::Shape{30, 64}, {7, 12, 19}}) {
    Map map = test::noise<std::int32_t>(shape, 4, 3);
    const Labels expected = connected(map.view(), nullptr, sizes(5, 30));
    const std::int64_t count =
        enforce_connectivity(map.view(), nullptr, map.view(), sizes(5, 30), {});
    EXPECT_EQ((Labels{count, map.data}), expected);
  }
}

TEST(ConnectivityInput, IsNotWrittenTo) {
  const Map map = test::noise<std::int32_t>({30, 64}, 4, 3);
  const std::vector<std::int32_t> before = map.data;
  connected(map.view(), nullptr, sizes(5, 30));
  EXPECT_EQ(map.data, before);
}

// --- fragments join a neighbour ------------------------------------------------------------------

TEST(Merging, FollowsTheRuleWithoutAnImage) {
  for (const Map& map : maps()) {
    const Volume v = volume_of(map.shape);
    for (const std::int64_t min_size : {2, 3, 8, 21, 1000}) {
      const auto expected = test::merge_slowly(test::flood_fill(map.data, v), v, {}, 0, min_size);
      const Labels found = connected(map.view(), nullptr, sizes(min_size));
      ASSERT_EQ(found.labels, plus(expected, 1)) << map.view().shape_string() << min_size;
      ASSERT_EQ(test::what_is_wrong(found.labels, v, inside_of(map), 1, found.count, min_size), "");
    }
  }
}

TEST(Merging, FollowsTheRuleWithAnImage) {
  for (const Map& map : maps()) {
    const Volume v = volume_of(map.shape);
    for (const int channels : {1, 3}) {
      const std::vector<float> colors = colors_for(map, channels);
      const ArrayView image = image_view(map, colors, channels);
      for (const std::int64_t min_size : {2, 8, 30}) {
        const auto expected =
            test::merge_slowly(test::flood_fill(map.data, v), v, colors, channels, min_size);
        const Labels found = connected(map.view(), &image, sizes(min_size));
        ASSERT_EQ(found.labels, plus(expected, 1)) << map.view().shape_string() << min_size;
      }
    }
  }
}

TEST(Merging, WeighsColourAgainstBorder) {
  // The 9 touches 1 along one edge and 2 along three.
  const Map map({3, 4}, {1, 1, 2, 2,  //
                         1, 9, 2, 2,  //
                         2, 2, 2, 2});
  EXPECT_EQ(connected(map.view(), nullptr, sizes(2)).labels,
            (std::vector<std::int32_t>{1, 1, 2, 2, 1, 1, 2, 2, 2, 2, 2, 2}));
  std::vector<float> colors(12);
  for (std::size_t p = 0; p < 12; ++p) colors[p] = map.data[p] == 1 ? 50.0F : 0.0F;
  const ArrayView image = image_view(map, colors, 1);
  EXPECT_EQ(connected(map.view(), &image, sizes(2)).labels,
            (std::vector<std::int32_t>{1, 1, 2, 2, 1, 2, 2, 2, 2, 2, 2, 2}));
}

TEST(Merging, TieGoesToTheLowerFirstPixel) {
  const Map map({1, 5}, {1, 1, 9, 2, 2});
  EXPECT_EQ(connected(map.view(), nullptr, sizes(2)).labels,
            (std::vector<std::int32_t>{1, 1, 1, 2, 2}));
}

TEST(Merging, SmallestGoFirst) {
  // The 8 joins the pair of 9 in round 1; so the 9 have three pixels in round 2 and stay.
  const Map map({1, 10}, {1, 1, 1, 1, 9, 9, 8, 2, 2, 2});
  EXPECT_EQ(connected(map.view(), nullptr, sizes(3)).labels,
            (std::vector<std::int32_t>{1, 1, 1, 1, 2, 2, 2, 3, 3, 3}));
}

TEST(Merging, LeavesAFragmentWithoutNeighbours) {
  const Map map({1, 7}, {1, -1, 2, 3, -1, 4, 4});
  EXPECT_EQ(connected(map.view(), nullptr, sizes(3)).labels,
            (std::vector<std::int32_t>{1, 0, 2, 2, 0, 3, 3}));
}

TEST(Merging, TakesAnyMinimum) {
  const Map map({1, 5}, {1, 1, 9, 2, 2});
  for (const int bit : {10, 31, 32, 61, 62}) {
    EXPECT_EQ(connected(map.view(), nullptr, sizes(std::int64_t{1} << bit)).count, 1) << bit;
  }
  const std::int64_t greatest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(connected(map.view(), nullptr, sizes(greatest)).count, 1);
}

TEST(Merging, DoesNotDependOnTheScaleOfHugeOrTinyColours) {
  // With colours that dwarf kappa, a factor changes nothing.
  const Map map = test::noise<std::int32_t>({20, 30}, 4, 5);
  std::vector<float> colors = colors_for(map, 2);
  for (float& c : colors) c *= 1e6F;
  const ArrayView image = image_view(map, colors, 2);
  const Labels expected = connected(map.view(), &image, sizes(9));
  for (float& c : colors) c *= 1024.0F;
  EXPECT_EQ(connected(map.view(), &image, sizes(9)), expected);
  const std::vector<float> none(colors.size());
  const ArrayView black = image_view(map, none, 2);
  for (float& c : colors) c *= 1e-30F;
  EXPECT_EQ(connected(map.view(), &image, sizes(9)), connected(map.view(), &black, sizes(9)));
}

// --- pairs join until there are few enough -------------------------------------------------------

TEST(MergingPairs, FollowsTheRule) {
  for (const Map& map : maps()) {
    const Volume v = volume_of(map.shape);
    const auto pieces = test::flood_fill(map.data, v);
    for (const int channels : {0, 3}) {
      const std::vector<float> colors = colors_for(map, channels);
      const ArrayView image = image_view(map, colors, channels);
      for (const std::int64_t count : {1, 2, 7, 40}) {
        const auto expected = test::merge_pairs_slowly(pieces, v, colors, channels, count);
        const Labels found = connected(map.view(), channels > 0 ? &image : nullptr, at_most(count));
        ASSERT_EQ(found.labels, plus(expected, 1)) << map.view().shape_string() << count;
      }
    }
  }
}

TEST(MergingPairs, ComesAfterTheFragments) {
  for (const Map& map : maps()) {
    const Volume v = volume_of(map.shape);
    const std::vector<float> colors = colors_for(map, 2);
    const ArrayView image = image_view(map, colors, 2);
    auto expected = test::merge_slowly(test::flood_fill(map.data, v), v, colors, 2, 6);
    expected = test::merge_pairs_slowly(expected, v, colors, 2, 5);
    EXPECT_EQ(connected(map.view(), &image, at_most(5, 6)).labels, plus(expected, 1));
  }
}

/// Every pixel is closer to the one before it than to the one after: there is but one pair of which
/// both are each other's nearest.
TEST(MergingPairs, JoinsOthersWhereFewChoseEachOther) {
  Map map({1, 300});
  std::iota(map.data.begin(), map.data.end(), 0);
  std::vector<float> colors;
  for (int x = 0; x < 300; ++x) colors.push_back(static_cast<float>(x * x));
  const ArrayView image = image_view(map, colors, 1);
  for (const std::int64_t count : {299, 280, 100, 3}) {
    const Labels found = connected(map.view(), &image, at_most(count));
    const auto expected = test::merge_pairs_slowly(map.data, {1, 1, 300}, colors, 1, count);
    EXPECT_EQ(found.labels, plus(expected, 1));
    EXPECT_EQ(found.count, count);
  }
}

TEST(MergingPairs, TieGoesToTheLowerFirstPixel) {
  const Map map({1, 6}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(connected(map.view(), nullptr, at_most(5)).labels,
            (std::vector<std::int32_t>{1, 1, 2, 3, 4, 5}));
  EXPECT_EQ(connected(map.view(), nullptr, at_most(4)).labels,
            (std::vector<std::int32_t>{1, 1, 2, 2, 3, 4}));
}

TEST(MergingPairs, LeavesWhatIsFewEnough) {
  const Map map({1, 4}, {1, 1, 2, 3});
  for (const std::int64_t count : {std::int64_t{0}, std::int64_t{3}, std::int64_t{1} << 62}) {
    EXPECT_EQ(connected(map.view(), nullptr, at_most(count)).count, 3) << count;
  }
}

TEST(MergingPairs, LeavesComponentsWithoutNeighbours) {
  const Map map({1, 9}, {1, 2, -1, 3, -1, 4, 5, -1, 6});
  EXPECT_EQ(connected(map.view(), nullptr, at_most(1)).labels,
            (std::vector<std::int32_t>{1, 1, 0, 2, 0, 3, 3, 0, 4}));
}

// --- large components are split ------------------------------------------------------------------

TEST(Splitting, GivesConnectedPartsThatAreSmallEnough) {
  for (const Map& map : maps()) {
    const Volume v = volume_of(map.shape);
    const auto before = test::flood_fill(map.data, v);
    for (const std::int64_t max_size : {1, 2, 5, 17}) {
      const Labels found = connected(map.view(), nullptr, sizes(0, max_size));
      ASSERT_EQ(test::what_is_wrong(found.labels, v, inside_of(map), 1, found.count), "");
      const auto numbers = plus(found.labels, -1);
      // Raster order, at most max_size, each inside one component, and no more than need be cut.
      const auto size = test::sizes(numbers);
      std::int32_t next = 0;
      std::vector<std::int32_t> component(size.size(), -1);
      for (std::size_t p = 0; p < numbers.size(); ++p) {
        if (numbers[p] < 0) continue;
        ASSERT_LE(numbers[p], next);
        ASSERT_LE(size[numbers[p]], max_size);
        if (numbers[p] == next) component[next++] = before[p];
        ASSERT_EQ(component[numbers[p]], before[p]);
      }
      const auto whole = test::sizes(before);
      for (std::size_t label = 0; label < size.size(); ++label) {
        if (whole[component[label]] <= max_size) {
          EXPECT_EQ(size[label], whole[component[label]]);
        }
      }
    }
  }
}

TEST(Splitting, OfARowGivesEqualParts) {
  for (const auto& [length, max_size, parts] :
       {std::array<std::int64_t, 3>{9, 4, 3}, {9, 3, 3}, {9, 9, 1}, {9, 8, 2}, {100, 30, 4}}) {
    const Labels found = connected(Map({1, length}).view(), nullptr, sizes(0, max_size));
    EXPECT_EQ(found.count, parts);
    const auto size = test::sizes(plus(found.labels, -1));
    EXPECT_LE(*std::max_element(size.begin(), size.end()),
              *std::min_element(size.begin(), size.end()) + 1);
  }
}

TEST(Splitting, ComesBeforeMerging) {
  const Map map({1, 12}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2});
  const Labels found = connected(map.view(), nullptr, sizes(2, 4));
  EXPECT_EQ(found.count, 3);
  EXPECT_EQ(test::what_is_wrong(found.labels, {1, 1, 12}, {}, 1, 3, 2), "");
}

TEST(Splitting, MayMeetAMinimumAboveTheMaximum) {
  for (const Map& map : maps()) {
    const Labels found = connected(map.view(), nullptr, sizes(9, 4));
    ASSERT_EQ(
        test::what_is_wrong(found.labels, volume_of(map.shape), inside_of(map), 1, found.count, 9),
        "");
  }
}

TEST(Splitting, TakesAnyMaximum) {
  const Map map = test::noise<std::int32_t>({13, 17}, 3, 5);
  const Labels expected = connected(map.view(), nullptr, sizes(3));
  const std::int64_t greatest = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(connected(map.view(), nullptr, sizes(3, 13 * 17)), expected);
  EXPECT_EQ(connected(map.view(), nullptr, sizes(3, greatest)), expected);
}

// --- threads -------------------------------------------------------------------------------------

TEST(ConnectivityThreads, DoNotChangeTheResult) {
  // Threads share a map from some 10^5 pixels on.
  for (const test::Shape& shape :
       {test::Shape{500, 600}, {3, 100000}, {100000, 3}, {70, 65, 66}, {3, 300, 331}}) {
    Map map = test::noise<std::int32_t>(shape, 200, 6);
    for (std::int32_t& label : map.data) label = label < 3 ? label - 2 : 1;  // mostly one label
    const std::vector<float> colors = colors_for(map, 2);
    const ArrayView image = image_view(map, colors, 2);
    for (const ArrayView* used : {static_cast<const ArrayView*>(nullptr), &image}) {
      // At last some components, or thousands that join.
      for (const ConnectivityParams& params : {sizes(5, 20000), at_most(700)}) {
        const Labels expected = connected(map.view(), used, params, 1);
        for (const int n : {2, 5}) {
          EXPECT_EQ(connected(map.view(), used, params, n), expected)
              << map.view().shape_string() << n;
        }
      }
    }
  }
}

TEST(ConnectivityThreads, FindTheComponentsOfAFloodFill) {
  for (const test::Shape& shape : {test::Shape{500, 600}, {100000, 3}, {70, 65, 66}}) {
    const Map map = test::noise<std::int32_t>(shape, 2, 8);
    const auto expected = plus(test::flood_fill(map.data, volume_of(shape)), 1);
    for (const int n : {1, 2, 5}) {
      EXPECT_EQ(connected(map.view(), nullptr, {}, n).labels, expected) << n;
    }
  }
}

// Components go by numbers while they are split, which must not be taken for the labels of rows
// that are not: here 0, the number of the large component above them.
TEST(Connectivity, SplittingDoesNotMistakeLabelsForNumbers) {
  Map numbered({64, 64});
  Map named({64, 64});
  for (std::int64_t y = 0; y < 64; ++y) {
    for (std::int64_t x = 0; x < 64; ++x) {
      const auto block = static_cast<std::int32_t>(y < 16 ? 1000 : (y / 8 - 2) * 8 + x / 8);
      numbered.data[y * 64 + x] = block;
      named.data[y * 64 + x] = block == 1000 ? block : block + 100;
    }
  }
  const Labels found = connected(numbered.view(), nullptr, sizes(0, 600));
  EXPECT_EQ(found.count, 2 + 48);
  EXPECT_EQ(found, connected(named.view(), nullptr, sizes(0, 600)));
}

// --- errors --------------------------------------------------------------------------------------

template <class E, class Call>
void expect_error(const std::string& argument, Call call) {
  try {
    call();
    ADD_FAILURE() << "no error for " << argument;
  } catch (const E& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("enforce_connectivity"), std::string::npos) << message;
    EXPECT_NE(message.find(argument), std::string::npos) << message;
  }
}

TEST(ConnectivityErrors, NameTheArgument) {
  const Map good({4, 5});
  for (const test::Shape& shape : {test::Shape{}, {5}, {2, 2, 2, 2}}) {
    const Map bad(shape);
    expect_error<InvalidArgument>(
        "labels", [&] { enforce_connectivity(bad.view(), nullptr, bad.view(), {}); });
  }
  const auto with_labels = [&](const ArrayView& labels) {
    return [=, &good] { enforce_connectivity(labels, nullptr, good.view(), {}); };
  };
  expect_error<InvalidType>("labels", with_labels(Array<bool>({4, 5}).view()));
  expect_error<InvalidType>("labels", with_labels(Array<float>({4, 5}).view()));
  expect_error<InvalidType>("labels", with_labels(Array<double>({4, 5}).view()));

  const auto with_output = [&](const ArrayView& output) {
    return [=, &good] { enforce_connectivity(good.view(), nullptr, output, {}); };
  };
  expect_error<InvalidType>("output", with_output(Array<std::int64_t>({4, 5}).view()));
  expect_error<InvalidArgument>("output", with_output(Map({5, 4}).view()));
  expect_error<InvalidArgument>("output", with_output(Map({1, 4, 5}).view()));
  expect_error<InvalidArgument>("output", with_output(Scattered(good.view()).view));

  const auto with_image = [&](const ArrayView& image) {
    return [=, &good] { connected(good.view(), &image, {}); };
  };
  expect_error<InvalidType>("image", with_image(Array<double>({4, 5, 3}).view()));
  expect_error<InvalidArgument>("image", with_image(Array<float>({4, 5}).view()));
  expect_error<InvalidArgument>("image", with_image(Array<float>({5, 4, 3}).view()));
  expect_error<InvalidArgument>("image", with_image(Array<float>({1, 4, 5, 3}).view()));
  const Array<float> image({4, 5, 3});
  expect_error<InvalidArgument>("image", with_image(Scattered(image.view()).view));
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    Array<float> damaged = image;
    damaged.data[41] = bad;
    expect_error<InvalidArgument>("image must be finite", with_image(damaged.view()));
  }

  expect_error<InvalidArgument>("min_size", [&] { connected(good.view(), nullptr, sizes(-1)); });
  expect_error<InvalidArgument>("max_size", [&] { connected(good.view(), nullptr, sizes(0, -1)); });
  expect_error<InvalidArgument>("max_segments",
                                [&] { connected(good.view(), nullptr, at_most(-1)); });
  Context cuda;
  cuda.device = Device::kCuda;
  expect_error<DeviceUnavailable>(
      "CUDA", [&] { enforce_connectivity(good.view(), nullptr, good.view(), {}, cuda); });
}

TEST(ConnectivityErrors, RefuseAStartLabelThatLeavesNoRoom) {
  const Map map({1, 3}, {1, 2, 3});
  const std::int32_t high = std::numeric_limits<std::int32_t>::max();
  const std::int32_t low = std::numeric_limits<std::int32_t>::min();
  EXPECT_EQ(connected(map.view(), nullptr, sizes(0, 0, high - 3)).labels.back(), high - 1);
  for (const std::int32_t start : {low, high, high - 1}) {
    expect_error<InvalidArgument>("start_label",
                                  [&] { connected(map.view(), nullptr, sizes(0, 0, start)); });
  }
}

}  // namespace
}  // namespace superpix
