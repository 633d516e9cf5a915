// SPDX-License-Identifier: Apache-2.0
//
// Runs twice over the features of each iteration: first the chain of centres, last iteration first;
// then, with all gradients of centres known, each pixel sums its own over all iterations and is
// written once. Associations are computed anew from the centres that forward kept.
#include <algorithm>
#include <cstdint>

#include "cpu/buffer.h"
#include "cpu/soft_cells.h"
#include "cpu/soft_slic.h"
#include "cpu/soft_slic_shared.h"

namespace superpix::cpu {
namespace {

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
        gradients_((num_iter_ - first_ + (args.centers != nullptr ? 2 : 1)) * step_) {}

  void run() {
    if (args_.initial_out != nullptr) {
      this->find_means();
    } else {
      this->means_ = args_.history;
    }
    if (args_.centers != nullptr) load_centers();
    for (int t = num_iter_; t >= first_; --t) {
      scale_gradients(t);
      this->sum_groups([&](const CellGroup& group, SoftSlicScratch<R>& s) {
        add_center_gradients(group, t, s);
      });
      this->for_totals([&](std::int64_t image, std::int64_t k, const R* total) {
        R* gradient = gradients_of(t - 1, image) + k * this->channels_;
        for (int c = 0; c < this->channels_; ++c) gradient[c] += total[c];
      });
    }
    // Those of the centres that the first iteration started from.
    if (first_ > 1) std::fill_n(gradients_.data(), step_, R{0});
    if (args_.initial_out != nullptr) write_initial();
    this->for_groups(
        [&](const CellGroup& group, SoftSlicScratch<R>& s) { write_feature_gradients(group, s); });
  }

 private:
  /// G of iteration t, or h once scaled, [cells][channels] of an image. t is from first_ - 1 on.
  R* gradients_of(int t, std::int64_t image) {
    return gradients_.data() + (t - first_ + 1) * step_ +
           image * this->num_cells_ * this->channels_;
  }

  /// Whether the centres of iteration t have gradients; the last may have none.
  bool has_gradients(int t) const { return t < num_iter_ || args_.centers != nullptr; }

  void load_centers() {
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      this->from_planes(args_.centers, image, this->channels_, gradients_of(num_iter_, image));
    }
  }

  /// G -> h. What centres that kept their place got is handed on to the iteration before.
  void scale_gradients(int t) {
    if (!has_gradients(t)) {
      std::fill_n(gradients_of(t - 1, 0), step_, R{0});
      return;
    }
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
  void load(std::int64_t image, int t, SoftSlicCell<R>& s) {
    const int channels = this->channels_;
    this->load_candidates(this->centers_of(args_.history, t - 1, image), s);
    if (!has_gradients(t)) {
      std::fill_n(s.gradient_coefficients, s.candidates.count * channels, R{0});
      std::fill_n(s.gradient_biases, s.candidates.count, R{0});
      return;
    }
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
  R* differentiate(std::int64_t image, const Strip& strip, int t, const SoftSlicCell<R>& cell,
                   SoftSlicScratch<R>& s) {
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
                                  const SoftSlicCell<R>& cell, R* rows) {
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
  void add_center_gradients(const CellGroup& group, int t, SoftSlicScratch<R>& s) {
    const int channels = this->channels_;
    const R* before = this->centers_of(args_.history, t - 1, group.image);
    this->start_group(group, s);
    for (std::int64_t i = 0; i < group.num_cells; ++i) load(group.image, t, s.cells[i]);
    this->for_strips(group, s, [&](SoftSlicCell<R>& cell, const Strip& strip) {
      const R* b = differentiate(group.image, strip, t, cell, s);
      this->add_sums(strip, b, cell.candidates.count, cell);
    });
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const SoftSlicCell<R>& cell = s.cells[i];
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
  void write_feature_gradients(const CellGroup& group, SoftSlicScratch<R>& s) {
    const int channels = this->channels_;
    const CellGrid& grid = this->cells_.grid;
    const R* initial = gradients_of(first_ - 1, group.image);
    this->start_group(group, s);
    std::int64_t cell_index = group.first_cell;
    this->for_strips(group, s, [&](SoftSlicCell<R>& cell, const Strip& strip) {
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
  void add_feature_gradients(const Strip& strip, const SoftSlicCell<R>& cell,
                             SoftSlicScratch<R>& s) {
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
  Buffer<R> gradients_;  // [iterations, one more if the last has gradients][batch][cells][channels]
};

}  // namespace

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
