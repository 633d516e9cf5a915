// SPDX-License-Identifier: Apache-2.0
//
// enforce_connectivity on CUDA: the labels of the CPU.
#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "on_cuda.h"

namespace superpix {
namespace {

using test::Array;
using test::Shape;
using Map = Array<std::int32_t>;

ConnectivityParams sizes(std::int64_t min_size, std::int64_t max_size = 0,
                         std::int32_t start_label = 1) {
  ConnectivityParams params;
  params.min_size = min_size;
  params.max_size = max_size;
  params.start_label = start_label;
  return params;
}

/// Labels in [-1, n): patches of some pixels, with specks.
Map patches(const Shape& shape, std::int64_t n, std::int64_t side, unsigned seed) {
  test::Random random(seed);
  Map map(shape);
  const std::int64_t width = shape.back();
  const std::int64_t height = shape[shape.size() - 2];
  for (std::int64_t p = 0; p < test::product(shape); ++p) {
    const std::int64_t patch =
        p / width / height * 77 + p / width % height / side * 31 + p % width / side;
    const bool speck = random.below(4) == 0;
    map.data[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(
        speck ? random.below(n + 1) - 1 : patch * patch * 7 % (n + 1) - (patch % 5 == 0 ? 1 : 0));
  }
  return map;
}

void expect_labels_of_cpu(const ArrayView& labels, const ArrayView* image,
                          const ConnectivityParams& params, const std::string& what) {
  Shape shape(labels.shape.begin(), labels.shape.begin() + labels.ndim);
  Map expected(shape);
  enforce_connectivity(labels, image, expected.view(), params);
  Map found(shape);
  test::run_on_cuda(
      [&](const Context& context) {
        EXPECT_EQ(enforce_connectivity(labels, image, found.view(), params, context), -1);
      },
      found);
  EXPECT_EQ(found.data, expected.data)
      << what << ": " << labels.shape_string() << ", min_size " << params.min_size << ", max_size "
      << params.max_size << ", max_segments " << params.max_segments;
}

Array<float> image_for(const Shape& labels, std::int64_t channels, unsigned seed) {
  Shape shape = labels;
  shape.push_back(channels);
  Array<float> image(shape);
  test::Random random(seed);
  for (float& value : image.data) value = static_cast<float>(100.0 * random.unit() - 30.0);
  return image;
}

const Shape kShapes[] = {{1, 1},   {1, 40},  {40, 1},   {2, 2},      {33, 47},   {32, 64},
                         {65, 31}, {3, 100}, {1, 9, 8}, {4, 34, 37}, {40, 3, 2}, {5, 6, 7}};

TEST(ConnectivityOnCuda, ComponentsAreThoseOfTheCpu) {
  unsigned seed = 1;
  for (const Shape& shape : kShapes) {
    for (const std::int64_t n : {1, 3}) {
      const Map map = patches(shape, n, 5, seed++);
      expect_labels_of_cpu(map.view(), nullptr, sizes(0, 0, 5), "components");
    }
  }
}

TEST(ConnectivityOnCuda, FragmentsJoinWhatTheyJoinOnTheCpu) {
  unsigned seed = 100;
  for (const Shape& shape : kShapes) {
    for (const std::int64_t min_size : {2, 7, 36, 70}) {
      const Map map = patches(shape, 4, 1 + min_size % 6, seed++);
      if (min_size % 9 != 7) {
        expect_labels_of_cpu(map.view(), nullptr, sizes(min_size), "without an image");
        continue;
      }
      const Array<float> image = image_for(shape, 1 + seed % 4, seed);
      const ArrayView view = image.view();
      expect_labels_of_cpu(map.view(), &view, sizes(min_size), "with an image");
    }
  }
}

TEST(ConnectivityOnCuda, PairsJoinAsOnTheCpu) {
  unsigned seed = 150;
  for (const Shape& shape : kShapes) {
    for (const std::int64_t max_segments : {1, 3, 20, 150}) {
      const Map map = patches(shape, 4, 1 + max_segments % 6, seed++);
      ConnectivityParams params = sizes(seed % 3 * 4, seed % 2 * 50);
      params.max_segments = max_segments;
      expect_labels_of_cpu(map.view(), nullptr, params, "pairs without an image");
      const Array<float> image = image_for(shape, 1 + seed % 4, seed);
      const ArrayView view = image.view();
      params.refine_iter = shape.size() == 2 ? 1 : 0;
      expect_labels_of_cpu(map.view(), &view, params, "pairs with an image");
    }
  }
}

/// Every pixel is closer to the one before it than to the one after.
TEST(ConnectivityOnCuda, PairsJoinWhereFewChoseEachOther) {
  Map map({1, 200});
  Array<float> image({1, 200, 1});
  for (std::size_t x = 0; x < 200; ++x) {
    map.data[x] = static_cast<std::int32_t>(x);
    image.data[x] = static_cast<float>(x * x);
  }
  const ArrayView view = image.view();
  for (const std::int64_t max_segments : {199, 190, 20}) {
    ConnectivityParams params;
    params.max_segments = max_segments;
    expect_labels_of_cpu(map.view(), &view, params, "a chain");
  }
}

/// The last of the pairs that join is found digit by digit.
TEST(ConnectivityOnCuda, PairsJoinWhoseCostsDifferInTheLastBits) {
  const Map map({1, 5}, {0, 1, 2, 3, 4});
  const float little = 0x1p-23F;
  for (const float first : {0.0F, 2 * little}) {
    const Array<float> image({1, 5, 1}, {0.0F, first, 0.5F, 0.5F + little, 1.0F});
    const ArrayView view = image.view();
    ConnectivityParams params;
    params.max_segments = 4;
    expect_labels_of_cpu(map.view(), &view, params, "costs that are nearly the same");
  }
}

TEST(ConnectivityOnCuda, LargeComponentsAreCutAsOnTheCpu) {
  unsigned seed = 200;
  for (const Shape& shape : {Shape{1, 20}, Shape{20, 33}, Shape{4, 7, 34}}) {
    for (const std::int64_t max_size : {3, 50, 700}) {
      const Map map = patches(shape, 1 + max_size % 2, 9, ++seed);
      expect_labels_of_cpu(map.view(), nullptr, sizes(0, max_size), "split");
      if (max_size == 3) continue;
      const Array<float> image = image_for(shape, 2, seed);
      const ArrayView view = image.view();
      expect_labels_of_cpu(map.view(), &view, sizes(6, max_size), "split and merged");
    }
  }
  for (const std::int64_t max_size : {1, 130, 200}) {
    expect_labels_of_cpu(Map({9, 41}, 3).view(), nullptr, sizes(20, max_size), "one label");
  }
}

TEST(ConnectivityOnCuda, BordersAreRefinedAsOnTheCpu) {
  unsigned seed = 300;
  for (const Shape& shape : {Shape{1, 1}, Shape{1, 40}, Shape{33, 47}, Shape{64, 130}}) {
    for (const std::int64_t channels : {1, 3, 18}) {
      const Map map = patches(shape, 4, 9, ++seed);
      const Array<float> image = image_for(shape, channels, seed);
      const ArrayView view = image.view();
      ConnectivityParams params = sizes(10 * (channels % 2), 0, 3);
      params.refine_iter = 1 + static_cast<int>(channels) % 4;
      params.position_weight = 0.7;
      params.smoothness = 400.0;
      expect_labels_of_cpu(map.view(), &view, params, "refined");
    }
  }
}

TEST(ConnectivityOnCuda, ColorsMayBeOfAnyMagnitude) {
  const Map map = patches({35, 40}, 4, 4, 17);
  for (const float scale : {0.0F, 1e-43F, 1e-39F, 1e-30F, 1e36F}) {
    Array<float> image = image_for(map.shape, 2, 4);
    for (float& value : image.data) value *= scale;
    const ArrayView view = image.view();
    expect_labels_of_cpu(map.view(), &view, sizes(12), "colours times " + std::to_string(scale));
  }
}

/// More than a block numbers at a time.
TEST(ConnectivityOnCuda, ThereMayBeManyComponents) {
  expect_labels_of_cpu(patches({260, 300}, 9, 7, 19).view(), nullptr, sizes(0), "many");
}

TEST(ConnectivityOnCuda, EveryPixelMayHaveALabelOfItsOwn) {
  Map map({34, 67});
  for (std::size_t i = 0; i < map.data.size(); ++i) map.data[i] = static_cast<std::int32_t>(i);
  for (const std::int64_t min_size : {0, 2, 30}) {
    expect_labels_of_cpu(map.view(), nullptr, sizes(min_size), "a label per pixel");
  }
  // All colours and so all costs are equal.
  const Array<float> image({34, 67, 3}, 0.25F);
  const ArrayView view = image.view();
  expect_labels_of_cpu(map.view(), &view, sizes(9), "a label per pixel");
}

/// More than there is room for in shared memory.
TEST(ConnectivityOnCuda, AFragmentMayHaveManyNeighbors) {
  for (const std::int64_t length : {12, 70, 150}) {
    // A row between columns of one more pixel each.
    Map map({2 * length + 3, length});
    for (std::size_t i = 0; i < map.data.size(); ++i) {
      const std::int64_t y = static_cast<std::int64_t>(i) / length;
      const std::int64_t x = static_cast<std::int64_t>(i) % length;
      map.data[i] =
          static_cast<std::int32_t>(y == length + 1 ? 0 : 1 + x + (y > length ? length : 0));
    }
    const Array<float> image = image_for(map.shape, 1, 3);
    const ArrayView view = image.view();
    expect_labels_of_cpu(map.view(), &view, sizes(length + 1), "a row between columns");
    if (length == 12) expect_labels_of_cpu(map.view(), nullptr, sizes(length + 1), "equal costs");
  }
}

template <class T>
Array<T> converted(const Map& map) {
  Array<T> result(map.shape);
  for (std::size_t i = 0; i < map.data.size(); ++i) {
    const std::int32_t label = map.data[i];
    result.data[i] = static_cast<T>(label);  // of unsigned types the greatest, where negative
  }
  return result;
}

template <class T>
class ConnectivityOfTypeOnCuda : public ::testing::Test {};
using Types = ::testing::Types<std::int8_t, std::int16_t, std::int32_t, std::int64_t, std::uint8_t,
                               std::uint16_t, std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(ConnectivityOfTypeOnCuda, Types, );

TYPED_TEST(ConnectivityOfTypeOnCuda, LabelsMayBeAnywhere) {
  for (const Shape& shape : {Shape{33, 40}, Shape{3, 5, 34}}) {
    const Array<TypeParam> labels = converted<TypeParam>(patches(shape, 5, 4, 7));
    expect_labels_of_cpu(labels.view(), nullptr, sizes(6), "contiguous");
    const test::Scattered scattered(labels.view());
    expect_labels_of_cpu(scattered.view, nullptr, sizes(6), "scattered");
  }
}

TEST(ConnectivityOnCuda, LabelsMayDifferInHighBitsAlone) {
  Array<std::int64_t> labels({20, 40});
  const Map map = patches({20, 40}, 3, 4, 9);
  for (std::size_t i = 0; i < map.data.size(); ++i) {
    labels.data[i] = static_cast<std::int64_t>(map.data[i]) << 40;
  }
  expect_labels_of_cpu(labels.view(), nullptr, sizes(4), "high bits");
}

TEST(ConnectivityOnCuda, OutputMayBeTheMemoryOfLabels) {
  const Map map = patches({37, 70}, 4, 5, 11);
  Map expected(map.shape);
  enforce_connectivity(map.view(), nullptr, expected.view(), sizes(9));
  Map both(map.shape);
  test::run_on_cuda(
      [&](const Context& context) {
        both.data = map.data;
        enforce_connectivity(both.view(), nullptr, both.view(), sizes(9), context);
      },
      both);
  EXPECT_EQ(both.data, expected.data);
}

TEST(ConnectivityOnCuda, NothingIsFine) {
  for (const Shape& shape : {Shape{0, 5}, Shape{5, 0}, Shape{2, 0, 3}}) {
    expect_labels_of_cpu(Map(shape).view(), nullptr, sizes(2), "nothing");
  }
}

TEST(ConnectivityOnCuda, LaunchesDoNotDependOnData) {
  const auto launches = [](const Map& map) {
    Map out(map.shape);
    const long before = cuda_on_cpu::num_launches;
    test::call_on_cuda([&](const Context& context) {
      enforce_connectivity(map.view(), nullptr, out.view(), sizes(20, 50), context);
    });
    return cuda_on_cpu::num_launches - before;
  };
  EXPECT_EQ(launches(Map({30, 30}, 1)), launches(patches({30, 30}, 5, 2, 1)));
}

}  // namespace
}  // namespace superpix
