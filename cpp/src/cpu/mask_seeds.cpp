// SPDX-License-Identifier: Apache-2.0
#include "cpu/mask_seeds.h"

#include <algorithm>
#include <cstdlib>

#include "detail/check.h"
#include "detail/load.h"

namespace superpix::cpu {
namespace {

/// How many true pixels a box holds, from one table of sums. Unsigned arithmetic wraps around, so
/// that differences are right up to 2^32 pixels in a box.
class BoxCounts {
 public:
  explicit BoxCounts(const ArrayView& mask)
      : row_(mask.shape[2] + 1),
        plane_(row_ * (mask.shape[1] + 1)),
        sums_(static_cast<std::size_t>(plane_ * (mask.shape[0] + 1)), 0) {
    for (std::int64_t z = 0; z < mask.shape[0]; ++z) {
      for (std::int64_t y = 0; y < mask.shape[1]; ++y) {
        const char* from = detail::at(mask, z, y);
        std::uint32_t in_row = 0;
        for (std::int64_t x = 0; x < mask.shape[2]; ++x) {
          in_row += from[x * mask.strides[2]] != 0 ? 1U : 0U;
          at(z + 1, y + 1, x + 1) =
              in_row + at(z + 1, y, x + 1) + at(z, y + 1, x + 1) - at(z, y, x + 1);
        }
      }
    }
  }

  std::int64_t count(const Extent& begin, const Extent& end) const {
    const auto face = [&](std::int64_t z) {
      return get(z, end[1], end[2]) - get(z, begin[1], end[2]) - get(z, end[1], begin[2]) +
             get(z, begin[1], begin[2]);
    };
    return static_cast<std::int64_t>(face(end[0]) - face(begin[0]));
  }

 private:
  std::uint32_t& at(std::int64_t z, std::int64_t y, std::int64_t x) {
    return sums_[z * plane_ + y * row_ + x];
  }
  std::uint32_t get(std::int64_t z, std::int64_t y, std::int64_t x) const {
    return sums_[z * plane_ + y * row_ + x];
  }

  std::int64_t row_;
  std::int64_t plane_;
  std::vector<std::uint32_t> sums_;
};

MaskSeeds seeds_on(const CellGrid& grid, const BoxCounts& counts) {
  MaskSeeds seeds;
  seeds.cells = grid.cells();
  seeds.has_seed.resize(static_cast<std::size_t>(grid.num_cells()));
  std::vector<std::uint8_t> touched(seeds.has_seed.size());
  for (std::int64_t cell = 0; cell < grid.num_cells(); ++cell) {
    const CellGrid::Box box = grid.box(cell);
    const std::int64_t covered = counts.count(box.begin, box.end);
    touched[cell] = covered > 0 ? 1 : 0;
    seeds.has_seed[cell] = 2 * covered >= box.size() ? 1 : 0;
  }
  for (int turn = 0; turn < 8; ++turn) {
    for (std::int64_t z = turn / 4; z < seeds.cells[0]; z += 2) {
      for (std::int64_t y = turn / 2 % 2; y < seeds.cells[1]; y += 2) {
        for (std::int64_t x = turn % 2; x < seeds.cells[2]; x += 2) {
          const std::int64_t cell = (z * seeds.cells[1] + y) * seeds.cells[2] + x;
          if (touched[cell] == 0 || seeds.has_seed[cell] != 0) continue;
          bool served = false;
          grid.for_each_neighbor(cell,
                                 [&](std::int64_t k, int) { served |= seeds.has_seed[k] != 0; });
          seeds.has_seed[cell] = served ? 0 : 1;
        }
      }
    }
  }
  seeds.count = std::count(seeds.has_seed.begin(), seeds.has_seed.end(), std::uint8_t{1});
  return seeds;
}

}  // namespace

MaskSeeds place_mask_seeds(const ArrayView& mask, const std::array<double, 3>& spacing,
                           std::int64_t num_segments, const char* op) {
  const Extent shape{mask.shape[0], mask.shape[1], mask.shape[2]};
  const BoxCounts counts(mask);
  const std::int64_t inside = counts.count({0, 0, 0}, shape);
  detail::check(inside > 0, op, "mask must be true somewhere, but it is false everywhere");

  // Cells in the mask grow with cells in all, so this settles quickly; the nearest found is kept.
  const auto num_pixels = static_cast<double>(shape[0] * shape[1] * shape[2]);
  const auto wanted = static_cast<double>(num_segments);
  double total = wanted * num_pixels / static_cast<double>(inside);
  MaskSeeds best;
  for (int attempt = 0; attempt < 12; ++attempt) {
    total = std::clamp(total, 1.0, num_pixels);
    const CellGrid grid(shape, choose_cells(shape, spacing, static_cast<std::int64_t>(total)));
    MaskSeeds seeds = seeds_on(grid, counts);
    total *= wanted / static_cast<double>(seeds.count);
    const auto miss = [&](const MaskSeeds& s) { return std::abs(s.count - num_segments); };
    if (best.count == 0 || miss(seeds) < miss(best)) best = std::move(seeds);
    if (best.count == num_segments) break;
  }
  best.num_pixels = inside;
  return best;
}

}  // namespace superpix::cpu
