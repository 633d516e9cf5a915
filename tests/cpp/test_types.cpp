// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "array.h"

namespace superpix {
namespace {

TEST(Types, EveryDTypeHasTheSizeAndNameThatNumPyGivesIt) {
  const struct {
    DType dtype;
    std::size_t size;
    const char* name;
  } all[] = {
      {DType::kBool, 1, "bool"},         {DType::kInt8, 1, "int8"},
      {DType::kInt16, 2, "int16"},       {DType::kInt32, 4, "int32"},
      {DType::kInt64, 8, "int64"},       {DType::kUInt8, 1, "uint8"},
      {DType::kUInt16, 2, "uint16"},     {DType::kUInt32, 4, "uint32"},
      {DType::kUInt64, 8, "uint64"},     {DType::kFloat16, 2, "float16"},
      {DType::kFloat32, 4, "float32"},   {DType::kFloat64, 8, "float64"},
      {DType::kBFloat16, 2, "bfloat16"},
  };
  for (const auto& expected : all) {
    EXPECT_EQ(item_size(expected.dtype), expected.size) << expected.name;
    EXPECT_STREQ(name(expected.dtype), expected.name);
  }
}

TEST(Types, DTypeOfIsTheTypeOfItsSize) {
  EXPECT_EQ(DTypeOf<bool>::value, DType::kBool);
  EXPECT_EQ(DTypeOf<std::int8_t>::value, DType::kInt8);
  EXPECT_EQ(DTypeOf<std::int16_t>::value, DType::kInt16);
  EXPECT_EQ(DTypeOf<std::int32_t>::value, DType::kInt32);
  EXPECT_EQ(DTypeOf<std::int64_t>::value, DType::kInt64);
  EXPECT_EQ(DTypeOf<std::uint8_t>::value, DType::kUInt8);
  EXPECT_EQ(DTypeOf<std::uint16_t>::value, DType::kUInt16);
  EXPECT_EQ(DTypeOf<std::uint32_t>::value, DType::kUInt32);
  EXPECT_EQ(DTypeOf<std::uint64_t>::value, DType::kUInt64);
  EXPECT_EQ(DTypeOf<float>::value, DType::kFloat32);
  EXPECT_EQ(DTypeOf<double>::value, DType::kFloat64);
}

TEST(ArrayView, HasNoMoreDimensionsThanItHasRoomFor) {
  float data[1];
  EXPECT_EQ(ArrayView::contiguous(data, {1, 1, 1, 1, 1}).ndim, kMaxDims);
  EXPECT_THROW(ArrayView::contiguous(data, {1, 1, 1, 1, 1, 1}), InvalidArgument);
}

TEST(ArrayView, ContiguousTakesNoSizesThatCannotBe) {
  const float* data = nullptr;
  constexpr std::int64_t kHuge = std::int64_t{1} << 31;
  EXPECT_THROW(ArrayView::contiguous(data, {2, -1}), InvalidArgument);
  EXPECT_THROW(ArrayView::contiguous(data, {kHuge, kHuge, 2}), InvalidArgument);
  EXPECT_EQ(ArrayView::contiguous(data, {kHuge, kHuge / 4}).size(), kHuge * kHuge / 4);
}

TEST(ArrayView, EveryOpRefusesShapesThatCannotBe) {
  std::vector<char> memory(4096);
  const auto refuse = [&](const char* op, DType dtype, std::initializer_list<std::int64_t> shape,
                          auto call) {
    const auto expect_refusal = [&](const ArrayView& view) {
      std::string message = "nothing thrown";
      try {
        call(view);
      } catch (const InvalidArgument& error) {
        message = error.what();
      }
      EXPECT_TRUE(message.starts_with(op)) << message << " " << view.shape_string();
    };
    const ArrayView view = ArrayView::contiguous(memory.data(), dtype, shape);
    for (int axis = 0; axis < view.ndim; ++axis) {
      ArrayView negative = view;
      negative.shape[axis] *= -1;
      expect_refusal(negative);
      negative.shape[(axis + 1) % view.ndim] *= -1;  // the product is positive again
      expect_refusal(negative);
    }
    ArrayView huge = view;
    for (int axis = 0; axis < view.ndim - 1; ++axis) huge.shape[axis] = std::int64_t{1} << 32;
    expect_refusal(huge);
  };
  const auto array = [&](DType dtype, std::initializer_list<std::int64_t> shape) {
    return ArrayView::contiguous(memory.data(), dtype, shape);
  };
  const ArrayView labels = array(DType::kInt32, {4, 5});
  const ArrayView cells = array(DType::kFloat32, {1, 2, 1});
  refuse("slic: image", DType::kUInt8, {4, 5, 3},
         [&](const ArrayView& image) { slic(image, nullptr, labels, {}); });
  refuse("enforce_connectivity: labels", DType::kInt32, {4, 5},
         [&](const ArrayView& view) { enforce_connectivity(view, nullptr, labels, {}); });
  refuse("rgb_to_lab: image", DType::kUInt8, {4, 5, 3}, [&](const ArrayView& image) {
    rgb_to_lab(image, array(DType::kFloat32, {4, 5, 3}));
  });
  refuse("pool: features", DType::kFloat32, {1, 2, 4, 5}, [&](const ArrayView& features) {
    pool(features, array(DType::kInt32, {1, 4, 5}), cells, nullptr, Reduce::kSum);
  });
  refuse("soft_slic: features", DType::kFloat32, {1, 2, 4, 5}, [&](const ArrayView& features) {
    soft_slic(features, nullptr, nullptr, cells, nullptr, {});
  });
  refuse("pyramid_pool: features", DType::kFloat32, {1, 2, 4, 5}, [&](const ArrayView& features) {
    pyramid_pool(features, array(DType::kFloat32, {1, 2, 50}), nullptr, {});
  });
  refuse("hard_labels: association", DType::kFloat32, {1, 9, 4, 5},
         [&](const ArrayView& association) {
           hard_labels(association, array(DType::kInt32, {1, 4, 5}), {});
         });
}

TEST(ArrayView, ContiguousHasTheStridesOfC) {
  float data[24];
  const ArrayView view = ArrayView::contiguous(data, {2, 3, 4});
  EXPECT_EQ(view.data, data);
  EXPECT_EQ(view.dtype, DType::kFloat32);
  EXPECT_EQ(view.ndim, 3);
  EXPECT_EQ(view.shape, (std::array<std::int64_t, kMaxDims>{2, 3, 4}));
  EXPECT_EQ(view.strides, (std::array<std::int64_t, kMaxDims>{48, 16, 4}));
  EXPECT_EQ(view.size(), 24);
  EXPECT_TRUE(view.is_contiguous());
  EXPECT_EQ(view.shape_string(), "[2, 3, 4]");
}

TEST(ArrayView, ContiguousTakesADTypeThatCppHasNoTypeFor) {
  std::uint16_t data[6];
  const ArrayView view = ArrayView::contiguous(data, DType::kFloat16, {3, 2});
  EXPECT_EQ(view.dtype, DType::kFloat16);
  EXPECT_EQ(view.strides, (std::array<std::int64_t, kMaxDims>{4, 2}));
}

TEST(ArrayView, DefaultIsAScalarWithoutMemory) {
  const ArrayView view;
  EXPECT_EQ(view.data, nullptr);
  EXPECT_EQ(view.ndim, 0);
  EXPECT_EQ(view.size(), 1);
  EXPECT_EQ(view.shape_string(), "[]");
}

TEST(ArrayView, SizeIsZeroWhereASideIs) {
  double data[1];
  EXPECT_EQ(ArrayView::contiguous(data, {3, 0, 2}).size(), 0);
  EXPECT_EQ(ArrayView::contiguous(data, {3, 0, 2}).shape_string(), "[3, 0, 2]");
}

TEST(ArrayView, IsContiguousSeesEveryOtherLayout) {
  const test::Array<std::int16_t> array({2, 3, 4});
  EXPECT_TRUE(array.view().is_contiguous());
  EXPECT_FALSE(test::Scattered(array.view()).view.is_contiguous());

  ArrayView swapped = array.view();
  std::swap(swapped.shape[0], swapped.shape[1]);
  std::swap(swapped.strides[0], swapped.strides[1]);
  EXPECT_FALSE(swapped.is_contiguous());

  ArrayView reversed = array.view();
  reversed.strides[2] = -reversed.strides[2];
  EXPECT_FALSE(reversed.is_contiguous());

  ArrayView every_other = array.view();
  every_other.shape[2] = 2;
  every_other.strides[2] *= 2;
  EXPECT_FALSE(every_other.is_contiguous());

  ArrayView broadcast = array.view();
  broadcast.strides[0] = 0;
  EXPECT_FALSE(broadcast.is_contiguous());
}

TEST(ArrayView, IsContiguousIgnoresTheStrideOfASideOfOne) {
  ArrayView view = test::Array<float>({1, 3, 1}).view();
  view.strides[0] = -1000;
  view.strides[2] = 77;
  EXPECT_TRUE(view.is_contiguous());
}

TEST(Errors, AreTheStandardOnesOfTheirKind) {
  EXPECT_TRUE((std::is_base_of_v<std::invalid_argument, InvalidArgument>));
  EXPECT_TRUE((std::is_base_of_v<InvalidArgument, InvalidType>));
  EXPECT_TRUE((std::is_base_of_v<std::runtime_error, DeviceUnavailable>));
}

TEST(Device, TellsWhatIsThereWithoutThrowing) {
  const std::vector<std::string> devices = cuda_devices();
  EXPECT_EQ(cuda_available(), !devices.empty());
  EXPECT_TRUE(built_with_cuda() || devices.empty());
  const std::vector<std::string> levels = simd_available();
  ASSERT_FALSE(levels.empty());
  EXPECT_EQ(levels.front(), "generic");
}

}  // namespace
}  // namespace superpix
