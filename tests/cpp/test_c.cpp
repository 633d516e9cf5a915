// SPDX-License-Identifier: Apache-2.0
//
// The C interface gives what C++ gives, and tells what C++ throws.
#include <gtest/gtest.h>
#include <superpix/c.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "calls.h"

namespace superpix {
namespace {

using test::Array;
using test::picture;
using test::Shape;

/// An array as C has it; it refers to the shape of the array that it is of.
template <class T>
superpix_array c_array(const Array<T>& array) {
  return {const_cast<typename Array<T>::Element*>(array.data.data()),
          static_cast<int32_t>(DTypeOf<T>::value), static_cast<int32_t>(array.shape.size()),
          array.shape.data(), nullptr};
}

void expect_failure(superpix_status found, superpix_status expected, const std::string& message) {
  EXPECT_EQ(found, expected);
  EXPECT_EQ(superpix_last_error(), message);
}

TEST(C, TypesAreThoseOfCpp) {
  const std::pair<superpix_dtype, DType> all[] = {
      {SUPERPIX_BOOL, DType::kBool},        {SUPERPIX_INT8, DType::kInt8},
      {SUPERPIX_INT16, DType::kInt16},      {SUPERPIX_INT32, DType::kInt32},
      {SUPERPIX_INT64, DType::kInt64},      {SUPERPIX_UINT8, DType::kUInt8},
      {SUPERPIX_UINT16, DType::kUInt16},    {SUPERPIX_UINT32, DType::kUInt32},
      {SUPERPIX_UINT64, DType::kUInt64},    {SUPERPIX_FLOAT16, DType::kFloat16},
      {SUPERPIX_FLOAT32, DType::kFloat32},  {SUPERPIX_FLOAT64, DType::kFloat64},
      {SUPERPIX_BFLOAT16, DType::kBFloat16}};
  for (const auto& [c, cpp] : all) EXPECT_EQ(static_cast<int>(c), static_cast<int>(cpp));
}

TEST(C, VersionIsThatOfTheHeader) { EXPECT_STREQ(superpix_version(), SUPERPIX_VERSION); }

TEST(C, Threads) {
  EXPECT_EQ(superpix_set_num_threads(3), SUPERPIX_OK);
  EXPECT_EQ(superpix_get_num_threads(), 3);
  EXPECT_EQ(superpix_set_num_threads(-1), SUPERPIX_INVALID_ARGUMENT);
  EXPECT_EQ(superpix_get_num_threads(), 3);
  EXPECT_EQ(superpix_set_num_threads(0), SUPERPIX_OK);
  EXPECT_EQ(superpix_get_num_threads(), get_num_threads());
}

TEST(C, SlicIsThatOfCpp) {
  const Array<std::uint8_t> image = picture<std::uint8_t>({37, 53, 3});
  Array<std::uint8_t> inside({37, 53}, 1);
  for (int i = 0; i < 500; ++i) inside.data[i] = 0;
  const Array<bool> mask(inside.shape, inside.data);
  superpix_slic_params params;
  ASSERT_EQ(superpix_slic_defaults(&params), SUPERPIX_OK);
  const double range[] = {10, 200};
  params.num_segments = 40;
  params.compactness = 0.3;
  params.sigma[1] = 0.7;
  params.spacing[2] = 2;
  params.value_range = range;
  params.min_size_factor = 0.2;
  params.max_size_factor = 2;
  params.max_num_iter = 5;
  params.perturb_seeds = 1;
  params.refine_iter = 0;
  params.start_label = 0;
  SlicParams same;
  same.num_segments = 40;
  same.compactness = 0.3;
  same.sigma[1] = 0.7;
  same.spacing[2] = 2;
  same.value_range = {10, 200};
  same.min_size_factor = 0.2;
  same.max_size_factor = 2;
  same.max_num_iter = 5;
  same.perturb_seeds = true;
  same.refine_iter = 0;
  same.start_label = 0;

  for (const bool masked : {false, true}) {
    for (const bool to_lab : {false, true}) {
      for (const bool zero : {false, true}) {
        for (const bool connected : {false, true}) {
          params.convert_to_lab = same.convert_to_lab = to_lab;
          params.slic_zero = same.slic_zero = zero;
          params.enforce_connectivity = same.enforce_connectivity = connected;
          const superpix_array of = c_array(image), where = c_array(mask);
          Array<std::int32_t> labels({37, 53}, -99);
          const superpix_array to = c_array(labels);
          std::int64_t count = -5;
          ASSERT_EQ(superpix_slic(&of, masked ? &where : nullptr, &to, &params, nullptr, &count),
                    SUPERPIX_OK)
              << superpix_last_error();
          const ArrayView mask_view = mask.view();
          const test::Labels expected =
              test::slic_of(image.view(), same, masked ? &mask_view : nullptr);
          EXPECT_EQ(labels.data, expected.labels);
          EXPECT_EQ(count, expected.count);
        }
      }
    }
  }
}

TEST(C, DefaultsAreThoseOfCpp) {
  const Array<std::uint8_t> image = picture<std::uint8_t>({40, 60, 3});
  const superpix_array of = c_array(image);
  superpix_slic_params params;
  ASSERT_EQ(superpix_slic_defaults(&params), SUPERPIX_OK);
  const SlicParams same;
  EXPECT_EQ(params.num_segments, same.num_segments);
  EXPECT_EQ(params.compactness, same.compactness);
  for (int axis = 0; axis < 3; ++axis) {
    EXPECT_EQ(params.sigma[axis], same.sigma[axis]);
    EXPECT_EQ(params.spacing[axis], same.spacing[axis]);
  }
  EXPECT_EQ(params.value_range, nullptr);
  EXPECT_EQ(params.min_size_factor, same.min_size_factor);
  EXPECT_EQ(params.max_size_factor, same.max_size_factor);
  EXPECT_EQ(params.max_num_iter, same.max_num_iter);
  EXPECT_EQ(params.convert_to_lab != 0, same.convert_to_lab);
  EXPECT_EQ(params.slic_zero != 0, same.slic_zero);
  EXPECT_EQ(params.perturb_seeds != 0, same.perturb_seeds);
  EXPECT_EQ(params.enforce_connectivity != 0, same.enforce_connectivity);
  EXPECT_EQ(params.refine_iter, same.refine_iter);
  EXPECT_EQ(params.start_label, same.start_label);
  EXPECT_EQ(params.seed_grid, nullptr);
  const test::Labels expected = test::slic_of(image.view(), SlicParams{});
  const superpix_slic_params* both[] = {nullptr, &params};
  for (const superpix_slic_params* each : both) {
    Array<std::int32_t> labels({40, 60}, -99);
    const superpix_array to = c_array(labels);
    ASSERT_EQ(superpix_slic(&of, nullptr, &to, each, nullptr, nullptr), SUPERPIX_OK);
    EXPECT_EQ(labels.data, expected.labels);
  }
}

TEST(C, StridesMayBeAny) {
  const Array<std::uint8_t> image = picture<std::uint8_t>({20, 30, 3});
  // Its mirror image.
  const std::int64_t strides[] = {90, -3, 1};
  superpix_array mirrored = c_array(image);
  mirrored.data = static_cast<std::uint8_t*>(mirrored.data) + 87;
  mirrored.strides = strides;
  ArrayView same = image.view();
  same.data = mirrored.data;
  same.strides[1] = -3;
  Array<std::int32_t> labels({20, 30}, -99);
  const superpix_array to = c_array(labels);
  // Without CIELAB colours would hardly count, and any image would have these labels.
  superpix_slic_params params;
  ASSERT_EQ(superpix_slic_defaults(&params), SUPERPIX_OK);
  params.convert_to_lab = 1;
  SlicParams expected;
  expected.convert_to_lab = true;
  ASSERT_EQ(superpix_slic(&mirrored, nullptr, &to, &params, nullptr, nullptr), SUPERPIX_OK);
  EXPECT_EQ(labels.data, test::slic_of(same, expected).labels);
  EXPECT_NE(labels.data, test::slic_of(image.view(), expected).labels);
}

TEST(C, SeedGridIsThatOfCpp) {
  Array<bool> mask({30, 40}, 1);
  for (int i = 0; i < 300; ++i) mask.data[i] = 0;
  superpix_slic_params params;
  ASSERT_EQ(superpix_slic_defaults(&params), SUPERPIX_OK);
  params.num_segments = 12;
  SlicParams same;
  same.num_segments = 12;
  const superpix_array where = c_array(mask);
  superpix_seed_grid grid;
  ASSERT_EQ(superpix_choose_seed_grid(&where, &params, &grid), SUPERPIX_OK);
  const SeedGrid expected = choose_seed_grid(mask.view(), same);
  for (int axis = 0; axis < 3; ++axis) EXPECT_EQ(grid.cells[axis], expected.cells[axis]);
  EXPECT_EQ(grid.num_seeds, expected.num_seeds);
  EXPECT_EQ(grid.num_pixels, 900);
}

TEST(C, LabIsThatOfCpp) {
  const Array<std::uint8_t> image = picture<std::uint8_t>({20, 30, 3});
  Array<float> lab({20, 30, 3}, -999);
  const superpix_array of = c_array(image), to = c_array(lab);
  ASSERT_EQ(superpix_rgb_to_lab(&of, &to, nullptr), SUPERPIX_OK);
  EXPECT_EQ(lab.data, test::lab_of(image.view()));
}

TEST(C, ConnectivityIsThatOfCpp) {
  Array<std::int64_t> labels({24, 31});
  Array<float> image({24, 31, 2});
  test::Random random(3);
  for (std::int64_t& label : labels.data) label = random.below(4) - 1;
  for (float& value : image.data) value = static_cast<float>(random.unit() * 50);
  superpix_connectivity_params params;
  ASSERT_EQ(superpix_connectivity_defaults(&params), SUPERPIX_OK);
  const ConnectivityParams defaults;
  EXPECT_EQ(params.min_size, defaults.min_size);
  EXPECT_EQ(params.max_size, defaults.max_size);
  EXPECT_EQ(params.position_weight, defaults.position_weight);
  EXPECT_EQ(params.smoothness, defaults.smoothness);
  EXPECT_EQ(params.refine_iter, defaults.refine_iter);
  EXPECT_EQ(params.start_label, defaults.start_label);
  EXPECT_EQ(params.max_segments, defaults.max_segments);
  params = {9, 60, 20, 0.5, 1.5, 2, 0};
  ConnectivityParams same;
  same.min_size = 9;
  same.max_size = 60;
  same.max_segments = 20;
  same.position_weight = 0.5;
  same.smoothness = 1.5;
  same.refine_iter = 2;
  same.start_label = 0;
  const superpix_array of = c_array(labels), colors = c_array(image);
  Array<std::int32_t> output({24, 31}, -99);
  const superpix_array to = c_array(output);
  std::int64_t count = -5;
  superpix_context context{};
  context.num_threads = 2;
  ASSERT_EQ(superpix_enforce_connectivity(&of, &colors, &to, &params, &context, &count),
            SUPERPIX_OK);
  const ArrayView image_view = image.view();
  const test::Labels expected = test::connected(labels.view(), &image_view, same);
  EXPECT_EQ(output.data, expected.labels);
  EXPECT_EQ(count, expected.count);
}

TEST(C, PoolingIsThatOfCpp) {
  Array<float> features({2, 3, 8, 9});
  Array<std::int32_t> labels({2, 8, 9});
  Array<float> gradient({2, 3, 5});
  test::Random random(11);
  for (float& value : features.data) value = static_cast<float>(random.unit());
  for (float& value : gradient.data) value = static_cast<float>(random.unit());
  for (std::int32_t& label : labels.data) label = static_cast<std::int32_t>(random.below(6)) - 1;
  const superpix_array of = c_array(features), where = c_array(labels), from = c_array(gradient);
  for (const Reduce reduce : {Reduce::kSum, Reduce::kMean, Reduce::kMax, Reduce::kMin}) {
    const auto number = static_cast<std::int32_t>(reduce);
    const ArrayView layout = pool_saved_layout(2, 3, 5, reduce);
    Array<std::int32_t> saved(test::shape_of(layout, layout.ndim), -7), expected_saved(saved);
    Array<float> pooled({2, 3, 5}, -9), expected(pooled);
    const superpix_array to = c_array(pooled), kept = c_array(saved);
    ASSERT_EQ(superpix_pool(&of, &where, &to, &kept, number, nullptr), SUPERPIX_OK);
    const ArrayView saved_view = expected_saved.view();
    pool(features.view(), labels.view(), expected.view(), &saved_view, reduce);
    EXPECT_EQ(pooled.data, expected.data);
    EXPECT_EQ(saved.data, expected_saved.data);

    Array<float> back({2, 3, 8, 9}, -9), expected_back(back);
    const superpix_array to_back = c_array(back);
    ASSERT_EQ(superpix_pool_backward(&from, &where, &kept, &to_back, number, nullptr), SUPERPIX_OK);
    pool_backward(gradient.view(), labels.view(), &saved_view, expected_back.view(), reduce);
    EXPECT_EQ(back.data, expected_back.data);
  }
  Array<float> out({2, 3, 8, 9}, -9), expected(out);
  const superpix_array to = c_array(out);
  ASSERT_EQ(superpix_unpool(&from, &where, &to, nullptr), SUPERPIX_OK);
  unpool(gradient.view(), labels.view(), expected.view());
  EXPECT_EQ(out.data, expected.data);

  Array<float> sums({2, 3, 5}, -9), expected_sums(sums);
  const superpix_array to_sums = c_array(sums);
  ASSERT_EQ(superpix_unpool_backward(&of, &where, &to_sums, nullptr), SUPERPIX_OK);
  unpool_backward(features.view(), labels.view(), expected_sums.view());
  EXPECT_EQ(sums.data, expected_sums.data);
}

/// Arguments of slic, one of which a test spoils.
struct SlicCall {
  Array<std::uint8_t> image = picture<std::uint8_t>({8, 9, 3});
  Array<std::int32_t> labels{Shape{8, 9}};
  superpix_array of = c_array(image);
  superpix_array to = c_array(labels);
  superpix_slic_params params{};
  superpix_context context{};

  SlicCall() { superpix_slic_defaults(&params); }
  SlicCall(const SlicCall&) = delete;
  superpix_status run() { return superpix_slic(&of, nullptr, &to, &params, &context, nullptr); }
};

TEST(C, PointersThatAreMissing) {
  SlicCall call;
  expect_failure(superpix_slic(nullptr, nullptr, &call.to, nullptr, nullptr, nullptr),
                 SUPERPIX_INVALID_ARGUMENT, "slic: image must not be NULL");
  expect_failure(superpix_slic(&call.of, nullptr, nullptr, nullptr, nullptr, nullptr),
                 SUPERPIX_INVALID_ARGUMENT, "slic: labels must not be NULL");
  expect_failure(superpix_slic_defaults(nullptr), SUPERPIX_INVALID_ARGUMENT,
                 "slic_defaults: params must not be NULL");
  expect_failure(superpix_connectivity_defaults(nullptr), SUPERPIX_INVALID_ARGUMENT,
                 "connectivity_defaults: params must not be NULL");
  expect_failure(superpix_choose_seed_grid(&call.of, nullptr, nullptr), SUPERPIX_INVALID_ARGUMENT,
                 "choose_seed_grid: grid must not be NULL");
  expect_failure(
      superpix_enforce_connectivity(nullptr, nullptr, &call.to, nullptr, nullptr, nullptr),
      SUPERPIX_INVALID_ARGUMENT, "enforce_connectivity: labels must not be NULL");
  expect_failure(superpix_pool(nullptr, &call.to, &call.to, nullptr, SUPERPIX_SUM, nullptr),
                 SUPERPIX_INVALID_ARGUMENT, "pool: features must not be NULL");
  expect_failure(
      superpix_pool_backward(nullptr, &call.to, nullptr, &call.to, SUPERPIX_SUM, nullptr),
      SUPERPIX_INVALID_ARGUMENT, "pool_backward: grad_pooled must not be NULL");
  expect_failure(superpix_unpool(nullptr, &call.to, &call.to, nullptr), SUPERPIX_INVALID_ARGUMENT,
                 "unpool: pooled must not be NULL");
  expect_failure(superpix_unpool_backward(nullptr, &call.to, &call.to, nullptr),
                 SUPERPIX_INVALID_ARGUMENT, "unpool_backward: grad_out must not be NULL");
  expect_failure(superpix_rgb_to_lab(&call.of, nullptr, nullptr), SUPERPIX_INVALID_ARGUMENT,
                 "rgb_to_lab: lab must not be NULL");
  call.of.shape = nullptr;
  expect_failure(call.run(), SUPERPIX_INVALID_ARGUMENT, "slic: image must have a shape, got NULL");
  SlicCall other;
  other.of.data = nullptr;
  expect_failure(other.run(), SUPERPIX_INVALID_ARGUMENT,
                 "slic: image must point to its elements, got nullptr");
}

TEST(C, NumbersThatAreNone) {
  const std::int64_t negative[] = {8, -9, 3};
  const std::int64_t huge[] = {std::numeric_limits<std::int64_t>::max() / 2, 9, 3};
  SlicCall a;
  a.of.dtype = 13;
  expect_failure(a.run(), SUPERPIX_INVALID_ARGUMENT,
                 "slic: image must have a superpix_dtype, got 13");
  SlicCall b;
  b.of.ndim = 6;
  expect_failure(b.run(), SUPERPIX_INVALID_ARGUMENT,
                 "slic: image must have from 0 to 5 dimensions, got 6");
  SlicCall c;
  c.of.shape = negative;
  expect_failure(c.run(), SUPERPIX_INVALID_ARGUMENT,
                 "slic: image must have sizes of at least 0, got [8, -9, 3]");
  SlicCall d;
  d.of.shape = huge;
  expect_failure(d.run(), SUPERPIX_INVALID_ARGUMENT,
                 "slic: image must have fewer than 2^63 bytes, got [4611686018427387903, 9, 3]");
  SlicCall e;
  e.context.device = 2;
  expect_failure(e.run(), SUPERPIX_INVALID_ARGUMENT,
                 "slic: context must have a superpix_device, got 2");
  SlicCall f;
  f.params.slic_zero = 2;
  expect_failure(f.run(), SUPERPIX_INVALID_ARGUMENT, "slic: slic_zero must be 0 or 1, got 2");
  SlicCall g;
  expect_failure(superpix_pool(&g.of, &g.to, &g.to, nullptr, 4, nullptr), SUPERPIX_INVALID_ARGUMENT,
                 "pool: reduce must be a superpix_reduce, got 4");
}

TEST(C, WhatCppThrowsIsAStatus) {
  SlicCall a;
  a.params.compactness = 0;
  EXPECT_EQ(a.run(), SUPERPIX_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(superpix_last_error()).substr(0, 24), "slic: compactness must b");
  SlicCall b;
  b.to.dtype = SUPERPIX_FLOAT32;
  EXPECT_EQ(b.run(), SUPERPIX_INVALID_TYPE);
  if (superpix_cuda_available() == 0) {
    SlicCall c;
    c.context.device = SUPERPIX_CUDA;
    EXPECT_EQ(c.run(), SUPERPIX_DEVICE_UNAVAILABLE);
  }
}

TEST(C, MessagesAreOfTheirThread) {
  expect_failure(superpix_slic_defaults(nullptr), SUPERPIX_INVALID_ARGUMENT,
                 "slic_defaults: params must not be NULL");
  std::string other = "?";
  std::thread([&] { other = superpix_last_error(); }).join();
  EXPECT_EQ(other, "");
  superpix_slic_params params;
  EXPECT_EQ(superpix_slic_defaults(&params), SUPERPIX_OK);
  EXPECT_STREQ(superpix_last_error(), "slic_defaults: params must not be NULL");
}

}  // namespace
}  // namespace superpix
