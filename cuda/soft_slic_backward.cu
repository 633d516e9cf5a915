// SPDX-License-Identifier: Apache-2.0
//
// With G_i = dL/dS^t_i, h_i = G_i / Z_i and E_pi = dL/dA_pi from outside (t = v only), for each
// pixel
//     u_pi = h_i . (F_p - S^t_i) + E_pi,    b_pi = A_pi (u_pi - sum over j of A_pj u_pj),
//     dL/dF_p += sum over i of A_pi h_i + 2 / temperature * b_pi S^(t-1)_i,
//     dL/dS^(t-1)_i = 2 / temperature * sum over p of b_pi (F_p - S^(t-1)_i).
//
// First the chain of centres, last iteration first, in two launches each: like forward's, with b in
// place of A. Then, with all gradients of centres known, one launch in which each pixel goes
// through all iterations and is written once. Associations are computed anew from the centres that
// forward kept; keeping them would cost more traffic than that.
#include <algorithm>
#include <cstdint>

#include "call.h"
#include "detail/soft_arguments.h"
#include "soft_slic.h"
#include "soft_slic_cell.h"
#include "soft_slic_centers.h"

namespace superpix::cuda {
namespace {

/// One iteration, of which gradients are taken.
template <class S>
struct StepArgs {
  using R = ComputeType<S>;

  const R* before;            // S^(t-1) [batch][cells][fields]
  const R* centers;           // S^t and Z
  const R* gradients;         // G [batch][cells][channels], or nullptr for 0
  const S* grad_association;  // E, or nullptr for 0
};

template <class S>
struct BackwardArgs {
  using R = ComputeType<S>;

  SoftSlicPlan plan;
  const S* features;
  const R* means;  // the origins
  R scale;         // of squared distances
};

/// Prepares what associations and their gradients are made of.
template <class S>
__device__ void load_step(const BackwardArgs<S>& args, const StepArgs<S>& step, const Part& part,
                          const PartMemory& memory) {
  using R = ComputeType<S>;
  const SoftSlicPlan& plan = args.plan;
  R* coefficients = shared_memory<R>() + memory.coefficients;
  R* biases = shared_memory<R>() + memory.biases;
  load_scores(plan, part, step.before, args.means, args.scale * static_cast<R>(kLog2E),
              coefficients, biases);
  const R* origin = args.means + part.center * plan.fields();
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int j = static_cast<int>(threadIdx.x) / kWarp; j < kCandidates; j += kPartWarps) {
    const int candidate = plan.grid.candidate(part.row, part.column, j);
    const bool given = candidate >= 0 && step.gradients != nullptr;
    const std::int64_t k = part.image * plan.grid.num_cells() + max(candidate, 0);
    const R* center = step.centers + k * plan.fields();
    const R weight = center[plan.channels];
    // A centre that kept its place has nothing from its pixels.
    const R inverse = weight < static_cast<R>(kLeastSoftWeight) ? R{0} : R{1} / weight;
    R product = 0;
    for (int c = lane; c < plan.channels; c += kWarp) {
      const R h = given ? step.gradients[k * plan.channels + c] * inverse : R{0};
      product += given ? h * (center[c] - origin[c]) : R{0};
      coefficients[c * kGradientRows + kGradients + j] = h;
    }
    product = sum_of_lanes(product);
    if (lane == 0) biases[kGradients + j] = -product;
  }
}

/// From the features of a thread's pixels to A and b.
template <class S, bool kStages, int N>
__device__ __forceinline__ void differentiate(const BackwardArgs<S>& args, const StepArgs<S>& step,
                                              const Part& part, const PartMemory& memory,
                                              const PixelOffsets<N>& offsets,
                                              PixelValues<ComputeType<S>, N>& a,
                                              PixelValues<ComputeType<S>, N>& b) {
  using R = ComputeType<S>;
  const R* biases = shared_memory<R>() + memory.biases;
  const std::int64_t plane = args.plan.grid.num_pixels();
#pragma unroll
  for (int j = 0; j < kCandidates; ++j) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      a.of[j][i] = biases[j];
      b.of[j][i] = biases[kGradients + j];
      if (step.grad_association != nullptr && part.has(j)) {
        b.of[j][i] +=
            widen(step.grad_association[(part.image * kCandidates + j) * plane + offsets.of[i]]);
      }
    }
  }
  add_products<S, kStages, kGradientRows>(args.plan, part, args.features, memory, offsets, a, b);
  a.softmax(part);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    R mean = 0;
#pragma unroll
    for (int j = 0; j < kCandidates; ++j) mean += part.has(j) ? a.of[j][i] * b.of[j][i] : R{0};
#pragma unroll
    for (int j = 0; j < kCandidates; ++j) {
      b.of[j][i] = part.has(j) ? a.of[j][i] * (b.of[j][i] - mean) : R{0};
    }
  }
}

// --- the chain of centres ------------------------------------------------------------------------

template <class S, bool kStaged>
struct Differentiate {
  using R = ComputeType<S>;

  const BackwardArgs<S>& args;
  const StepArgs<S>& step;
  const Part& part;
  const PartMemory& memory;

  template <int N>
  __device__ __forceinline__ void run() const {
    const PixelOffsets<N> offsets(args.plan, part);
    PixelValues<R, N> a, b;
    differentiate<S, kStaged>(args, step, part, memory, offsets, a, b);
    if constexpr (!kStaged) put_offsets<R>(memory, offsets);
    b.put(args.plan, part, memory);
  }
};

/// What a part of a cell has of dL/dS^(t-1).
template <class S, bool kStaged>
__global__ void __launch_bounds__(kPartThreads, kPartBlocks<S>)
    chain_kernel(BackwardArgs<S> args, StepArgs<S> step, ComputeType<S>* all_sums) {
  using R = ComputeType<S>;
  const SoftSlicPlan& plan = args.plan;
  const PartMemory memory(plan);
  const Part part(plan);
  R* shared = shared_memory<R>();
  load_step(args, step, part, memory);
  __syncthreads();
  with_pixels<most_pixels<ComputeType<S>>(kGradientRows)>(
      part.count, Differentiate<S, kStaged>{args, step, part, memory});
  __syncthreads();
  R* sums = sums_of(plan, part, all_sums);
  const R* totals = shared + memory.totals;
  const R* coefficients = shared + memory.coefficients;
  const R distance = R{1} / (2 * args.scale * static_cast<R>(kLog2E));  // from a coefficient
  sum_products<S, kStaged>(plan, part, args.features, memory, [&](int j, int c, R sum, int slice) {
    const R weight = slice == 0 ? total_of(totals, j) : R{0};
    const R center = coefficients[c * kGradientRows + j] * distance;
    sums[(slice * kCandidates + j) * plan.fields() + c] = 2 * args.scale * (sum - center * weight);
  });
}

/// dL/dS^(t-1): what cells give, and what is handed on by a centre that kept its place.
template <class R>
__global__ void __launch_bounds__(kGatherThreads)
    gather_kernel(SoftSlicPlan plan, const R* sums, const R* centers, const R* gradients,
                  R* gradients_before) {
  const Gather<R> gathered(plan, sums);
  if (!gathered.is_writer || gathered.field == plan.channels) return;
  const std::int64_t i = gathered.center * plan.channels + gathered.field;
  const R weight = centers[gathered.center * plan.fields() + plan.channels];
  const bool kept = gradients != nullptr && weight < static_cast<R>(kLeastSoftWeight);
  gradients_before[i] = gathered.total + (kept ? gradients[i] : R{0});
}

// --- the gradients of features -------------------------------------------------------------------

template <class S>
struct FeatureArgs {
  using R = ComputeType<S>;

  const R* history;           // [iteration][batch][cells][fields]
  const R* gradients;         // G of iterations from first - 1 on
  const R* initial;           // G of the means that centres start as, or nullptr
  const S* grad_association;  // E of the last iteration, or nullptr
  R* sums;                    // [batch][C][H][W], where they fit neither shared memory nor S
  S* out;
  int first, last;          // iterations
  bool last_has_gradients;  // of its centres
};

/// Sums up the gradients of a thread's pixels, in shared memory (kStaged) or in an array of their
/// own. Features are read anew for each iteration: a block's are in the first-level cache then.
template <class S, bool kStaged>
struct Differentiated {
  using R = ComputeType<S>;

  const BackwardArgs<S>& args;
  const FeatureArgs<S>& to;
  const Part& part;
  const PartMemory& memory;

  __device__ StepArgs<S> step(int t) const {
    const SoftSlicPlan& plan = args.plan;
    const std::int64_t cells = plan.batch * plan.grid.num_cells();
    const R* before = to.history + (t - 1) * cells * plan.fields();
    const bool is_last = t == to.last;
    const R* gradients = to.gradients + (t - to.first + 1) * cells * plan.channels;
    return {before, before + cells * plan.fields(),
            is_last && !to.last_has_gradients ? nullptr : gradients,
            is_last ? to.grad_association : nullptr};
  }

  template <int N>
  __device__ __forceinline__ void run() const {
    const SoftSlicPlan& plan = args.plan;
    const PixelOffsets<N> offsets(plan, part);
    const std::int64_t plane = plan.grid.num_pixels();
    const std::int64_t image = part.image * plan.image_size();
    R* const sums = kStaged ? shared_memory<R>() + memory.weights + threadIdx.x : to.sums + image;
    const auto sum = [&](int i, int c) -> R& {
      if constexpr (kStaged) return sums[c * plan.pixels + i * kPartThreads];
      return sums[c * plane + offsets.of[i]];
    };
    const int inside = (part.count - static_cast<int>(threadIdx.x) + kPartThreads - 1) /
                       kPartThreads;  // of the pixels of this thread
    for (int c = 0; c < plan.channels; ++c) {
      const R value = initial(c);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        if (i < inside) sum(i, c) = value;
      }
    }
    for (int t = to.last; t >= to.first; --t) {
      const StepArgs<S> now = step(t);
      __syncthreads();
      load_step(args, now, part, memory);
      __syncthreads();
      PixelValues<R, N> a, b;
      differentiate<S, false>(args, now, part, memory, offsets, a, b);
      add_gradients(a, b, inside, sum);
    }
    for (int c = 0; c < plan.channels; ++c) {
#pragma unroll
      for (int i = 0; i < N; ++i) {
        if (i < inside) {
          to.out[image + c * plane + offsets.of[i]] = narrow<S>(sum(i, c));
        }
      }
    }
  }

  /// What comes through the mean of its cell to each of its pixels.
  __device__ __forceinline__ R initial(int c) const {
    if (to.initial == nullptr) return 0;
    const Grid& grid = args.plan.grid;
    const int height = grid.y.begin(part.row + 1) - part.y;
    return to.initial[part.center * args.plan.channels + c] / static_cast<R>(height * part.width);
  }

  template <int N, class Sum>
  __device__ __forceinline__ void add_gradients(const PixelValues<R, N>& a, PixelValues<R, N>& b,
                                                int inside, const Sum& sum) const {
    const R* coefficients = shared_memory<R>() + memory.coefficients;
    const R ln2 = static_cast<R>(1.0 / kLog2E);
#pragma unroll
    for (int j = 0; j < kCandidates; ++j) {
#pragma unroll
      for (int i = 0; i < N; ++i) b.of[j][i] *= ln2;
    }
#pragma unroll 2
    for (int c = 0; c < args.plan.channels; ++c) {
      R coefficient[kGradientRows];
      load_row<kGradientRows>(coefficients + c * kGradientRows, coefficient);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        R value = 0;
#pragma unroll
        for (int j = 0; j < kCandidates; ++j) {
          value += a.of[j][i] * coefficient[kGradients + j];
          value += b.of[j][i] * coefficient[j];
        }
        if (i < inside) sum(i, c) += value;
      }
    }
  }
};

template <class S, bool kStaged>
__global__ void __launch_bounds__(kPartThreads, kPartBlocks<S>)
    feature_kernel(BackwardArgs<S> args, FeatureArgs<S> to) {
  const PartMemory memory(args.plan);
  const Part part(args.plan);
  with_pixels<most_pixels<ComputeType<S>>(kGradientRows)>(
      part.count, Differentiated<S, kStaged>{args, to, part, memory});
}

/// Elements of shared memory: sums lie where other kernels have weights.
std::size_t feature_memory(const SoftSlicPlan& plan) {
  const PartMemory memory(plan);
  return memory.weights + (plan.staged ? static_cast<std::size_t>(plan.channels) * plan.pixels : 0);
}

/// Where gradients of features are summed up if not in shared memory: where they are written,
/// unless that rounds.
template <class S>
ComputeType<S>* feature_sums_in(Call& call, const ArrayView& grad_features) {
  if constexpr (std::is_same_v<S, ComputeType<S>>) {
    return static_cast<S*>(grad_features.data);
  } else {
    return call.take<ComputeType<S>>(grad_features.size());
  }
}

template <class S>
void run(Call& call, const ArrayView& features, const ArrayView& history,
         const ArrayView* grad_association, const ArrayView* grad_centers,
         const ArrayView& grad_features, const ArrayView* grad_initial,
         const SoftSlicParams& params) {
  using R = ComputeType<S>;
  using detail::pointer;
  const std::int64_t channels = features.shape[1];
  const SoftSlicPlan plan =
      soft_slic_plan<R>(features, params, kGradientRows, channels + kCandidates);
  const SoftSlicPlan feature_plan = soft_slic_plan<R>(features, params, kGradientRows, channels);
  const int last = params.num_iter;
  const int first = params.grad_iter == 0 ? 1 : std::max(1, last - params.grad_iter + 1);
  const std::int64_t cells = plan.batch * plan.grid.num_cells();
  const std::int64_t step = cells * channels;
  const R* steps = pointer<R>(&history);
  R* sums = call.take<R>(plan.sums_size());
  R* gradients = call.take<R>((last - first + std::int64_t{2}) * step);
  R* feature_sums = nullptr;
  if (!feature_plan.staged) {
    feature_sums = feature_sums_in<S>(call, grad_features);
  }
  CellMeans<S> means(call, plan, nullptr);
  if (!call.begin()) return;
  BackwardArgs<S> args{plan, pointer<S>(&features), steps,
                       static_cast<R>(1.0 / params.temperature)};
  if (grad_initial != nullptr) {
    means.find(call, args.features);
    args.means = means.data();
  }
  const auto gradients_of = [&](int t) { return gradients + (t - first + 1) * step; };
  if (grad_centers != nullptr) {
    copy_from_planes(call, plan, pointer<S>(grad_centers), plan.channels, gradients_of(last));
  }
  const std::size_t shared = PartMemory(plan).size * sizeof(R);
  for (int t = last; t >= first; --t) {
    const bool given = t < last || grad_centers != nullptr;
    const R* centers = steps + t * plan.centers_size();
    const StepArgs<S> now{centers - plan.centers_size(), centers, given ? gradients_of(t) : nullptr,
                          t == last ? pointer<S>(grad_association) : nullptr};
    call.launch(plan.staged ? chain_kernel<S, true> : chain_kernel<S, false>, plan.num_blocks(),
                kPartThreads, shared, args, now, sums);
    launch_gather<R>(call, plan, gather_kernel<R>, sums, now.centers, now.gradients,
                     gradients_of(t - 1));
  }
  // Those of the centres that the first iteration started from.
  if (first > 1) call.clear(gradients, step);
  if (grad_initial != nullptr) {
    copy_to_planes(call, plan, gradients, plan.channels, pointer<S>(grad_initial));
  }
  args.plan = feature_plan;
  const FeatureArgs<S> to{steps,
                          gradients,
                          grad_initial != nullptr ? nullptr : gradients,
                          pointer<S>(grad_association),
                          feature_sums,
                          pointer<S>(&grad_features),
                          first,
                          last,
                          grad_centers != nullptr};
  call.launch(feature_plan.staged ? feature_kernel<S, true> : feature_kernel<S, false>,
              feature_plan.num_blocks(), kPartThreads, feature_memory(feature_plan) * sizeof(R),
              args, to);
}

}  // namespace

void soft_slic_backward(const ArrayView& features, const ArrayView& history,
                        const ArrayView* grad_association, const ArrayView* grad_centers,
                        const ArrayView& grad_features, const ArrayView* grad_initial,
                        const SoftSlicParams& params, const Context& context) {
  Call call("soft_slic_backward", context);
  detail::with_floating(features.dtype, [&](auto type) {
    run<typename decltype(type)::type>(call, features, history, grad_association, grad_centers,
                                       grad_features, grad_initial, params);
  });
}

}  // namespace superpix::cuda
