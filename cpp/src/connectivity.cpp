// SPDX-License-Identifier: Apache-2.0
#include <superpix/connectivity.h>

#include <limits>
#include <unordered_map>
#include <utility>

#include "cpu/colors.h"
#include "cpu/connectivity.h"
#include "cpu/kernels.h"
#include "cpu/labels.h"
#include "cpu/refine.h"
#include "cuda/connectivity.h"
#include "detail/check.h"
#include "detail/check_device.h"
#include "detail/load.h"
#include "detail/resolve_threads.h"

namespace superpix {
namespace {

constexpr const char* kOp = "enforce_connectivity";
constexpr std::int64_t kMaxPixels = std::numeric_limits<std::int32_t>::max();
constexpr double kMostWeight = 1e30;  // so that float32 holds costs

/// Copies labels of any integer type to int32, in which they need only be equal where they were
/// equal, and negative where they were negative. Labels that int32 cannot hold are numbered.
template <class T>
void copy_labels(const ArrayView& labels, const cpu::Extent& shape, std::int32_t* out) {
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  const auto for_each = [&](auto f) {
    std::int64_t to = 0;
    for (std::int64_t z = 0; z < shape[0]; ++z) {
      for (std::int64_t y = 0; y < shape[1]; ++y) {
        const char* from =
            static_cast<const char*>(labels.data) + y * labels.strides[labels.ndim - 2];
        if (labels.ndim == 3) from += z * labels.strides[0];
        for (std::int64_t x = 0; x < shape[2]; ++x, ++to) {
          T label;
          std::memcpy(&label, from + x * labels.strides[labels.ndim - 1], sizeof label);
          f(to, label);
        }
      }
    }
  };
  bool fits = true;
  for_each([&](std::int64_t to, T label) {
    fits = fits && !std::cmp_greater(label, kMost);
    out[to] = std::cmp_less(label, 0) ? -1 : static_cast<std::int32_t>(label);
  });
  if (fits) return;
  std::unordered_map<T, std::int32_t> number;
  for_each([&](std::int64_t to, T label) {
    const auto next = static_cast<std::int32_t>(number.size());
    out[to] = std::cmp_less(label, 0) ? -1 : number.try_emplace(label, next).first->second;
  });
}

}  // namespace

std::int64_t enforce_connectivity(const ArrayView& labels, const ArrayView* image,
                                  const ArrayView& output, const ConnectivityParams& params,
                                  const Context& context) {
  const bool on_cuda = detail::on_cuda(context, kOp);
  if (!detail::is_integer(labels.dtype)) {
    throw InvalidType(std::string(kOp) + ": labels must be integers, got " + name(labels.dtype));
  }
  detail::check(labels.ndim == 2 || labels.ndim == 3, kOp,
                [&] { return "labels must be [H, W] or [D, H, W], got " + labels.shape_string(); });
  detail::check_data(labels, kOp, "labels");
  detail::check(labels.size() <= kMaxPixels, kOp, "labels must have at most 2^31 - 1 elements");
  detail::check(params.min_size >= 0, kOp, [&] {
    return "min_size must be at least 0, got " + std::to_string(params.min_size);
  });
  detail::check(params.max_size >= 0, kOp, [&] {
    return "max_size must be at least 1, or 0 for no limit, got " + std::to_string(params.max_size);
  });
  detail::check(params.max_segments >= 0, kOp, [&] {
    return "max_segments must be at least 1, or 0 for no limit, got " +
           std::to_string(params.max_segments);
  });
  detail::check(params.refine_iter >= 0, kOp, [&] {
    return "refine_iter must be at least 0, got " + std::to_string(params.refine_iter);
  });
  detail::check(params.refine_iter == 0 || (labels.ndim == 2 && image != nullptr), kOp, [&] {
    return "refine_iter must be 0 for volumes and without an image, got " +
           std::to_string(params.refine_iter);
  });
  for (const auto& [value, name] : {std::pair(params.position_weight, "position_weight"),
                                    std::pair(params.smoothness, "smoothness")}) {
    detail::check(value >= 0 && value <= kMostWeight, kOp, [&, value = value, name = name] {
      return std::string(name) + " must be from 0 to 1e30, got " + std::to_string(value);
    });
  }
  detail::check(params.start_label > std::numeric_limits<std::int32_t>::min() &&
                    params.start_label <= kMaxPixels - labels.size(),
                kOp, [&] {
                  return "start_label must leave room for the labels in int32, got " +
                         std::to_string(params.start_label);
                });
  detail::check_output(output, DType::kInt32, kOp, "output");
  detail::check(output.ndim == labels.ndim && output.shape == labels.shape, kOp, [&] {
    return "output must have the shape of labels, " + labels.shape_string() + ", got " +
           output.shape_string();
  });
  const bool plane = labels.ndim == 2;
  const cpu::Extent shape{plane ? 1 : labels.shape[0], labels.shape[labels.ndim - 2],
                          labels.shape[labels.ndim - 1]};
  if (image != nullptr) {
    detail::check_output(*image, DType::kFloat32, kOp, "image");
    bool matches = image->ndim == labels.ndim + 1;
    for (int axis = 0; matches && axis < labels.ndim; ++axis) {
      matches = image->shape[axis] == labels.shape[axis];
    }
    detail::check(matches, kOp, [&] {
      return "image must have the shape of labels and channels, got " + image->shape_string() +
             " for labels " + labels.shape_string();
    });
  }
  if (on_cuda) return cuda::enforce_connectivity(labels, image, output, params, context);
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return 0;
  if (image != nullptr) {
    float low = 0.0F;
    float high = 0.0F;
    const bool finite = image->size() == 0 ||
                        cpu::kernels().extremes_of_floats(static_cast<const float*>(image->data),
                                                          image->size(), &low, &high);
    detail::check(finite, kOp, "image must be finite");
  }
  if (labels.size() == 0) return 0;

  auto* out = static_cast<std::int32_t*>(output.data);
  detail::dispatch(labels.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      copy_labels<T>(labels, shape, out);
    }
  });
  const cpu::LabelImage map(out, shape);
  if (image == nullptr) {
    return cpu::enforce_connectivity(map, out, nullptr, nullptr, 1.0, params, num_threads).count();
  }
  const cpu::InterleavedColors colors(static_cast<const float*>(image->data), shape,
                                      static_cast<int>(image->shape[labels.ndim]));
  cpu::RegionSums sums =
      cpu::enforce_connectivity(map, out, &colors, nullptr, 1.0, params, num_threads);
  const std::int64_t count = sums.count();
  if (params.refine_iter > 0) {
    cpu::refine(out, shape[1], shape[2], std::move(sums), colors,
                {params.start_label, params.min_size, params.position_weight,
                 params.position_weight, params.smoothness, params.refine_iter},
                num_threads);
  }
  return count;
}

}  // namespace superpix
