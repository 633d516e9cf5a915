// SPDX-License-Identifier: Apache-2.0
#include "cpu/soft_pool.h"

#include <superpix/soft_pool.h>

#include <cmath>
#include <string>

#include "cuda/soft_pool.h"
#include "detail/check.h"
#include "detail/check_device.h"
#include "detail/resolve_threads.h"
#include "detail/soft_arguments.h"

namespace superpix {
namespace {

using detail::ComputeType;
using detail::pointer;
using detail::SoftArguments;

/// The shapes of all arguments are given by the association, the grid and the number of channels.
SoftArguments checked(const char* op, const ArrayView& association, std::int64_t rows,
                      std::int64_t columns) {
  const SoftArguments arguments(op, association, "association", rows, columns);
  arguments.pixels(&association, "association", 9);
  return arguments;
}

/// The number of channels of [B,D,...].
std::int64_t channels_of(const ArrayView& view, const char* op, const char* argument, int ndim) {
  detail::check(view.ndim == ndim, op, [&] {
    return std::string(argument) + " must have " + std::to_string(ndim) + " dimensions, got " +
           view.shape_string();
  });
  detail::check(view.shape[1] >= 1 && view.shape[1] <= SoftArguments::kMostChannels, op, [&] {
    return std::string(argument) + " must have from 1 to 65536 channels, got " +
           view.shape_string();
  });
  return view.shape[1];
}

void check_eps(double eps, const char* op) {
  detail::check(eps >= 0 && std::isfinite(eps), op,
                [&] { return "eps must be finite and at least 0, got " + std::to_string(eps); });
}

cpu::SoftPoolShape shape_of(const ArrayView& association, std::int64_t channels, std::int64_t rows,
                            std::int64_t columns) {
  return {association.shape[0], channels, association.shape[2],
          association.shape[3], rows,     columns};
}

}  // namespace

void soft_pool(const ArrayView& values, const ArrayView& association, const ArrayView& pooled,
               const ArrayView* weights, const SoftPoolParams& params, const Context& context) {
  constexpr const char* kOp = "soft_pool";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const SoftArguments arguments = checked(kOp, association, params.rows, params.columns);
  const std::int64_t channels = channels_of(values, kOp, "values", 4);
  arguments.pixels(&values, "values", channels);
  arguments.centers(&pooled, "pooled", channels);
  arguments.weights(weights, "weights");
  check_eps(params.eps, kOp);
  if (on_cuda) return cuda::soft_pool(values, association, pooled, weights, params, context);
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  if (association.size() == 0) return;
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    cpu::soft_pool<S>(shape_of(association, channels, params.rows, params.columns),
                      {pointer<S>(&values), pointer<S>(&association), pointer<S>(&pooled),
                       pointer<ComputeType<S>>(weights)},
                      params.eps, num_threads);
  });
}

void soft_pool_backward(const ArrayView& values, const ArrayView& association,
                        const ArrayView& pooled, const ArrayView& weights,
                        const ArrayView& grad_pooled, const ArrayView* grad_values,
                        const ArrayView* grad_association, const SoftPoolParams& params,
                        const Context& context) {
  constexpr const char* kOp = "soft_pool_backward";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const SoftArguments arguments = checked(kOp, association, params.rows, params.columns);
  const std::int64_t channels = channels_of(values, kOp, "values", 4);
  arguments.pixels(&values, "values", channels);
  arguments.centers(&pooled, "pooled", channels);
  arguments.weights(&weights, "weights");
  arguments.centers(&grad_pooled, "grad_pooled", channels);
  arguments.pixels(grad_values, "grad_values", channels);
  arguments.pixels(grad_association, "grad_association", 9);
  check_eps(params.eps, kOp);
  if (on_cuda) {
    return cuda::soft_pool_backward(values, association, pooled, weights, grad_pooled, grad_values,
                                    grad_association, params, context);
  }
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  if (association.size() == 0) return;
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    cpu::soft_pool_backward<S>(shape_of(association, channels, params.rows, params.columns),
                               {pointer<S>(&values), pointer<S>(&association), pointer<S>(&pooled),
                                pointer<ComputeType<S>>(&weights), pointer<S>(&grad_pooled),
                                pointer<S>(grad_values), pointer<S>(grad_association)},
                               params.eps, num_threads);
  });
}

void soft_unpool(const ArrayView& centers, const ArrayView& association, const ArrayView& out,
                 const SoftUnpoolParams& params, const Context& context) {
  constexpr const char* kOp = "soft_unpool";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const SoftArguments arguments = checked(kOp, association, params.rows, params.columns);
  const std::int64_t channels = channels_of(centers, kOp, "centers", 3);
  arguments.centers(&centers, "centers", channels);
  arguments.pixels(&out, "out", channels);
  if (on_cuda) return cuda::soft_unpool(centers, association, out, params, context);
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  if (association.size() == 0) return;
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    cpu::soft_unpool<S>(shape_of(association, channels, params.rows, params.columns),
                        {pointer<S>(&centers), pointer<S>(&association), pointer<S>(&out)},
                        params.normalize, num_threads);
  });
}

void soft_unpool_backward(const ArrayView& centers, const ArrayView& association,
                          const ArrayView& grad_out, const ArrayView* grad_centers,
                          const ArrayView* grad_association, const SoftUnpoolParams& params,
                          const Context& context) {
  constexpr const char* kOp = "soft_unpool_backward";
  const bool on_cuda = detail::on_cuda(context, kOp);
  const SoftArguments arguments = checked(kOp, association, params.rows, params.columns);
  const std::int64_t channels = channels_of(centers, kOp, "centers", 3);
  arguments.centers(&centers, "centers", channels);
  arguments.pixels(&grad_out, "grad_out", channels);
  arguments.centers(grad_centers, "grad_centers", channels);
  arguments.pixels(grad_association, "grad_association", 9);
  if (on_cuda) {
    return cuda::soft_unpool_backward(centers, association, grad_out, grad_centers,
                                      grad_association, params, context);
  }
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  if (association.size() == 0) return;
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    cpu::soft_unpool_backward<S>(
        shape_of(association, channels, params.rows, params.columns),
        {pointer<S>(&centers), pointer<S>(&association), pointer<S>(&grad_out),
         pointer<S>(grad_centers), pointer<S>(grad_association)},
        params.normalize, num_threads);
  });
}

}  // namespace superpix
