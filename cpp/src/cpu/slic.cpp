// SPDX-License-Identifier: Apache-2.0
//
// From an image to labels: which path clusters it, and what is done to the clusters.
#include "cpu/slic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "cpu/colors.h"
#include "cpu/connectivity.h"
#include "cpu/float_volume.h"
#include "cpu/integer_image.h"
#include "cpu/labels.h"
#include "cpu/mask_seeds.h"
#include "cpu/refine.h"
#include "cpu/slic_float.h"
#include "cpu/slic_u8.h"
#include "cpu/smooth.h"
#include "cpu/thread_pool.h"
#include "detail/load.h"

namespace superpix::cpu {
namespace {

/// From an image to connected labels. cluster(out) writes the labels of the clusters to a
/// LabelImage or LabelTags and returns the mean of `colors` of each.
template <class Colors, class Cluster>
std::int64_t segment_connected(std::int32_t* labels, const CellGrid& grid, const Colors& colors,
                               const SlicParams& params, double mean_size, double step,
                               int num_threads, Cluster cluster) {
  const ConnectivityParams c = connectivity_params(params, mean_size);
  const bool refined = is_refined(grid, params);
  const auto connect = [&](const auto& map, const std::vector<double>& means) {
    return enforce_connectivity(map, labels, &colors, means.data(), kMergingKappa, c, num_threads);
  };
  RegionSums sums;
  if (LabelTags::can_name(grid)) {
    const LabelTags tags(grid);
    const std::vector<double> means = cluster(tags);
    if (refined) smooth(tags, num_threads);
    sums = connect(tags, means);
  } else {
    const LabelImage map(labels, grid.shape());
    sums = connect(map, cluster(map));
  }
  const std::int64_t count = sums.count();
  if (refined) {
    const double y = params.spacing[1] / step;
    const double x = params.spacing[2] / step;
    refine(labels, grid.shape()[1], grid.shape()[2], std::move(sums), colors,
           {params.start_label, c.min_size, kRefinePositionWeight * (y * y),
            kRefinePositionWeight * (x * x), kRefineSmoothness, params.refine_iter},
           num_threads);
  }
  return count;
}

/// Every pixel of the mask a label of its own.
std::int64_t label_pixels(const ArrayView* mask, const Extent& shape, std::int32_t start_label,
                          std::int32_t* labels) {
  std::int32_t next = start_label;
  for (std::int64_t z = 0; z < shape[0]; ++z) {
    for (std::int64_t y = 0; y < shape[1]; ++y) {
      const char* row = mask != nullptr ? detail::at(*mask, z, y) : nullptr;
      for (std::int64_t x = 0; x < shape[2]; ++x) {
        const bool inside = row == nullptr || row[x * mask->strides[2]] != 0;
        *labels++ = inside ? next++ : start_label - 1;
      }
    }
  }
  return next - start_label;
}

}  // namespace

double step_of(const CellGrid& grid) {
  double step = 0.0;
  for (int axis = 0; axis < 3; ++axis) {
    step = std::max(
        step, static_cast<double>(grid.shape()[axis]) / static_cast<double>(grid.cells()[axis]));
  }
  return step;
}

ConnectivityParams connectivity_params(const SlicParams& params, double mean_size) {
  const auto pixels = [&](double factor) {
    const double n = factor * mean_size;
    return n < 9e18 ? static_cast<std::int64_t>(n) : std::numeric_limits<std::int64_t>::max();
  };
  ConnectivityParams c;
  c.start_label = params.start_label;
  c.min_size = pixels(params.min_size_factor);
  c.max_size = std::max<std::int64_t>(1, pixels(params.max_size_factor));
  return c;
}

bool is_refined(const CellGrid& grid, const SlicParams& params) {
  return grid.shape()[0] == 1 && !params.slic_zero && params.max_num_iter > 0 &&
         params.refine_iter > 0;
}

std::int64_t slic(const ArrayView& image, const ArrayView* mask, std::int32_t* labels,
                  const SlicParams& params, int num_threads) {
  const Extent shape{image.shape[0], image.shape[1], image.shape[2]};
  std::int64_t num_pixels = shape[0] * shape[1] * shape[2];
  MaskSeeds seeds;
  if (mask != nullptr) {
    seeds = place_mask_seeds(*mask, params.spacing, params.num_segments, "slic");
    num_pixels = seeds.num_pixels;
  } else {
    seeds.cells = choose_cells(shape, params.spacing, params.num_segments);
    seeds.count = seeds.cells[0] * seeds.cells[1] * seeds.cells[2];
  }
  const CellGrid grid(shape, seeds.cells);
  const double step = step_of(grid);
  const double mean_size = static_cast<double>(num_pixels) / static_cast<double>(seeds.count);

  const auto segment = [&](const auto& colors, auto cluster) {
    if (params.enforce_connectivity) {
      return segment_connected(labels, grid, colors, params, mean_size, step, num_threads, cluster);
    }
    cluster(LabelImage(labels, shape));
    const std::int64_t n = shape[0] * shape[1] * shape[2];
    parallel_for(n, 1 << 16, num_threads, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) labels[i] += params.start_label;
    });
    return seeds.count;
  };

  const bool blur =
      std::any_of(params.sigma.begin(), params.sigma.end(), [](double s) { return s > 0; });
  if (image.dtype == DType::kUInt8 && params.convert_to_lab && shape[0] == 1 && mask == nullptr &&
      !blur && !params.slic_zero && params.num_segments < num_pixels) {
    if (const auto scale = integer_scale(grid, params, step)) {
      ArrayView plane = image;  // [H,W,C]
      plane.ndim = 3;
      std::copy(image.shape.begin() + 1, image.shape.begin() + 4, plane.shape.begin());
      std::copy(image.strides.begin() + 1, image.strides.begin() + 4, plane.strides.begin());
      const IntegerImage lab =
          make_integer_image(plane, grid, params.value_range, scale->quantization, num_threads);
      return segment(IntegerColors(lab, params.compactness), [&](const auto& out) {
        return slic_u8(lab, *scale, params, out, num_threads);
      });
    }
  }
  const FloatVolume volume = make_float_volume(image, mask, grid, params, num_threads);
  if (params.num_segments >= num_pixels) {
    return label_pixels(mask, shape, params.start_label, labels);
  }
  const VolumeColors colors(volume);
  return segment(colors, [&](const auto& out) {
    return colors.fixed(slic_float(volume, seeds.has_seed, params, step, out, num_threads));
  });
}

}  // namespace superpix::cpu
