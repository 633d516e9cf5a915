// SPDX-License-Identifier: Apache-2.0
//
// A thread takes as many neighbouring pixels as one access of 16 bytes moves, and goes through the
// nine planes of their associations. Nothing but these and the labels is moved.
#include "hard_labels.h"

#include <cstdint>

#include "call.h"
#include "detail/soft_arguments.h"
#include "element.h"
#include "grid.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;

template <class S, class L, int N>
__global__ void __launch_bounds__(kThreads)
    label_kernel(const S* __restrict__ association, L* __restrict__ labels, Grid grid,
                 std::int64_t batch) {
  const std::int64_t plane = grid.num_pixels();
  const std::int64_t i = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (i >= batch * plane) return;
  const std::int64_t image = i / plane;
  const int pixel = static_cast<int>(i - image * plane);
  const S* from = association + image * kCandidates * plane + pixel;
  Pack<S, N> values[kCandidates];
#pragma unroll
  for (int slot = 0; slot < kCandidates; ++slot) {
    values[slot] = load_pack<N>(from + slot * plane);
  }
  int y = pixel / grid.x.length;
  int x = pixel - y * grid.x.length;
  int row = grid.y.cell_of(y);
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const int column = grid.x.cell_of(x);
    int label = -1;
    ComputeType<S> best = 0;
#pragma unroll
    for (int slot = 0; slot < kCandidates; ++slot) {
      const int candidate = grid.candidate(row, column, slot);
      const ComputeType<S> value = widen(values[slot].element[j]);
      // NaN is the greatest value, and the first of equals stays.
      const bool is_better = value > best || (isnan(value) && !isnan(best));
      if (candidate >= 0 && (label < 0 || is_better)) {
        label = candidate;
        best = value;
      }
    }
    labels[i + j] = label;
    if (++x == grid.x.length && j + 1 < N) {
      x = 0;
      row = grid.y.cell_of(++y);
    }
  }
}

template <class S, class L>
void run(const Call& call, const ArrayView& association, const ArrayView& labels,
         const HardLabelsParams& params) {
  const std::int64_t batch = association.shape[0];
  const Grid grid{{static_cast<int>(association.shape[2]), static_cast<int>(params.rows)},
                  {static_cast<int>(association.shape[3]), static_cast<int>(params.columns)}};
  const auto* from = static_cast<const S*>(association.data);
  auto* to = static_cast<L*>(labels.data);
  with_pack<S>(grid.num_pixels(), {from}, [&](auto n) {
    constexpr int kN = decltype(n)::value;
    call.launch(label_kernel<S, L, kN>, blocks_for(batch * grid.num_pixels(), kThreads * kN),
                kThreads, 0, from, to, grid, batch);
  });
}

}  // namespace

void hard_labels(const ArrayView& association, const ArrayView& labels,
                 const HardLabelsParams& params, const Context& context) {
  Call call("hard_labels", context);
  if (!call.begin()) return;
  detail::with_floating(association.dtype, [&](auto type) {
    using S = typename decltype(type)::type;
    if (labels.dtype == DType::kInt32) {
      run<S, std::int32_t>(call, association, labels, params);
    } else {
      run<S, std::int64_t>(call, association, labels, params);
    }
  });
}

}  // namespace superpix::cuda
