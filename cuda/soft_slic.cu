// SPDX-License-Identifier: Apache-2.0
//
// Every iteration is two launches: a block associates the pixels of a part of a cell with their
// nine candidates and sums up what they give to each (soft_slic_cell.h); then every superpixel
// gathers that from the parts of its nine cells, in a fixed order, and becomes their mean. Features
// are read once an iteration. Centres of all iterations are kept, for backward.
#include "soft_slic.h"

#include <cstdint>

#include "call.h"
#include "detail/soft_arguments.h"
#include "soft_slic_cell.h"
#include "soft_slic_centers.h"

namespace superpix::cuda {
namespace {

template <class S>
struct AssignArgs {
  using R = ComputeType<S>;

  SoftSlicPlan plan;
  const S* features;
  const R* means;    // [batch][cells][fields], the origins
  const R* centers;  // [batch][cells][fields], of the iteration before
  R scale;           // of squared distances
  R* sums;           // as SoftSlicPlan::sums_size() says
  S* association;    // nullptr but in the last iteration
};

/// From features to associations, in shared memory, and what they add up to.
template <class S, bool kStaged>
struct Associate {
  using R = ComputeType<S>;

  const AssignArgs<S>& args;
  const Part& part;
  const PartMemory& memory;

  template <int N>
  __device__ __forceinline__ void run() const {
    R* shared = shared_memory<R>();
    const PixelOffsets<N> offsets(args.plan, part);
    PixelValues<R, N> values;
#pragma unroll
    for (int j = 0; j < kCandidates; ++j) {
#pragma unroll
      for (int i = 0; i < N; ++i) values.of[j][i] = shared[memory.biases + j];
    }
    add_products<S, kStaged, kScoreRows>(args.plan, part, args.features, memory, offsets, values,
                                         values);
    values.softmax(part);
    if (args.association != nullptr) write(offsets, values);
    if constexpr (!kStaged) put_offsets<R>(memory, offsets);
    values.put(args.plan, part, memory);
  }

  template <int N>
  __device__ __forceinline__ void write(const PixelOffsets<N>& offsets,
                                        const PixelValues<R, N>& values) const {
    const std::int64_t plane = args.plan.grid.num_pixels();
    S* to = args.association + part.image * kCandidates * plane;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      if (static_cast<int>(threadIdx.x) + i * kPartThreads >= part.count) continue;
#pragma unroll
      for (int j = 0; j < kCandidates; ++j) {
        to[j * plane + offsets.of[i]] = narrow<S>(values.of[j][i]);
      }
    }
  }
};

template <class S, bool kStaged>
__global__ void __launch_bounds__(kPartThreads, kPartBlocks<S>) assign_kernel(AssignArgs<S> args) {
  using R = ComputeType<S>;
  const SoftSlicPlan& plan = args.plan;
  const PartMemory memory(plan);
  const Part part(plan);
  R* shared = shared_memory<R>();
  load_scores(plan, part, args.centers, args.means, args.scale * static_cast<R>(kLog2E),
              shared + memory.coefficients, shared + memory.biases);
  __syncthreads();
  with_pixels<most_pixels<R>(kScoreRows)>(part.count, Associate<S, kStaged>{args, part, memory});
  __syncthreads();
  R* sums = sums_of(plan, part, args.sums);
  const R* totals = shared + memory.totals;
  const R* origins = shared + memory.coefficients + kOrigin;
  sum_products<S, kStaged>(plan, part, args.features, memory, [&](int j, int c, R sum, int slice) {
    const R weight = slice == 0 ? total_of(totals, j) : R{0};
    sums[(slice * kCandidates + j) * plan.fields() + c] = sum + weight * origins[c * kScoreRows];
  });
  for (int i = static_cast<int>(threadIdx.x); i < plan.slices * kCandidates; i += kPartThreads) {
    sums[i * plan.fields() + plan.channels] = i < kCandidates ? total_of(totals, i) : R{0};
  }
}

/// Makes a centre the mean of its pixels, or leaves it where it was for want of them.
template <class R>
__global__ void __launch_bounds__(kGatherThreads)
    move_kernel(SoftSlicPlan plan, const R* sums, const R* before, R* centers) {
  const Gather<R> gathered(plan, sums);
  if (!gathered.is_writer) return;
  const std::int64_t i = gathered.center * plan.fields() + gathered.field;
  const R weight = gathered.weight;
  if (gathered.field == plan.channels) {
    centers[i] = weight;
  } else if (weight < static_cast<R>(kLeastSoftWeight)) {
    centers[i] = before[i];
  } else {
    centers[i] = gathered.total * (R{1} / weight);
  }
}

template <class S>
void run(Call& call, const ArrayView& features, const ArrayView* initial_centers,
         const ArrayView* association, const ArrayView& centers, const ArrayView* history,
         const SoftSlicParams& params) {
  using R = ComputeType<S>;
  using detail::pointer;
  const SoftSlicPlan plan =
      soft_slic_plan<R>(features, params, kScoreRows, features.shape[1] + kCandidates);
  const std::int64_t step = plan.centers_size();
  R* sums = call.take<R>(plan.sums_size());
  R* steps = history != nullptr ? pointer<R>(history)
                                : call.take<R>((params.num_iter + std::int64_t{1}) * step);
  CellMeans<S> means(call, plan, initial_centers != nullptr ? nullptr : steps);
  if (!call.begin()) return;
  means.find(call, pointer<S>(&features));
  if (initial_centers != nullptr) {
    copy_from_planes(call, plan, pointer<S>(initial_centers), plan.fields(), steps);
  }
  AssignArgs<S> args{plan,
                     pointer<S>(&features),
                     means.data(),
                     steps,
                     static_cast<R>(1.0 / params.temperature),
                     sums,
                     nullptr};
  const PartMemory memory(plan);
  for (int t = 1; t <= params.num_iter; ++t) {
    args.centers = steps + (t - 1) * step;
    if (t == params.num_iter) args.association = pointer<S>(association);
    call.launch(plan.staged ? assign_kernel<S, true> : assign_kernel<S, false>, plan.num_blocks(),
                kPartThreads, memory.size * sizeof(R), args);
    launch_gather<R>(call, plan, move_kernel<R>, sums, args.centers, steps + t * step);
  }
  copy_to_planes(call, plan, steps + params.num_iter * step, plan.fields(), pointer<S>(&centers));
}

}  // namespace

void soft_slic(const ArrayView& features, const ArrayView* initial_centers,
               const ArrayView* association, const ArrayView& centers, const ArrayView* history,
               const SoftSlicParams& params, const Context& context) {
  Call call("soft_slic", context);
  detail::with_floating(features.dtype, [&](auto type) {
    run<typename decltype(type)::type>(call, features, initial_centers, association, centers,
                                       history, params);
  });
}

}  // namespace superpix::cuda
