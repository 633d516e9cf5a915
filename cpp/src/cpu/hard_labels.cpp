// SPDX-License-Identifier: Apache-2.0
#include "cpu/hard_labels.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cpu/soft_cells.h"

namespace superpix::cpu {
namespace {

/// The cells of a row, from left to right.
std::vector<LabelSegment> segments_of(const SoftCells& cells, std::int64_t row) {
  std::vector<LabelSegment> segments(static_cast<std::size_t>(cells.columns()));
  for (std::int64_t column = 0; column < cells.columns(); ++column) {
    const std::int64_t cell = row * cells.columns() + column;
    const SoftCandidates candidates(cells.grid, cell);
    LabelSegment& segment = segments[column];
    segment.width = cells.grid.box(cell).side(2);
    segment.count = candidates.count;
    for (int j = 0; j < candidates.count; ++j) {
      segment.slots[j] = candidates.slot[j];
      segment.labels[j] = static_cast<std::int32_t>(candidates.cell[j]);
    }
  }
  return segments;
}

}  // namespace

template <class S, class L>
void hard_labels(std::int64_t batch, std::int64_t height, std::int64_t width, const S* association,
                 L* labels, const HardLabelsParams& params, int num_threads) {
  // With fewer pixels than these, one thread is done before another has begun.
  constexpr std::int64_t kLeastForThreads = 1 << 14;
  const SoftCells cells(batch, height, width, params.rows, params.columns,
                        batch * height * width < kLeastForThreads ? 1 : num_threads);
  const auto label_row = image_kernels<S>().label_row;
  cells.for_rows([&](std::int64_t image, std::int64_t row) {
    const std::vector<LabelSegment> segments = segments_of(cells, row);
    std::vector<std::int32_t> found(static_cast<std::size_t>(width + kBlockPixels));
    const CellGrid::Box box = cells.grid.box(row * cells.columns());
    for (std::int64_t y = box.begin[1]; y < box.end[1]; ++y) {
      label_row(association + (image * kSoftCandidates * height + y) * width, height * width,
                segments.data(), static_cast<int>(segments.size()), found.data());
      std::copy_n(found.data(), width, labels + (image * height + y) * width);
    }
  });
}

#define SUPERPIX_INSTANTIATE(S)                                                                \
  template void hard_labels(std::int64_t, std::int64_t, std::int64_t, const S*, std::int32_t*, \
                            const HardLabelsParams&, int);                                     \
  template void hard_labels(std::int64_t, std::int64_t, std::int64_t, const S*, std::int64_t*, \
                            const HardLabelsParams&, int);
SUPERPIX_INSTANTIATE(float)
SUPERPIX_INSTANTIATE(double)
SUPERPIX_INSTANTIATE(detail::Half)
SUPERPIX_INSTANTIATE(detail::BFloat16)
#undef SUPERPIX_INSTANTIATE

}  // namespace superpix::cpu
