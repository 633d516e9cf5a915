// SPDX-License-Identifier: Apache-2.0
//
// What is around the iterations (slic_u8_iteration.h): their memory, moved seeds before them, and
// means after them.
#include "slic_u8.h"

#include <algorithm>
#include <climits>
#include <cstdint>
#include <type_traits>

#include "cpu/turns.h"
#include "slic_u8_iteration.h"
#include "slic_u8_sums.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 128;

/// Cells of up to so many pixels have sums of 32 bits, as all values are of 16.
constexpr std::int64_t kSmallCell = 1 << 16;

/// Moves seeds to the least gradient of the 3 x 3 pixels around them; a thread per cluster.
__global__ void __launch_bounds__(kThreads)
    perturb_kernel(IntegerImage image, const long long* __restrict__ cell_colors, int unit,
                   IntegerCenter* __restrict__ centers, int* __restrict__ changed) {
  const Grid& grid = image.tiles.grid;
  const auto cell = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (cell >= grid.num_cells()) return;
  changed[cell] = INT_MAX;
  const int row = cell / grid.x.cells;
  const int column = cell % grid.x.cells;
  long long totals[kFields];
#pragma unroll
  for (int field = 0; field < kFields; ++field) {
    totals[field] = start_total(image.tiles, cell_colors, unit, row, column, field);
  }
  IntegerCenter center = center_of(totals, unit);

  const auto difference = [&](std::int64_t p, std::int64_t q) {
    const auto square = [](long long d) { return d * d; };
    return square(static_cast<std::int16_t>(image.la[p]) - static_cast<std::int16_t>(image.la[q])) +
           square((image.la[p] >> 16) - (image.la[q] >> 16)) + square(image.b[p] - image.b[q]);
  };
  const int y0 = (center.y + kPositionStep / 2) / kPositionStep;
  const int x0 = (center.x + kPositionStep / 2) / kPositionStep;
  long long least = -1;
  // A pixel at the edge of the image has no gradient to compare.
  for (int y = max(1, y0 - 1); y <= min(grid.y.length - 2, y0 + 1); ++y) {
    for (int x = max(1, x0 - 1); x <= min(grid.x.length - 2, x0 + 1); ++x) {
      const long long gradient = difference(image.place(y, x - 1), image.place(y, x + 1)) +
                                 difference(image.place(y - 1, x), image.place(y + 1, x));
      if (least >= 0 && gradient >= least) continue;
      least = gradient;
      const std::int64_t p = image.place(y, x);
      center = center_at(nearest_multiple(static_cast<std::int16_t>(image.la[p]), 1.0, kColorStep),
                         nearest_multiple(image.la[p] >> 16, 1.0, kColorStep),
                         nearest_multiple(image.b[p], 1.0, kColorStep), y * kPositionStep,
                         x * kPositionStep);
    }
  }
  centers[cell] = center;
}

/// A thread per cluster. `it` is an iteration that is not to be made.
template <class Sum>
__global__ void __launch_bounds__(kThreads)
    mean_kernel(IntegerIteration<Sum> it, double* __restrict__ means) {
  const Grid& grid = it.image.tiles.grid;
  const auto cell = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (cell >= grid.num_cells()) return;
  const int row = cell / grid.x.cells;
  const int column = cell % grid.x.cells;
  const long long count = gather(it, row, column, kCount);
  const double scale = count > 0 ? 1.0 / static_cast<double>(count) : 0.0;
#pragma unroll
  for (int field = kLightness; field <= kB; ++field) {
    means[3 * static_cast<std::int64_t>(cell) + field] =
        static_cast<double>(gather(it, row, column, field)) * scale;
  }
}

template <class Sum>
IntegerIteration<Sum> iteration_of(const IntegerImageMaker& maker, const cpu::IntegerScale& scale,
                                   const IntegerClustering::Memory& memory, int number) {
  const CellTiles& tiles = maker.image().tiles;
  const int num_sums = tiles.pieces == 1 ? 2 : 3;
  const auto sums = [&](int i) { return static_cast<Sum*>(memory.sums[i % num_sums]); };
  // In the order of the CPU: these are rounded.
  const auto weight = [&](double pixel_weight) {
    return static_cast<float>(pixel_weight / (scale.unit * static_cast<double>(kPositionStep)));
  };
  const auto norm = [&](double pixel_weight) {
    const double unit = scale.unit;
    return static_cast<float>(0.5 * unit * unit / pixel_weight) * (1.0F / 16.0F);
  };
  return {
      .image = maker.image(),
      .cell_colors = maker.sums(),
      .codes = memory.codes,
      .sums = sums(number + num_sums - 1),
      .next_sums = sums(number),
      .cleared_sums = tiles.pieces == 1 ? nullptr : sums(number + 1),
      .centers = memory.centers[number % 2],
      .next_centers = memory.centers[(number + 1) % 2],
      .changed = memory.changed,
      .number = number,
      .turn = 0,
      .num_turns = 1,
      .fours = tiles.fours(1),
      .unit = scale.unit,
      .weight_y = weight(scale.weight_y),
      .weight_x = weight(scale.weight_x),
      .norm_y = norm(scale.weight_y),
      .norm_x = norm(scale.weight_x),
      .is_last = false,
      .labels = {},
  };
}

/// Calls f with the type of the sums, as a std::type_identity.
template <class F>
void with_sum(const CellTiles& tiles, F f) {
  if (tiles.capacity <= kSmallCell) {
    f(std::type_identity<int>{});
  } else {
    f(std::type_identity<long long>{});
  }
}

}  // namespace

IntegerClustering::IntegerClustering(Call& call, const IntegerImageMaker& maker,
                                     const cpu::IntegerScale& scale, int num_turns,
                                     const SlicParams& params)
    : maker_(maker), scale_(scale), num_turns_(num_turns), params_(params) {
  const CellTiles& tiles = maker.image().tiles;
  const std::int64_t num_cells = tiles.grid.num_cells();
  memory_.codes = call.take<std::uint8_t>(num_cells * tiles.capacity);
  with_sum(tiles, [&](auto type) {
    using Sum = typename decltype(type)::type;
    for (int i = 0; i < (tiles.pieces == 1 ? 2 : 3); ++i) {
      memory_.sums[i] = call.take<Sum>(num_cells * kCellSums);
    }
  });
  for (IntegerCenter*& centers : memory_.centers) centers = call.take<IntegerCenter>(num_cells);
  if (params.perturb_seeds) memory_.changed = call.take<int>(num_cells);
}

void IntegerClustering::enqueue(const Call& call, const ClusterLabels& labels) const {
  const IntegerImage& image = maker_.image();
  const CellTiles& tiles = image.tiles;
  const std::int64_t num_cells = tiles.grid.num_cells();
  if (params_.perturb_seeds) {
    call.launch(perturb_kernel, blocks_for(num_cells, kThreads), kThreads, 0, image, maker_.sums(),
                scale_.unit, memory_.centers[0], memory_.changed);
  }
  with_sum(tiles, [&](auto type) {
    using Sum = typename decltype(type)::type;
    if (tiles.pieces > 1) call.clear(static_cast<Sum*>(memory_.sums[0]), num_cells * kCellSums);
    // Without iterations, one that assigns no pixels writes the labels.
    const int n = params_.max_num_iter;
    for (int i = 0; i < std::max(n, 1); ++i) {
      auto it = iteration_of<Sum>(maker_, scale_, memory_, i);
      it.num_turns = cpu::is_partial(i, n) ? num_turns_ : 1;
      it.turn = i % it.num_turns;
      it.fours = n > 0 ? tiles.fours(it.num_turns) : 0;
      it.is_last = i + 1 >= n;
      it.labels = labels;
      iterate(call, it);
    }
  });
}

void IntegerClustering::enqueue_means(const Call& call, double* means) const {
  const CellTiles& tiles = maker_.image().tiles;
  with_sum(tiles, [&](auto type) {
    using Sum = typename decltype(type)::type;
    call.launch(mean_kernel<Sum>, blocks_for(tiles.grid.num_cells(), kThreads), kThreads, 0,
                iteration_of<Sum>(maker_, scale_, memory_, std::max(params_.max_num_iter, 1)),
                means);
  });
}

}  // namespace superpix::cuda
