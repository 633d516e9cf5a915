// SPDX-License-Identifier: Apache-2.0
//
// Every iteration is one pass over the features: a cell's pixels are associated with its candidates
// and added to what it gives to each; then every centre is the mean of what it was given. Centres
// of all iterations are kept, for backward.
#include "cpu/soft_slic.h"

#include <algorithm>
#include <cstdint>

#include "cpu/soft_cells.h"
#include "cpu/soft_slic_shared.h"

namespace superpix::cpu {
namespace {

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
      this->find_means();
    } else {
      this->find_means(args_.history);
    }
    for (int t = 1; t <= num_iter_; ++t) {
      this->sum_groups(
          [&](const CellGroup& group, SoftSlicScratch<R>& s) { add_group(group, t, s); });
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

  /// Associates the pixels of a group of cells and adds what they give to their candidates.
  void add_group(const CellGroup& group, int t, SoftSlicScratch<R>& s) {
    const int fields = this->channels_ + 1;
    const R* before = this->centers_of(args_.history, t - 1, group.image);
    this->start_group(group, s);
    for (std::int64_t i = 0; i < group.num_cells; ++i) this->load_candidates(before, s.cells[i]);
    const bool writes = t == num_iter_ && args_.association != nullptr;
    this->for_strips(group, s, [&](SoftSlicCell<R>& cell, const Strip& strip) {
      this->associate(strip, cell, s.weights);
      if (writes) write_association(group.image, cell.candidates, strip, s);
      this->add_sums(strip, s.weights, cell.candidates.count, cell);
    });
    for (std::int64_t i = 0; i < group.num_cells; ++i) {
      const SoftSlicCell<R>& cell = s.cells[i];
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
                         SoftSlicScratch<R>& s) {
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

}  // namespace

template <class S>
void soft_slic(const SoftSlicArgs<S>& args, const SoftSlicParams& params, int num_threads) {
  Forward<S>(args, params, num_threads).run();
}
template void soft_slic(const SoftSlicArgs<float>&, const SoftSlicParams&, int);
template void soft_slic(const SoftSlicArgs<double>&, const SoftSlicParams&, int);
template void soft_slic(const SoftSlicArgs<detail::Half>&, const SoftSlicParams&, int);
template void soft_slic(const SoftSlicArgs<detail::BFloat16>&, const SoftSlicParams&, int);

}  // namespace superpix::cpu
