// SPDX-License-Identifier: Apache-2.0
//
// SLIC in integers. Sums are exact, so they can be kept up to date pixel by pixel and added in any
// order: the labels are the same for every number of threads and every instruction set. A cell all
// of whose candidates stand still would get the labels it has, and is not visited.
#include "cpu/slic_u8.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/labels.h"
#include "cpu/thread_pool.h"
#include "cpu/turns.h"

namespace superpix::cpu {
namespace {

constexpr std::int64_t kColorStep = 16;  // cluster colours are multiples of it (kernels.h)

/// sum / n to the nearest multiple of `step`, for means between -2^20 and 2^30 steps.
std::int32_t nearest_multiple(std::int64_t sum, double one_over_n, std::int32_t step) {
  constexpr std::int32_t kPositive = 1 << 20;  // truncation is floor from here on
  const double steps = static_cast<double>(sum) * one_over_n / step;
  return step * (static_cast<std::int32_t>(steps + (kPositive + 0.5)) - kPositive);
}

class Clustering {
 public:
  Clustering(const IntegerImage& image, const IntegerScale& scale, int num_threads)
      : image_(image),
        grid_(image.grid),
        unit_(scale.unit),
        num_turns_(num_turns(grid_)),
        num_threads_(num_threads),
        stride_(grid_.cells()[2] + 2),
        codes_(grid_.num_pixels() + 128 * grid_.num_cells()),
        sums_(9 * num_padded()),
        la_(num_padded()),
        b_(num_padded()),
        half_norm_(num_padded(), -1),
        y_(num_padded()),
        x_(num_padded()),
        moved_(num_padded()),
        changed_(num_padded()) {
    boxes_.reserve(static_cast<std::size_t>(grid_.num_cells()));
    for (std::int64_t cell = 0; cell < grid_.num_cells(); ++cell) boxes_.push_back(grid_.box(cell));
    make_positions();
    const auto weight = [&](double pixel_weight) {
      return static_cast<float>(pixel_weight / (unit_ * static_cast<double>(kPositionStep)));
    };
    const auto norm = [&](double pixel_weight) {
      return static_cast<float>(0.5 * unit_ * static_cast<double>(unit_) / pixel_weight);
    };
    clusters_ = {la_.data(),
                 b_.data(),
                 half_norm_.data(),
                 y_.data(),
                 x_.data(),
                 static_cast<std::int32_t>(stride_),
                 weight(scale.weight_y),
                 weight(scale.weight_x),
                 norm(scale.weight_y),
                 norm(scale.weight_x)};
  }

  /// Every cluster starts as the mean of its cell.
  void start() {
    const int slot = grid_.own_slot();
    for_cells([&](std::int64_t cell) {
      const CellGrid::Box& box = boxes_[cell];
      const std::int64_t n = box.size();
      std::fill_n(codes(cell), (n + 63) / 64 * 64, static_cast<std::uint8_t>(kLowBits - slot));
      const std::int64_t* colors = &image_.sums[3 * cell];
      IntegerSums& sums = sums_[9 * padded(cell) + slot];
      sums.lightness = colors[0];
      sums.a = colors[1];
      sums.b = colors[2];
      sums.y = unit_ * (n * (box.side(1) - 1) / 2);
      sums.x = unit_ * (n * (box.side(2) - 1) / 2);
      sums.count = n;
      changed_[padded(cell)] = 1;
    });
    update(0);
  }

  void perturb() {
    for (std::int64_t cell = 0; cell < grid_.num_cells(); ++cell) move_to_lowest_gradient(cell);
  }

  void iterate(int n) {
    for (int i = 0; i < n; ++i) {
      assign(i + 1, is_partial(i, n) ? num_turns_ : 1);
      if (i + 1 < n) update(i + 1);
    }
  }

  template <class Labels>
  void write_labels(const Labels& labels) const {
    using Value = typename Labels::Value;
    const std::int64_t largest = grid_.longest_side(1) * grid_.longest_side(2);
    parallel_for(grid_.num_cells(), cells_at_once(), num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   std::vector<Value> of_cell(static_cast<std::size_t>(largest + 64));
                   for (std::int64_t cell = begin; cell < end; ++cell) {
                     std::int32_t table[16] = {};
                     grid_.for_each_neighbor(cell, [&](std::int64_t k, int slot) {
                       table[kLowBits - slot] = labels.value_of_cell(k);
                     });
                     const CellGrid::Box& box = boxes_[cell];
                     decode(codes(cell), box.size(), table, of_cell.data());
                     const Value* from = of_cell.data();
                     for (std::int64_t y = box.begin[1]; y < box.end[1]; ++y) {
                       std::copy_n(from, box.side(2), labels.row(y) + box.begin[2]);
                       from += box.side(2);
                     }
                   }
                 });
  }

  /// Means of L, a, b of each cluster.
  std::vector<double> color_means() const {
    std::vector<double> means(static_cast<std::size_t>(3 * grid_.num_cells()));
    for_cells([&](std::int64_t cell) {
      const IntegerSums total = gather_sums(cell);
      const double scale = total.count > 0 ? 1.0 / static_cast<double>(total.count) : 0.0;
      means[3 * cell] = static_cast<double>(total.lightness) * scale;
      means[3 * cell + 1] = static_cast<double>(total.a) * scale;
      means[3 * cell + 2] = static_cast<double>(total.b) * scale;
    });
    return means;
  }

 private:
  static constexpr std::int64_t kLanePadding = 64;

  void decode(const std::uint8_t* codes, std::int64_t n, const std::int32_t* table,
              std::int32_t* labels) const {
    kernels_.labels_from_codes(codes, n, table, labels);
  }
  void decode(const std::uint8_t* codes, std::int64_t n, const std::int32_t* table,
              std::uint8_t* tags) const {
    kernels_.tags_from_codes(codes, n, table, tags);
  }

  std::size_t num_padded() const {
    return static_cast<std::size_t>((grid_.cells()[1] + 2) * stride_);
  }
  /// The index of a cell among those with the border around them.
  std::int64_t padded(std::int64_t cell) const {
    return cell + (cell / grid_.cells()[2]) * 2 + stride_ + 1;
  }
  /// The greatest of the values of cell k and of those around it.
  template <class T>
  std::int32_t greatest_around(const std::vector<T>& values, std::int64_t k) const {
    std::int32_t most = values[k];
    for (std::int64_t row = k - stride_; row <= k + stride_; row += stride_) {
      for (std::int64_t i = row - 1; i <= row + 1; ++i) {
        most = std::max<std::int32_t>(most, values[i]);
      }
    }
    return most;
  }

  /// A cell is visited unless its clusters stand as they did when its groups were last assigned, at
  /// most num_turns_ iterations ago.
  void assign(int iteration, int num_turns) {
    for_cells([&](std::int64_t cell) {
      const std::int64_t k = padded(cell);
      changed_[k] = 0;
      if (greatest_around(moved_, k) + num_turns_ < iteration) return;
      IntegerCell c = kernel_cell(cell);
      c.turn = (iteration - 1) % num_turns;
      c.num_turns = num_turns;
      changed_[k] = kernels_.assign_integer_cell(c) ? 1 : 0;
    });
  }

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
            xy.push_back(static_cast<std::int16_t>(x * unit_));
            xy.push_back(static_cast<std::int16_t>(y * unit_));
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
    const std::int64_t k = padded(cell);
    IntegerCell c{};
    c.n = box.size();
    c.la = &image_.la[2 * box.offset];
    c.b = &image_.b[box.offset];
    c.xy = cell_positions_[cell];
    c.codes = codes(cell);
    c.clusters = &clusters_;
    c.index = static_cast<std::int32_t>(k);
    c.corner_y = static_cast<std::int32_t>(kPositionStep * box.begin[1]);
    c.corner_x = static_cast<std::int32_t>(kPositionStep * box.begin[2]);
    c.sums = &sums_[9 * k];
    return c;
  }

  /// The sums over all pixels of a cluster, from the nine cells that its pixels may lie in.
  /// Positions count in 1 / unit_ pixels, from the corner of the image.
  IntegerSums gather_sums(std::int64_t cell) const {
    const std::int64_t k = padded(cell);
    const CellGrid::Box& own = boxes_[cell];
    IntegerSums total{};
    int slot = 0;
    for (std::int64_t dy = -1; dy <= 1; ++dy) {
      for (std::int64_t dx = -1; dx <= 1; ++dx, ++slot) {
        const std::int64_t neighbor = k + dy * stride_ + dx;
        // Seen from there, this cluster is in the opposite slot.
        const IntegerSums& s = sums_[9 * neighbor + 8 - slot];
        total.lightness += s.lightness;
        total.a += s.a;
        total.b += s.b;
        total.x += s.x + s.count *
                             (dx == 0  ? own.begin[2]
                              : dx < 0 ? left(own)
                                       : own.end[2]) *
                             unit_;
        total.y += s.y + s.count *
                             (dy == 0  ? own.begin[1]
                              : dy < 0 ? above(own)
                                       : own.end[1]) *
                             unit_;
        total.count += s.count;
      }
    }
    return total;
  }
  /// Where the cells on the left and above begin; at the edge, where nothing is to be added,
  /// anywhere.
  std::int64_t left(const CellGrid::Box& box) const {
    return box.begin[2] > 0 ? image_.columns[box.begin[2] - 1].begin : 0;
  }
  std::int64_t above(const CellGrid::Box& box) const {
    return box.begin[1] > 0 ? image_.rows[box.begin[1] - 1].begin : 0;
  }

  /// Clusters become the means of their pixels; one without pixels stays where it is.
  void update(int iteration) {
    parallel_for(grid_.num_cells(), 256, num_threads_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t cell = begin; cell < end; ++cell) {
        const std::int64_t k = padded(cell);
        if (greatest_around(changed_, k) == 0) continue;
        const IntegerSums total = gather_sums(cell);
        if (total.count == 0) continue;
        const double scale = 1.0 / static_cast<double>(total.count);
        const double position_scale = scale * kPositionStep / unit_;
        place(k, iteration, nearest_multiple(total.lightness, scale, kColorStep),
              nearest_multiple(total.a, scale, kColorStep),
              nearest_multiple(total.b, scale, kColorStep),
              nearest_multiple(total.y, position_scale, 1),
              nearest_multiple(total.x, position_scale, 1));
      }
    });
  }

  void place(std::int64_t k, int iteration, std::int32_t lightness, std::int32_t a, std::int32_t b,
             std::int32_t y, std::int32_t x) {
    const auto pair = [](std::int32_t low, std::int32_t high) {
      return static_cast<std::int32_t>((static_cast<std::uint32_t>(high) << 16) |
                                       (static_cast<std::uint32_t>(low) & 0xffffU));
    };
    const std::int32_t la = pair(lightness, a);
    const bool stands =
        la == la_[k] && pair(b, 0) == b_[k] && y == y_[k] && x == x_[k] && half_norm_[k] >= 0;
    if (stands) return;
    moved_[k] = iteration;
    la_[k] = la;
    b_[k] = pair(b, 0);
    half_norm_[k] = static_cast<std::int32_t>(
        (std::int64_t{lightness} * lightness + std::int64_t{a} * a + std::int64_t{b} * b) / 2);
    y_[k] = y;
    x_[k] = x;
  }

  void move_to_lowest_gradient(std::int64_t cell) {
    const std::int64_t k = padded(cell);
    const std::int64_t height = grid_.shape()[1];
    const std::int64_t width = grid_.shape()[2];
    const auto difference = [&](std::int64_t p, std::int64_t q) {
      const auto square = [](std::int64_t d) { return d * d; };
      return square(image_.la[2 * p] - image_.la[2 * q]) +
             square(image_.la[2 * p + 1] - image_.la[2 * q + 1]) +
             square(image_.b[p] - image_.b[q]);
    };
    const std::int64_t y0 = (y_[k] + kPositionStep / 2) / kPositionStep;
    const std::int64_t x0 = (x_[k] + kPositionStep / 2) / kPositionStep;
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
    place(k, 0, nearest_multiple(image_.la[2 * p], 1.0, kColorStep),
          nearest_multiple(image_.la[2 * p + 1], 1.0, kColorStep),
          nearest_multiple(image_.b[p], 1.0, kColorStep),
          static_cast<std::int32_t>(best_y * kPositionStep),
          static_cast<std::int32_t>(best_x * kPositionStep));
  }

  const Kernels& kernels_ = kernels();
  const IntegerImage& image_;
  const CellGrid& grid_;
  std::int32_t unit_;
  int num_turns_;
  int num_threads_;
  std::int64_t stride_;                    // from one row of cells to the next, the border included
  std::vector<CellGrid::Box> boxes_;       // [cells]
  mutable Buffer<std::uint8_t> codes_;     // [N], cell by cell
  mutable std::vector<IntegerSums> sums_;  // [padded cells][9]
  IntegerClusters clusters_{};
  std::vector<std::int32_t> la_, b_, half_norm_, y_, x_;  // [padded cells], see IntegerClusters
  std::vector<std::int32_t> moved_;                       // the iteration that last moved each
  std::vector<std::uint8_t> changed_;  // cells whose slots the last assignment changed
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::int16_t>> positions_;
  std::vector<const std::int16_t*> cell_positions_;  // [cells], into positions_
};

}  // namespace

std::optional<IntegerScale> integer_scale(const CellGrid& grid, const SlicParams& params,
                                          double step) {
  // Positions in 1 / kPositionStep pixels are to fit int32.
  constexpr std::int64_t kLongestSide = 1 << 27;
  if (std::max(grid.shape()[1], grid.shape()[2]) > kLongestSide) return std::nullopt;
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
  if (!std::isfinite(s.weight_y) || !std::isfinite(s.weight_x)) return std::nullopt;
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

template <class Labels>
std::vector<double> slic_u8(const IntegerImage& image, const IntegerScale& scale,
                            const SlicParams& params, const Labels& out, int num_threads) {
  Clustering clustering(image, scale, num_threads);
  clustering.start();
  if (params.perturb_seeds) clustering.perturb();
  clustering.iterate(params.max_num_iter);
  clustering.write_labels(out);
  return clustering.color_means();
}

template std::vector<double> slic_u8(const IntegerImage&, const IntegerScale&, const SlicParams&,
                                     const LabelImage&, int);
template std::vector<double> slic_u8(const IntegerImage&, const IntegerScale&, const SlicParams&,
                                     const LabelTags&, int);

}  // namespace superpix::cpu
