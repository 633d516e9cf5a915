// SPDX-License-Identifier: Apache-2.0
#include "cpu/pool.h"

#include <superpix/pool.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "cuda/pool.h"
#include "detail/check.h"
#include "detail/check_device.h"
#include "detail/resolve_threads.h"
#include "detail/soft_arguments.h"

namespace superpix {
namespace {

using detail::check;

constexpr std::int64_t kMostPixels = std::numeric_limits<std::int32_t>::max();

/// The arguments of an op as the arrays that give sizes: features [B,C,H,W], labels and pooled.
struct Arrays {
  const char* op;
  const char* features_name;
  const ArrayView& features;
  const char* pooled_name;
  const ArrayView& pooled;
  const ArrayView& labels;

  std::int64_t batch() const { return features.shape[0]; }
  std::int64_t channels() const { return features.shape[1]; }
  std::int64_t segments() const { return pooled.shape[2]; }
  std::int64_t cells() const { return features.shape[2] * features.shape[3]; }

  cpu::LabelArray label_array() const {
    return {labels.data,      labels.dtype == DType::kInt64,
            batch(),          labels.shape[1],
            labels.shape[2],  features.shape[2],
            features.shape[3]};
  }
};

/// Whether rows * columns <= kMostPixels, for sizes whose product may overflow.
bool is_image_size(std::int64_t rows, std::int64_t columns) {
  return columns == 0 || rows <= kMostPixels / columns;
}

void check_labels_array(const Arrays& a, bool same_size) {
  const char* op = a.op;
  const ArrayView& labels = a.labels;
  if (labels.dtype != DType::kInt32 && labels.dtype != DType::kInt64) {
    throw InvalidType(std::string(op) + ": labels must be int32 or int64, got " +
                      name(labels.dtype));
  }
  check(labels.ndim == 3, op,
        [&] { return "labels must be [B, H, W], got " + labels.shape_string(); });
  detail::check_output(labels, labels.dtype, op, "labels");
  const std::int64_t height = a.features.shape[2];
  const std::int64_t width = a.features.shape[3];
  const auto found = [&] {
    return ", got " + labels.shape_string() + " for " + a.features_name + " " +
           a.features.shape_string();
  };
  check(labels.shape[0] == a.batch(), op,
        [&] { return "labels must have as many images" + found(); });
  if (same_size) {
    check(labels.shape[1] == height && labels.shape[2] == width, op,
          [&] { return "labels must have the same height and width" + found(); });
  } else {
    check(labels.shape[1] >= height && labels.shape[2] >= width, op,
          [&] { return "labels must be at least as high and wide" + found(); });
  }
  check(is_image_size(labels.shape[1], labels.shape[2]), op,
        "labels must have at most 2^31 - 1 pixels an image");
}

void check_arrays(const Arrays& a, bool same_size) {
  const char* op = a.op;
  if (!detail::is_floating(a.features.dtype)) {
    throw InvalidType(std::string(op) + ": " + std::string(a.features_name) +
                      " must be float16, bfloat16, float32 or float64, got " +
                      name(a.features.dtype));
  }
  check(a.features.ndim == 4, op, [&] {
    return std::string(a.features_name) + " must be [B, C, H, W], got " + a.features.shape_string();
  });
  detail::check_output(a.features, a.features.dtype, op, a.features_name);
  check(a.features.shape[2] >= 1 && a.features.shape[3] >= 1, op, [&] {
    return std::string(a.features_name) + " must have pixels, got " + a.features.shape_string();
  });
  check(is_image_size(a.features.shape[2], a.features.shape[3]), op, [&] {
    return std::string(a.features_name) + " must have at most 2^31 - 1 pixels an image";
  });
  detail::check_output(a.pooled, a.features.dtype, op, a.pooled_name);
  check(a.pooled.ndim == 3 && a.pooled.shape[0] == a.batch() && a.pooled.shape[1] == a.channels(),
        op, [&] {
          return std::string(a.pooled_name) + " must be [" + std::to_string(a.batch()) + ", " +
                 std::to_string(a.channels()) + ", K], got " + a.pooled.shape_string();
        });
  check(a.segments() >= 1 && a.segments() < kMostPixels, op, [&] {
    return std::string(a.pooled_name) + " must have from 1 to 2^31 - 2 segments, got " +
           a.pooled.shape_string();
  });
  check_labels_array(a, same_size);
}

void check_labels(const Arrays& a, int num_threads) {
  const std::optional<std::int64_t> outside = cpu::find_outside_label(
      a.label_array(), static_cast<std::int32_t>(a.segments()), num_threads);
  if (!outside) return;
  throw InvalidArgument(std::string(a.op) + ": labels must be from -1 to " +
                        std::to_string(a.segments() - 1) + ", got " + std::to_string(*outside));
}

/// The array of `saved`, or nullptr.
std::int32_t* check_saved(const Arrays& a, const ArrayView* saved, Reduce reduce) {
  if (saved == nullptr || reduce == Reduce::kSum) return nullptr;
  detail::check_output(*saved, DType::kInt32, a.op, "saved");
  const ArrayView expected = pool_saved_layout(a.batch(), a.channels(), a.segments(), reduce);
  check(saved->ndim == expected.ndim && saved->shape == expected.shape, a.op, [&] {
    return "saved must be " + expected.shape_string() + ", got " + saved->shape_string();
  });
  return static_cast<std::int32_t*>(saved->data);
}

void check_indices(const Arrays& a, const std::int32_t* indices) {
  const auto is_outside = [&](std::int32_t index) { return index < -1 || index >= a.cells(); };
  const std::int32_t* end = indices + a.pooled.size();
  const std::int32_t* outside = std::find_if(indices, end, is_outside);
  if (outside == end) return;
  throw InvalidArgument(std::string(a.op) + ": saved must have indices from -1 to " +
                        std::to_string(a.cells() - 1) + ", got " + std::to_string(*outside));
}

void check_reduce(const char* op, Reduce reduce) {
  check(reduce == Reduce::kSum || reduce == Reduce::kMean || reduce == Reduce::kMax ||
            reduce == Reduce::kMin,
        op, "reduce must be one of Reduce");
}

void pool_checked(const Arrays& a, std::int32_t* saved, Reduce reduce, int num_threads) {
  check_labels(a, num_threads);
  if (a.features.size() == 0) return;
  detail::with_floating(a.features.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    cpu::pool<S>({a.label_array(), a.channels(), a.segments(),
                  static_cast<const S*>(a.features.data), static_cast<S*>(a.pooled.data), saved},
                 reduce, num_threads);
  });
}

void unpool_checked(const Arrays& a, const std::int32_t* counts, int num_threads) {
  check_labels(a, num_threads);
  if (a.features.size() == 0) return;
  detail::with_floating(a.features.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    cpu::unpool<S>({a.label_array(), a.channels(), a.segments(),
                    static_cast<const S*>(a.pooled.data), counts, static_cast<S*>(a.features.data)},
                   num_threads);
  });
}

}  // namespace

ArrayView pool_saved_layout(std::int64_t batch, std::int64_t channels, std::int64_t num_segments,
                            Reduce reduce) {
  check_reduce("pool_saved_layout", reduce);
  switch (reduce) {
    case Reduce::kSum:
      return ArrayView::contiguous(nullptr, DType::kInt32, {0});
    case Reduce::kMean:
      return ArrayView::contiguous(nullptr, DType::kInt32, {batch, num_segments});
    default:
      return ArrayView::contiguous(nullptr, DType::kInt32, {batch, channels, num_segments});
  }
}

void pool(const ArrayView& features, const ArrayView& labels, const ArrayView& pooled,
          const ArrayView* saved, Reduce reduce, const Context& context) {
  constexpr const char* kOp = "pool";
  const bool on_cuda = detail::on_cuda(context, kOp);
  check_reduce(kOp, reduce);
  const Arrays a{kOp, "features", features, "pooled", pooled, labels};
  check_arrays(a, false);
  std::int32_t* saved_data = check_saved(a, saved, reduce);
  if (on_cuda) return cuda::pool(kOp, features, labels, pooled, saved_data, reduce, context);
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  pool_checked(a, saved_data, reduce, num_threads);
}

void pool_backward(const ArrayView& grad_pooled, const ArrayView& labels, const ArrayView* saved,
                   const ArrayView& grad_features, Reduce reduce, const Context& context) {
  constexpr const char* kOp = "pool_backward";
  const bool on_cuda = detail::on_cuda(context, kOp);
  check_reduce(kOp, reduce);
  const Arrays a{kOp, "grad_features", grad_features, "grad_pooled", grad_pooled, labels};
  check_arrays(a, false);
  check(saved != nullptr || reduce == Reduce::kSum, kOp,
        "saved must be given, except for sums, got nullptr");
  const std::int32_t* saved_data = check_saved(a, saved, reduce);
  if (on_cuda) {
    return cuda::unpool(kOp, grad_pooled, labels, saved_data, grad_features, reduce, context);
  }
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  if (reduce == Reduce::kSum || reduce == Reduce::kMean) {
    unpool_checked(a, saved_data, num_threads);
    return;
  }
  check_indices(a, saved_data);
  if (grad_features.size() == 0) return;
  detail::with_floating(grad_features.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    cpu::put_best_gradients<S>(
        {a.batch(), a.channels(), a.segments(), a.cells(), !a.label_array().has_a_label_per_cell(),
         static_cast<const S*>(grad_pooled.data), saved_data, static_cast<S*>(grad_features.data)},
        num_threads);
  });
}

void unpool(const ArrayView& pooled, const ArrayView& labels, const ArrayView& out,
            const Context& context) {
  constexpr const char* kOp = "unpool";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const Arrays a{kOp, "out", out, "pooled", pooled, labels};
  check_arrays(a, true);
  if (on_cuda) return cuda::unpool(kOp, pooled, labels, nullptr, out, Reduce::kSum, context);
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  unpool_checked(a, nullptr, num_threads);
}

void unpool_backward(const ArrayView& grad_out, const ArrayView& labels,
                     const ArrayView& grad_pooled, const Context& context) {
  constexpr const char* kOp = "unpool_backward";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const Arrays a{kOp, "grad_out", grad_out, "grad_pooled", grad_pooled, labels};
  check_arrays(a, true);
  if (on_cuda) {
    return cuda::pool(kOp, grad_out, labels, grad_pooled, nullptr, Reduce::kSum, context);
  }
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  pool_checked(a, nullptr, Reduce::kSum, num_threads);
}

}  // namespace superpix
