// SPDX-License-Identifier: Apache-2.0
//
// SLIC in single precision, for everything that the integer path does not take. A cell sums what it
// gives to each of its candidates; a cluster gathers from the cells around it, in raster order. So
// no sum depends on the number of threads.
#include "cpu/slic_float.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "cpu/kernels.h"
#include "cpu/labels.h"
#include "cpu/thread_pool.h"
#include "cpu/turns.h"

namespace superpix::cpu {
namespace {

class Clustering {
 public:
  Clustering(const FloatVolume& volume, const std::vector<std::uint8_t>& has_seed,
             const SlicParams& params, double step, int num_threads)
      : volume_(volume),
        grid_(volume.grid),
        params_(params),
        num_threads_(num_threads),
        plane_(grid_.shape()[0] == 1),
        dims_(plane_ ? 2 : 3),
        num_slots_(plane_ ? 9 : 27),
        fields_(volume.channels + dims_),
        parts_(params.slic_zero ? 1 : num_turns(grid_)),
        slots_(volume.padded_size()),
        sums_(grid_.num_cells() * parts_ * num_slots_ * (fields_ + 1)),
        totals_(grid_.num_cells() * parts_ * (fields_ + 1)),
        centers_(static_cast<std::size_t>(grid_.num_cells() * fields_)),
        exists_(has_seed),
        moved_(static_cast<std::size_t>(grid_.num_cells())),
        assigned_(moved_.size() * parts_),
        visited_(moved_.size(), 1) {
    if (exists_.empty()) exists_.assign(moved_.size(), 1);
    for (int d = 0; d < dims_; ++d) weight_[d] = params.spacing[3 - dims_ + d] / step;
    if (params.slic_zero) {
      max_color_.assign(moved_.size(), 1.0F);
      cell_max_color_.resize(moved_.size() * num_slots_);
    }
    boxes_.reserve(moved_.size());
    for (std::int64_t cell = 0; cell < grid_.num_cells(); ++cell) boxes_.push_back(grid_.box(cell));
    make_coordinates();
  }

  /// Clusters start as the means of their cells, or, where cells have none, of what is nearest.
  void start(bool masked) {
    for (std::int64_t k = 0; k < grid_.num_cells(); ++k) {
      for (int d = 0; d < dims_; ++d) {
        const int axis = 3 - dims_ + d;
        position(k)[d] = 0.5 * static_cast<double>(boxes_[k].begin[axis] + boxes_[k].end[axis] - 1);
      }
    }
    start_from_cells();
    if (!masked) return;
    for (int i = 0; i < params_.max_num_iter; ++i) {
      assign(Distance::kSpatial, kAllParts);
      update(Distance::kSpatial);
    }
    std::fill(moved_.begin(), moved_.end(), iteration_);
  }

  void perturb() {
    for (std::int64_t k = 0; k < grid_.num_cells(); ++k) {
      if (exists_[k] != 0) move_to_lowest_gradient(k);
    }
  }

  void run() {
    const int n = params_.max_num_iter;
    for (int i = 0; i < n; ++i) {
      assign(Distance::kFull, is_partial(i, n) ? i % parts_ : kAllParts);
      if (i + 1 < n) update(Distance::kFull);
    }
  }

  template <class Labels>
  void write_labels(const Labels& labels) const {
    using Value = typename Labels::Value;
    for_cells([&](std::int64_t cell) {
      Value table[32];
      std::fill(std::begin(table), std::end(table), Labels::kOutside);
      grid_.for_each_neighbor(
          cell, [&](std::int64_t k, int slot) { table[slot] = labels.value_of_cell(k); });
      const CellGrid::Box& box = boxes_[cell];
      std::int64_t from = volume_.begin(box, cell);
      for (std::int64_t z = box.begin[0]; z < box.end[0]; ++z) {
        for (std::int64_t y = box.begin[1]; y < box.end[1]; ++y) {
          Value* to = labels.row(z * grid_.shape()[1] + y) + box.begin[2];
          for (std::int64_t x = 0; x < box.side(2); ++x) to[x] = table[slots_[from + x]];
          if (volume_.outside.size() > 0) {
            for (std::int64_t x = 0; x < box.side(2); ++x) {
              if (volume_.outside[from + x] != 0) to[x] = Labels::kOutside;
            }
          }
          from += box.side(2);
        }
      }
    });
  }

  /// The mean features of each cluster, [cells][channels].
  std::vector<double> color_means() const {
    const int channels = volume_.channels;
    std::vector<double> means(static_cast<std::size_t>(grid_.num_cells() * channels));
    for_cells([&](std::int64_t k) {
      double* mean = &means[k * channels];
      double count = 0.0;
      grid_.for_each_neighbor(k, [&](std::int64_t cell, int slot) {
        for (int part = 0; part < parts_; ++part) {
          const double* s = sums_for(cell, part, slot);
          for (int c = 0; c < channels; ++c) mean[c] += s[c];
          count += s[fields_];
        }
      });
      for (int c = 0; c < channels; ++c) mean[c] = count > 0 ? mean[c] / count : 0.0;
    });
    return means;
  }

 private:
  enum class Distance { kSpatial, kFull };

  static constexpr int kAllParts = -1;
  static constexpr std::int64_t kMaxBlocks = 64;  // that the kernel has a strip of
  static constexpr int kMaxGroups = (kMaxCandidates - 1 + kCandidateGroup - 1) / kCandidateGroup;

  /// What a part of `cell` gives to the cluster that sees it in `slot`.
  const double* sums_for(std::int64_t cell, int part, int slot) const {
    return &sums_[((cell * parts_ + part) * num_slots_ + num_slots_ - 1 - slot) * (fields_ + 1)];
  }

  double* position(std::int64_t k) { return &centers_[k * fields_ + volume_.channels]; }

  std::int64_t cells_at_once() const {
    constexpr std::int64_t kPixels = 4096;
    return std::max<std::int64_t>(1, kPixels * grid_.num_cells() / grid_.num_pixels());
  }

  template <class F>
  void for_cells(F f) const {
    parallel_for(grid_.num_cells(), cells_at_once(), num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t cell = begin; cell < end; ++cell) f(cell);
                 });
  }

  /// Positions in a cell from its corner, in units of S; there are at most eight sizes of cell.
  void make_coordinates() {
    const auto sides = [&](int axis) {
      return std::array<std::int64_t, 2>{grid_.shape()[axis] / grid_.cells()[axis],
                                         grid_.longest_side(axis)};
    };
    for (const std::int64_t depth : sides(0)) {
      for (const std::int64_t height : sides(1)) {
        for (const std::int64_t width : sides(2)) {
          std::vector<float>& blocks = coordinates_[{depth, height, width}];
          blocks.assign(
              static_cast<std::size_t>(dims_ * FloatVolume::padded(depth * height * width)), 0.0F);
          std::int64_t i = 0;
          for (std::int64_t z = 0; z < depth; ++z) {
            for (std::int64_t y = 0; y < height; ++y) {
              for (std::int64_t x = 0; x < width; ++x, ++i) {
                const std::array<std::int64_t, 3> at{z, y, x};
                const std::int64_t in_block = i % FloatVolume::kBlock;
                for (int d = 0; d < dims_; ++d) {
                  blocks[(i - in_block) * dims_ + d * FloatVolume::kBlock + in_block] =
                      static_cast<float>(static_cast<double>(at[3 - dims_ + d]) * weight_[d]);
                }
              }
            }
          }
        }
      }
    }
  }

  FloatCell kernel_cell(std::int64_t cell) const {
    const CellGrid::Box& box = boxes_[cell];
    const std::int64_t begin = volume_.begin(box, cell);
    FloatCell c{};
    c.n = box.size();
    c.channels = volume_.channels;
    c.dims = dims_;
    c.features = &volume_.features[begin * volume_.channels];
    c.coordinates = coordinates_.at({box.side(0), box.side(1), box.side(2)}).data();
    c.outside = volume_.outside.size() > 0 ? &volume_.outside[begin] : nullptr;
    c.slots = &slots_[begin];
    c.num_turns = parts_;
    return c;
  }

  void choose_part(FloatCell& c, std::int64_t cell, int part) {
    c.turn = part;
    c.totals = &totals_[(cell * parts_ + part) * (fields_ + 1)];
    c.sums = &sums_[(cell * parts_ + part) * num_slots_ * (fields_ + 1)];
    std::fill_n(c.sums, num_slots_ * (fields_ + 1), 0.0);
  }

  /// What a thread needs for one cell at a time.
  struct Scratch {
    explicit Scratch(int fields)
        : origin(static_cast<std::size_t>(fields)),
          centers(kMaxGroups * kCandidateGroup * fields),
          strip(kMaxBlocks * fields * FloatVolume::kBlock) {}
    std::vector<float> origin;
    Buffer<float> centers;
    Buffer<float> strip;
    float biases[kMaxGroups * kCandidateGroup];
    float weights[kMaxGroups * kCandidateGroup];
    std::int32_t slots[kMaxGroups * kCandidateGroup];
  };

  template <class F>
  void parallel_cells(F f) {
    parallel_for(grid_.num_cells(), cells_at_once(), num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   Scratch scratch(fields_);
                   for (std::int64_t cell = begin; cell < end; ++cell) f(cell, scratch);
                 });
  }

  /// Makes one round of sums in which every pixel goes to the cluster of its own cell.
  void start_from_cells() {
    parallel_cells([&](std::int64_t cell, Scratch& scratch) {
      FloatCell c = kernel_cell(cell);
      std::fill_n(c.slots, FloatVolume::padded(c.n), static_cast<std::uint8_t>(grid_.own_slot()));
      // The first pixel is as near to all others as anything that is known by now.
      for (int channel = 0; channel < volume_.channels; ++channel) {
        scratch.origin[channel] = c.features[channel * FloatVolume::kBlock];
      }
      std::fill(scratch.origin.begin() + volume_.channels, scratch.origin.end(), 0.0F);
      c.origin = scratch.origin.data();
      c.scratch = scratch.strip.data();
      for (int part = 0; part < parts_; ++part) {
        choose_part(c, cell, part);
        c.sums += grid_.own_slot() * (fields_ + 1);
        kernels_.sum_float_cell(c);
        std::copy_n(c.sums, fields_ + 1, &totals_[(cell * parts_ + part) * (fields_ + 1)]);
      }
    });
    move_clusters();
    std::fill(moved_.begin(), moved_.end(), iteration_);
  }

  /// The clusters that may have pixels of a cell, the origin first.
  struct Candidates {
    struct Candidate {
      std::int64_t cluster;
      int slot;
    };
    Candidate list[kMaxCandidates];
    int count = 0;
    std::int32_t moved = 0;  // the last iteration that moved one of them
  };

  Candidates find_candidates(std::int64_t cell) const {
    Candidates found;
    int origin = 0;
    grid_.for_each_neighbor(cell, [&](std::int64_t k, int slot) {
      if (exists_[k] == 0) return;
      found.moved = std::max(found.moved, moved_[k]);
      if (k == cell) origin = found.count;
      found.list[found.count++] = {k, slot};
    });
    std::rotate(found.list, found.list + origin, found.list + std::min(origin + 1, found.count));
    return found;
  }

  float color_weight(std::int64_t k, Distance distance) const {
    if (distance == Distance::kSpatial) return 0.0F;
    return params_.slic_zero ? 1.0F / max_color_[k] : 1.0F;
  }

  /// Hands the candidates to the kernel.
  void load_candidates(const Candidates& candidates, Distance distance, Scratch& scratch,
                       FloatCell& c, const CellGrid::Box& box) const {
    const int channels = volume_.channels;
    const double* origin = &centers_[candidates.list[0].cluster * fields_];
    for (int i = 0; i < channels; ++i) scratch.origin[i] = static_cast<float>(origin[i]);
    for (int d = 0; d < dims_; ++d) {
      const auto corner = static_cast<double>(box.begin[3 - dims_ + d]);
      scratch.origin[channels + d] =
          static_cast<float>((origin[channels + d] - corner) * weight_[d]);
    }
    c.origin = scratch.origin.data();
    c.origin_slot = candidates.list[0].slot;
    c.origin_weight = color_weight(candidates.list[0].cluster, distance);
    c.num_candidates = candidates.count - 1;
    c.num_groups = (c.num_candidates + kCandidateGroup - 1) / kCandidateGroup;
    for (int i = 0; i < c.num_groups * kCandidateGroup; ++i) {
      float* to =
          &scratch.centers[i / kCandidateGroup * fields_ * kCandidateGroup + i % kCandidateGroup];
      if (i >= c.num_candidates) {
        for (int f = 0; f < fields_; ++f) to[f * kCandidateGroup] = 0.0F;
        scratch.biases[i] = -std::numeric_limits<float>::infinity();
        scratch.weights[i] = 0.0F;
        scratch.slots[i] = 0;
        continue;
      }
      const Candidates::Candidate& candidate = candidates.list[i + 1];
      const double* center = &centers_[candidate.cluster * fields_];
      double square = 0.0;
      const auto put = [&](int field, double from_origin) {
        const auto rounded = static_cast<float>(from_origin);
        to[field * kCandidateGroup] = rounded;
        square += static_cast<double>(rounded) * rounded;
      };
      for (int f = 0; f < channels; ++f) put(f, center[f] - scratch.origin[f]);
      for (int d = 0; d < dims_; ++d) {
        const auto corner = static_cast<double>(box.begin[3 - dims_ + d]);
        put(channels + d,
            (center[channels + d] - corner) * weight_[d] - scratch.origin[channels + d]);
      }
      scratch.biases[i] = static_cast<float>(-0.5 * square);
      scratch.weights[i] = color_weight(candidate.cluster, distance);
      scratch.slots[i] = candidate.slot;
    }
    c.centers = scratch.centers.data();
    c.biases = scratch.biases;
    c.slots_of = scratch.slots;
    c.scratch = scratch.strip.data();
  }

  void assign(Distance distance, int only_part) {
    ++iteration_;
    parallel_cells([&](std::int64_t cell, Scratch& scratch) {
      visited_[cell] = 0;
      const Candidates candidates = find_candidates(cell);
      if (candidates.count == 0) return;
      FloatCell c = kernel_cell(cell);
      float ignored[kMaxCandidates] = {};
      for (int part = 0; part < parts_; ++part) {
        // Candidates that all stand still give the slots and sums that are there.
        std::int32_t& assigned = assigned_[cell * parts_ + part];
        if (only_part != kAllParts && part != only_part) continue;
        if (candidates.moved < assigned) continue;
        if (c.centers == nullptr) {
          load_candidates(candidates, distance, scratch, c, boxes_[cell]);
          prepare_weights(cell, distance, scratch, ignored, c);
        }
        choose_part(c, cell, part);
        kernels_.assign_float_cell(c);
        assigned = iteration_;
        visited_[cell] = 1;
      }
    });
  }

  void prepare_weights(std::int64_t cell, Distance distance, const Scratch& scratch, float* ignored,
                       FloatCell& c) {
    if (!params_.slic_zero && distance == Distance::kFull) return;
    c.color_weights = scratch.weights;
    c.max_color = ignored;
    if (distance == Distance::kSpatial) return;
    c.max_color = &cell_max_color_[cell * num_slots_];
    std::fill_n(c.max_color, num_slots_, 0.0F);
  }

  void update(Distance distance) {
    move_clusters();
    if (params_.slic_zero && distance == Distance::kFull) update_max_color();
  }

  /// Clusters become the means of their pixels; one without pixels stays where it is.
  void move_clusters() {
    parallel_for(grid_.num_cells(), 64, num_threads_, [&](std::int64_t begin, std::int64_t end) {
      std::vector<double> total(static_cast<std::size_t>(fields_ + 1));
      for (std::int64_t k = begin; k < end; ++k) {
        if (exists_[k] == 0) continue;
        std::fill(total.begin(), total.end(), 0.0);
        bool any_visited = false;
        grid_.for_each_neighbor(k, [&](std::int64_t cell, int slot) {
          any_visited |= visited_[cell] != 0;
          for (int part = 0; part < parts_; ++part) {
            const double* s = sums_for(cell, part, slot);
            for (int c = 0; c < volume_.channels; ++c) total[c] += s[c];
            for (int d = 0; d < dims_; ++d) {
              const auto corner = static_cast<double>(boxes_[cell].begin[3 - dims_ + d]);
              total[volume_.channels + d] +=
                  s[volume_.channels + d] / weight_[d] + corner * s[fields_];
            }
            total[fields_] += s[fields_];
          }
        });
        if (!any_visited || total[fields_] == 0.0) continue;
        double* center = &centers_[k * fields_];
        for (int f = 0; f < fields_; ++f) {
          const double mean = total[f] / total[fields_];
          if (mean != center[f]) moved_[k] = iteration_;
          center[f] = mean;
        }
      }
    });
  }

  void update_max_color() {
    for (std::int64_t k = 0; k < grid_.num_cells(); ++k) {
      grid_.for_each_neighbor(k, [&](std::int64_t cell, int slot) {
        const float seen = cell_max_color_[cell * num_slots_ + num_slots_ - 1 - slot];
        if (visited_[cell] != 0 && seen > max_color_[k]) {
          max_color_[k] = seen;
          moved_[k] = iteration_;
        }
      });
    }
  }

  void move_to_lowest_gradient(std::int64_t k) {
    const Extent& shape = grid_.shape();
    const PixelFeatures pixels(volume_);
    // The mean of an even number of coordinates lies between two pixels; errors in its last digits
    // must not choose among these.
    constexpr double kHalf = 0.5 + 1e-3;
    Extent middle{0, 0, 0};
    for (int d = 0; d < dims_; ++d) {
      middle[3 - dims_ + d] = static_cast<std::int64_t>(std::floor(position(k)[d] + kHalf));
    }
    double least = -1.0;
    Extent best{};
    // A pixel at the edge of the image has no gradient to compare.
    const auto low = [&](int axis) {
      return plane_ && axis == 0 ? 0 : std::max<std::int64_t>(1, middle[axis] - 1);
    };
    const auto high = [&](int axis) {
      return plane_ && axis == 0 ? 0 : std::min(shape[axis] - 2, middle[axis] + 1);
    };
    for (std::int64_t z = low(0); z <= high(0); ++z) {
      for (std::int64_t y = low(1); y <= high(1); ++y) {
        for (std::int64_t x = low(2); x <= high(2); ++x) {
          const double g = gradient(pixels, {z, y, x});
          if (least < 0 || g < least) {
            least = g;
            best = {z, y, x};
          }
        }
      }
    }
    if (least < 0) return;
    const PixelFeatures::Place place = pixels.at(best[0], best[1], best[2]);
    for (int c = 0; c < volume_.channels; ++c) {
      centers_[k * fields_ + c] = place.first[c * FloatVolume::kBlock];
    }
    for (int d = 0; d < dims_; ++d) position(k)[d] = static_cast<double>(best[3 - dims_ + d]);
  }

  double gradient(const PixelFeatures& pixels, const Extent& at) const {
    double sum = 0.0;
    for (int axis = 3 - dims_; axis < 3; ++axis) {
      Extent before = at;
      Extent after = at;
      --before[axis];
      ++after[axis];
      const PixelFeatures::Place p = pixels.at(before[0], before[1], before[2]);
      const PixelFeatures::Place q = pixels.at(after[0], after[1], after[2]);
      for (int c = 0; c < volume_.channels; ++c) {
        const double d = static_cast<double>(p.first[c * FloatVolume::kBlock]) -
                         q.first[c * FloatVolume::kBlock];
        sum += d * d;
      }
    }
    return sum;
  }

  const Kernels& kernels_ = kernels();
  const FloatVolume& volume_;
  const CellGrid& grid_;
  const SlicParams& params_;
  int num_threads_;
  bool plane_;
  int dims_;
  int num_slots_;
  int fields_;                      // channels + dims
  int parts_;                       // of a cell, assigned in turns
  std::array<double, 3> weight_{};  // of a pixel along (z,) y, x
  std::vector<CellGrid::Box> boxes_;
  mutable Buffer<std::uint8_t> slots_;
  Buffer<double> sums_;               // [cells][parts][slots][fields + 1]
  Buffer<double> totals_;             // [cells][parts][fields + 1]
  std::vector<double> centers_;       // [cells][fields]; positions in pixels
  std::vector<std::uint8_t> exists_;  // cells with a cluster
  std::int32_t iteration_ = 0;
  std::vector<std::int32_t> moved_;     // the iteration whose update last changed each cluster
  std::vector<std::int32_t> assigned_;  // [cells][parts], the iteration that last assigned each
  std::vector<std::uint8_t> visited_;   // cells whose sums the last assignment made anew
  std::vector<float> max_color_;        // SLICO, [cells], squared
  std::vector<float> cell_max_color_;   // SLICO, [cells][slots]
  std::map<std::array<std::int64_t, 3>, std::vector<float>> coordinates_;
};

}  // namespace

template <class Labels>
std::vector<double> slic_float(const FloatVolume& volume, const std::vector<std::uint8_t>& has_seed,
                               const SlicParams& params, double step, const Labels& out,
                               int num_threads) {
  Clustering clustering(volume, has_seed, params, step, num_threads);
  clustering.start(!has_seed.empty());
  if (params.perturb_seeds) clustering.perturb();
  clustering.run();
  clustering.write_labels(out);
  return clustering.color_means();
}

template std::vector<double> slic_float(const FloatVolume&, const std::vector<std::uint8_t>&,
                                        const SlicParams&, double, const LabelImage&, int);
template std::vector<double> slic_float(const FloatVolume&, const std::vector<std::uint8_t>&,
                                        const SlicParams&, double, const LabelTags&, int);

}  // namespace superpix::cpu
