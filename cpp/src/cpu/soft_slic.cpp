// SPDX-License-Identifier: Apache-2.0
//
// Cell by cell: the features of a strip of pixels, less the cell's own centre, are brought together
// once per iteration, and all that follows is products of small matrices with them (row_kernels.h).
// Backward runs twice over the features of each iteration: first the chain of centres, last
// iteration first; then, with all gradients of centres known, each pixel sums its own over all
// iterations and is written once.
#include "cpu/soft_slic.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/soft_cells.h"

namespace superpix::cpu {
namespace {

/// The memory that a thread works in.
template <class R>
struct Scratch {
  explicit Scratch(int channels)
      : features(channels * kStripRow),
        weights(2 * kSoftCandidates * kStripRow),
        gradient(channels * kStripRow),
        sums(static_cast<std::size_t>(kSoftCandidates * (channels + 1))),
        coefficients(static_cast<std::size_t>(kSoftCandidates * channels)),
        gradient_coefficients(coefficients.size()),
        back_coefficients(2 * coefficients.size()),
        origin(static_cast<std::size_t>(channels)) {}

  Buffer<R> features;  // [channels][pixels]
  Buffer<R> weights;   // [candidates][pixels] associations, and as many of their gradients
  Buffer<R> gradient;  // [channels][pixels] of features
  std::vector<R> sums;
  std::vector<R> coefficients;           // [channels][candidates], for scores
  std::vector<R> gradient_coefficients;  // [channels][candidates], for gradients of associations
  std::vector<R> back_coefficients;      // [2 * candidates][channels], for those of features
  std::vector<R> origin;
  R biases[kSoftCandidates];
  R gradient_biases[kSoftCandidates];
};

/// What forward and backward share.
template <class R>
class SoftSlic {
 public:
  SoftSlic(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width,
           const R* features, const SoftSlicParams& params, int num_threads)
      : cells_(batch, height, width, params.rows, params.columns, num_threads),
        batch_(batch),
        channels_(static_cast<int>(channels)),
        num_cells_(cells_.num_cells()),
        image_(channels * height * width),
        features_(features),
        scale_(static_cast<R>(1.0 / params.temperature)) {}

 protected:
  auto scratch() const {
    return [channels = channels_] { return Scratch<R>(channels); };
  }

  /// Elements of the history for one iteration.
  std::int64_t step() const { return batch_ * num_cells_ * (channels_ + 1); }

  /// Where the centres of an image begin in one iteration's part of the history.
  template <class P>
  P* centers_of(P* history, std::int64_t iteration, std::int64_t image) const {
    return history + iteration * step() + image * num_cells_ * (channels_ + 1);
  }

  const R* features_of(std::int64_t image) const { return features_ + image * image_; }

  /// Prepares scores: 2 x.c - |c|^2 over the temperature, x and c being features and centres less
  /// the origin.
  void load_candidates(const R* centers, const SoftCandidates& candidates,
                       Scratch<R>& scratch) const {
    for (int j = 0; j < candidates.count; ++j) {
      const R* center = centers + candidates.cell[j] * (channels_ + 1);
      R square = 0;
      for (int c = 0; c < channels_; ++c) {
        const R d = center[c] - scratch.origin[c];
        square += d * d;
        scratch.coefficients[c * candidates.count + j] = 2 * scale_ * d;
      }
      scratch.biases[j] = -scale_ * square;
    }
  }

  /// Makes scratch.weights the associations of a strip whose features are there.
  void associate(const Strip& strip, int candidates, Scratch<R>& scratch) const {
    rows_.mix_rows({scratch.features.data(), scratch.coefficients.data(), scratch.biases,
                    scratch.weights.data(), channels_, candidates, strip.stride()});
    rows_.softmax_rows(scratch.weights.data(), candidates, strip.stride(), strip.size());
  }

  void take_origin(const R* center, Scratch<R>& scratch) const {
    std::copy_n(center, channels_, scratch.origin.data());
  }

  void take_features(std::int64_t image, const Strip& strip, Scratch<R>& scratch) const {
    take_strip(features_of(image), channels_, cells_.grid, strip, scratch.origin.data(),
               scratch.features.data());
  }

  const RowKernels<R>& rows_ = row_kernels<R>();
  SoftCells cells_;
  std::int64_t batch_;
  int channels_;
  std::int64_t num_cells_;
  std::int64_t image_;  // elements of an image
  const R* features_;
  R scale_;  // of squared distances
};

template <class R>
class Forward : SoftSlic<R> {
 public:
  Forward(const SoftSlicArgs<R>& args, const SoftSlicParams& params, int num_threads)
      : SoftSlic<R>(args.batch, args.channels, args.height, args.width, args.features, params,
                    num_threads),
        args_(args),
        num_iter_(params.num_iter) {}

  void run() {
    if (args_.initial_centers != nullptr) {
      copy_initial();
    } else {
      take_means();
    }
    for (int t = 1; t <= num_iter_; ++t) iterate(t);
    write_centers();
  }

 private:
  void copy_initial() {
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      R* to = this->centers_of(args_.history, 0, image);
      const R* from = args_.initial_centers + image * this->channels_ * this->num_cells_;
      for (std::int64_t k = 0; k < this->num_cells_; ++k) {
        for (int c = 0; c < this->channels_; ++c) *to++ = from[c * this->num_cells_ + k];
        *to++ = 0;
      }
    }
  }

  void take_means() {
    this->cells_.for_all(
        this->scratch(), [&](std::int64_t image, std::int64_t cell, Scratch<R>& s) {
          const CellGrid::Box box = this->cells_.grid.box(cell);
          // Sums of what pixels have beyond the first one, which are small.
          const Strip first{box.begin[1], box.begin[2], 1, 1};
          std::fill(s.origin.begin(), s.origin.end(), R{0});
          this->take_features(image, first, s);
          for (int c = 0; c < this->channels_; ++c) {
            s.origin[c] = s.features[c * first.stride()];
          }
          std::fill(s.sums.begin(), s.sums.end(), R{0});
          for_strips(box, [&](const Strip& strip) {
            this->take_features(image, strip, s);
            std::fill_n(s.weights.data(), strip.size(), R{1});
            std::fill_n(s.weights.data() + strip.size(), strip.stride() - strip.size(), R{0});
            this->rows_.sum_products({s.weights.data(), s.features.data(), s.sums.data(), 1,
                                      this->channels_, strip.stride()});
          });
          R* center = this->centers_of(args_.history, 0, image) + cell * (this->channels_ + 1);
          for (int c = 0; c < this->channels_; ++c) {
            center[c] = s.origin[c] + s.sums[c] / static_cast<R>(box.size());
          }
          center[this->channels_] = 0;
        });
  }

  void iterate(int t) {
    R* now = args_.history + t * this->step();
    std::fill_n(now, this->step(), R{0});
    R* association = t == num_iter_ ? args_.association : nullptr;
    this->cells_.for_groups(this->scratch(),
                            [&](std::int64_t image, std::int64_t cell, Scratch<R>& s) {
                              visit(image, cell, t, association, s);
                            });
    normalize(t);
  }

  /// Associates the pixels of a cell and adds what they give to their candidates.
  void visit(std::int64_t image, std::int64_t cell, int t, R* association, Scratch<R>& s) {
    const int fields = this->channels_ + 1;
    const SoftCandidates candidates(this->cells_.grid, cell);
    const R* before = this->centers_of(args_.history, t - 1, image);
    R* now = this->centers_of(args_.history, t, image);
    this->take_origin(before + cell * fields, s);
    this->load_candidates(before, candidates, s);
    std::fill(s.sums.begin(), s.sums.end(), R{0});
    for_strips(this->cells_.grid.box(cell), [&](const Strip& strip) {
      this->take_features(image, strip, s);
      this->associate(strip, candidates.count, s);
      if (association != nullptr) write_association(image, candidates, strip, s);
      this->rows_.sum_products({s.weights.data(), s.features.data(), s.sums.data(),
                                candidates.count, this->channels_, strip.stride()});
    });
    for (int j = 0; j < candidates.count; ++j) {
      R* to = now + candidates.cell[j] * fields;
      const R* sums = &s.sums[j * fields];
      const R weight = sums[this->channels_];
      for (int c = 0; c < this->channels_; ++c) to[c] += sums[c] + weight * s.origin[c];
      to[this->channels_] += weight;
    }
  }

  void write_association(std::int64_t image, const SoftCandidates& candidates, const Strip& strip,
                         Scratch<R>& s) {
    const std::int64_t plane = this->cells_.grid.num_pixels();
    R* planes = args_.association + image * kSoftCandidates * plane;
    for (int j = 0; j < candidates.count; ++j) {
      put_strip(s.weights.data() + j * strip.stride(), 1, this->cells_.grid, strip,
                planes + candidates.slot[j] * plane);
    }
    if (candidates.count == kSoftCandidates) return;
    R* zeros = s.weights.data() + kSoftCandidates * kStripRow;
    std::fill_n(zeros, strip.stride(), R{0});
    for (int slot = 0; slot < kSoftCandidates; ++slot) {
      const auto end = candidates.slot.begin() + candidates.count;
      if (std::find(candidates.slot.begin(), end, slot) != end) continue;
      put_strip(zeros, 1, this->cells_.grid, strip, planes + slot * plane);
    }
  }

  /// Sums become means.
  void normalize(int t) {
    const int channels = this->channels_;
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      const R* before = this->centers_of(args_.history, t - 1, image);
      R* now = this->centers_of(args_.history, t, image);
      for (std::int64_t k = 0; k < this->num_cells_; ++k) {
        const R weight = now[channels];
        if (weight < static_cast<R>(kLeastSoftWeight)) {
          std::copy_n(before, channels, now);
        } else {
          for (int c = 0; c < channels; ++c) now[c] /= weight;
        }
        before += channels + 1;
        now += channels + 1;
      }
    }
  }

  void write_centers() const {
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      const R* from = this->centers_of(args_.history, num_iter_, image);
      R* to = args_.centers + image * this->channels_ * this->num_cells_;
      for (std::int64_t k = 0; k < this->num_cells_; ++k) {
        for (int c = 0; c < this->channels_; ++c) to[c * this->num_cells_ + k] = *from++;
        ++from;
      }
    }
  }

  const SoftSlicArgs<R>& args_;
  int num_iter_;
};

/// With G_i = dL/dS^t_i, h_i = G_i / Z_i and E_pi = dL/dA_pi from outside (t = v only), for each
/// pixel
///     u_pi = h_i . (F_p - S^t_i) + E_pi,    b_pi = A_pi (u_pi - sum over j of A_pj u_pj),
///     dL/dF_p += sum over i of A_pi h_i + 2 / temperature * b_pi S^(t-1)_i,
///     dL/dS^(t-1)_i = 2 / temperature * sum over p of b_pi (F_p - S^(t-1)_i).
template <class R>
class Backward : SoftSlic<R> {
 public:
  Backward(const SoftSlicGradients<R>& args, const SoftSlicParams& params, int num_threads)
      : SoftSlic<R>(args.batch, args.channels, args.height, args.width, args.features, params,
                    num_threads),
        args_(args),
        num_iter_(params.num_iter),
        first_(params.grad_iter == 0 ? 1 : std::max(1, params.num_iter - params.grad_iter + 1)),
        means_(args.batch * this->num_cells_ * args.channels),
        next_(means_.size()),
        scaled_((num_iter_ - first_ + 1) * means_.size()) {}

  void run() {
    load_centers();
    for (int t = num_iter_; t >= first_; --t) {
      scale_gradients(t);
      this->cells_.for_groups(this->scratch(),
                              [&](std::int64_t image, std::int64_t cell, Scratch<R>& s) {
                                add_center_gradients(image, cell, t, s);
                              });
      std::swap(means_, next_);
    }
    // Now of the centres before iteration first_.
    if (first_ > 1) std::fill(means_.begin(), means_.end(), R{0});
    if (args_.initial_out != nullptr) write_initial();
    this->cells_.for_all(this->scratch(),
                         [&](std::int64_t image, std::int64_t cell, Scratch<R>& s) {
                           write_feature_gradients(image, cell, s);
                         });
  }

 private:
  /// [cells][channels] of an image.
  R* of_image(Buffer<R>& buffer, std::int64_t image) const {
    return buffer.data() + image * this->num_cells_ * this->channels_;
  }
  R* scaled_of(int t, std::int64_t image) {
    return of_image(scaled_, image) + (t - first_) * means_.size();
  }

  void load_centers() {
    if (args_.centers == nullptr) {
      std::fill(means_.begin(), means_.end(), R{0});
      return;
    }
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      const R* from = args_.centers + image * this->channels_ * this->num_cells_;
      R* to = of_image(means_, image);
      for (std::int64_t k = 0; k < this->num_cells_; ++k) {
        for (int c = 0; c < this->channels_; ++c) *to++ = from[c * this->num_cells_ + k];
      }
    }
  }

  /// G -> h, and what centres that kept their place hand on.
  void scale_gradients(int t) {
    const int channels = this->channels_;
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      const R* centers = this->centers_of(args_.history, t, image);
      const R* gradient = of_image(means_, image);
      R* scaled = scaled_of(t, image);
      R* next = of_image(next_, image);
      for (std::int64_t k = 0; k < this->num_cells_; ++k) {
        const R weight = centers[k * (channels + 1) + channels];
        const bool kept = weight < static_cast<R>(kLeastSoftWeight);
        for (std::int64_t i = k * channels; i < (k + 1) * channels; ++i) {
          scaled[i] = kept ? R{0} : gradient[i] / weight;
          next[i] = kept ? gradient[i] : R{0};
        }
      }
    }
  }

  /// Prepares what associations and their gradients of iteration t are made of, the origin being
  /// given.
  void load(std::int64_t image, const SoftCandidates& candidates, int t, Scratch<R>& s) {
    const int channels = this->channels_;
    this->load_candidates(this->centers_of(args_.history, t - 1, image), candidates, s);
    const R* now = this->centers_of(args_.history, t, image);
    const R* scaled = scaled_of(t, image);
    for (int j = 0; j < candidates.count; ++j) {
      const R* h = scaled + candidates.cell[j] * channels;
      const R* center = now + candidates.cell[j] * (channels + 1);
      R product = 0;
      for (int c = 0; c < channels; ++c) {
        product += h[c] * (center[c] - s.origin[c]);
        s.gradient_coefficients[c * candidates.count + j] = h[c];
      }
      s.gradient_biases[j] = -product;
    }
  }

  R* association_gradients(const Strip& strip, int candidates, Scratch<R>& s) const {
    return s.weights.data() + candidates * strip.stride();
  }

  /// From the features of a strip to A and b.
  void differentiate(std::int64_t image, const SoftCandidates& candidates, const Strip& strip,
                     int t, Scratch<R>& s) {
    this->associate(strip, candidates.count, s);
    R* b = association_gradients(strip, candidates.count, s);
    const bool from_outside = t == num_iter_ && args_.association != nullptr;
    if (from_outside) {
      const std::int64_t plane = this->cells_.grid.num_pixels();
      const R* planes = args_.association + image * kSoftCandidates * plane;
      for (int j = 0; j < candidates.count; ++j) {
        take_strip<R>(planes + candidates.slot[j] * plane, 1, this->cells_.grid, strip, nullptr,
                      b + j * strip.stride());
        R* row = b + j * strip.stride();
        for (std::int64_t i = 0; i < strip.stride(); ++i) row[i] += s.gradient_biases[j];
      }
    }
    this->rows_.mix_rows({s.features.data(), s.gradient_coefficients.data(),
                          from_outside ? nullptr : s.gradient_biases, b, this->channels_,
                          candidates.count, strip.stride()});
    this->rows_.softmax_gradient_rows(s.weights.data(), b, candidates.count, strip.stride());
  }

  /// Adds what a cell has of dL/dS^(t-1).
  void add_center_gradients(std::int64_t image, std::int64_t cell, int t, Scratch<R>& s) {
    const int channels = this->channels_;
    const SoftCandidates candidates(this->cells_.grid, cell);
    const R* before = this->centers_of(args_.history, t - 1, image);
    this->take_origin(before + cell * (channels + 1), s);
    load(image, candidates, t, s);
    std::fill(s.sums.begin(), s.sums.end(), R{0});
    for_strips(this->cells_.grid.box(cell), [&](const Strip& strip) {
      this->take_features(image, strip, s);
      differentiate(image, candidates, strip, t, s);
      this->rows_.sum_products({association_gradients(strip, candidates.count, s),
                                s.features.data(), s.sums.data(), candidates.count, channels,
                                strip.stride()});
    });
    R* next = of_image(next_, image);
    for (int j = 0; j < candidates.count; ++j) {
      const R* sums = &s.sums[j * (channels + 1)];
      const R* center = before + candidates.cell[j] * (channels + 1);
      R* to = next + candidates.cell[j] * channels;
      for (int c = 0; c < channels; ++c) {
        to[c] += 2 * this->scale_ * (sums[c] - (center[c] - s.origin[c]) * sums[channels]);
      }
    }
  }

  /// Writes dL/dF of a cell, the sum over all iterations.
  void write_feature_gradients(std::int64_t image, std::int64_t cell, Scratch<R>& s) {
    const int channels = this->channels_;
    const SoftCandidates candidates(this->cells_.grid, cell);
    const CellGrid::Box box = this->cells_.grid.box(cell);
    this->take_origin(this->centers_of(args_.history, num_iter_ - 1, image) + cell * (channels + 1),
                      s);
    const R* initial = of_image(means_, image) + cell * channels;
    const R share = args_.initial_out != nullptr ? R{0} : R{1} / static_cast<R>(box.size());
    for_strips(box, [&](const Strip& strip) {
      this->take_features(image, strip, s);
      for (int c = 0; c < channels; ++c) {
        std::fill_n(s.gradient.data() + c * strip.stride(), strip.stride(), share * initial[c]);
      }
      for (int t = num_iter_; t >= first_; --t) {
        load(image, candidates, t, s);
        differentiate(image, candidates, strip, t, s);
        for (int j = 0; j < candidates.count; ++j) {
          for (int c = 0; c < channels; ++c) {
            s.back_coefficients[j * channels + c] =
                s.gradient_coefficients[c * candidates.count + j];
            s.back_coefficients[(candidates.count + j) * channels + c] =
                s.coefficients[c * candidates.count + j];
          }
        }
        this->rows_.mix_rows({s.weights.data(), s.back_coefficients.data(), nullptr,
                              s.gradient.data(), 2 * candidates.count, channels, strip.stride()});
      }
      put_strip(s.gradient.data(), channels, this->cells_.grid, strip,
                args_.features_out + image * this->image_);
    });
  }

  void write_initial() {
    for (std::int64_t image = 0; image < this->batch_; ++image) {
      const R* from = of_image(means_, image);
      R* to = args_.initial_out + image * this->channels_ * this->num_cells_;
      for (std::int64_t k = 0; k < this->num_cells_; ++k) {
        for (int c = 0; c < this->channels_; ++c) to[c * this->num_cells_ + k] = *from++;
      }
    }
  }

  const SoftSlicGradients<R>& args_;
  int num_iter_;
  int first_;         // the first iteration that gradients go back through
  Buffer<R> means_;   // [batch][cells][channels] dL/dS^t
  Buffer<R> next_;    // the same of t - 1
  Buffer<R> scaled_;  // [iterations][batch][cells][channels] h
};

}  // namespace

template <class R>
void soft_slic(const SoftSlicArgs<R>& args, const SoftSlicParams& params, int num_threads) {
  Forward<R>(args, params, num_threads).run();
}
template void soft_slic(const SoftSlicArgs<float>&, const SoftSlicParams&, int);
template void soft_slic(const SoftSlicArgs<double>&, const SoftSlicParams&, int);

template <class R>
void soft_slic_backward(const SoftSlicGradients<R>& args, const SoftSlicParams& params,
                        int num_threads) {
  Backward<R>(args, params, num_threads).run();
}
template void soft_slic_backward(const SoftSlicGradients<float>&, const SoftSlicParams&, int);
template void soft_slic_backward(const SoftSlicGradients<double>&, const SoftSlicParams&, int);

}  // namespace superpix::cpu
