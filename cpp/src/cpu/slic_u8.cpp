// SPDX-License-Identifier: Apache-2.0
//
// SLIC in integers. Sums are exact, so they can be kept up to date pixel by pixel and added in any
// order: the labels are the same for every number of threads and every instruction set. A cell all
// of whose candidates stand still would get the labels it has, and is not visited.
#include "cpu/slic_u8.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

constexpr std::int64_t kColorStep = 16;    // cluster colours are multiples of it (kernels.h)
constexpr std::int64_t kPositionStep = 8;  // cluster positions count in 1/8 pixels

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {  // b > 0
  return a / b - (a % b < 0 ? 1 : 0);
}

std::int32_t nearest(double x) { return static_cast<std::int32_t>(x + (x < 0 ? -0.5 : 0.5)); }

struct Cluster {
  std::int32_t lightness = 0, a = 0, b = 0;  // multiples of kColorStep
  std::int32_t y = 0, x = 0;                 // in 1 / kPositionStep pixels
  bool operator==(const Cluster&) const = default;
};

std::int32_t color_mean(std::int64_t sum, std::int64_t n) {
  return static_cast<std::int32_t>(kColorStep *
                                   floor_divide(2 * sum + n * kColorStep, 2 * n * kColorStep));
}

class Clustering {
 public:
  Clustering(const IntegerImage& image, const IntegerScale& scale, int num_threads)
      : image_(image),
        grid_(image.grid),
        scale_(scale),
        axis_y_(scale.weight_y, scale.unit),
        axis_x_(scale.weight_x, scale.unit),
        num_threads_(num_threads),
        codes_(grid_.num_pixels() + 128 * grid_.num_cells()),
        sums_(static_cast<std::size_t>(9 * grid_.num_cells())),
        clusters_(static_cast<std::size_t>(grid_.num_cells())),
        moved_(clusters_.size(), 1),
        changed_(clusters_.size(), 1) {
    boxes_.reserve(clusters_.size());
    for (std::int64_t cell = 0; cell < grid_.num_cells(); ++cell) boxes_.push_back(grid_.box(cell));
    make_positions();
  }

  /// Every cluster starts as the mean of its cell.
  void start() {
    for_cells([&](std::int64_t cell) {
      kernels_.start_integer_cell(kernel_cell(cell), grid_.own_slot());
    });
    update();
    std::fill(moved_.begin(), moved_.end(), std::uint8_t{1});
  }

  void perturb() {
    for (std::int64_t k = 0; k < grid_.num_cells(); ++k) move_to_lowest_gradient(clusters_[k]);
  }

  void iterate() {
    assign();
    update();
  }

  void assign() {
    for_cells([&](std::int64_t cell) {
      IntegerCandidate candidates[9];
      IntegerCell c = kernel_cell(cell);
      c.candidates = candidates;
      c.num_candidates = 0;
      const CellGrid::Box& box = boxes_[cell];
      bool any_moved = false;
      grid_.for_each_neighbor(cell, [&](std::int64_t k, int slot) {
        any_moved |= moved_[k] != 0;
        candidates[c.num_candidates++] = candidate(clusters_[k], box, slot);
      });
      changed_[cell] = any_moved && kernels_.assign_integer_cell(c) ? 1 : 0;
    });
  }

  void write_labels(std::int32_t* labels) const {
    const std::int64_t width = grid_.shape()[2];
    const std::int64_t largest = grid_.longest_side(1) * grid_.longest_side(2);
    parallel_for(grid_.num_cells(), cells_at_once(), num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   std::vector<std::int32_t> of_cell(static_cast<std::size_t>(largest + 64));
                   for (std::int64_t cell = begin; cell < end; ++cell) {
                     std::int32_t table[16] = {};
                     grid_.for_each_neighbor(cell, [&](std::int64_t k, int slot) {
                       table[kLowBits - slot] = static_cast<std::int32_t>(k);
                     });
                     const CellGrid::Box& box = boxes_[cell];
                     kernels_.labels_from_codes(codes(cell), box.size(), table, of_cell.data());
                     const std::int32_t* from = of_cell.data();
                     for (std::int64_t y = box.begin[1]; y < box.end[1]; ++y) {
                       std::copy_n(from, box.side(2), labels + y * width + box.begin[2]);
                       from += box.side(2);
                     }
                   }
                 });
  }

  /// Sums of L, a, b over the pixels of each cluster.
  std::vector<std::int64_t> color_totals() const {
    std::vector<std::int64_t> totals(static_cast<std::size_t>(3 * grid_.num_cells()), 0);
    for (std::int64_t k = 0; k < grid_.num_cells(); ++k) {
      grid_.for_each_neighbor(k, [&](std::int64_t cell, int slot) {
        const IntegerSums& s = given_by(cell, slot);
        totals[3 * k] += s.lightness;
        totals[3 * k + 1] += s.a;
        totals[3 * k + 2] += s.b;
      });
    }
    return totals;
  }

 private:
  /// What `cell` gives to the cluster from which it is seen in `slot`: seen from the cell, that
  /// cluster is in the opposite slot.
  const IntegerSums& given_by(std::int64_t cell, int slot) const {
    return sums_[9 * cell + 8 - slot];
  }

  static constexpr std::int64_t kLanePadding = 64;

  /// A few thousand pixels are worth the handing out of a piece of work.
  std::int64_t cells_at_once() const {
    return std::max<std::int64_t>(1, 4096 * grid_.num_cells() / grid_.num_pixels());
  }

  template <class F>
  void for_cells(F f) const {
    parallel_for(grid_.num_cells(), cells_at_once(), num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t cell = begin; cell < end; ++cell) f(cell);
                 });
  }

  /// Every cell's codes start in a group of their own.
  std::uint8_t* codes(std::int64_t cell) const {
    return &codes_[(boxes_[cell].offset + 63) / 64 * 64 + 64 * cell];
  }

  /// Coordinates of the pixels of a cell from its corner; there are at most four sizes of cell.
  void make_positions() {
    for (std::int64_t height = grid_.shape()[1] / grid_.cells()[1]; height <= grid_.longest_side(1);
         ++height) {
      for (std::int64_t width = grid_.shape()[2] / grid_.cells()[2]; width <= grid_.longest_side(2);
           ++width) {
        std::vector<std::int16_t>& xy = positions_[{height, width}];
        xy.reserve(static_cast<std::size_t>(2 * (height * width + kLanePadding)));
        for (std::int64_t y = 0; y < height; ++y) {
          for (std::int64_t x = 0; x < width; ++x) {
            xy.push_back(static_cast<std::int16_t>(x * scale_.unit));
            xy.push_back(static_cast<std::int16_t>(y * scale_.unit));
          }
        }
        xy.resize(xy.size() + 2 * kLanePadding);
      }
    }
    cell_positions_.reserve(boxes_.size());
    for (const CellGrid::Box& box : boxes_) {
      cell_positions_.push_back(positions_.at({box.side(1), box.side(2)}).data());
    }
  }

  IntegerCell kernel_cell(std::int64_t cell) const {
    const CellGrid::Box& box = boxes_[cell];
    IntegerCell c{};
    c.n = box.size();
    c.la = &image_.la[2 * box.offset];
    c.b = &image_.b[box.offset];
    c.xy = cell_positions_[cell];
    c.codes = codes(cell);
    c.sums = &sums_[9 * cell];
    return c;
  }

  IntegerCandidate candidate(const Cluster& k, const CellGrid::Box& box, int slot) const {
    // The weighted position is rounded once; the bias is of the position that this stands for.
    double half_norm = 0.5 * (static_cast<double>(k.lightness) * k.lightness +
                              static_cast<double>(k.a) * k.a + static_cast<double>(k.b) * k.b);
    const auto coordinate = [&](std::int32_t position, std::int64_t origin, const Axis& axis) {
      const auto from_corner = static_cast<double>(position - kPositionStep * origin);
      const std::int32_t w = nearest(axis.weight * from_corner);
      half_norm += axis.half_norm * (static_cast<double>(w) * w);
      return w;
    };
    const std::int32_t x = coordinate(k.x, box.begin[2], axis_x_);
    const std::int32_t y = coordinate(k.y, box.begin[1], axis_y_);
    const auto pair = [](std::int32_t low, std::int32_t high) {
      return static_cast<std::int32_t>((static_cast<std::uint32_t>(high) << 16) |
                                       (static_cast<std::uint32_t>(low) & 0xffffU));
    };
    const std::int32_t bias = -16 * nearest(half_norm * (1.0 / 16.0));
    return {pair(k.lightness, k.a), pair(k.b, 0), pair(x, y), bias + 15 - slot};
  }

  /// Clusters become the means of their pixels; one without pixels stays where it is.
  void update() {
    parallel_for(grid_.num_cells(), 256, num_threads_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        bool any_changed = false;
        IntegerSums total{};
        grid_.for_each_neighbor(k, [&](std::int64_t cell, int slot) {
          any_changed |= changed_[cell] != 0;
          const IntegerSums& s = given_by(cell, slot);
          const CellGrid::Box& box = boxes_[cell];
          total.lightness += s.lightness;
          total.a += s.a;
          total.b += s.b;
          total.x += s.x + s.count * (box.begin[2] * scale_.unit);
          total.y += s.y + s.count * (box.begin[1] * scale_.unit);
          total.count += s.count;
        });
        moved_[k] = 0;
        if (!any_changed || total.count == 0) continue;
        Cluster next;
        next.lightness = color_mean(total.lightness, total.count);
        next.a = color_mean(total.a, total.count);
        next.b = color_mean(total.b, total.count);
        next.y = position_mean(total.y, total.count);
        next.x = position_mean(total.x, total.count);
        moved_[k] = next == clusters_[k] ? 0 : 1;
        clusters_[k] = next;
      }
    });
  }

  /// The mean of positions that were summed in units of the kernel.
  std::int32_t position_mean(std::int64_t sum, std::int64_t n) const {
    const std::int64_t halves = 2 * kPositionStep * (sum / scale_.unit);
    return static_cast<std::int32_t>(floor_divide(halves + n, 2 * n));
  }

  void move_to_lowest_gradient(Cluster& k) const {
    const std::int64_t height = grid_.shape()[1];
    const std::int64_t width = grid_.shape()[2];
    const auto difference = [&](std::int64_t p, std::int64_t q) {
      const auto square = [](std::int64_t d) { return d * d; };
      return square(image_.la[2 * p] - image_.la[2 * q]) +
             square(image_.la[2 * p + 1] - image_.la[2 * q + 1]) +
             square(image_.b[p] - image_.b[q]);
    };
    const std::int64_t y0 = (k.y + kPositionStep / 2) / kPositionStep;
    const std::int64_t x0 = (k.x + kPositionStep / 2) / kPositionStep;
    std::int64_t least = -1;
    std::int64_t best_y = 0;
    std::int64_t best_x = 0;
    // A pixel at the edge of the image has no gradient to compare.
    for (std::int64_t y = std::max<std::int64_t>(1, y0 - 1); y <= std::min(height - 2, y0 + 1);
         ++y) {
      for (std::int64_t x = std::max<std::int64_t>(1, x0 - 1); x <= std::min(width - 2, x0 + 1);
           ++x) {
        const std::int64_t gradient = difference(image_.offset(y, x - 1), image_.offset(y, x + 1)) +
                                      difference(image_.offset(y - 1, x), image_.offset(y + 1, x));
        if (least < 0 || gradient < least) {
          least = gradient;
          best_y = y;
          best_x = x;
        }
      }
    }
    if (least < 0) return;
    const std::int64_t p = image_.offset(best_y, best_x);
    k.lightness = color_mean(image_.la[2 * p], 1);
    k.a = color_mean(image_.la[2 * p + 1], 1);
    k.b = color_mean(image_.b[p], 1);
    k.y = static_cast<std::int32_t>(best_y * kPositionStep);
    k.x = static_cast<std::int32_t>(best_x * kPositionStep);
  }

  /// What turns a cluster's position along one axis into a candidate's.
  struct Axis {
    explicit Axis(double pixel_weight, std::int32_t unit)
        : weight(pixel_weight / (unit * static_cast<double>(kPositionStep))),
          half_norm(0.5 * unit * static_cast<double>(unit) / pixel_weight) {}
    double weight;     // position in 1 / kPositionStep pixels -> weighted position
    double half_norm;  // weighted position, squared -> half the squared norm
  };

  const Kernels& kernels_ = kernels();
  const IntegerImage& image_;
  const CellGrid& grid_;
  const IntegerScale& scale_;
  Axis axis_y_;
  Axis axis_x_;
  int num_threads_;
  std::vector<CellGrid::Box> boxes_;       // [cells]
  mutable Buffer<std::uint8_t> codes_;     // [N], cell by cell
  mutable std::vector<IntegerSums> sums_;  // [cells][9]
  std::vector<Cluster> clusters_;
  std::vector<std::uint8_t> moved_;    // clusters that the last update moved
  std::vector<std::uint8_t> changed_;  // cells whose slots the last assignment changed
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::int16_t>> positions_;
  std::vector<const std::int16_t*> cell_positions_;  // [cells], into positions_
};

}  // namespace

std::optional<IntegerScale> integer_scale(const CellGrid& grid, const SlicParams& params,
                                          double step) {
  // Sums of products stay inside int32 for this quantisation up to this compactness; beyond, colour
  // matters so little that fewer steps serve it as well.
  constexpr double kScale = 128.0;
  constexpr double kCompactness = 60.0;
  const auto side = [&](int axis) { return static_cast<double>(grid.longest_side(axis)); };
  const double stretch_y = params.spacing[1] * side(1) / step;
  const double stretch_x = params.spacing[2] * side(2) / step;
  const double reach =
      params.compactness * std::sqrt(0.5 * (stretch_y * stretch_y + stretch_x * stretch_x));
  const double scale = kScale * std::min(1.0, kCompactness / reach);

  IntegerScale s{};
  s.quantization.scale = static_cast<float>(scale);
  s.quantization.chroma_scale = static_cast<float>(scale * std::sqrt(kChromaWeight));
  const auto weight = [&](int axis) {
    const double w = params.compactness * params.spacing[axis] / step * scale;
    return w * w;
  };
  s.weight_y = weight(1);
  s.weight_x = weight(2);
  // A cluster may lie up to two cells away from the corner of the cell that asks.
  const double widest = 2.0 * std::max(s.weight_y * (side(1) + 1), s.weight_x * (side(2) + 1));
  std::int32_t unit = 16;
  while (widest / unit > 32000.0) {
    if (unit > 4096) return std::nullopt;
    unit *= 2;
  }
  s.unit = unit;
  if (unit * std::max(side(1), side(2)) > 32767.0) return std::nullopt;
  // The weighted position is an integer: it must still tell 1/32 of a cell.
  if (s.weight_y * side(1) < 16.0 * unit || s.weight_x * side(2) < 16.0 * unit) {
    return std::nullopt;
  }
  return s;
}

std::vector<std::int64_t> slic_u8(const IntegerImage& image, const IntegerScale& scale,
                                  const SlicParams& params, std::int32_t* labels, int num_threads) {
  Clustering clustering(image, scale, num_threads);
  clustering.start();
  if (params.perturb_seeds) clustering.perturb();
  for (int i = 0; i < params.max_num_iter; ++i) {
    if (i + 1 < params.max_num_iter) {
      clustering.iterate();
    } else {
      clustering.assign();
    }
  }
  clustering.write_labels(labels);
  return clustering.color_totals();
}

}  // namespace superpix::cpu
