// SPDX-License-Identifier: Apache-2.0
//
// The four ops are made of three: superpixels from pixels (soft_pool_sums.h), pixels from
// superpixels (soft_pool_mix.h), and products of both (soft_pool_gradient.h).
#include "soft_pool.h"

#include <cstdint>

#include "call.h"
#include "detail/soft_arguments.h"
#include "soft_pool_gradient.h"
#include "soft_pool_mix.h"
#include "soft_pool_strips.h"
#include "soft_pool_sums.h"

namespace superpix::cuda {
namespace {

using detail::pointer;

template <class Params>
SoftPoolShape shape_of(const ArrayView& association, const ArrayView& channels,
                       const Params& params) {
  return {association.shape[0],
          static_cast<int>(channels.shape[1]),
          {{static_cast<int>(association.shape[2]), static_cast<int>(params.rows)},
           {static_cast<int>(association.shape[3]), static_cast<int>(params.columns)}}};
}

}  // namespace

void soft_pool(const ArrayView& values, const ArrayView& association, const ArrayView& pooled,
               const ArrayView* weights, const SoftPoolParams& params, const Context& context) {
  const SoftPoolShape shape = shape_of(association, values, params);
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    using R = ComputeType<S>;
    Call call("soft_pool", context);
    R* partials = call.take<R>(num_partial_sums(shape, true));
    if (!call.begin()) return;
    const SumArgs<S> sums{.values = pointer<S>(&values),
                          .association = pointer<S>(&association),
                          .normalize = false,
                          .average = true,
                          .eps = static_cast<R>(params.eps),
                          .sums = pointer<S>(&pooled),
                          .totals = pointer<R>(weights)};
    sum_pixels(call, shape, sums, partials);
  });
}

void soft_pool_backward(const ArrayView& values, const ArrayView& association,
                        const ArrayView& pooled, const ArrayView& weights,
                        const ArrayView& grad_pooled, const ArrayView* grad_values,
                        const ArrayView* grad_association, const SoftPoolParams& params,
                        const Context& context) {
  const SoftPoolShape shape = shape_of(association, values, params);
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    using R = ComputeType<S>;
    Call call("soft_pool_backward", context);
    if (!call.begin()) return;
    if (grad_values != nullptr) {
      const MixArgs<S> mix{.association = pointer<S>(&association),
                           .normalize = false,
                           .centers = pointer<S>(&grad_pooled),
                           .divisors = pointer<R>(&weights),
                           .eps = static_cast<R>(params.eps),
                           .values = pointer<S>(grad_values)};
      mix_centers(call, shape, mix);
    }
    if (grad_association != nullptr) {
      const AssociationGradientArgs<S> gradient{.values = pointer<S>(&values),
                                                .centers = pointer<S>(&grad_pooled),
                                                .pooled = pointer<S>(&pooled),
                                                .divisors = pointer<R>(&weights),
                                                .eps = static_cast<R>(params.eps),
                                                .association = nullptr,
                                                .gradient = pointer<S>(grad_association)};
      association_gradient(call, shape, gradient);
    }
  });
}

void soft_unpool(const ArrayView& centers, const ArrayView& association, const ArrayView& out,
                 const SoftUnpoolParams& params, const Context& context) {
  const SoftPoolShape shape = shape_of(association, centers, params);
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    Call call("soft_unpool", context);
    if (!call.begin()) return;
    const MixArgs<S> mix{.association = pointer<S>(&association),
                         .normalize = params.normalize,
                         .centers = pointer<S>(&centers),
                         .divisors = nullptr,
                         .eps = 0,
                         .values = pointer<S>(&out)};
    mix_centers(call, shape, mix);
  });
}

void soft_unpool_backward(const ArrayView& centers, const ArrayView& association,
                          const ArrayView& grad_out, const ArrayView* grad_centers,
                          const ArrayView* grad_association, const SoftUnpoolParams& params,
                          const Context& context) {
  const SoftPoolShape shape = shape_of(association, centers, params);
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    using R = ComputeType<S>;
    Call call("soft_unpool_backward", context);
    R* partials = call.take<R>(grad_centers != nullptr ? num_partial_sums(shape, false) : 0);
    if (!call.begin()) return;
    if (grad_centers != nullptr) {
      const SumArgs<S> sums{.values = pointer<S>(&grad_out),
                            .association = pointer<S>(&association),
                            .normalize = params.normalize,
                            .average = false,
                            .eps = 0,
                            .sums = pointer<S>(grad_centers),
                            .totals = nullptr};
      sum_pixels(call, shape, sums, partials);
    }
    if (grad_association != nullptr) {
      const AssociationGradientArgs<S> gradient{
          .values = pointer<S>(&grad_out),
          .centers = pointer<S>(&centers),
          .pooled = nullptr,
          .divisors = nullptr,
          .eps = 0,
          .association = params.normalize ? pointer<S>(&association) : nullptr,
          .gradient = pointer<S>(grad_association)};
      association_gradient(call, shape, gradient);
    }
  });
}

}  // namespace superpix::cuda
