// SPDX-License-Identifier: Apache-2.0
#include "cpu/split.h"

#include <algorithm>
#include <deque>

namespace superpix::cpu {

Split split_components(const Components& components, std::int64_t max_size, std::int32_t* labels,
                       int num_threads) {
  const auto is_large = [&](std::int32_t root) {
    return components.sums[root][RegionSums::kSize] > max_size;
  };
  std::vector<std::int32_t> large;
  for (std::int32_t i = 0; i < components.num_pieces(); ++i) {
    if (components.is_root(i) && is_large(i)) large.push_back(i);
  }
  Split split;
  if (large.empty()) return split;

  std::vector<std::int32_t> own_label(static_cast<std::size_t>(components.num_pieces()));
  for (std::size_t i = 0; i < own_label.size(); ++i) {
    own_label[i] = components.sets.root(static_cast<std::int32_t>(i));
  }
  for (const Components::Band& band : components.bands) {
    const auto begin = own_label.begin() + band.first_piece;
    split.bands.push_back(std::any_of(begin, begin + band.num_pieces, is_large) ? 1 : 0);
  }
  const Extent& shape = components.shape;
  for_bands(components, num_threads, [&](std::size_t i) {
    // Floods look at what is around large components, which may be of another band.
    const std::size_t first = shape[0] > 1 || i == 0 ? 0 : i - 1;
    const std::size_t last =
        shape[0] > 1 ? split.bands.size() : std::min(i + 2, split.bands.size());
    const auto begin = split.bands.begin();
    if (std::find(begin + first, begin + last, 1) == begin + last) return;
    write_band(components, components.bands[i], own_label, -1, labels);
  });

  const std::int64_t plane = shape[1] * shape[2];
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
      split.wholes.push_back(old_label);
    }
  }
  return split;
}

}  // namespace superpix::cpu
