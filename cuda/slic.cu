// SPDX-License-Identifier: Apache-2.0
//
// One call of slic: the grid and which path clusters the image follow from shapes and parameters,
// by the functions of the CPU. Then the parts take their workspace, one after the other, and
// enqueue their kernels.
#include "slic.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "any_image.h"
#include "call.h"
#include "cell_tiles.h"
#include "connectivity_stage.h"
#include "cpu/labels.h"
#include "cpu/slic.h"
#include "cpu/slic_u8.h"
#include "cpu/turns.h"
#include "float_volume.h"
#include "integer_image.h"
#include "number_pixels.h"
#include "slic_float.h"
#include "slic_u8.h"
#include "volume_grid.h"

namespace superpix::cuda {
namespace {

constexpr const char* kOp = "slic";

Grid plane_grid(const cpu::CellGrid& grid) {
  const auto axis = [&](int i) {
    return Axis{static_cast<int>(grid.shape()[i]), static_cast<int>(grid.cells()[i])};
  };
  return {axis(1), axis(2)};
}

/// What makes connected superpixels of clusters, where that is asked for.
class Connection {
 public:
  /// mean_size: of a superpixel, in pixels.
  Connection(Call& call, const cpu::CellGrid& grid, int channels, double mean_size,
             bool has_outside, const SlicParams& params)
      : volume_{static_cast<int>(grid.shape()[0]), static_cast<int>(grid.shape()[1]),
                static_cast<int>(grid.shape()[2])},
        grid_(plane_grid(grid)),
        params_(params) {
    if (!params.enforce_connectivity) return;
    const ConnectivityParams c = cpu::connectivity_params(params, mean_size);
    StageShape shape;
    shape.volume = volume_;
    shape.channels = channels;
    shape.min_size = c.min_size;
    shape.max_size = c.max_size;
    shape.start_label = c.start_label;
    shape.has_outside = has_outside;
    shape.refine_iter = cpu::is_refined(grid, params) ? params.refine_iter : 0;
    if (cpu::LabelTags::can_name(grid)) tags_ = call.take<std::uint8_t>(volume_.num_pixels());
    means_ = call.take<double>(grid.num_cells() * channels);
    stage_.emplace(call, shape, grid.num_cells());
    const double step = cpu::step_of(grid);
    const auto weight = [&](int axis) {
      const double w = params.spacing[axis] / step;
      return cpu::kRefinePositionWeight * (w * w);
    };
    input_.kind = tags_ == nullptr         ? StageInput::Labels::kIntegers
                  : shape.refine_iter == 0 ? StageInput::Labels::kTags
                                           : StageInput::Labels::kTagsToSmooth;
    input_.grid = grid_;
    input_.kappa = cpu::kMergingKappa;
    input_.weight_y = weight(1);
    input_.weight_x = weight(2);
    input_.smoothness = cpu::kRefineSmoothness;
  }

  /// Enqueues the clustering, which writes to `labels`, and what follows.
  template <class Clustering>
  void enqueue(const Call& call, const Clustering& clustering, const StageColors& colors,
               std::int32_t* labels) const {
    if (!stage_) {
      clustering.enqueue(call, {labels, params_.start_label, nullptr});
      return;
    }
    clustering.enqueue(call, {labels, 0, tags_});
    clustering.enqueue_means(call, means_);
    StageInput input = input_;
    constexpr std::int64_t kSize = sizeof(std::int32_t);
    input.labels = tags_ != nullptr ? static_cast<const void*>(tags_) : labels;
    input.stride_x = kSize;
    input.stride_y = kSize * volume_.width;
    input.stride_z = kSize * volume_.plane();
    input.colors = colors;
    input.label_means = means_;
    stage_->enqueue(call, input, labels);
  }

 private:
  Volume volume_;
  Grid grid_;
  const SlicParams& params_;
  std::uint8_t* tags_ = nullptr;
  double* means_ = nullptr;
  StageInput input_;
  std::optional<ConnectivityStage> stage_;
};

double mean_cell(const cpu::CellGrid& grid) {
  return static_cast<double>(grid.num_pixels()) / static_cast<double>(grid.num_cells());
}

void segment_integers(const ArrayView& image, const cpu::CellGrid& grid,
                      const cpu::IntegerScale& scale, const SlicParams& params,
                      std::int32_t* labels, const Context& context) {
  constexpr int kChannels = 3;
  ArrayView plane = image;  // [H,W,C]
  plane.ndim = 3;
  std::copy(image.shape.begin() + 1, image.shape.begin() + 4, plane.shape.begin());
  std::copy(image.strides.begin() + 1, image.strides.begin() + 4, plane.strides.begin());
  Call call(kOp, context);
  const IntegerImageMaker maker(call, CellTiles(plane_grid(grid)), params,
                                params.enforce_connectivity);
  const IntegerClustering clustering(call, maker, scale, cpu::num_turns(grid), params);
  const Connection connection(call, grid, kChannels, mean_cell(grid), false, params);
  if (!call.begin()) return;
  maker.enqueue(call, plane, scale.quantization);
  StageColors colors;
  colors.kind = StageColors::Kind::kShorts;
  colors.channels = kChannels;
  colors.data = maker.raster();
  colors.unit = 1.0 / (scale.quantization.scale * params.compactness);
  connection.enqueue(call, clustering, colors, labels);
}

void segment_floats(const ArrayView& image, const ArrayView* mask, const cpu::CellGrid& grid,
                    const SlicParams& params, std::int32_t* labels, const Context& context) {
  Call call(kOp, context);
  const FloatVolumeMaker maker(call, image, mask, VolumeGrid(grid), params);
  const FloatVolume& volume = maker.volume();
  const int num_turns = params.slic_zero ? 1 : cpu::num_turns(grid);
  const FloatClustering clustering(call, volume, cpu::step_of(grid), num_turns, params);
  const bool has_mask = mask != nullptr;
  const double mean_size = has_mask ? static_cast<double>(params.seed_grid->num_pixels) /
                                          static_cast<double>(params.seed_grid->num_seeds)
                                    : mean_cell(grid);
  const Connection connection(call, grid, volume.channels, mean_size, has_mask, params);
  if (!call.begin()) return;
  maker.enqueue(call);
  StageColors colors;
  colors.kind = StageColors::Kind::kFloats;
  colors.channels = volume.channels;
  colors.data = volume.features;
  colors.pixel_stride = 1;
  colors.channel_stride = grid.num_pixels();
  colors.most = &volume.stretch->most;
  connection.enqueue(call, clustering, colors, labels);
}

/// Every pixel a label of its own.
void number_pixels(const cpu::Extent& shape, const ArrayView* mask, std::int32_t start_label,
                   std::int32_t* labels, const Context& context) {
  Call call(kOp, context);
  const PixelNumbering numbering(
      call, {static_cast<int>(shape[0]), static_cast<int>(shape[1]), static_cast<int>(shape[2])},
      AnyMask::of(mask));
  if (!call.begin()) return;
  numbering.enqueue(call, start_label, labels);
}

}  // namespace

std::int64_t slic(const ArrayView& image, const ArrayView* mask, std::int32_t* labels,
                  const SlicParams& params, const Context& context) {
  const cpu::Extent shape{image.shape[0], image.shape[1], image.shape[2]};
  const bool has_mask = mask != nullptr;
  const std::int64_t num_pixels =
      has_mask ? params.seed_grid->num_pixels : shape[0] * shape[1] * shape[2];
  if (params.num_segments >= num_pixels) {
    number_pixels(shape, mask, params.start_label, labels, context);
    return num_pixels;
  }
  const cpu::CellGrid grid(
      shape, has_mask ? params.seed_grid->cells
                      : cpu::choose_cells(shape, params.spacing, params.num_segments));
  const bool blur =
      std::any_of(params.sigma.begin(), params.sigma.end(), [](double s) { return s > 0; });
  std::optional<cpu::IntegerScale> scale;
  if (image.dtype == DType::kUInt8 && params.convert_to_lab && shape[0] == 1 && !has_mask &&
      !blur && !params.slic_zero) {
    scale = cpu::integer_scale(grid, params, cpu::step_of(grid));
  }
  if (scale) {
    segment_integers(image, grid, *scale, params, labels, context);
  } else {
    segment_floats(image, mask, grid, params, labels, context);
  }
  if (params.enforce_connectivity) return -1;
  return has_mask ? params.seed_grid->num_seeds : grid.num_cells();
}

}  // namespace superpix::cuda
