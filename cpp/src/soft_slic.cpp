// SPDX-License-Identifier: Apache-2.0
#include <superpix/soft_slic.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cpu/soft_slic.h"
#include "cuda/soft_slic.h"
#include "detail/check.h"
#include "detail/check_device.h"
#include "detail/resolve_threads.h"
#include "detail/soft_arguments.h"

namespace superpix {
namespace {

using detail::check;
using detail::ComputeType;
using detail::pointer;
using detail::SoftArguments;

SoftArguments checked(const char* op, const ArrayView& features, const SoftSlicParams& params) {
  const SoftArguments arguments(op, features, "features", params.rows, params.columns);
  check(params.num_iter >= 1, op,
        [&] { return "num_iter must be at least 1, got " + std::to_string(params.num_iter); });
  check(params.temperature > 0 && std::isfinite(params.temperature), op, [&] {
    return "temperature must be finite and greater than 0, got " +
           std::to_string(params.temperature);
  });
  const bool is_double = features.dtype == DType::kFloat64;
  check(params.temperature >= (is_double ? std::numeric_limits<double>::min()
                                         : double{std::numeric_limits<float>::min()}),
        op, [&] {
          return std::string("temperature must be at least ") +
                 (is_double ? "2.3e-308" : "1.2e-38") + ", as its inverse is used, got less";
        });
  check(params.grad_iter >= 0, op,
        [&] { return "grad_iter must be at least 0, got " + std::to_string(params.grad_iter); });
  return arguments;
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
  const bool on_cuda = detail::on_cuda(context, kOp);
  const SoftArguments arguments = checked(kOp, features, params);
  const std::int64_t batch = features.shape[0];
  const std::int64_t channels = features.shape[1];
  const std::int64_t history_size = soft_slic_history_size(batch, channels, params);
  arguments.centers(initial_centers, "initial_centers", channels);
  arguments.pixels(association, "association", 9);
  arguments.centers(&centers, "centers", channels);
  arguments.elements(history, "history", history_size);
  if (on_cuda) {
    return cuda::soft_slic(features, initial_centers, association, centers, history, params,
                           context);
  }
  if (detail::answers_query(context)) return;
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (features.size() == 0) return;
  detail::with_floating(features.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    using R = ComputeType<S>;
    std::vector<R> own(static_cast<std::size_t>(history == nullptr ? history_size : 0));
    cpu::soft_slic<S>({batch, channels, features.shape[2], features.shape[3], pointer<S>(&features),
                       pointer<S>(initial_centers), pointer<S>(association), pointer<S>(&centers),
                       history == nullptr ? own.data() : pointer<R>(history)},
                      params, num_threads);
  });
}

void soft_slic_backward(const ArrayView& features, const ArrayView& history,
                        const ArrayView* grad_association, const ArrayView* grad_centers,
                        const ArrayView& grad_features, const ArrayView* grad_initial,
                        const SoftSlicParams& params, const Context& context) {
  constexpr const char* kOp = "soft_slic_backward";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const SoftArguments arguments = checked(kOp, features, params);
  const std::int64_t batch = features.shape[0];
  const std::int64_t channels = features.shape[1];
  arguments.elements(&history, "history", soft_slic_history_size(batch, channels, params));
  arguments.pixels(grad_association, "grad_association", 9);
  arguments.centers(grad_centers, "grad_centers", channels);
  arguments.pixels(&grad_features, "grad_features", channels);
  arguments.centers(grad_initial, "grad_initial", channels);
  if (on_cuda) {
    return cuda::soft_slic_backward(features, history, grad_association, grad_centers,
                                    grad_features, grad_initial, params, context);
  }
  if (detail::answers_query(context)) return;
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (features.size() == 0) return;
  detail::with_floating(features.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    cpu::soft_slic_backward<S>(
        {batch, channels, features.shape[2], features.shape[3], pointer<S>(&features),
         pointer<ComputeType<S>>(&history), pointer<S>(grad_association), pointer<S>(grad_centers),
         pointer<S>(&grad_features), pointer<S>(grad_initial)},
        params, num_threads);
  });
}

}  // namespace superpix
