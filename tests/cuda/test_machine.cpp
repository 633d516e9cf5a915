// SPDX-License-Identifier: Apache-2.0
//
// The machine that the other tests stand on: it computes what CUDA would, and sees what CUDA would
// not forgive.
#include <cuda_runtime.h>
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <cstdint>
#include <set>
#include <vector>

#include "cuda/call.h"
#include "cuda/shared.h"
#include "on_cuda.h"

namespace superpix {
namespace {

void launch(void (*kernel)(int*), dim3 grid, dim3 block, std::size_t shared, int* out) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  EXPECT_EQ(cudaLaunchKernelEx(&config, kernel, out), cudaSuccess);
}

void reverse_kernel(int* out) {
  int* shared = cuda::shared_memory<int>();
  shared[threadIdx.x] = static_cast<int>(100 * blockIdx.x + threadIdx.x);
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

TEST(Call, TellsDevicesThatItIsNotCompiledForFromOtherErrors) {
  EXPECT_NO_THROW(cuda::check(cudaSuccess, "op"));
  EXPECT_THROW(cuda::check(cudaErrorInvalidValue, "op"), CudaError);
  EXPECT_THROW(cuda::check(cudaErrorNoKernelImageForDevice, "op"), DeviceUnavailable);
}

TEST(Machine, BarriersAndSharedMemory) {
  std::vector<int> out(2 * 50);
  launch(reverse_kernel, 2, 50, 50 * sizeof(int), out.data());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(out[i], 100 * (i / 50) + 49 - i % 50);
}

void warp_kernel(int* out) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  int sum = lane;
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0U, sum, step);
  const int next = __shfl_down_sync(~0U, lane, 1);
  const int previous = __shfl_up_sync(~0U, lane, 1);
  const int third = __shfl_sync(~0U, lane, 3, 8);
  const unsigned odd = __ballot_sync(~0U, lane & 1);
  const unsigned alike = __match_any_sync(~0U, lane % 4);
  int* to = out + threadIdx.x * 6;
  to[0] = sum;
  to[1] = next;
  to[2] = previous;
  to[3] = third;
  to[4] = static_cast<int>(odd);
  to[5] = static_cast<int>(alike);
}

TEST(Machine, ShufflesAndVotes) {
  std::vector<int> out(64 * 6);
  launch(warp_kernel, 1, 64, 0, out.data());
  for (int i = 0; i < 64; ++i) {
    const int lane = i % 32;
    EXPECT_EQ(out[6 * i], 31 * 32 / 2);
    EXPECT_EQ(out[6 * i + 1], lane == 31 ? 31 : lane + 1);
    EXPECT_EQ(out[6 * i + 2], lane == 0 ? 0 : lane - 1);
    EXPECT_EQ(out[6 * i + 3], lane / 8 * 8 + 3);
    EXPECT_EQ(static_cast<unsigned>(out[6 * i + 4]), 0xaaaaaaaaU);
    EXPECT_EQ(static_cast<unsigned>(out[6 * i + 5]), 0x11111111U << lane % 4);
  }
}

void order_kernel(int* out) { out[atomicAdd(out, 1) + 1] = static_cast<int>(threadIdx.x); }

TEST(Machine, ShufflesTheOrderOfThreads) {
  std::set<std::vector<int>> orders;
  for (cuda_on_cpu::seed = 1; cuda_on_cpu::seed <= 5; ++cuda_on_cpu::seed) {
    std::vector<int> out(65);
    launch(order_kernel, 1, 64, 0, out.data());
    EXPECT_EQ(out[0], 64);
    EXPECT_EQ(std::set<int>(out.begin() + 1, out.end()).size(), 64U);
    orders.insert(out);
  }
  EXPECT_EQ(orders.size(), 5U);
}

// What follows depends on which thread comes first, as a kernel without its barrier does.
void racing_kernel(int* out) {
  int* shared = cuda::shared_memory<int>();
  shared[threadIdx.x] = 1;
  out[threadIdx.x] = shared[(threadIdx.x + 1) % blockDim.x];
}

TEST(Machine, ShowsAMissingBarrier) {
  std::vector<int> out(64);
  launch(racing_kernel, 1, 64, 64 * sizeof(int), out.data());
  EXPECT_NE(out, std::vector<int>(64, 1));
}

void diverging_kernel(int*) {
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __syncwarp(0xffff0000U);
    __syncthreads();
  }
}

void partial_warp_kernel(int*) {
  if (threadIdx.x != 5) __syncwarp();
}

void greedy_kernel(int* out) { out[0] = cuda::shared_memory<int>()[32 + threadIdx.x]; }

TEST(MachineDeathTest, EndsWhatCudaLeavesUndefined) {
  int out = 0;
  EXPECT_DEATH(launch(diverging_kernel, 1, 32, 0, &out), "wait at different places");
  EXPECT_DEATH(launch(partial_warp_kernel, 1, 32, 0, &out), "a lane that has ended");
#if CUDA_ON_CPU_ASAN
  EXPECT_DEATH(launch(greedy_kernel, 1, 32, 32 * sizeof(int), &out), "use-after-poison");
#else
  (void)greedy_kernel;
#endif
}

// --- Call ----------------------------------------------------------------------------------------

TEST(Call, AsksForWorkspaceAndGetsIt) {
  std::size_t bytes = 0;
  Context context;
  context.device = Device::kCuda;
  context.workspace_query = &bytes;
  {
    cuda::Call call("op", context);
    EXPECT_EQ(call.take<float>(3), nullptr);
    EXPECT_EQ(call.take<double>(100), nullptr);
    EXPECT_FALSE(call.begin());
  }
  EXPECT_GE(bytes, 256U + 1024U);
  test::call_on_cuda([](const Context& with_workspace) {
    cuda::Call call("op", with_workspace);
    float* a = call.take<float>(3);
    double* b = call.take<double>(100);
    if (!call.begin()) return;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b) % 256, 0U);
    a[2] = 1.0F;
    b[99] = 1.0;
    call.clear(b, 100);
    EXPECT_EQ(b[99], 0.0);
  });
  context.workspace_query = nullptr;
  context.workspace_size = bytes - 1;
  cuda::Call call("op", context);
  call.take<float>(3);
  call.take<double>(100);
  EXPECT_THROW(call.begin(), InvalidArgument);
}

TEST(Call, MakesTheDeviceCurrentForItsTime) {
  Context context;
  context.device = Device::kCuda;
  context.device_index = 1;
  {
    cuda::Call call("op", context);
    EXPECT_TRUE(call.begin());
    EXPECT_EQ(cuda_on_cpu::current_device, 1);
  }
  EXPECT_EQ(cuda_on_cpu::current_device, 0);
  context.device_index = 7;
  try {
    cuda::Call call("op", context);
    call.begin();
    ADD_FAILURE() << "there is no device 7";
  } catch (const DeviceUnavailable& error) {
    EXPECT_STREQ(error.what(), "op: CUDA device 7: invalid device ordinal");
  }
}

}  // namespace
}  // namespace superpix
