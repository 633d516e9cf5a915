// SPDX-License-Identifier: Apache-2.0
#include <superpix/soft_slic.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "cpu/soft_slic.h"
#include "detail/check.h"
#include "detail/resolve_threads.h"

namespace superpix {
namespace {

using detail::check;

/// The arguments of an op by their shapes, which are all given by the features and the grid.
class Checker {
 public:
  Checker(const char* op, const ArrayView& features, const SoftSlicParams& params)
      : op_(op), features_(features), num_cells_(params.rows * params.columns) {
    if (features.dtype != DType::kFloat32 && features.dtype != DType::kFloat64) {
      throw InvalidType(std::string(op) + ": features must be float32 or float64, got " +
                        name(features.dtype));
    }
    check(features.ndim == 4, op, "features must be [B, C, H, W], got " + features.shape_string());
    detail::check_output(features, features.dtype, op, "features");
    check(features.shape[1] >= 1, op,
          "features must have channels, got " + features.shape_string());
    check(features.shape[1] <= 65536, op, "features must have at most 65536 channels");
    const std::int64_t pixels = features.shape[2] * features.shape[3];
    check(pixels <= std::numeric_limits<std::int32_t>::max(), op,
          "features must have at most 2^31 - 1 pixels an image");
    check(params.rows >= 1 && params.rows <= features.shape[2] && params.columns >= 1 &&
              params.columns <= features.shape[3],
          op,
          "the grid must have from 1 to H rows and from 1 to W columns, got " +
              std::to_string(params.rows) + " x " + std::to_string(params.columns) + " for " +
              features.shape_string());
    check(params.num_iter >= 1, op,
          "num_iter must be at least 1, got " + std::to_string(params.num_iter));
    check(
        params.temperature > 0 && std::isfinite(params.temperature), op,
        "temperature must be finite and greater than 0, got " + std::to_string(params.temperature));
    check(params.grad_iter >= 0, op,
          "grad_iter must be at least 0, got " + std::to_string(params.grad_iter));
  }

  void pixels(const ArrayView* view, const char* argument, std::int64_t channels) const {
    shape(view, argument, {features_.shape[0], channels, features_.shape[2], features_.shape[3]});
  }
  void centers(const ArrayView* view, const char* argument) const {
    shape(view, argument, {features_.shape[0], features_.shape[1], num_cells_});
  }
  void history(const ArrayView* view, std::int64_t size) const {
    if (view == nullptr) return;
    detail::check_output(*view, features_.dtype, op_, "history");
    check(view->size() == size, op_,
          "history must have " + std::to_string(size) + " elements, got " +
              std::to_string(view->size()));
  }

 private:
  void shape(const ArrayView* view, const char* argument,
             std::initializer_list<std::int64_t> expected) const {
    if (view == nullptr) return;
    detail::check_output(*view, features_.dtype, op_, argument);
    const ArrayView wanted = ArrayView::contiguous(nullptr, features_.dtype, expected);
    check(view->ndim == wanted.ndim && view->shape == wanted.shape, op_,
          std::string(argument) + " must be " + wanted.shape_string() + ", got " +
              view->shape_string());
  }

  const char* op_;
  const ArrayView& features_;
  std::int64_t num_cells_;
};

template <class R>
R* pointer(const ArrayView* view) {
  return view != nullptr ? static_cast<R*>(view->data) : nullptr;
}

template <class F>
void with_precision(DType dtype, F f) {
  if (dtype == DType::kFloat32) {
    f(float{});
  } else {
    f(double{});
  }
}

}  // namespace

std::int64_t soft_slic_history_size(std::int64_t batch, std::int64_t channels,
                                    const SoftSlicParams& params) {
  return (params.num_iter + std::int64_t{1}) * batch * params.rows * params.columns *
         (channels + 1);
}

void soft_slic(const ArrayView& features, const ArrayView* initial_centers,
               const ArrayView* association, const ArrayView& centers, const ArrayView* history,
               const SoftSlicParams& params, const Context& context) {
  constexpr const char* kOp = "soft_slic";
  detail::check_cpu(context, kOp);
  const Checker checker(kOp, features, params);
  const std::int64_t batch = features.shape[0];
  const std::int64_t channels = features.shape[1];
  const std::int64_t history_size = soft_slic_history_size(batch, channels, params);
  checker.centers(initial_centers, "initial_centers");
  checker.pixels(association, "association", 9);
  checker.centers(&centers, "centers");
  checker.history(history, history_size);
  const int num_threads = detail::resolve_threads(context.num_threads);
  if (features.size() == 0) return;
  with_precision(features.dtype, [&](auto zero) {
    using R = decltype(zero);
    std::vector<R> own(static_cast<std::size_t>(history == nullptr ? history_size : 0));
    cpu::soft_slic<R>({batch, channels, features.shape[2], features.shape[3], pointer<R>(&features),
                       pointer<R>(initial_centers), pointer<R>(association), pointer<R>(&centers),
                       history == nullptr ? own.data() : pointer<R>(history)},
                      params, num_threads);
  });
}

void soft_slic_backward(const ArrayView& features, const ArrayView& history,
                        const ArrayView* grad_association, const ArrayView* grad_centers,
                        const ArrayView& grad_features, const ArrayView* grad_initial,
                        const SoftSlicParams& params, const Context& context) {
  constexpr const char* kOp = "soft_slic_backward";
  detail::check_cpu(context, kOp);
  const Checker checker(kOp, features, params);
  const std::int64_t batch = features.shape[0];
  const std::int64_t channels = features.shape[1];
  checker.history(&history, soft_slic_history_size(batch, channels, params));
  checker.pixels(grad_association, "grad_association", 9);
  checker.centers(grad_centers, "grad_centers");
  checker.pixels(&grad_features, "grad_features", channels);
  checker.centers(grad_initial, "grad_initial");
  const int num_threads = detail::resolve_threads(context.num_threads);
  if (features.size() == 0) return;
  with_precision(features.dtype, [&](auto zero) {
    using R = decltype(zero);
    cpu::soft_slic_backward<R>(
        {batch, channels, features.shape[2], features.shape[3], pointer<R>(&features),
         pointer<R>(&history), pointer<R>(grad_association), pointer<R>(grad_centers),
         pointer<R>(&grad_features), pointer<R>(grad_initial)},
        params, num_threads);
  });
}

}  // namespace superpix
