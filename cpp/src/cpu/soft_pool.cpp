// SPDX-License-Identifier: Apache-2.0
//
// Both directions are products of small matrices with rows of pixels (row_kernels.h): sums over
// pixels of candidates times channels, or rows of channels mixed from those of candidates, and the
// other way round for gradients of associations.
#include "cpu/soft_pool.h"

#include <algorithm>
#include <cmath>

#include "cpu/buffer.h"
#include "cpu/soft_cells.h"
#include "cpu/soft_pool_strips.h"

namespace superpix::cpu {
namespace {

/// Superpixels as rows [B][K][D] of what is computed in, from planes [B][D][K].
template <class S>
class CenterRows {
 public:
  using R = ComputeType<S>;

  CenterRows(const S* planes, const SoftPoolShape& shape, const SoftCells& cells)
      : channels_(shape.channels),
        num_cells_(cells.num_cells()),
        rows_(shape.batch * num_cells_ * channels_) {
    cells.for_rows([&](std::int64_t image, std::int64_t row) {
      const S* from = planes + image * channels_ * num_cells_;
      const std::int64_t first = row * cells.columns();
      for (std::int64_t k = first; k < first + cells.columns(); ++k) {
        R* to = of(image, k);
        for (std::int64_t c = 0; c < channels_; ++c) {
          to[c] = detail::widen(from[c * num_cells_ + k]);
        }
      }
    });
  }

  R* of(std::int64_t image, std::int64_t superpixel) {
    return rows_.data() + (image * num_cells_ + superpixel) * channels_;
  }

 private:
  std::int64_t channels_;
  std::int64_t num_cells_;
  Buffer<R> rows_;
};

/// What all four functions are made of.
template <class S>
class SoftPooling {
 public:
  using R = ComputeType<S>;
  using Scratch = typename SoftPoolStrips<S>::Scratch;

  SoftPooling(const SoftPoolShape& shape, int num_threads)
      : channels_(static_cast<int>(shape.channels)), strips_(shape, num_threads) {}

 protected:
  // Channels that are read while they are in the first-level cache.
  static constexpr int kChannelsTogether = 6;

  /// Adds what strips give to their superpixels: associations times `count` channels.
  void add_sums(const CellGroup& group, const S* values, int first, int count, Scratch& s,
                RowSums<R>& sums) const {
    images_.sum_values(s.kernel_strips.data(), static_cast<int>(group.num_cells),
                       strips_.channels_of(values, group.image, first, count));
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const SoftPoolCell<R>& cell = s.of_cell[i];
      for (int j = 0; j < cell.candidates.count; ++j) {
        R* to = sums_of(group, cell, j, sums) + first;
        for (int c = 0; c < count; ++c) to[c] += cell.sums[j * count + c];
      }
    }
  }

  /// Adds the associations themselves, as the channel after the last.
  void add_weights(const CellGroup& group, const GroupStrip& strips, Scratch& s,
                   RowSums<R>& sums) const {
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const SoftPoolCell<R>& cell = s.of_cell[i];
      const int count = cell.candidates.count;
      std::fill_n(s.lanes, count * kBlockPixels, R{0});
      rows_.sum_products(
          {cell.association, nullptr, s.lanes, count, 0, strips.of_cell[i].stride()});
      rows_.add_lanes(s.lanes, count, s.weights);
      for (int j = 0; j < count; ++j) sums_of(group, cell, j, sums)[channels_] += s.weights[j];
    }
  }

  /// Sets the centers of the candidates of a group.
  void set_centers(const CellGroup& group, CenterRows<S>& centers, Scratch& s) const {
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      SoftPoolCell<R>& cell = s.of_cell[i];
      for (int j = 0; j < cell.candidates.count; ++j) {
        cell.centers[j] = centers.of(group.image, cell.candidates.cell[j]);
      }
    }
  }

  /// Writes the values of strips: sums over the candidates of associations times centers.
  void put_values(const CellGroup& group, S* values, Scratch& s) const {
    images_.mix_values(s.kernel_strips.data(), static_cast<int>(group.num_cells),
                       strips_.channels_of(values, group.image, 0, channels_));
  }

  /// Adds sums over `count` channels to the gradients of strips: values less the origin times
  /// coefficients. The first channels begin with the biases.
  void add_gradients(const CellGroup& group, const S* values, int first, int count,
                     Scratch& s) const {
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const SoftPoolCell<R>& cell = s.of_cell[i];
      SoftPoolStrip<R>& strip = s.kernel_strips[i];
      strip.coefficients = cell.coefficients + first * cell.candidates.count;
      strip.origin = cell.origin + first;
      strip.bias = first == 0 ? cell.biases.data() : nullptr;
    }
    images_.mix_gradients(s.kernel_strips.data(), static_cast<int>(group.num_cells),
                          strips_.channels_of(values, group.image, first, count));
  }

  void normalize(const CellGroup& group, const GroupStrip& strips, Scratch& s) const {
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      SoftPoolCell<R>& cell = s.of_cell[i];
      rows_.normalize_rows(cell.association, cell.candidates.count, strips.of_cell[i].stride(),
                           cell.inverses);
    }
  }

  R* sums_of(const CellGroup& group, const SoftPoolCell<R>& cell, int j, RowSums<R>& sums) const {
    return sums.of(group.image, group.first_cell / strips_.cells.columns(),
                   cell.candidates.cell[j]);
  }

  int channels_;
  SoftPoolStrips<S> strips_;
  const RowKernels<R>& rows_ = row_kernels<R>();
  const ImageKernels<S>& images_ = image_kernels<S>();
};

/// What values are measured from: something near that does not spoil what is finite.
template <class R>
R origin_near(R value) {
  return std::isfinite(value) ? value : R{0};
}

template <class S>
class PoolForward : SoftPooling<S> {
 public:
  using typename SoftPooling<S>::R;
  using typename SoftPooling<S>::Scratch;

  PoolForward(const SoftPoolShape& shape, const SoftPoolArgs<S>& args, double eps, int num_threads)
      : SoftPooling<S>(shape, num_threads),
        args_(args),
        eps_(static_cast<R>(eps)),
        sums_(shape.batch, this->strips_.cells, shape.channels + 1) {}

  void run() {
    this->strips_.for_groups([&](std::int64_t image, std::int64_t row) { sums_.clear(image, row); },
                             [&](const CellGroup& group, Scratch& s) { add_group(group, s); });
    this->strips_.cells.for_rows([&](std::int64_t image, std::int64_t row) {
      sums_.for_totals(image, row, [&](std::int64_t k, const R* total) { put(image, k, total); });
    });
  }

 private:
  void add_group(const CellGroup& group, Scratch& s) {
    this->strips_.for_strips(group, s, [&](const GroupStrip& strips) {
      this->strips_.take_association(args_.association, group, strips, s);
      this->add_sums(group, args_.values, 0, this->channels_, s, sums_);
      this->add_weights(group, strips, s, sums_);
    });
  }

  void put(std::int64_t image, std::int64_t k, const R* total) {
    const std::int64_t num_cells = this->strips_.cells.num_cells();
    const R weight = total[this->channels_];
    if (args_.weights != nullptr) args_.weights[image * num_cells + k] = weight;
    const R divisor = weight + eps_;
    S* to = args_.pooled + image * this->channels_ * num_cells + k;
    for (int c = 0; c < this->channels_; ++c) {
      to[c * num_cells] = detail::narrow<S>(total[c] / divisor);
    }
  }

  const SoftPoolArgs<S>& args_;
  R eps_;
  RowSums<R> sums_;
};

template <class S>
class PoolBackward : SoftPooling<S> {
 public:
  using typename SoftPooling<S>::R;
  using typename SoftPooling<S>::Scratch;

  PoolBackward(const SoftPoolShape& shape, const SoftPoolGradients<S>& args, double eps,
               int num_threads)
      : SoftPooling<S>(shape, num_threads),
        args_(args),
        scaled_(args.pooled_in, shape, this->strips_.cells),
        pooled_(args.pooled, shape, this->strips_.cells) {
    const std::int64_t num_cells = this->strips_.cells.num_cells();
    this->strips_.cells.for_rows([&](std::int64_t image, std::int64_t row) {
      const std::int64_t first = row * shape.columns;
      for (std::int64_t k = first; k < first + shape.columns; ++k) {
        const R divisor = args.weights[image * num_cells + k] + static_cast<R>(eps);
        R* gradient = scaled_.of(image, k);
        for (int c = 0; c < this->channels_; ++c) gradient[c] /= divisor;
      }
    });
  }

  void run() {
    this->strips_.for_groups([&](const CellGroup& group, Scratch& s) { do_group(group, s); });
  }

 private:
  void do_group(const CellGroup& group, Scratch& s) {
    const bool of_values = args_.values_out != nullptr;
    const bool of_association = args_.association_out != nullptr;
    this->set_centers(group, scaled_, s);
    for (std::int64_t i = 0; of_association && i < group.num_cells; ++i) {
      load(group.image, group.first_cell + i, s.of_cell[i]);
    }
    this->strips_.for_strips(group, s, [&](const GroupStrip& strips) {
      if (of_values) {
        this->strips_.take_association(args_.association, group, strips, s);
        this->put_values(group, args_.values_out, s);
      }
      if (of_association) {
        for (int c = 0; c < this->channels_; c += this->kChannelsTogether) {
          const int count = std::min(this->kChannelsTogether, this->channels_ - c);
          this->add_gradients(group, args_.values, c, count, s);
        }
        this->strips_.put_gradients(group, strips, s, args_.association_out);
      }
    });
  }

  /// Prepares h . (V - o) - h . (P - o), h being G / (Z + eps) and o near the values of the cell,
  /// so that little is lost in the difference.
  void load(std::int64_t image, std::int64_t own, SoftPoolCell<R>& cell) {
    const SoftCandidates& candidates = cell.candidates;
    const R* center = pooled_.of(image, own);
    for (int c = 0; c < this->channels_; ++c) cell.origin[c] = origin_near(center[c]);
    for (int j = 0; j < candidates.count; ++j) {
      const R* pooled = pooled_.of(image, candidates.cell[j]);
      R product = 0;
      for (int c = 0; c < this->channels_; ++c) {
        product += cell.centers[j][c] * (pooled[c] - cell.origin[c]);
      }
      cell.biases[j] = -product;
    }
    R* to = cell.coefficients;
    for (int c = 0; c < this->channels_; ++c) {
      for (int j = 0; j < candidates.count; ++j) *to++ = cell.centers[j][c];
    }
  }

  const SoftPoolGradients<S>& args_;
  CenterRows<S> scaled_;  // G / (Z + eps)
  CenterRows<S> pooled_;
};

template <class S>
class UnpoolForward : SoftPooling<S> {
 public:
  using typename SoftPooling<S>::R;
  using typename SoftPooling<S>::Scratch;

  UnpoolForward(const SoftPoolShape& shape, const SoftUnpoolArgs<S>& args, bool normalize,
                int num_threads)
      : SoftPooling<S>(shape, num_threads),
        args_(args),
        normalize_(normalize),
        centers_(args.centers, shape, this->strips_.cells) {}

  void run() {
    this->strips_.for_groups([&](const CellGroup& group, Scratch& s) {
      this->set_centers(group, centers_, s);
      this->strips_.for_strips(group, s, [&](const GroupStrip& strips) {
        this->strips_.take_association(args_.association, group, strips, s);
        if (normalize_) this->normalize(group, strips, s);
        this->put_values(group, args_.out, s);
      });
    });
  }

 private:
  const SoftUnpoolArgs<S>& args_;
  bool normalize_;
  CenterRows<S> centers_;
};

template <class S>
class UnpoolBackward : SoftPooling<S> {
 public:
  using typename SoftPooling<S>::R;
  using typename SoftPooling<S>::Scratch;

  UnpoolBackward(const SoftPoolShape& shape, const SoftUnpoolGradients<S>& args, bool normalize,
                 int num_threads)
      : SoftPooling<S>(shape, num_threads),
        args_(args),
        normalize_(normalize),
        centers_(args.centers, shape, this->strips_.cells),
        sums_(shape.batch, this->strips_.cells, shape.channels) {}

  void run() {
    const SoftCells& cells = this->strips_.cells;
    this->strips_.for_groups([&](std::int64_t image, std::int64_t row) { sums_.clear(image, row); },
                             [&](const CellGroup& group, Scratch& s) { do_group(group, s); });
    if (args_.centers_out == nullptr) return;
    cells.for_rows([&](std::int64_t image, std::int64_t row) {
      sums_.for_totals(image, row, [&](std::int64_t k, const R* total) {
        S* to = args_.centers_out + image * this->channels_ * cells.num_cells() + k;
        for (int c = 0; c < this->channels_; ++c) {
          to[c * cells.num_cells()] = detail::narrow<S>(total[c]);
        }
      });
    });
  }

 private:
  void do_group(const CellGroup& group, Scratch& s) {
    const bool of_association = args_.association_out != nullptr;
    this->set_centers(group, centers_, s);
    for (std::int64_t i = 0; of_association && i < group.num_cells; ++i) {
      load(group.image, group.first_cell + i, s.of_cell[i]);
    }
    this->strips_.for_strips(group, s, [&](const GroupStrip& strips) {
      this->strips_.take_association(args_.association, group, strips, s);
      if (normalize_) this->normalize(group, strips, s);
      for (int c = 0; c < this->channels_; c += this->kChannelsTogether) {
        const int count = std::min(this->kChannelsTogether, this->channels_ - c);
        if (args_.centers_out != nullptr) this->add_sums(group, args_.in, c, count, s, sums_);
        if (of_association) this->add_gradients(group, args_.in, c, count, s);
      }
      if (!of_association) return;
      for (std::int64_t i = 0; normalize_ && i < group.num_cells; ++i) {
        SoftPoolCell<R>& cell = s.of_cell[i];
        this->rows_.normalization_gradient_rows(cell.association, cell.inverses, cell.gradient,
                                                cell.candidates.count, strips.of_cell[i].stride());
      }
      this->strips_.put_gradients(group, strips, s, args_.association_out);
    });
  }

  /// Prepares coefficients. What all candidates have in common has no gradient if associations are
  /// normalised; without it, less is lost in differences.
  void load(std::int64_t image, std::int64_t own, SoftPoolCell<R>& cell) {
    const R* center = centers_.of(image, own);
    R* to = cell.coefficients;
    for (int c = 0; c < this->channels_; ++c) {
      const R origin = normalize_ ? origin_near(center[c]) : R{0};
      for (int j = 0; j < cell.candidates.count; ++j) *to++ = cell.centers[j][c] - origin;
    }
    std::fill_n(cell.origin, this->channels_, R{0});
    cell.biases.fill(R{0});
  }

  const SoftUnpoolGradients<S>& args_;
  bool normalize_;
  CenterRows<S> centers_;
  RowSums<R> sums_;
};

}  // namespace

template <class S>
void soft_pool(const SoftPoolShape& shape, const SoftPoolArgs<S>& args, double eps,
               int num_threads) {
  PoolForward<S>(shape, args, eps, num_threads).run();
}
template <class S>
void soft_pool_backward(const SoftPoolShape& shape, const SoftPoolGradients<S>& args, double eps,
                        int num_threads) {
  PoolBackward<S>(shape, args, eps, num_threads).run();
}
template <class S>
void soft_unpool(const SoftPoolShape& shape, const SoftUnpoolArgs<S>& args, bool normalize,
                 int num_threads) {
  UnpoolForward<S>(shape, args, normalize, num_threads).run();
}
template <class S>
void soft_unpool_backward(const SoftPoolShape& shape, const SoftUnpoolGradients<S>& args,
                          bool normalize, int num_threads) {
  UnpoolBackward<S>(shape, args, normalize, num_threads).run();
}

#define SUPERPIX_INSTANTIATE(S)                                                                 \
  template void soft_pool(const SoftPoolShape&, const SoftPoolArgs<S>&, double, int);           \
  template void soft_pool_backward(const SoftPoolShape&, const SoftPoolGradients<S>&, double,   \
                                   int);                                                        \
  template void soft_unpool(const SoftPoolShape&, const SoftUnpoolArgs<S>&, bool, int);         \
  template void soft_unpool_backward(const SoftPoolShape&, const SoftUnpoolGradients<S>&, bool, \
                                     int);
SUPERPIX_INSTANTIATE(float)
SUPERPIX_INSTANTIATE(double)
SUPERPIX_INSTANTIATE(detail::Half)
SUPERPIX_INSTANTIATE(detail::BFloat16)
#undef SUPERPIX_INSTANTIATE

}  // namespace superpix::cpu
