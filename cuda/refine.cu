// SPDX-License-Identifier: Apache-2.0
//
// A round of refinement is five launches: means and border bits, then the even and the odd rows,
// each by two kernels. In the first, a block takes a row, whose pixels depend on no other row that
// moves at the time: it lists the border pixels in even columns, visits each by a thread, then
// those in odd columns next to none that moved. All that leave a label are counted; in the second
// kernel, they come back where too few would be left.
//
// Arithmetic is in float32, operation by operation as on the CPU (cpu/refine_kernels.h).
#include "refine.h"

#include <algorithm>

#include "scan.h"
#include "shared.h"

namespace superpix::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRowThreads = 128;
constexpr int kWarp = 32;
constexpr unsigned kAll = ~0U;
constexpr int kWord = 32;   // pixels
constexpr int kChunk = 64;  // words that are listed at a time
constexpr std::uint32_t kEven = 0x55555555U;

/// The first blocks take means, a label each thread, the others border bits, a word each warp; in
/// the first round they also write the labels, which until then nodes have.
template <bool kIsFirst>
__global__ void __launch_bounds__(kThreads)
    prepare_kernel(const Regions r, const RefineScratch s, const FixedColors colors,
                   std::int32_t* labels, std::int32_t outside, std::int64_t max_labels,
                   int label_blocks) {
  if (static_cast<int>(blockIdx.x) < label_blocks) {
    const std::int32_t count = r.counters->num_labels;
    const double unit = colors.unit();
    const std::int32_t channels = r.channels;
    for (std::int64_t k = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; k < count;
         k += static_cast<std::int64_t>(label_blocks) * kThreads) {
      const std::int32_t root = s.roots[k];
      const std::int32_t size = r.nodes[root].size;
      const std::int64_t* sums = r.sums + static_cast<std::int64_t>(root) * r.fields();
      const double scale = __ddiv_rn(1.0, static_cast<double>(size));
      float* to = s.means + k * (channels + 2);
      for (std::int32_t c = 0; c < channels; ++c) {
        to[c] =
            static_cast<float>(__dmul_rn(__dmul_rn(static_cast<double>(sums[2 + c]), scale), unit));
      }
      to[channels] = static_cast<float>(__dmul_rn(static_cast<double>(sums[0]), scale));
      to[channels + 1] = static_cast<float>(__dmul_rn(static_cast<double>(sums[1]), scale));
      // Where min_size is so large that it does not fit, nothing can leave anyway.
      const std::int64_t room = size - r.min_size;
      s.room[k] = static_cast<std::int32_t>(room > -(1 << 30) ? room : -(1 << 30));
      s.gain[k] = 0;
      s.gain[max_labels + k] = 0;
    }
    return;
  }
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const std::int64_t word =
      (static_cast<std::int64_t>(blockIdx.x) - label_blocks) * (kThreads / kWarp) +
      threadIdx.x / kWarp;
  const int width = r.volume.width;
  const std::int64_t words = (width + kWord - 1) / kWord;
  if (word >= words * r.volume.height) return;
  const auto y = static_cast<int>(word / words);
  const int x = static_cast<int>(word % words) * kWord + lane;
  const auto p = static_cast<std::int32_t>(static_cast<std::int64_t>(y) * width + x);
  bool differs = false;
  if (x < width) {
    const std::int32_t* from = kIsFirst ? r.map : labels;
    const std::int32_t own = from[p];
    // Nodes that differ may be of one label.
    const auto label = [&](std::int32_t value) {
      return !kIsFirst ? value : value < 0 ? outside : r.nodes[value].first_y;
    };
    const std::int32_t own_label = label(own);
    const auto differs_from = [&](std::int32_t other) {
      return other != own && (!kIsFirst || label(other) != own_label);
    };
    differs = (y > 0 && differs_from(from[p - width])) ||
              (y + 1 < r.volume.height && differs_from(from[p + width])) ||
              (x > 0 && differs_from(from[p - 1])) || (x + 1 < width && differs_from(from[p + 1]));
    if (kIsFirst) labels[p] = own_label;
  }
  const unsigned bits = __ballot_sync(kAll, differs);
  if (lane == 0) s.borders[word] = bits;
}

/// A pixel and its 8 neighbours, from the north-west on: odd ones are the 4.
struct Patch {
  std::int32_t own;
  std::int32_t around[8];

  /// What lies beyond the image counts as outside.
  __device__ Patch(const std::int32_t* labels, const Volume& v, int y, int x,
                   std::int32_t outside) {
    const std::int32_t* at = labels + static_cast<std::int64_t>(y) * v.width + x;
    const bool above = y > 0;
    const bool below = y + 1 < v.height;
    const bool left = x > 0;
    const bool right = x + 1 < v.width;
    own = *at;
    around[0] = above && left ? at[-v.width - 1] : outside;
    around[1] = above ? at[-v.width] : outside;
    around[2] = above && right ? at[-v.width + 1] : outside;
    around[3] = right ? at[1] : outside;
    around[4] = below && right ? at[v.width + 1] : outside;
    around[5] = below ? at[v.width] : outside;
    around[6] = below && left ? at[v.width - 1] : outside;
    around[7] = left ? at[-1] : outside;
  }

  /// Whether the superpixel hangs together without the pixel: its 4 neighbours of the same label
  /// are one group that is connected through the 8.
  __device__ bool may_leave() const {
    int groups = 0;
#pragma unroll
    for (int i = 1; i < 8; i += 2) {
      const bool ends_group =
          around[i] == own && !(around[(i + 1) % 8] == own && around[(i + 2) % 8] == own);
      groups += ends_group ? 1 : 0;
    }
    return groups == 1;
  }
};

__device__ float cost(const Regions& r, const RefineScratch& s, const FixedColors& colors,
                      const RefineParams& params, const Patch& patch, std::int32_t pixel, int y,
                      int x, std::int32_t label) {
  int same = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) same += patch.around[i] == label ? 1 : 0;
  const std::int32_t channels = r.channels;
  const float* means =
      s.means + static_cast<std::int64_t>(label - params.start_label) * (channels + 2);
  float d = 0.0F;
  if (colors.kind == StageColors::Kind::kShorts) {
    const Pack<std::int16_t, 4> color = colors.shorts(pixel);
    const auto unit = static_cast<float>(colors.short_unit);
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      const float difference =
          __fsub_rn(__fmul_rn(unit, static_cast<float>(color.element[c])), means[c]);
      d = __fadd_rn(d, __fmul_rn(difference, difference));
    }
  } else {
    for (std::int32_t c = 0; c < channels; ++c) {
      const float difference = __fsub_rn(colors.value(pixel, c), means[c]);
      d = __fadd_rn(d, __fmul_rn(difference, difference));
    }
  }
  const float dy = __fsub_rn(static_cast<float>(y), means[channels]);
  const float dx = __fsub_rn(static_cast<float>(x), means[channels + 1]);
  d = __fadd_rn(d, __fmul_rn(params.weight_y, __fmul_rn(dy, dy)));
  d = __fadd_rn(d, __fmul_rn(params.weight_x, __fmul_rn(dx, dx)));
  return __fsub_rn(d, __fmul_rn(params.smoothness, static_cast<float>(same)));
}

struct RowMemory {
  std::int32_t scratch[kBlockScanScratch];
  std::int32_t num_moves;
  std::uint16_t listed[kChunk * kWord / 2];  // columns from the first of the chunk
};

__global__ void __launch_bounds__(kRowThreads)
    move_kernel(const Regions r, const RefineScratch s, const FixedColors colors,
                const RefineParams params, int parity, std::int32_t* labels) {
  auto& m = *shared_memory<RowMemory>();
  const Volume v = r.volume;
  const std::int64_t row = blockIdx.x;
  const auto y = static_cast<int>(2 * row + parity);
  const int words = (v.width + kWord - 1) / kWord;
  const std::int32_t outside = params.start_label - 1;
  const auto thread = static_cast<int>(threadIdx.x);
  std::uint32_t* borders = s.borders + static_cast<std::int64_t>(y) * words;
  int2* moves = s.moves + row * ((v.width + 1) / 2);
  if (thread == 0) m.num_moves = 0;
  for (int column = 0; column < 2; ++column) {
    for (int begin = 0; begin < words; begin += kChunk) {
      const int i = begin + thread;
      std::uint32_t bits = thread < kChunk && i < words ? read_fresh(&borders[i]) : 0;
      bits &= column == 0 ? kEven : ~kEven;
      std::int32_t count = 0;
      std::int32_t at = block_sum_before(__popc(bits), m.scratch, &count);
      for (; bits != 0; bits &= bits - 1) {
        m.listed[at++] =
            static_cast<std::uint16_t>(thread * kWord + __ffs(static_cast<int>(bits)) - 1);
      }
      __syncthreads();
      for (int k = thread; k < count; k += kRowThreads) {
        const int x = begin * kWord + m.listed[k];
        const auto pixel = static_cast<std::int32_t>(static_cast<std::int64_t>(y) * v.width + x);
        const Patch patch(labels, v, y, x, outside);
        if (patch.own == outside || !patch.may_leave()) continue;
        std::int32_t best = patch.own;
        float least = cost(r, s, colors, params, patch, pixel, y, x, patch.own);
#pragma unroll
        for (int n = 1; n < 8; n += 2) {
          const std::int32_t label = patch.around[n];
          bool is_new = label != patch.own && label != outside;
#pragma unroll
          for (int before = 1; before < n; before += 2) {
            is_new = is_new && label != patch.around[before];
          }
          if (!is_new) continue;
          const float c = cost(r, s, colors, params, patch, pixel, y, x, label);
          if (c < least) {
            best = label;
            least = c;
          }
        }
        if (best == patch.own) continue;
        labels[pixel] = best;
        moves[atomicAdd(&m.num_moves, 1)] = make_int2(x, patch.own);
        atomicSub(&s.room[patch.own - params.start_label], 1);
        if (column == 0) {
          // Those beside it stay.
          if (x > 0) atomicAnd(&borders[(x - 1) / kWord], ~(1U << (x - 1) % kWord));
          if (x + 1 < v.width) atomicAnd(&borders[(x + 1) / kWord], ~(1U << (x + 1) % kWord));
        }
      }
      __syncthreads();
    }
  }
  if (thread == 0) s.num_moves[row] = m.num_moves;
}

/// A warp takes a row. `gain_before`: what labels gained in the step before this one, or nullptr.
__global__ void __launch_bounds__(kThreads)
    settle_kernel(const Regions r, const RefineScratch s, const FixedColors colors,
                  std::int32_t start_label, int parity, const std::int32_t* gain_before,
                  std::int32_t* gain, bool is_last, std::int32_t* labels) {
  const std::int64_t row =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
  const std::int64_t y = 2 * row + parity;
  if (y >= r.volume.height) return;
  const std::int32_t count = s.num_moves[row];
  const int2* moves = s.moves + row * ((r.volume.width + 1) / 2);
  const double scale = colors.scale();
  for (auto i = static_cast<std::int32_t>(threadIdx.x % kWarp); i < count; i += kWarp) {
    const int2 move = moves[i];
    const auto pixel = static_cast<std::int32_t>(y * r.volume.width + move.x);
    const std::int32_t from = move.y - start_label;
    const std::int32_t room = s.room[from] + (gain_before != nullptr ? gain_before[from] : 0);
    if (room < 0) {
      labels[pixel] = move.y;
      atomicAdd(&gain[from], 1);
      continue;
    }
    const std::int32_t to = labels[pixel] - start_label;
    atomicAdd(&gain[to], 1);
    if (is_last) continue;
    const auto add = [&](std::int32_t label, int sign) {
      const std::int32_t root = s.roots[label];
      std::int64_t* sums = r.sums + static_cast<std::int64_t>(root) * r.fields();
      atomicAdd(&r.nodes[root].size, sign);
      add_to(sums, sign * y);
      add_to(sums + 1, sign * static_cast<std::int64_t>(move.x));
      for (std::int32_t c = 0; c < r.channels; ++c) {
        add_to(sums + 2 + c, sign * static_cast<std::int64_t>(colors.at(pixel, c, scale)));
      }
    };
    add(from, -1);
    add(to, 1);
  }
}

}  // namespace

std::int64_t RefineScratch::max_labels(const Volume& v, std::int64_t min_size, bool has_outside) {
  const std::int64_t n = v.num_pixels();
  if (has_outside || min_size <= 1) return n;
  return std::max<std::int64_t>(n / min_size, 1);
}

void refine(const Call& call, const Regions& regions, const RefineScratch& scratch,
            const StageColors& colors, const RefineParams& params, std::int64_t max_labels,
            std::int32_t* labels) {
  const Volume& v = regions.volume;
  const FixedColors fixed(colors);
  const auto label_blocks =
      static_cast<int>(std::min<std::int64_t>(blocks_for(max_labels, kThreads), 132));
  const std::int64_t word_blocks = blocks_for(RefineScratch::words(v) * v.height, kThreads / kWarp);
  for (int round = 0; round < params.rounds; ++round) {
    call.launch(round == 0 ? prepare_kernel<true> : prepare_kernel<false>,
                label_blocks + word_blocks, kThreads, 0, regions, scratch, fixed, labels,
                params.start_label - 1, max_labels, label_blocks);
    for (int parity = 0; parity < 2; ++parity) {
      const std::int64_t rows = (v.height + 1 - parity) / 2;
      call.launch(move_kernel, rows, kRowThreads, sizeof(RowMemory), regions, scratch, fixed,
                  params, parity, labels);
      call.launch(settle_kernel, blocks_for(rows, kThreads / kWarp), kThreads, 0, regions, scratch,
                  fixed, params.start_label, parity, parity == 0 ? nullptr : scratch.gain,
                  scratch.gain + parity * max_labels, round + 1 == params.rounds, labels);
    }
  }
}

}  // namespace superpix::cuda
