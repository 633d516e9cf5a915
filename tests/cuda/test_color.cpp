// SPDX-License-Identifier: Apache-2.0
//
// CIELAB on CUDA: the bits of the CPU.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "calls.h"
#include "halves.h"
#include "on_cuda.h"

namespace superpix {
namespace {

using test::Array;
using test::Shape;

const Shape kShapes[] = {{3}, {0, 3}, {1, 1, 3}, {7, 5, 3}, {1024, 3}, {33, 71, 3}, {3, 5, 31, 3}};

/// Both sides of the two thresholds, the ends, what lies beyond, and anything.
template <class T>
Array<T> values_for(const Shape& shape) {
  const double special[] = {0.0,      1.0, 0.04045,          0.040451,       0.040449, 1e-6,
                            0.999999, 0.5, 0.008856 * 12.92, 0.0088 * 12.92, -0.3,     1.7};
  test::Random random(5);
  Array<T> array(shape);
  for (auto& value : array.data) {
    const double x = random.below(4) == 0 ? special[random.below(12)] : random.unit();
    if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(random.below(1 << 8 * sizeof(T)));
    } else {
      value = detail::narrow<T>(static_cast<detail::ComputeType<T>>(x));
    }
  }
  return array;
}

void expect_lab_of_cpu(const ArrayView& rgb) {
  Array<float> lab(test::shape_of(rgb, rgb.ndim));
  test::run_on_cuda([&](const Context& context) { rgb_to_lab(rgb, lab.view(), context); }, lab);
  EXPECT_EQ(lab.data, test::lab_of(rgb)) << rgb.shape_string() << " " << name(rgb.dtype);
}

template <class T>
class ColorOnCuda : public ::testing::Test {};
using Types = ::testing::Types<std::uint8_t, std::uint16_t, detail::Half, float, double>;
TYPED_TEST_SUITE(ColorOnCuda, Types, );

TYPED_TEST(ColorOnCuda, IsThatOfTheCpu) {
  for (const Shape& shape : kShapes) expect_lab_of_cpu(values_for<TypeParam>(shape).view());
}

TYPED_TEST(ColorOnCuda, TakesAnyStrides) {
  for (const Shape& shape : kShapes) {
    if (test::product(shape) == 0) continue;
    const auto rgb = values_for<TypeParam>(shape);
    expect_lab_of_cpu(test::Scattered(rgb.view()).view);
  }
  // Columns left out: the rows are dense, the image is not.
  const auto rgb = values_for<TypeParam>({9, 40, 3});
  ArrayView cut = rgb.view();
  cut.data = const_cast<TypeParam*>(rgb.data.data() + 3 * 8);
  cut.shape[1] = 24;
  expect_lab_of_cpu(cut);
}

TYPED_TEST(ColorOnCuda, RunsWhereMemoryIsNotAligned) {
  const auto rgb = values_for<TypeParam>({1 + 3 * 1100});
  expect_lab_of_cpu(ArrayView::contiguous(const_cast<TypeParam*>(rgb.data.data()) + 1,
                                          rgb.view().dtype, {1100, 3}));
  // And where that of the result is not.
  const auto pixels = values_for<TypeParam>({1100, 3});
  Array<float> lab({1 + 3 * 1100});
  test::run_on_cuda(
      [&](const Context& context) {
        lab.data[0] = 7.0F;
        const ArrayView to = ArrayView::contiguous(lab.data.data() + 1, {1100, 3});
        rgb_to_lab(pixels.view(), to, context);
      },
      lab);
  EXPECT_EQ(std::vector<float>(lab.data.begin() + 1, lab.data.end()), test::lab_of(pixels.view()));
  EXPECT_EQ(lab.data[0], 7.0F);
}

TEST(ColorOnCuda, NeedsNoWorkspace) {
  std::size_t bytes = 1;
  Context context;
  context.device = Device::kCuda;
  context.workspace_query = &bytes;
  const Array<std::uint8_t> rgb({8, 8, 3});
  Array<float> lab({8, 8, 3}, -1.0F);
  rgb_to_lab(rgb.view(), lab.view(), context);
  EXPECT_EQ(bytes, 0U);
  EXPECT_EQ(lab.data, std::vector<float>(8 * 8 * 3, -1.0F)) << "a query computes nothing";
}

}  // namespace
}  // namespace superpix
