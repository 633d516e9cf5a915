// SPDX-License-Identifier: Apache-2.0
//
// What memory that runs out does: this executable's operator new fails when told to, in whatever
// thread. So exceptions cross parallel loops, nothing leaks, and the next call works.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>

#include "array.h"
#include "calls.h"

namespace {

std::atomic<long> until_failure{-1};  // allocations that still succeed; negative: all do

void* allocate(std::size_t size) {
  if (until_failure.load(std::memory_order_relaxed) >= 0 && until_failure.fetch_sub(1) == 0) {
    throw std::bad_alloc();
  }
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace superpix {
namespace {

using test::Array;

/// Makes the first, the second, the third ... allocation of `call` fail, until it makes fewer.
void fail_each_allocation(const std::function<void()>& call) {
  call();  // what is made once for all is there
  long failures = 0;
  for (long n = 0;; n += 1 + n / 50) {
    until_failure = n;
    bool failed = false;
    try {
      call();
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    until_failure = -1;
    if (!failed) break;
    ++failures;
    ASSERT_LT(n, 1000000);
  }
  EXPECT_GT(failures, 0);
}

class Allocation : public ::testing::TestWithParam<int> {};

TEST_P(Allocation, FailureInTheIntegerPathIsBadAlloc) {
  const Array<std::uint8_t> image = test::picture<std::uint8_t>({90, 120, 3});
  Array<std::int32_t> labels({90, 120});
  SlicParams params;
  params.num_segments = 40;
  params.convert_to_lab = true;
  const auto call = [&] {
    slic(image.view(), nullptr, labels.view(), params, test::on_threads(GetParam()));
  };
  call();
  const std::vector<std::int32_t> expected = labels.data;
  fail_each_allocation(call);
  call();
  EXPECT_EQ(labels.data, expected);
}

TEST_P(Allocation, FailureInTheFloatPathIsBadAlloc) {
  const Array<float> image = test::picture<float>({4, 30, 40, 2});
  Array<bool> mask({4, 30, 40}, 1);
  mask.data[77] = 0;
  const ArrayView mask_view = mask.view();
  Array<std::int32_t> labels({4, 30, 40});
  SlicParams params;
  params.num_segments = 30;
  params.max_num_iter = 3;
  params.sigma = {1.0, 1.0, 1.0};
  params.slic_zero = true;
  params.max_size_factor = 1.0;
  const auto call = [&] {
    slic(image.view(), &mask_view, labels.view(), params, test::on_threads(GetParam()));
  };
  call();
  const std::vector<std::int32_t> expected = labels.data;
  fail_each_allocation(call);
  call();
  EXPECT_EQ(labels.data, expected);
}

TEST_P(Allocation, FailureInConnectivityIsBadAlloc) {
  const Array<std::int64_t> map = test::noise<std::int64_t>({300, 300}, 3, 1);
  Array<std::int32_t> output({300, 300});
  ConnectivityParams params;
  params.min_size = 20;
  params.max_size = 60;
  const auto call = [&] {
    enforce_connectivity(map.view(), nullptr, output.view(), params, test::on_threads(GetParam()));
  };
  call();
  const std::vector<std::int32_t> expected = output.data;
  fail_each_allocation(call);
  call();
  EXPECT_EQ(output.data, expected);
}

TEST_P(Allocation, FailureInColorIsBadAlloc) {
  const Array<float> rgb({100, 200, 3}, 0.5F);
  Array<float> lab({100, 200, 3});
  const auto call = [&] { rgb_to_lab(rgb.view(), lab.view(), test::on_threads(GetParam())); };
  fail_each_allocation(call);
  call();
  EXPECT_EQ(lab.data.front(), lab.data[3]);
}

TEST_P(Allocation, FailureInPoolingIsBadAlloc) {
  const Array<float> features({1, 40, 60, 60}, 0.5F);
  const auto labels = test::noise<std::int32_t>({1, 90, 120}, 300, 2);
  Array<float> pooled({1, 40, 300});
  Array<float> gradient({1, 40, 60, 60});
  const auto call = [&] {
    pool(features.view(), labels.view(), pooled.view(), nullptr, Reduce::kSum,
         test::on_threads(GetParam()));
    pool_backward(pooled.view(), labels.view(), nullptr, gradient.view(), Reduce::kSum,
                  test::on_threads(GetParam()));
  };
  call();
  const std::vector<float> expected = gradient.data;
  fail_each_allocation(call);
  call();
  EXPECT_EQ(gradient.data, expected);
}

INSTANTIATE_TEST_SUITE_P(Threads, Allocation, ::testing::Values(1, 2, 4));

}  // namespace
}  // namespace superpix
