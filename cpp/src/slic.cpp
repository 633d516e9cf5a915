// SPDX-License-Identifier: Apache-2.0
#include <superpix/slic.h>

#include <cmath>
#include <limits>
#include <string>

#include "cpu/mask_seeds.h"
#include "cpu/slic.h"
#include "cuda/slic.h"
#include "detail/check.h"
#include "detail/check_device.h"
#include "detail/resolve_threads.h"

namespace superpix {
namespace {

constexpr const char* kOp = "slic";

/// Adds an axis of size 1 in front, so that planes are volumes.
ArrayView as_volume(const ArrayView& view) {
  ArrayView volume = view;
  ++volume.ndim;
  volume.shape[0] = 1;
  volume.strides[0] = 0;
  for (int axis = 0; axis < view.ndim; ++axis) {
    volume.shape[axis + 1] = view.shape[axis];
    volume.strides[axis + 1] = view.strides[axis];
  }
  return volume;
}

void check_params(const SlicParams& p, const char* op) {
  using detail::check;
  const auto number = [](double x) { return std::to_string(x); };
  check(p.num_segments >= 1, op,
        [&] { return "num_segments must be at least 1, got " + std::to_string(p.num_segments); });
  check(p.compactness > 0 && std::isfinite(p.compactness), op, [&] {
    return "compactness must be finite and greater than 0, got " + number(p.compactness);
  });
  check(p.max_num_iter >= 0, op,
        [&] { return "max_num_iter must be at least 0, got " + std::to_string(p.max_num_iter); });
  for (int axis = 0; axis < 3; ++axis) {
    check(p.sigma[axis] >= 0 && std::isfinite(p.sigma[axis]), op,
          [&] { return "sigma must be finite and at least 0, got " + number(p.sigma[axis]); });
    check(p.spacing[axis] > 0 && std::isfinite(p.spacing[axis]), op, [&] {
      return "spacing must be finite and greater than 0, got " + number(p.spacing[axis]);
    });
    // Their products and squares are to be finite, too.
    check(p.spacing[axis] >= 1e-30 && p.spacing[axis] <= 1e30, op,
          "spacing must be between 1e-30 and 1e30");
  }
  check(p.min_size_factor >= 0, op,
        [&] { return "min_size_factor must be at least 0, got " + number(p.min_size_factor); });
  check(p.max_size_factor > 0, op,
        [&] { return "max_size_factor must be greater than 0, got " + number(p.max_size_factor); });
  check(p.start_label == 0 || p.start_label == 1, op,
        [&] { return "start_label should be 0 or 1, got " + std::to_string(p.start_label); });
  check(p.refine_iter >= 0, op,
        [&] { return "refine_iter must be at least 0, got " + std::to_string(p.refine_iter); });
  if (p.value_range) {
    const double low = p.value_range->first;
    const double high = p.value_range->second;
    check(low < high && std::isfinite(low) && std::isfinite(high), op, [&] {
      return "value_range must be finite and ascending, got (" + number(low) + ", " + number(high) +
             ")";
    });
  }
}

void check_mask(const ArrayView& mask, const char* op) {
  if (mask.dtype != DType::kBool) {
    throw InvalidType(std::string(op) + ": mask must be bool, got " + name(mask.dtype));
  }
  detail::check_data(mask, op, "mask");
}

void check_seed_grid(const std::optional<SeedGrid>& grid, const ArrayView& mask) {
  using detail::check;
  check(grid.has_value(), kOp,
        "a mask on CUDA needs params.seed_grid, which choose_seed_grid() finds on the CPU");
  std::int64_t num_cells = 1;
  bool fits = true;
  for (int axis = 0; axis < 3; ++axis) {
    fits = fits && grid->cells[axis] >= 1 && grid->cells[axis] <= mask.shape[axis];
    num_cells *= fits ? grid->cells[axis] : 1;
  }
  check(fits && grid->num_seeds >= 1 && grid->num_seeds <= num_cells && grid->num_pixels >= 1 &&
            grid->num_pixels <= mask.size(),
        kOp, "params.seed_grid must be what choose_seed_grid() gives for the mask");
}

}  // namespace

std::int64_t slic(const ArrayView& image, const ArrayView* mask, const ArrayView& labels,
                  const SlicParams& params, const Context& context) {
  using detail::check;
  const bool on_cuda = detail::on_cuda(context, kOp);
  check(image.ndim == 3 || image.ndim == 4, kOp,
        [&] { return "image must be [H, W, C] or [D, H, W, C], got " + image.shape_string(); });
  detail::check_data(image, kOp, "image");
  check(image.size() > 0, kOp,
        [&] { return "image must not be empty, got " + image.shape_string(); });
  const int dims = image.ndim - 1;
  const auto same_shape = [&](const ArrayView& other) {
    bool same = other.ndim == dims;
    for (int axis = 0; same && axis < dims; ++axis) same = other.shape[axis] == image.shape[axis];
    return same;
  };
  const std::int64_t channels = image.shape[dims];
  const std::int64_t pixels = image.size() / channels;
  check(pixels <= std::numeric_limits<std::int32_t>::max(), kOp,
        "image must have at most 2^31 - 1 pixels, as many as there are labels");
  check(channels <= 65536, kOp,
        [&] { return "image must have at most 65536 channels, got " + std::to_string(channels); });
  check(!params.convert_to_lab || channels == 3, kOp, [&] {
    return "convert_to_lab must be false unless image is RGB, got " + std::to_string(channels) +
           " channels";
  });
  check_params(params, kOp);
  if (mask != nullptr) {
    check_mask(*mask, kOp);
    check(same_shape(*mask), kOp, [&] {
      return "image and mask should have the same shape, got " + image.shape_string() + " and " +
             mask->shape_string();
    });
  }
  detail::check_output(labels, DType::kInt32, kOp, "labels");
  check(same_shape(labels), kOp, [&] {
    return "labels must have the shape of image without channels, got " + labels.shape_string();
  });

  const bool plane = dims == 2;
  const ArrayView volume = plane ? as_volume(image) : image;
  const ArrayView mask_volume = mask == nullptr ? ArrayView{} : plane ? as_volume(*mask) : *mask;
  const ArrayView* const inside = mask != nullptr ? &mask_volume : nullptr;
  auto* const to = static_cast<std::int32_t*>(labels.data);
  if (on_cuda) {
    if (inside != nullptr) check_seed_grid(params.seed_grid, *inside);
    return cuda::slic(volume, inside, to, params, context);
  }
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return 0;
  return cpu::slic(volume, inside, to, params, num_threads);
}

SeedGrid choose_seed_grid(const ArrayView& mask, const SlicParams& params) {
  using detail::check;
  constexpr const char* op = "choose_seed_grid";
  check_mask(mask, op);
  check(mask.ndim == 2 || mask.ndim == 3, op,
        [&] { return "mask must be [H, W] or [D, H, W], got " + mask.shape_string(); });
  check(mask.size() <= std::numeric_limits<std::int32_t>::max(), op,
        "mask must have at most 2^31 - 1 pixels, as many as there are labels");
  check_params(params, op);
  const cpu::MaskSeeds seeds = cpu::place_mask_seeds(mask.ndim == 2 ? as_volume(mask) : mask,
                                                     params.spacing, params.num_segments, op);
  return {seeds.cells, seeds.count, seeds.num_pixels};
}

}  // namespace superpix
