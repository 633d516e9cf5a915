// SPDX-License-Identifier: Apache-2.0
//
// Two kernels: one finds the least and the greatest byte, and its last block makes of them the
// table of linear light; the other converts, tile by tile of cells, and sums up the cells.
#include "integer_image.h"

#include <cstdint>

#include "cpu/integer_image.h"
#include "divide.h"
#include "lab.h"
#include "shared.h"
#include "vectors.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kBytes = 256;  // values of a byte
static_assert(kThreads == kBytes);

/// Byte value -> linear light, as cpu::linear_light. The double values lie thousands of times
/// further from where float rounds than pow() errs, so that every pow() gives the same table.
__device__ float linear_light(int value, int low, int high) {
  double c = 0.0;
  if (high > low) {
    c = static_cast<double>(value - low) / static_cast<double>(high - low);
    c = c < 0.0 ? 0.0 : (c > 1.0 ? 1.0 : c);
  }
  return static_cast<float>(c <= 0.04045 ? c / 12.92 : pow(__dadd_rn(c, 0.055) / 1.055, 2.4));
}

// --- the range -----------------------------------------------------------------------------------

struct Bytes {
  const std::uint8_t* data;
  std::int64_t stride_y, stride_x, stride_c;
};

// What the blocks agree on, all 0 before.
enum Extreme { kGreatest, kGreatestComplement, kBlocksDone, kExtremes };

struct Range {
  unsigned greatest = 0;
  unsigned complement = 0;  // the greatest 255 - value

  __device__ void include(unsigned value) {
    greatest = max(greatest, value);
    complement = max(complement, 255U - value);
  }
  __device__ void include_word(unsigned word) {
#pragma unroll
    for (int i = 0; i < 4; ++i) include(word >> 8 * i & 255U);
  }
};

/// Values that lie side by side, 16 at a time from the first multiple of 16 on.
__device__ void include_values(const std::uint8_t* values, std::int64_t count, Range& range) {
  const auto address = reinterpret_cast<std::uintptr_t>(values);
  const std::int64_t to_aligned = static_cast<std::int64_t>((0 - address) & 15U);
  const std::int64_t head = to_aligned < count ? to_aligned : count;
  const std::int64_t packs = (count - head) / 16;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < head) range.include(values[thread]);
  const auto* const from = reinterpret_cast<const uint4*>(values + head);
#pragma unroll 4
  for (std::int64_t i = thread; i < packs; i += kThreads) {
    const uint4 pack = from[i];
    range.include_word(pack.x);
    range.include_word(pack.y);
    range.include_word(pack.z);
    range.include_word(pack.w);
  }
  const std::int64_t last = head + 16 * packs + thread;
  if (last < count) range.include(values[last]);
}

/// A block takes one row of `width` pixels, the last one `last_width`.
__global__ void __launch_bounds__(kThreads)
    extremes_kernel(Bytes rgb, std::int64_t width, std::int64_t last_width, unsigned* extremes,
                    float* __restrict__ linear) {
  unsigned* const shared = shared_memory<unsigned>();
  const int thread = static_cast<int>(threadIdx.x);
  Range range;
  const std::uint8_t* const row = rgb.data + blockIdx.x * rgb.stride_y;
  const std::int64_t count = blockIdx.x + 1 == gridDim.x ? last_width : width;
  if (rgb.stride_c == 1 && rgb.stride_x == 3) {
    include_values(row, 3 * count, range);
  } else {
    for (std::int64_t x = thread; x < count; x += kThreads) {
#pragma unroll
      for (int c = 0; c < 3; ++c) range.include(row[x * rgb.stride_x + c * rgb.stride_c]);
    }
  }
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    range.greatest = max(range.greatest, __shfl_xor_sync(~0U, range.greatest, lanes));
    range.complement = max(range.complement, __shfl_xor_sync(~0U, range.complement, lanes));
  }
  if (thread % 32 == 0) {
    shared[thread / 32] = range.greatest;
    shared[kWarps + thread / 32] = range.complement;
  }
  __syncthreads();
  if (thread == 0) {
    for (int warp = 1; warp < kWarps; ++warp) {
      range.greatest = max(range.greatest, shared[warp]);
      range.complement = max(range.complement, shared[kWarps + warp]);
    }
    atomicMax(extremes + kGreatest, range.greatest);
    atomicMax(extremes + kGreatestComplement, range.complement);
    __threadfence();
    shared[2 * kWarps] = atomicAdd(extremes + kBlocksDone, 1U);
  }
  __syncthreads();
  if (shared[2 * kWarps] + 1 != gridDim.x) return;
  // All others have said what they found.
  if (thread == 0) {
    __threadfence();
    shared[0] = 255U - atomicMax(extremes + kGreatestComplement, 0U);
    shared[1] = atomicMax(extremes + kGreatest, 0U);
  }
  __syncthreads();
  linear[thread] = linear_light(thread, static_cast<int>(shared[0]), static_cast<int>(shared[1]));
}

struct LinearTable {
  float light[kBytes];
};

__global__ void __launch_bounds__(kThreads)
    store_table_kernel(LinearTable table, float* __restrict__ linear) {
  linear[threadIdx.x] = table.light[threadIdx.x];
}

// --- the conversion ------------------------------------------------------------------------------

struct Conversion {
  IntegerImage image;
  Bytes rgb;
  const float* linear;
  float scale, chroma_scale;
  Pack<std::int16_t, 4>* raster;  // or nullptr
  int pixels;                     // of a cell of a tile
  long long* sums;
};

constexpr int kConvertThreads = 128;

/// A thread converts a pixel at a time, so that neighbours read and write side by side.
__global__ void __launch_bounds__(kConvertThreads) convert_kernel(Conversion to) {
  CellBox* const boxes = shared_memory<CellBox>();
  auto* const widths = reinterpret_cast<Divisor*>(boxes + CellTiles::kMostCells);
  int* const sums = reinterpret_cast<int*>(widths + CellTiles::kMostCells);  // [cells][3]
  float* const linear = reinterpret_cast<float*>(sums + 3 * CellTiles::kMostCells);
  const CellTiles& tiles = to.image.tiles;
  const CellTile tile = tiles.tile(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < kBytes; i += kConvertThreads) linear[i] = to.linear[i];
  if (thread < tile.cells) {
    boxes[thread] = cell_box(tiles, tile.row, tile.column + thread);
    widths[thread] = Divisor(boxes[thread].width);
  }
  if (thread < 3 * tile.cells) sums[thread] = 0;
  __syncthreads();

  int cell = 0;
  int total[3] = {0, 0, 0};
  const auto give_total = [&] {
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      if (total[c] != 0) atomicAdd(sums + 3 * cell + c, total[c]);
      total[c] = 0;
    }
  };
  for (int i = thread; i < tile.cells * to.pixels; i += kConvertThreads) {
    const int next = tiles.strip == 1 ? 0 : i / to.pixels;
    if (next != cell) give_total();
    cell = next;
    const CellBox box = boxes[cell];
    const unsigned pixel = tile.begin + static_cast<unsigned>(i - cell * to.pixels);
    const std::int64_t at =
        to.image.first(tile.row * tiles.grid.x.cells + tile.column + cell) + pixel;
    if (pixel >= box.size()) {
      if (pixel < tiles.capacity) {  // clustering reads whole fours
        to.image.la[at] = 0;
        to.image.b[at] = 0;
      }
      continue;
    }
    unsigned column = 0;
    const int y = box.y + static_cast<int>(widths[cell].divide(pixel, &column));
    const int x = box.x + static_cast<int>(column);
    const std::uint8_t* const from = to.rgb.data + y * to.rgb.stride_y + x * to.rgb.stride_x;
    const Lab lab = lab_from_linear(linear[from[0]], linear[from[to.rgb.stride_c]],
                                    linear[from[2 * to.rgb.stride_c]]);
    const int values[3] = {__float2int_rn(__fmul_rn(lab.l, to.scale)),
                           __float2int_rn(__fmul_rn(lab.a, to.chroma_scale)),
                           __float2int_rn(__fmul_rn(lab.b, to.chroma_scale))};
    to.image.la[at] = static_cast<int>(static_cast<unsigned>(values[1]) << 16 |
                                       (static_cast<unsigned>(values[0]) & 0xffffU));
    to.image.b[at] = static_cast<std::int16_t>(values[2]);
    if (to.raster != nullptr) {
      to.raster[static_cast<std::int64_t>(y) * tiles.grid.x.length + x] = {
          static_cast<std::int16_t>(values[0]), static_cast<std::int16_t>(values[1]),
          static_cast<std::int16_t>(values[2]), 0};
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) total[c] += values[c];
  }
  if (tile.cells == 1) {  // all threads have the same cell
#pragma unroll
    for (int c = 0; c < 3; ++c) {
#pragma unroll
      for (int lanes = 16; lanes > 0; lanes /= 2) {
        total[c] += __shfl_xor_sync(~0U, total[c], lanes);
      }
      if (thread % 32 != 0) total[c] = 0;
    }
  }
  give_total();
  __syncthreads();
  if (thread < 3 * tile.cells) {
    const int first = tile.row * tiles.grid.x.cells + tile.column;
    long long* const sum = to.sums + 3 * static_cast<std::int64_t>(first) + thread;
    if (tiles.pieces == 1) {
      *sum = sums[thread];
    } else {
      atomicAdd(reinterpret_cast<unsigned long long*>(sum),
                static_cast<unsigned long long>(static_cast<long long>(sums[thread])));
    }
  }
}

}  // namespace

IntegerImageMaker::IntegerImageMaker(Call& call, const CellTiles& tiles, const SlicParams& params,
                                     bool with_raster)
    : params_(params), image_{tiles, nullptr, nullptr} {
  const std::int64_t num_cells = tiles.grid.num_cells();
  image_.la = call.take<std::int32_t>(num_cells * tiles.capacity);
  image_.b = call.take<std::int16_t>(num_cells * tiles.capacity);
  raster_ = with_raster ? call.take<Pack<std::int16_t, 4>>(tiles.grid.num_pixels()) : nullptr;
  sums_ = call.take<long long>(3 * num_cells);
  linear_ = call.take<float>(kBytes);
  extremes_ = call.take<unsigned>(kExtremes);
}

void IntegerImageMaker::enqueue(const Call& call, const ArrayView& rgb,
                                cpu::LabQuantization quantization) const {
  const Bytes bytes{static_cast<const std::uint8_t*>(rgb.data), rgb.strides[0], rgb.strides[1],
                    rgb.strides[2]};
  if (params_.value_range) {
    LinearTable table;
    const auto light = cpu::linear_light(*params_.value_range);
    std::copy(light.begin(), light.end(), table.light);
    call.launch(store_table_kernel, 1, kThreads, 0, table, linear_);
  } else {
    call.clear(extremes_, kExtremes);
    // An image without gaps need not be read row by row.
    constexpr std::int64_t kPixels = 4096;
    const bool is_dense = rgb.is_contiguous();
    const std::int64_t num_pixels = rgb.shape[0] * rgb.shape[1];
    const std::int64_t rows = is_dense ? blocks_for(num_pixels, kPixels) : rgb.shape[0];
    const std::int64_t width = is_dense ? kPixels : rgb.shape[1];
    Bytes values = bytes;
    if (is_dense) values = {bytes.data, 3 * kPixels, 3, 1};
    call.launch(extremes_kernel, rows, kThreads, (2 * kWarps + 1) * sizeof(unsigned), values, width,
                is_dense ? num_pixels - (rows - 1) * width : width, extremes_, linear_);
  }
  const CellTiles& tiles = image_.tiles;
  if (tiles.pieces > 1) call.clear(sums_, 3 * std::int64_t{tiles.grid.num_cells()});
  const std::size_t shared =
      CellTiles::kMostCells * (sizeof(CellBox) + sizeof(Divisor) + 3 * sizeof(int)) +
      kBytes * sizeof(float);
  call.launch(convert_kernel, tiles.num_blocks(), kConvertThreads, shared,
              Conversion{image_, bytes, linear_, quantization.scale, quantization.chroma_scale,
                         raster_, 4 * tiles.fours(1), sums_});
}

}  // namespace superpix::cuda
