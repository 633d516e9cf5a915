// SPDX-License-Identifier: Apache-2.0
#include "cpu/split.h"

#include <algorithm>
#include <deque>

namespace superpix::cpu {

bool split_components(const Components& components, std::int64_t max_size, std::int32_t* labels) {
  std::vector<std::int32_t> large;
  for (std::int64_t i = 0; i < components.num_pieces(); ++i) {
    if (components.is_root(i) && components.sums[i][RegionSums::kSize] > max_size) {
      large.push_back(static_cast<std::int32_t>(i));
    }
  }
  if (large.empty()) return false;

  const Extent& shape = components.shape;
  const std::int64_t plane = shape[1] * shape[2];
  std::vector<std::int32_t> own_label(static_cast<std::size_t>(components.num_pieces()));
  for (std::size_t i = 0; i < own_label.size(); ++i) {
    own_label[i] = components.sets.root(static_cast<std::int32_t>(i));
  }
  write_components(components, own_label, -1, labels, 1);

  auto next_label = static_cast<std::int32_t>(components.num_pieces());
  std::vector<std::int64_t> flooded;
  for (const std::int32_t old_label : large) {
    const std::int64_t size = components.sums[old_label][RegionSums::kSize];
    const std::int64_t parts = (size + max_size - 1) / max_size;
    const std::int64_t part_size = (size + parts - 1) / parts;
    // What a part leaves over may be in pieces; a pixel next to the part is tried as the next
    // start.
    std::deque<std::int64_t> starts{components.first[old_label]};
    while (!starts.empty()) {
      const std::int64_t start = starts.front();
      starts.pop_front();
      if (labels[start] != old_label) continue;
      flooded.assign(1, start);
      labels[start] = next_label;
      for (std::size_t i = 0; i < flooded.size(); ++i) {
        const std::int64_t p = flooded[i];
        const std::int64_t x = p % shape[2];
        const std::int64_t y = p / shape[2] % shape[1];
        const std::int64_t z = p / plane;
        const auto visit = [&](bool exists, std::int64_t q) {
          if (!exists || labels[q] != old_label) return;
          if (static_cast<std::int64_t>(flooded.size()) < part_size) {
            labels[q] = next_label;
            flooded.push_back(q);
          } else {
            starts.push_back(q);
          }
        };
        visit(z > 0, p - plane);
        visit(y > 0, p - shape[2]);
        visit(x > 0, p - 1);
        visit(x + 1 < shape[2], p + 1);
        visit(y + 1 < shape[1], p + shape[2]);
        visit(z + 1 < shape[0], p + plane);
      }
      ++next_label;
    }
  }
  return true;
}

}  // namespace superpix::cpu
