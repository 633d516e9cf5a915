// SPDX-License-Identifier: Apache-2.0
//
// Cell by cell: the features of a strip of pixels, less the cell's own centre, are brought together
// once per iteration, and all that follows is products of small matrices with them (row_kernels.h).
// Backward runs twice over the features of each iteration: first the chain of centres, last
// iteration first; then, with all gradients of centres known, each pixel sums its own over all
// iterations and is written once.
#include "cpu/soft_slic.h"

#include <algorithm>
#include <array>
#include <memory>

#include "cpu/buffer.h"
#include "cpu/soft_cells.h"

namespace superpix::cpu {
namespace {

/// What a thread knows of one cell of a group.
template <class R>
struct CellScratch {
  SoftCandidates candidates;
  R biases[kSoftCandidates];
  R gradient_biases[kSoftCandidates];
  R* origin;                 // that features and centres are measured from
  R* coefficients;           // [channels][candidates], for scores
  R* gradient_coefficients;  // [channels][candidates], for gradients of associations
  R* features;               // [channels][pixels] of a strip
  R* sums;                   // [candidates][channels + 1][16]
};

/// All in one piece of memory, as a small image is done before many are taken.
template <class R>
struct Scratch {
  Scratch(int channels, std::int64_t columns) {
    const std::int64_t num_cells = std::min(columns, CellGroup::kMostCells);
    std::int64_t size = 0;
    place(channels, num_cells, [&](std::int64_t n) {
      size += rounded_up(n);
      return static_cast<R*>(nullptr);
    });
    memory = Buffer<R>(size);
    R* next = memory.data();
    place(channels, num_cells, [&](std::int64_t n) {
      R* const piece = next;
      next += rounded_up(n);
      return piece;
    });
  }

  std::array<CellScratch<R>, CellGroup::kMostCells> cells;
  R* weights;            // [candidates][pixels] associations, and as many of their gradients
  R* gradient;           // [channels][pixels] of features
  R* totals;             // [candidates][channels + 1]
  R* back_coefficients;  // [2 * candidates][channels], for gradients of features

 private:
  /// To whole cache lines, also of doubles.
  static std::int64_t rounded_up(std::int64_t n) { return (n + 15) / 16 * 16; }

  template <class F>
  void place(std::int64_t channels, std::int64_t num_cells, F take) {
    for (std::int64_t i = 0; i < num_cells; ++i) {
      cells[i].origin = take(channels);
      cells[i].coefficients = take(kSoftCandidates * channels);
      cells[i].gradient_coefficients = take(kSoftCandidates * channels);
      cells[i].features = take(channels * kStripRow);
      cells[i].sums = take(kSoftCandidates * (channels + 1) * kBlockPixels);
    }
    weights = take(2 * kSoftCandidates * kStripRow);
    gradient = take(channels * kStripRow);
    totals = take(kSoftCandidates * (channels + 1));
    back_coefficients = take(2 * kSoftCandidates * channels);
  }

  Buffer<R> memory;
};

/// What forward and backward share. S is what arrays are made of, R what is computed in.
template <class S>
class SoftSlic {
 public:
  using R = ComputeType<S>;

  SoftSlic(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width,
           const S* features, const SoftSlicParams& params, int num_threads)
      : cells_(batch, height, width, params.rows, params.columns,
               batch * channels * height * width < kLeastForThreads ? 1 : num_threads),
        scratches_([channels, columns = params.columns] {
          return std::make_unique<Scratch<R>>(static_cast<int>(channels), columns);
        }),
        batch_(batch),
        channels_(static_cast<int>(channels)),
        num_cells_(cells_.num_cells()),
        image_(channels * height * width),
        features_(features),
        scale_(static_cast<R>(1.0 / params.temperature)),
        row_sums_(batch, cells_, channels + 1) {}

 protected:
  /// Elements of the history for one iteration.
  std::int64_t step() const { return batch_ * num_cells_ * (channels_ + 1); }

  /// Where the centres of an image begin in one iteration's part of the history.
  template <class P>
  P* centers_of(P* history, std::int64_t iteration, std::int64_t image) const {
    return history + iteration * step() + image * num_cells_ * (channels_ + 1);
  }

  /// The centres of an image as callers have them, [B][C][K], to [K][fields], of which C are used.
  void from_planes(const S* planes, std::int64_t image, int fields, R* to) const {
    const S* from = planes + image * channels_ * num_cells_;
    for (std::int64_t k = 0; k < num_cells_; ++k, to += fields) {
      for (int c = 0; c < channels_; ++c) to[c] = detail::widen(from[c * num_cells_ + k]);
    }
  }
  /// The other way round.
  void to_planes(const R* from, std::int64_t image, int fields, S* planes) const {
    S* to = planes + image * channels_ * num_cells_;
    for (std::int64_t k = 0; k < num_cells_; ++k, from += fields) {
      for (int c = 0; c < channels_; ++c) to[c * num_cells_ + k] = detail::narrow<S>(from[c]);
    }
  }

  /// Prepares scores: 2 x.c - |c|^2 over the temperature, x and c being features and centres less
  /// the origin.
  void load_candidates(const R* centers, CellScratch<R>& s) const {
    const SoftCandidates& candidates = s.candidates;
    for (int j = 0; j < candidates.count; ++j) {
      const R* center = centers + candidates.cell[j] * (channels_ + 1);
      R square = 0;
      for (int c = 0; c < channels_; ++c) {
        const R d = center[c] - s.origin[c];
        square += d * d;
        s.coefficients[c * candidates.count + j] = 2 * scale_ * d;
      }
      s.biases[j] = -scale_ * square;
    }
  }

  /// Makes `weights` the associations of a strip whose features are there.
  void associate(const Strip& strip, const CellScratch<R>& s, R* weights) const {
    rows_.mix_rows({s.features, s.coefficients, s.biases, weights, channels_, s.candidates.count,
                    strip.stride()});
    rows_.softmax_rows(weights, s.candidates.count, strip.stride(), strip.size());
  }

  /// Sets the candidates of the cells of a group, and their own centre as the origin.
  void start_group(const CellGroup& group, const R* centers, Scratch<R>& s) const {
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const std::int64_t cell = group.first_cell + i;
      s.cells[i].candidates = SoftCandidates(cells_.grid, cell);
      std::copy_n(centers + cell * (channels_ + 1), channels_, s.cells[i].origin);
      std::fill_n(s.cells[i].sums, s.cells[i].candidates.count * (channels_ + 1) * kBlockPixels,
                  R{0});
    }
  }

  void take_features(const CellGroup& group, const GroupStrip& strips, Scratch<R>& s) const {
    const R* origins[CellGroup::kMostCells];
    R* rows[CellGroup::kMostCells];
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      origins[i] = s.cells[i].origin;
      rows[i] = s.cells[i].features;
    }
    take_strips(features_ + group.image * image_, channels_, cells_.grid, strips, origins, rows);
  }

  /// Calls f(cell of the scratch, its strip) for the strips of a group, with the features.
  template <class F>
  void for_strips(const CellGroup& group, Scratch<R>& s, F f) const {
    const S* image = features_ + group.image * image_;
    const auto part = [&](std::int64_t i) {
      return static_cast<int>(i * channels_ / group.num_cells);
    };
    cells_.for_strips(group, [&](const GroupStrip& strips) {
      take_features(group, strips, s);
      for (std::int64_t i = 0; i < group.num_cells; ++i) {
        prefetch_next(image, part(i), part(i + 1), cells_.grid, strips);
        f(s.cells[i], strips.of_cell[i]);
      }
    });
  }

  /// Calls f(group, scratch) for all groups of cells, on threads.
  template <class F>
  void for_groups(F f) {
    cells_.for_rows(scratches_, [&](std::int64_t image, std::int64_t row, Scratch<R>& s) {
      row_sums_.clear(image, row);
      cells_.for_groups(image, row, [&](const CellGroup& group) { f(group, s); });
    });
  }

  /// Where a cell of a group sums up what it gives to candidate j.
  R* sums_of(const CellGroup& group, const CellScratch<R>& cell, int j) {
    return row_sums_.of(group.image, group.first_cell / cells_.columns(), cell.candidates.cell[j]);
  }

  /// Calls f(image, superpixel, total) with what all cells gave to each superpixel, on threads.
  template <class F>
  void for_totals(F f) {
    cells_.for_rows([&](std::int64_t image, std::int64_t row) {
      row_sums_.for_totals(image, row, [&](std::int64_t k, const R* total) { f(image, k, total); });
    });
  }

  void add_sums(const Strip& strip, const R* weights, int count, CellScratch<R>& s) const {
    rows_.sum_products({weights, s.features, s.sums, count, channels_, strip.stride()});
  }

  /// The sums of add_sums() [candidates][channels + 1].
  const R* total(const CellScratch<R>& s, Scratch<R>& scratch) const {
    rows_.add_lanes(s.sums, s.candidates.count * (channels_ + 1), scratch.totals);
    return scratch.totals;
  }

  // With fewer elements than these, one thread is done before another has begun.
  static constexpr std::int64_t kLeastForThreads = 1 << 15;

  const RowKernels<R>& rows_ = row_kernels<R>();
  SoftCells cells_;
  ScratchPool<Scratch<R>> scratches_;
  std::int64_t batch_;
  int channels_;
  std::int64_t num_cells_;
  std::int64_t image_;  // elements of an image
  const S* features_;
  R scale_;  // of squared distances
  RowSums<R> row_sums_;
};

template <class S>
class Forward : SoftSlic<S> {
  using R = ComputeType<S>;

 public:
  Forward(const SoftSlicArgs<S>& args, const SoftSlicParams& params, int num_threads)
      : SoftSlic<S>(args.batch, args.channels, args.height, args.width, args.features, params,
                    num_threads),
        args_(args),
        num_iter_(params.num_iter) {}

  void run() {
    if (args_.initial_centers != nullptr) {
      copy_initial();
    } else {
      this->for_groups([&](const CellGroup& group, Scratch<R>& s) { take_means(group, s); });
    }
    for (int t = 1; t <= num_iter_; ++t) {
      this->for_groups([&](const CellGroup& group, Scratch<R>& s) { add_group(group, t, s); });
      this->for_totals([&](std::int64_t image, std::int64_t k, const R* total) {
        move_center(image, k, t, total);
      });
    }
    write_centers();
  }

 private:
  void copy_initial() {
    std::fill_n(args_.history, this->step(), R{0});  // the weights, which nobody reads
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      this->from_planes(args_.initial_centers, image, this->channels_ + 1,
                        this->centers_of(args_.history, 0, image));
    }
  }

  /// Sums up what pixels have beyond the first one of their cell, which is small.
  void take_means(const CellGroup& group, Scratch<R>& s) {
    const CellGrid& grid = this->cells_.grid;
    const std::int64_t plane = grid.num_pixels();
    R* centers = this->centers_of(args_.history, 0, group.image);
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const CellGrid::Box box = grid.box(group.first_cell + i);
      const S* first = this->features_ + group.image * this->image_ +
                       box.begin[1] * grid.shape()[2] + box.begin[2];
      R* center = centers + (group.first_cell + i) * (this->channels_ + 1);
      for (int c = 0; c < this->channels_; ++c) center[c] = detail::widen(first[c * plane]);
    }
    this->start_group(group, centers, s);
    this->for_strips(group, s, [&](CellScratch<R>& cell, const Strip& strip) {
      std::fill_n(s.weights, strip.size(), R{1});
      std::fill_n(s.weights + strip.size(), strip.stride() - strip.size(), R{0});
      this->add_sums(strip, s.weights, 1, cell);
    });
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const R* sums = this->total(s.cells[i], s);
      R* center = centers + (group.first_cell + i) * (this->channels_ + 1);
      for (int c = 0; c < this->channels_; ++c) center[c] += sums[c] / sums[this->channels_];
      center[this->channels_] = 0;
    }
  }

  /// Associates the pixels of a group of cells and adds what they give to their candidates.
  void add_group(const CellGroup& group, int t, Scratch<R>& s) {
    const int fields = this->channels_ + 1;
    const R* before = this->centers_of(args_.history, t - 1, group.image);
    this->start_group(group, before, s);
    for (std::int64_t i = 0; i < group.num_cells; ++i) this->load_candidates(before, s.cells[i]);
    const bool writes = t == num_iter_ && args_.association != nullptr;
    this->for_strips(group, s, [&](CellScratch<R>& cell, const Strip& strip) {
      this->associate(strip, cell, s.weights);
      if (writes) write_association(group.image, cell.candidates, strip, s);
      this->add_sums(strip, s.weights, cell.candidates.count, cell);
    });
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const CellScratch<R>& cell = s.cells[i];
      const R* sums = this->total(cell, s);
      for (int j = 0; j < cell.candidates.count; ++j, sums += fields) {
        R* to = this->sums_of(group, cell, j);
        const R weight = sums[this->channels_];
        for (int c = 0; c < this->channels_; ++c) to[c] += sums[c] + weight * cell.origin[c];
        to[this->channels_] += weight;
      }
    }
  }

  void write_association(std::int64_t image, const SoftCandidates& candidates, const Strip& strip,
                         Scratch<R>& s) {
    const CellGrid& grid = this->cells_.grid;
    const std::int64_t plane = grid.num_pixels();
    S* planes = args_.association + image * kSoftCandidates * plane;
    for (int j = 0; j < candidates.count; ++j) {
      put_strip(s.weights + j * strip.stride(), 1, grid, strip,
                planes + candidates.slot[j] * plane);
    }
    if (candidates.count == kSoftCandidates) return;
    R* zeros = s.weights + kSoftCandidates * kStripRow;
    std::fill_n(zeros, strip.stride(), R{0});
    for (int slot = 0; slot < kSoftCandidates; ++slot) {
      const auto end = candidates.slot.begin() + candidates.count;
      if (std::find(candidates.slot.begin(), end, slot) != end) continue;
      put_strip(zeros, 1, grid, strip, planes + slot * plane);
    }
  }

  /// Makes a centre the mean of its pixels.
  void move_center(std::int64_t image, std::int64_t k, int t, const R* total) {
    const int channels = this->channels_;
    R* center = this->centers_of(args_.history, t, image) + k * (channels + 1);
    const R weight = total[channels];
    center[channels] = weight;
    if (weight < static_cast<R>(kLeastSoftWeight)) {
      std::copy_n(center - this->step(), channels, center);
      return;
    }
    const R scale = R{1} / weight;
    for (int c = 0; c < channels; ++c) center[c] = total[c] * scale;
  }

  void write_centers() const {
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      this->to_planes(this->centers_of(args_.history, num_iter_, image), image, this->channels_ + 1,
                      args_.centers);
    }
  }

  const SoftSlicArgs<S>& args_;
  int num_iter_;
};

/// With G_i = dL/dS^t_i, h_i = G_i / Z_i and E_pi = dL/dA_pi from outside (t = v only), for each
/// pixel
///     u_pi = h_i . (F_p - S^t_i) + E_pi,    b_pi = A_pi (u_pi - sum over j of A_pj u_pj),
///     dL/dF_p += sum over i of A_pi h_i + 2 / temperature * b_pi S^(t-1)_i,
///     dL/dS^(t-1)_i = 2 / temperature * sum over p of b_pi (F_p - S^(t-1)_i).
template <class S>
class Backward : SoftSlic<S> {
  using R = ComputeType<S>;

 public:
  Backward(const SoftSlicGradients<S>& args, const SoftSlicParams& params, int num_threads)
      : SoftSlic<S>(args.batch, args.channels, args.height, args.width, args.features, params,
                    num_threads),
        args_(args),
        num_iter_(params.num_iter),
        first_(params.grad_iter == 0 ? 1 : std::max(1, params.num_iter - params.grad_iter + 1)),
        step_(args.batch * this->num_cells_ * args.channels),
        gradients_((num_iter_ - first_ + 2) * step_) {}

  void run() {
    load_centers();
    for (int t = num_iter_; t >= first_; --t) {
      scale_gradients(t);
      this->for_groups(
          [&](const CellGroup& group, Scratch<R>& s) { add_center_gradients(group, t, s); });
      this->for_totals([&](std::int64_t image, std::int64_t k, const R* total) {
        R* gradient = gradients_of(t - 1, image) + k * this->channels_;
        for (int c = 0; c < this->channels_; ++c) gradient[c] += total[c];
      });
    }
    // Those of the centres that the first iteration started from.
    if (first_ > 1) std::fill_n(gradients_.data(), step_, R{0});
    if (args_.initial_out != nullptr) write_initial();
    this->for_groups(
        [&](const CellGroup& group, Scratch<R>& s) { write_feature_gradients(group, s); });
  }

 private:
  /// G of iteration t, or h once scaled, [cells][channels] of an image. t is from first_ - 1 on.
  R* gradients_of(int t, std::int64_t image) {
    return gradients_.data() + (t - first_ + 1) * step_ +
           image * this->num_cells_ * this->channels_;
  }

  void load_centers() {
    if (args_.centers == nullptr) {
      std::fill_n(gradients_of(num_iter_, 0), step_, R{0});
      return;
    }
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      this->from_planes(args_.centers, image, this->channels_, gradients_of(num_iter_, image));
    }
  }

  /// G -> h. What centres that kept their place got is handed on to the iteration before.
  void scale_gradients(int t) {
    const int channels = this->channels_;
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      const R* centers = this->centers_of(args_.history, t, image);
      R* gradient = gradients_of(t, image);
      R* before = gradients_of(t - 1, image);
      for (std::int64_t k = 0; k < this->num_cells_; ++k) {
        const R weight = centers[k * (channels + 1) + channels];
        const bool kept = weight < static_cast<R>(kLeastSoftWeight);
        const R scale = kept ? R{0} : R{1} / weight;
        for (std::int64_t i = k * channels; i < (k + 1) * channels; ++i) {
          before[i] = kept ? gradient[i] : R{0};
          gradient[i] *= scale;
        }
      }
    }
  }

  /// Prepares what associations and their gradients of iteration t are made of, the origin being
  /// given.
  void load(std::int64_t image, int t, CellScratch<R>& s) {
    const int channels = this->channels_;
    this->load_candidates(this->centers_of(args_.history, t - 1, image), s);
    const R* now = this->centers_of(args_.history, t, image);
    const R* scaled = gradients_of(t, image);
    for (int j = 0; j < s.candidates.count; ++j) {
      const R* h = scaled + s.candidates.cell[j] * channels;
      const R* center = now + s.candidates.cell[j] * (channels + 1);
      R product = 0;
      for (int c = 0; c < channels; ++c) {
        product += h[c] * (center[c] - s.origin[c]);
        s.gradient_coefficients[c * s.candidates.count + j] = h[c];
      }
      s.gradient_biases[j] = -product;
    }
  }

  /// From the features of a strip to A, in scratch.weights; returns b, which follows it.
  R* differentiate(std::int64_t image, const Strip& strip, int t, const CellScratch<R>& cell,
                   Scratch<R>& s) {
    const int count = cell.candidates.count;
    R* weights = s.weights;
    R* b = weights + count * strip.stride();
    this->associate(strip, cell, weights);
    const bool from_outside = t == num_iter_ && args_.association != nullptr;
    if (from_outside) take_association_gradients(image, strip, cell, b);
    this->rows_.mix_rows({cell.features, cell.gradient_coefficients,
                          from_outside ? nullptr : cell.gradient_biases, b, this->channels_, count,
                          strip.stride()});
    this->rows_.softmax_gradient_rows(weights, b, count, strip.stride());
    return b;
  }

  /// Makes the rows E_pi and what u_pi has that does not depend on the pixel.
  void take_association_gradients(std::int64_t image, const Strip& strip,
                                  const CellScratch<R>& cell, R* rows) {
    const std::int64_t plane = this->cells_.grid.num_pixels();
    const S* planes = args_.association + image * kSoftCandidates * plane;
    GroupStrip strips{};
    strips.of_cell[0] = strip;
    strips.num_cells = 1;
    for (int j = 0; j < cell.candidates.count; ++j) {
      const R origin = -cell.gradient_biases[j];
      const R* origins[] = {&origin};
      R* row[] = {rows + j * strip.stride()};
      take_strips(planes + cell.candidates.slot[j] * plane, 1, this->cells_.grid, strips, origins,
                  row);
    }
  }

  /// Adds what a group of cells has of dL/dS^(t-1).
  void add_center_gradients(const CellGroup& group, int t, Scratch<R>& s) {
    const int channels = this->channels_;
    const R* before = this->centers_of(args_.history, t - 1, group.image);
    this->start_group(group, before, s);
    for (std::int64_t i = 0; i < group.num_cells; ++i) load(group.image, t, s.cells[i]);
    this->for_strips(group, s, [&](CellScratch<R>& cell, const Strip& strip) {
      const R* b = differentiate(group.image, strip, t, cell, s);
      this->add_sums(strip, b, cell.candidates.count, cell);
    });
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const CellScratch<R>& cell = s.cells[i];
      const R* sums = this->total(cell, s);
      for (int j = 0; j < cell.candidates.count; ++j, sums += channels + 1) {
        const R* center = before + cell.candidates.cell[j] * (channels + 1);
        R* to = this->sums_of(group, cell, j);
        for (int c = 0; c < channels; ++c) {
          to[c] += 2 * this->scale_ * (sums[c] - (center[c] - cell.origin[c]) * sums[channels]);
        }
      }
    }
  }

  /// Writes dL/dF of a group of cells, the sum over all iterations.
  void write_feature_gradients(const CellGroup& group, Scratch<R>& s) {
    const int channels = this->channels_;
    const CellGrid& grid = this->cells_.grid;
    const R* initial = gradients_of(first_ - 1, group.image);
    this->start_group(group, this->centers_of(args_.history, num_iter_ - 1, group.image), s);
    std::int64_t cell_index = group.first_cell;
    this->for_strips(group, s, [&](CellScratch<R>& cell, const Strip& strip) {
      const std::int64_t own = group.first_cell + (cell_index - group.first_cell) % group.num_cells;
      ++cell_index;
      const std::int64_t size = grid.box(own).size();
      const R share = args_.initial_out != nullptr ? R{0} : R{1} / static_cast<R>(size);
      for (int c = 0; c < channels; ++c) {
        std::fill_n(s.gradient + c * strip.stride(), strip.stride(),
                    share * initial[own * channels + c]);
      }
      for (int t = num_iter_; t >= first_; --t) {
        load(group.image, t, cell);
        differentiate(group.image, strip, t, cell, s);
        add_feature_gradients(strip, cell, s);
      }
      put_strip(s.gradient, channels, grid, strip, args_.features_out + group.image * this->image_);
    });
  }

  /// From A and b to what one iteration adds to dL/dF.
  void add_feature_gradients(const Strip& strip, const CellScratch<R>& cell, Scratch<R>& s) {
    const int channels = this->channels_;
    const int count = cell.candidates.count;
    R* to = s.back_coefficients;
    for (const R* from : {cell.gradient_coefficients, cell.coefficients}) {
      for (int j = 0; j < count; ++j) {
        for (int c = 0; c < channels; ++c) *to++ = from[c * count + j];
      }
    }
    this->rows_.mix_rows(
        {s.weights, s.back_coefficients, nullptr, s.gradient, 2 * count, channels, strip.stride()});
  }

  void write_initial() {
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      this->to_planes(gradients_of(first_ - 1, image), image, this->channels_, args_.initial_out);
    }
  }

  const SoftSlicGradients<S>& args_;
  int num_iter_;
  int first_;            // the first iteration that gradients go back through
  std::int64_t step_;    // elements of the gradients of one iteration
  Buffer<R> gradients_;  // [iterations + 1][batch][cells][channels]
};

}  // namespace

template <class S>
void soft_slic(const SoftSlicArgs<S>& args, const SoftSlicParams& params, int num_threads) {
  Forward<S>(args, params, num_threads).run();
}
template void soft_slic(const SoftSlicArgs<float>&, const SoftSlicParams&, int);
template void soft_slic(const SoftSlicArgs<double>&, const SoftSlicParams&, int);
template void soft_slic(const SoftSlicArgs<detail::Half>&, const SoftSlicParams&, int);
template void soft_slic(const SoftSlicArgs<detail::BFloat16>&, const SoftSlicParams&, int);

template <class S>
void soft_slic_backward(const SoftSlicGradients<S>& args, const SoftSlicParams& params,
                        int num_threads) {
  Backward<S>(args, params, num_threads).run();
}
template void soft_slic_backward(const SoftSlicGradients<float>&, const SoftSlicParams&, int);
template void soft_slic_backward(const SoftSlicGradients<double>&, const SoftSlicParams&, int);
template void soft_slic_backward(const SoftSlicGradients<detail::Half>&, const SoftSlicParams&,
                                 int);
template void soft_slic_backward(const SoftSlicGradients<detail::BFloat16>&, const SoftSlicParams&,
                                 int);

}  // namespace superpix::cpu
