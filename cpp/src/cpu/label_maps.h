// SPDX-License-Identifier: Apache-2.0
//
// Label maps of a batch as the ops on feature maps see them: for each block of cells, the runs of
// equal labels.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cpu/kernels.h"

namespace superpix::cpu {

/// int32 or int64 labels [batch][label_height][label_width] over feature maps [height][width], of
/// which each cell has the pixels (y, x) with y * height / label_height and x * width / label_width
/// rounded down to it.
struct LabelArray {
  const void* data;
  bool is_wide;  // int64
  std::int64_t batch, label_height, label_width;
  std::int64_t height, width;

  std::int64_t labels_per_image() const { return label_height * label_width; }
  std::int64_t cells() const { return height * width; }
  bool has_a_label_per_cell() const { return label_height == height && label_width == width; }
};

/// The first label that is not in [-1, num_segments), if there is one.
std::optional<std::int64_t> find_outside_label(const LabelArray& labels, std::int32_t num_segments,
                                               int num_threads);

class LabelMaps {
 public:
  /// Cells of a block, but for the last of an image.
  static constexpr std::int64_t kBlock = 16 * kPoolTile;

  struct Runs {
    const LabelRun* data;
    std::int64_t count;
  };

  /// Keeps the array. Where resolutions differ, which label meets which cell is found now.
  LabelMaps(const LabelArray& labels, int num_threads);

  const LabelArray& array() const { return array_; }
  std::int64_t num_blocks() const { return (array_.cells() + kBlock - 1) / kBlock; }
  /// Cells of a block.
  std::int64_t size(std::int64_t block) const;

  /// The runs of a block, counted from its first cell; `scratch` has room for kBlock.
  Runs runs(std::int64_t image, std::int64_t block, LabelRun* scratch) const;

  /// The labels of a block, if there is one per cell.
  template <class L>
  const L* labels(std::int64_t image, std::int64_t block) const {
    return static_cast<const L*>(array_.data) + image * array_.cells() + block * kBlock;
  }

 private:
  LabelArray array_;
  std::vector<std::vector<LabelRun>> met_;  // [batch][blocks], unless there is a label per cell
};

}  // namespace superpix::cpu
