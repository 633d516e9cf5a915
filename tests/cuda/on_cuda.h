// SPDX-License-Identifier: Apache-2.0
//
// Ops on CUDA as the CPU executes it.
#pragma once

#include <gtest/gtest.h>
#include <superpix/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "array.h"
#include "machine.h"

namespace superpix::test {

#ifdef __SANITIZE_ADDRESS__
// Here everything takes long, and the other orders and fillings run without a sanitizer, too.
inline constexpr unsigned kNumOrders = 1;
#else
inline constexpr unsigned kNumOrders = 3;
#endif

/// Calls op(context) with as much workspace as it asks for, and not a byte more.
template <class Op>
void call_on_cuda(Op op, int device_index = 0) {
  Context context;
  context.device = Device::kCuda;
  context.device_index = device_index;
  std::size_t bytes = 1;  // an op that forgets to answer asks for too little
  context.workspace_query = &bytes;
  op(context);
  context.workspace_query = nullptr;
  ASSERT_EQ(bytes % 256, 0U) << "the query was not answered";
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  const std::unique_ptr<void, Free> workspace(std::aligned_alloc(256, bytes));
  std::memset(workspace.get(), cuda_on_cpu::garbage, bytes);
  context.workspace = workspace.get();
  context.workspace_size = bytes;
  op(context);
}

/// The same for several orders of threads and several fillings of what nobody has written yet;
/// `outputs` must be the same bits each time.
template <class Op, class... T>
void run_on_cuda(Op op, Array<T>&... outputs) {
  std::vector<std::vector<unsigned char>> first;
  const auto bytes_of = [](const auto& array) {
    const auto* begin = reinterpret_cast<const unsigned char*>(array.data.data());
    return std::vector<unsigned char>(begin, begin + array.data.size() * sizeof array.data[0]);
  };
  for (unsigned seed = 1; seed <= kNumOrders; ++seed) {
    cuda_on_cpu::seed = seed;
    cuda_on_cpu::garbage = seed == 2 ? 0x7b : 0xff;
    const auto spoil = [](auto& array) {
      auto* begin = reinterpret_cast<unsigned char*>(array.data.data());
      std::fill_n(begin, array.data.size() * sizeof array.data[0], cuda_on_cpu::garbage);
    };
    (spoil(outputs), ...);
    call_on_cuda(op);
    std::vector<std::vector<unsigned char>> bytes{bytes_of(outputs)...};
    if (first.empty()) {
      first = std::move(bytes);
    } else {
      EXPECT_EQ(bytes, first) << "depends on the order of threads, or on memory nobody wrote";
    }
  }
}

}  // namespace superpix::test
