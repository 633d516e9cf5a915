// SPDX-License-Identifier: Apache-2.0
//
// Included by kernels_<isa>.cpp, each compiled for its instruction set, with SUPERPIX_KERNELS the
// name of the function to define. Nothing here may call a function with external linkage that the
// rest of the library uses too (std::min among them): the linker could keep this file's copy.
#pragma once

#include "cpu/color_kernels.h"
#include "cpu/hard_label_kernels.h"
#include "cpu/kernels.h"
#include "cpu/label_kernels.h"
#include "cpu/pool_kernels.h"
#include "cpu/pyramid_pool_kernels.h"
#include "cpu/refine_kernels.h"
#include "cpu/row_kernels.h"
#include "cpu/slic_float_kernels.h"
#include "cpu/slic_u8_kernels.h"
#include "cpu/soft_pool_kernels.h"

namespace superpix::cpu {
namespace {

template <class S>
constexpr ImageKernels<S> image_kernels_of() {
  return {.take_segments = take_segments<S>,
          .put_segments = put_segments<S>,
          .put_row = put_row<S>,
          .sum_values = sum_values<S>,
          .mix_values = mix_values<S>,
          .mix_gradients = mix_gradients<S>,
          .label_row = label_row<S>};
}

}  // namespace

const Kernels& SUPERPIX_KERNELS() {
  static constexpr Kernels kernels{
      .name = SUPERPIX_KERNELS_NAME,
      .lab_from_u8 = lab_from_u8,
      .lab_from_float = lab_from_float,
      .sum_integer_colors = sum_integer_colors,
      .assign_integer_cell = assign_integer_cell,
      .assign_float_cell = assign_float_cell,
      .sum_float_cell = sum_float_cell,
      .stretch_floats = stretch_floats,
      .extremes_of_floats = extremes_of_floats,
      .labels_from_codes = labels_from_codes,
      .tags_from_codes = tags_from_codes,
      .find_borders = find_borders,
      .find_majorities = find_majorities,
      .find_runs = find_runs,
      .find_tag_runs = find_tag_runs,
      .fill_runs = fill_runs,
      .refine_pixels = refine_pixels,
      .float_rows = {mix_rows<float>, sum_products<float>, add_lanes<float>, softmax_rows<float>,
                     softmax_gradient_rows<float>, normalize_rows<float>,
                     normalization_gradient_rows<float>},
      .double_rows = {mix_rows<double>, sum_products<double>, add_lanes<double>,
                      softmax_rows<double>, softmax_gradient_rows<double>, normalize_rows<double>,
                      normalization_gradient_rows<double>},
      .float_images = image_kernels_of<float>(),
      .double_images = image_kernels_of<double>(),
      .half_images = image_kernels_of<Half>(),
      .bfloat16_images = image_kernels_of<BFloat16>(),
      .float_pyramid_pool = {sum_cells<float>, max_cells<float>, fill_cells<float>},
      .double_pyramid_pool = {sum_cells<double>, max_cells<double>, fill_cells<double>},
      .half_pyramid_pool = {sum_cells<Half>, max_cells<Half>, fill_cells<Half>},
      .bfloat16_pyramid_pool = {sum_cells<BFloat16>, max_cells<BFloat16>, fill_cells<BFloat16>},
      .are_labels = are_labels,
      .are_wide_labels = are_wide_labels,
      .find_label_runs = find_label_runs<std::int32_t>,
      .find_wide_label_runs = find_label_runs<std::int64_t>,
      .float_pool = pool_kernels_of<float>(),
      .double_pool = pool_kernels_of<double>(),
      .half_pool = pool_kernels_of<Half>(),
      .bfloat16_pool = pool_kernels_of<BFloat16>(),
  };
  return kernels;
}

}  // namespace superpix::cpu
