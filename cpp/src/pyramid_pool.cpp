// SPDX-License-Identifier: Apache-2.0
#include <superpix/error.h>
#include <superpix/pyramid_pool.h>

#include <initializer_list>
#include <limits>
#include <string>

#include "cpu/pyramid_pool.h"
#include "cuda/pyramid_pool.h"
#include "detail/check.h"
#include "detail/check_device.h"
#include "detail/resolve_threads.h"
#include "detail/soft_arguments.h"

namespace superpix {
namespace {

using detail::check;

// So that 32 bits are enough for an index.
constexpr std::int64_t kMostPixels = std::numeric_limits<std::int32_t>::max();

std::int64_t count_windows(const char* op, const std::vector<std::int64_t>& bins) {
  constexpr std::int64_t kMostBins = 32768;
  check(!bins.empty(), op, "bins must not be empty");
  std::int64_t windows = 0;
  for (const std::int64_t b : bins) {
    check(b >= 1 && b <= kMostBins, op,
          [&] { return "bins must be from 1 to 32768 each, got " + std::to_string(b); });
    windows += b * b;
    check(windows <= std::numeric_limits<std::int32_t>::max(), op,
          "bins must have fewer than 2^31 windows in all");
  }
  return windows;
}

void check_shape(const ArrayView& view, const char* op, const char* argument,
                 std::initializer_list<std::int64_t> expected) {
  const ArrayView wanted = ArrayView::contiguous(nullptr, view.dtype, expected);
  check(view.ndim == wanted.ndim && view.shape == wanted.shape, op, [&] {
    return std::string(argument) + " must be " + wanted.shape_string() + ", got " +
           view.shape_string();
  });
}

void check_features(const ArrayView& features, const char* op, const char* argument) {
  check(features.ndim == 4, op, [&] {
    return std::string(argument) + " must be [B, C, H, W], got " + features.shape_string();
  });
  check(features.shape[2] >= 1 && features.shape[3] >= 1, op, [&] {
    return std::string(argument) + " must have pixels, got " + features.shape_string();
  });
  check(features.shape[2] <= kMostPixels / features.shape[3], op, [&] {
    return std::string(argument) + " must have at most 2^31 - 1 pixels a plane, got " +
           features.shape_string();
  });
}

void check_floating(const ArrayView& view, const char* op, const char* argument) {
  if (!detail::is_floating(view.dtype)) {
    throw InvalidType(std::string(op) + ": " + argument +
                      " must be float16, bfloat16, float32 or float64, got " + name(view.dtype));
  }
}

/// nullptr passes.
cpu::PyramidIndices check_indices(const ArrayView* indices, const char* op,
                                  std::initializer_list<std::int64_t> shape) {
  if (indices == nullptr) return {nullptr, false};
  const bool is_64_bit = indices->dtype == DType::kInt64;
  if (!is_64_bit && indices->dtype != DType::kInt32) {
    throw InvalidType(std::string(op) + ": indices must be int32 or int64, got " +
                      name(indices->dtype));
  }
  detail::check_output(*indices, indices->dtype, op, "indices");
  check_shape(*indices, op, "indices", shape);
  return {indices->data, is_64_bit};
}

template <class T>
void check_in_plane(const T* indices, std::int64_t n, std::int64_t pixels, const char* op) {
  for (std::int64_t i = 0; i < n; ++i) {
    if (indices[i] >= 0 && indices[i] < pixels) continue;
    throw InvalidArgument(std::string(op) + ": indices must be from 0 to " +
                          std::to_string(pixels - 1) + ", got " + std::to_string(indices[i]));
  }
}

}  // namespace

std::int64_t pyramid_pool_size(const std::vector<std::int64_t>& bins) {
  return count_windows("pyramid_pool", bins);
}

void pyramid_pool(const ArrayView& features, const ArrayView& pooled, const ArrayView* indices,
                  const PyramidPoolParams& params, const Context& context) {
  constexpr const char* kOp = "pyramid_pool";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const std::int64_t windows = count_windows(kOp, params.bins);
  check_floating(features, kOp, "features");
  check_features(features, kOp, "features");
  detail::check_output(features, features.dtype, kOp, "features");
  detail::check_output(pooled, features.dtype, kOp, "pooled");
  const std::int64_t batch = features.shape[0];
  const std::int64_t channels = features.shape[1];
  const std::int64_t height = features.shape[2];
  const std::int64_t width = features.shape[3];
  check_shape(pooled, kOp, "pooled", {batch, channels, windows});
  check(indices == nullptr || params.reduce == PyramidReduce::kMax, kOp,
        "indices must be nullptr for the mean");
  const cpu::PyramidIndices to = check_indices(indices, kOp, {batch, channels, windows});
  if (on_cuda) return cuda::pyramid_pool(features, pooled, indices, params, context);
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  detail::with_floating(features.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    const cpu::PyramidPoolArgs<S> args{batch * channels,
                                       height,
                                       width,
                                       params.bins,
                                       static_cast<const S*>(features.data),
                                       static_cast<S*>(pooled.data),
                                       to};
    if (args.planes == 0) return;
    params.reduce == PyramidReduce::kMean ? cpu::pyramid_mean(args, num_threads)
                                          : cpu::pyramid_max(args, num_threads);
  });
}

void pyramid_pool_backward(const ArrayView& grad_pooled, const ArrayView* indices,
                           const ArrayView& grad_features, const PyramidPoolParams& params,
                           const Context& context) {
  constexpr const char* kOp = "pyramid_pool_backward";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const std::int64_t windows = count_windows(kOp, params.bins);
  check_floating(grad_pooled, kOp, "grad_pooled");
  check_features(grad_features, kOp, "grad_features");
  detail::check_output(grad_pooled, grad_pooled.dtype, kOp, "grad_pooled");
  detail::check_output(grad_features, grad_pooled.dtype, kOp, "grad_features");
  const std::int64_t batch = grad_features.shape[0];
  const std::int64_t channels = grad_features.shape[1];
  const std::int64_t height = grad_features.shape[2];
  const std::int64_t width = grad_features.shape[3];
  check_shape(grad_pooled, kOp, "grad_pooled", {batch, channels, windows});
  const bool is_mean = params.reduce == PyramidReduce::kMean;
  check(is_mean == (indices == nullptr), kOp,
        is_mean ? "indices must be nullptr for the mean" : "indices must be given for the maximum");
  const cpu::PyramidIndices from = check_indices(indices, kOp, {batch, channels, windows});
  if (on_cuda) {
    return cuda::pyramid_pool_backward(grad_pooled, indices, grad_features, params, context);
  }
  if (detail::answers_query(context)) return;
  if (indices != nullptr) {
    const std::int64_t n = indices->size();
    from.is_64_bit
        ? check_in_plane(static_cast<const std::int64_t*>(from.data), n, height * width, kOp)
        : check_in_plane(static_cast<const std::int32_t*>(from.data), n, height * width, kOp);
  }
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  detail::with_floating(grad_pooled.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    const cpu::PyramidPoolGradients<S> args{batch * channels,
                                            height,
                                            width,
                                            params.bins,
                                            static_cast<const S*>(grad_pooled.data),
                                            from,
                                            static_cast<S*>(grad_features.data)};
    if (args.planes == 0) return;
    is_mean ? cpu::pyramid_mean_backward(args, num_threads)
            : cpu::pyramid_max_backward(args, num_threads);
  });
}

}  // namespace superpix
