// SPDX-License-Identifier: Apache-2.0
#include "cpu/split.h"

#include <algorithm>
#include <deque>

namespace superpix::cpu {

bool split_components(const Components& components, std::int64_t max_size, std::int32_t* labels) {
  const bool any = std::any_of(components.sums.size.begin(), components.sums.size.end(),
                               [&](std::int64_t size) { return size > max_size; });
  if (!any) return false;

  const Extent& shape = components.shape;
  const std::int64_t plane = shape[1] * shape[2];
  std::vector<std::int32_t> own_label(static_cast<std::size_t>(components.count));
  for (std::int64_t c = 0; c < components.count; ++c) own_label[c] = static_cast<std::int32_t>(c);
  write_components(components, own_label, -1, labels, 1);

  auto next_label = static_cast<std::int32_t>(components.count);
  std::vector<std::int64_t> flooded;
  for (std::int64_t c = 0; c < components.count; ++c) {
    const std::int64_t size = components.sums.size[c];
    if (size <= max_size) continue;
    const std::int64_t parts = (size + max_size - 1) / max_size;
    const std::int64_t part_size = (size + parts - 1) / parts;
    const auto old_label = static_cast<std::int32_t>(c);
    // What a part leaves over may be in pieces; a pixel next to the part is tried as the next
    // start.
    std::deque<std::int64_t> starts{components.first[c]};
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
