// SPDX-License-Identifier: Apache-2.0
//
// One call of slic: the grid and which path clusters the image follow from shapes and parameters,
// by the functions of the CPU. Then the parts take their workspace, one after the other, and
// enqueue their kernels.
#include "slic.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "call.h"
#include "cell_tiles.h"
#include "cpu/slic_u8.h"
#include "cpu/turns.h"
#include "float_volume.h"
#include "integer_image.h"
#include "shared.h"
#include "slic_float.h"
#include "slic_u8.h"
#include "vectors.h"
#include "volume_grid.h"

namespace superpix::cuda {
namespace {

constexpr const char* kOp = "slic";

[[noreturn]] void refuse(const std::string& what) {
  throw DeviceUnavailable(std::string(kOp) + ": " + what + " is not there on CUDA yet");
}

Grid plane_grid(const cpu::CellGrid& grid) {
  const auto axis = [&](int i) {
    return Axis{static_cast<int>(grid.shape()[i]), static_cast<int>(grid.cells()[i])};
  };
  return {axis(1), axis(2)};
}

/// The mean side of the longest side of a cell: S.
double step_of(const cpu::CellGrid& grid) {
  double step = 0.0;
  for (int axis = 0; axis < 3; ++axis) {
    step = std::max(
        step, static_cast<double>(grid.shape()[axis]) / static_cast<double>(grid.cells()[axis]));
  }
  return step;
}

void segment_integers(const ArrayView& image, const cpu::CellGrid& grid,
                      const cpu::IntegerScale& scale, const SlicParams& params,
                      std::int32_t* labels, const Context& context) {
  ArrayView plane = image;  // [H,W,C]
  plane.ndim = 3;
  std::copy(image.shape.begin() + 1, image.shape.begin() + 4, plane.shape.begin());
  std::copy(image.strides.begin() + 1, image.strides.begin() + 4, plane.strides.begin());
  Call call(kOp, context);
  const IntegerImageMaker maker(call, CellTiles(plane_grid(grid)), params);
  const IntegerClustering clustering(call, maker, scale, cpu::num_turns(grid), params);
  if (!call.begin()) return;
  maker.enqueue(call, plane, scale.quantization);
  clustering.enqueue(call, {labels, params.start_label, nullptr});
}

void segment_floats(const ArrayView& image, const cpu::CellGrid& grid, const SlicParams& params,
                    std::int32_t* labels, const Context& context) {
  Call call(kOp, context);
  const FloatVolumeMaker maker(call, image, VolumeGrid::of(grid), params);
  const int num_turns = params.slic_zero ? 1 : cpu::num_turns(grid);
  const FloatClustering clustering(call, maker.volume(), step_of(grid), num_turns, params);
  if (!call.begin()) return;
  maker.enqueue(call);
  clustering.enqueue(call, {labels, params.start_label, nullptr});
}

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    number_kernel(std::int64_t count, std::int32_t first, std::int32_t* __restrict__ labels) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < count) labels[i] = static_cast<std::int32_t>(first + i);
}

/// Every pixel a label of its own.
void number_pixels(std::int64_t count, std::int32_t start_label, std::int32_t* labels,
                   const Context& context) {
  Call call(kOp, context);
  if (!call.begin()) return;
  call.launch(number_kernel, blocks_for(count, kThreads), kThreads, 0, count, start_label, labels);
}

}  // namespace

std::int64_t slic(const ArrayView& image, const ArrayView* mask, std::int32_t* labels,
                  const SlicParams& params, const Context& context) {
  if (mask != nullptr) refuse("a mask");
  const cpu::Extent shape{image.shape[0], image.shape[1], image.shape[2]};
  const std::int64_t num_pixels = shape[0] * shape[1] * shape[2];
  if (params.num_segments >= num_pixels) {
    number_pixels(num_pixels, params.start_label, labels, context);
    return num_pixels;
  }
  if (params.enforce_connectivity) refuse("enforce_connectivity");
  const cpu::CellGrid grid(shape, cpu::choose_cells(shape, params.spacing, params.num_segments));
  const bool blur =
      std::any_of(params.sigma.begin(), params.sigma.end(), [](double s) { return s > 0; });
  std::optional<cpu::IntegerScale> scale;
  if (image.dtype == DType::kUInt8 && params.convert_to_lab && shape[0] == 1 && !blur &&
      !params.slic_zero) {
    scale = cpu::integer_scale(grid, params, step_of(grid));
  }
  if (scale) {
    segment_integers(image, grid, *scale, params, labels, context);
  } else {
    segment_floats(image, grid, params, labels, context);
  }
  return grid.num_cells();
}

}  // namespace superpix::cuda
