// SPDX-License-Identifier: Apache-2.0
//
// Layouts that programs were compiled with. Whoever changes one raises the version, as for
// cpp/superpix.symbols.
#include <gtest/gtest.h>
#include <superpix/c.h>
#include <superpix/superpix.h>

#include <cstddef>

namespace superpix {
namespace {

TEST(Abi, StructuresOfCKeepTheirLayout) {
  if (sizeof(void*) != 8) GTEST_SKIP() << "the numbers are those of 64-bit systems";
  EXPECT_EQ(sizeof(superpix_array), 32U);
  EXPECT_EQ(offsetof(superpix_array, dtype), 8U);
  EXPECT_EQ(offsetof(superpix_array, ndim), 12U);
  EXPECT_EQ(offsetof(superpix_array, shape), 16U);
  EXPECT_EQ(offsetof(superpix_array, strides), 24U);

  EXPECT_EQ(sizeof(superpix_context), 48U);
  EXPECT_EQ(offsetof(superpix_context, num_threads), 4U);
  EXPECT_EQ(offsetof(superpix_context, device_index), 8U);
  EXPECT_EQ(offsetof(superpix_context, stream), 16U);
  EXPECT_EQ(offsetof(superpix_context, workspace), 24U);
  EXPECT_EQ(offsetof(superpix_context, workspace_size), 32U);
  EXPECT_EQ(offsetof(superpix_context, workspace_query), 40U);

  EXPECT_EQ(sizeof(superpix_seed_grid), 40U);
  EXPECT_EQ(offsetof(superpix_seed_grid, num_seeds), 24U);
  EXPECT_EQ(offsetof(superpix_seed_grid, num_pixels), 32U);

  EXPECT_EQ(sizeof(superpix_slic_params), 128U);
  EXPECT_EQ(offsetof(superpix_slic_params, compactness), 8U);
  EXPECT_EQ(offsetof(superpix_slic_params, sigma), 16U);
  EXPECT_EQ(offsetof(superpix_slic_params, spacing), 40U);
  EXPECT_EQ(offsetof(superpix_slic_params, value_range), 64U);
  EXPECT_EQ(offsetof(superpix_slic_params, min_size_factor), 72U);
  EXPECT_EQ(offsetof(superpix_slic_params, max_size_factor), 80U);
  EXPECT_EQ(offsetof(superpix_slic_params, max_num_iter), 88U);
  EXPECT_EQ(offsetof(superpix_slic_params, convert_to_lab), 92U);
  EXPECT_EQ(offsetof(superpix_slic_params, slic_zero), 96U);
  EXPECT_EQ(offsetof(superpix_slic_params, perturb_seeds), 100U);
  EXPECT_EQ(offsetof(superpix_slic_params, enforce_connectivity), 104U);
  EXPECT_EQ(offsetof(superpix_slic_params, refine_iter), 108U);
  EXPECT_EQ(offsetof(superpix_slic_params, start_label), 112U);
  EXPECT_EQ(offsetof(superpix_slic_params, seed_grid), 120U);

  EXPECT_EQ(sizeof(superpix_connectivity_params), 48U);
  EXPECT_EQ(offsetof(superpix_connectivity_params, max_size), 8U);
  EXPECT_EQ(offsetof(superpix_connectivity_params, max_segments), 16U);
  EXPECT_EQ(offsetof(superpix_connectivity_params, position_weight), 24U);
  EXPECT_EQ(offsetof(superpix_connectivity_params, smoothness), 32U);
  EXPECT_EQ(offsetof(superpix_connectivity_params, refine_iter), 40U);
  EXPECT_EQ(offsetof(superpix_connectivity_params, start_label), 44U);
}

TEST(Abi, StructuresOfCppKeepTheirSize) {
#if !defined(__GLIBCXX__) || !defined(__LP64__)
  GTEST_SKIP() << "the numbers are those of libstdc++ on 64-bit systems";
#endif
  EXPECT_EQ(sizeof(ArrayView), 96U);
  EXPECT_EQ(sizeof(Context), 48U);
  EXPECT_EQ(sizeof(SeedGrid), 40U);
  EXPECT_EQ(sizeof(SlicParams), 184U);
  EXPECT_EQ(sizeof(ConnectivityParams), 48U);
  EXPECT_EQ(sizeof(SoftSlicParams), 40U);
  EXPECT_EQ(sizeof(SoftPoolParams), 24U);
  EXPECT_EQ(sizeof(SoftUnpoolParams), 24U);
  EXPECT_EQ(sizeof(HardLabelsParams), 16U);
  EXPECT_EQ(sizeof(PyramidPoolParams), 32U);
}

}  // namespace
}  // namespace superpix
