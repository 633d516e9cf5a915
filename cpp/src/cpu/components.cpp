// SPDX-License-Identifier: Apache-2.0
//
// Bands of rows are labelled in parallel, each by itself; then the few runs along their borders
// join what belongs together. Numbers follow from first pixels, not from the bands.
#include "cpu/components.h"

#include <algorithm>
#include <utility>

#include "cpu/disjoint_sets.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {

void RegionSums::resize(std::int64_t regions) {
  const auto n = static_cast<std::size_t>(regions);
  size.resize(n, 0);
  color.resize(n * static_cast<std::size_t>(channels), 0);
  y.resize(n, 0);
  x.resize(n, 0);
}

void RegionSums::add(std::int64_t to, const RegionSums& other, std::int64_t from) {
  size[to] += other.size[from];
  for (int c = 0; c < channels; ++c) color[to * channels + c] += other.color[from * channels + c];
  y[to] += other.y[from];
  x[to] += other.x[from];
}

namespace {

class Finder {
 public:
  Finder(const std::int32_t* labels, const Extent& shape, const ColorSource* colors,
         const std::int64_t* label_totals, std::int64_t min_size, int num_threads)
      : labels_(labels),
        shape_(shape),
        colors_(colors),
        channels_(colors != nullptr ? colors->channels() : 0),
        totals_(label_totals),
        min_size_(min_size),
        num_threads_(num_threads) {}

  Components find() {
    all_.shape = shape_;
    find_bands();
    join_bands();
    if (colors_ != nullptr) sum_colors();
    for_bands([&](std::size_t i) {
      for (std::int32_t& c : all_.bands[i].component) c = number(i, c);
    });
    return std::move(all_);
  }

 private:
  /// What a band knows of its components, before bands are joined.
  struct BandResult {
    RegionSums sums;
    std::vector<std::int64_t> first;
    std::int32_t offset = 0;  // of its components among those of all bands
  };

  template <class F>
  void for_bands(F f) {
    parallel_for(static_cast<std::int64_t>(all_.bands.size()), 1, num_threads_,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) f(static_cast<std::size_t>(i));
                 });
  }

  std::int32_t label(std::int64_t row, std::int64_t x) const {
    return labels_[row * shape_[2] + x];
  }

  /// The component that component c of band i is part of, -1 where its label is negative.
  std::int32_t number(std::size_t i, std::int32_t c) const {
    return numbers_[results_[i].offset + c];
  }

  void find_bands() {
    // What a thread works on at a time stays in its second-level cache.
    constexpr std::int64_t kPixelsPerBand = 1 << 16;
    const std::int64_t rows = shape_[0] * shape_[1];
    const std::int64_t n = std::clamp<std::int64_t>(rows * shape_[2] / kPixelsPerBand, 1, rows);
    all_.bands.resize(static_cast<std::size_t>(n));
    results_.resize(all_.bands.size());
    for (std::int64_t i = 0; i < n; ++i) {
      all_.bands[i].first_row = i * rows / n;
      all_.bands[i].last_row = (i + 1) * rows / n;
    }
    for_bands([&](std::size_t i) { find_band(all_.bands[i], results_[i]); });
  }

  /// Finds the runs of a band, joins them inside the band, and numbers the parts from 0.
  void find_band(Components::Band& band, BandResult& result) {
    const std::int64_t height = shape_[1];
    const std::int64_t width = shape_[2];
    const Kernels& k = kernels();
    const std::int64_t rows = band.last_row - band.first_row;
    band.row_begin.reserve(static_cast<std::size_t>(rows + 1));
    std::vector<std::int32_t> starts(static_cast<std::size_t>(width + 16));
    for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
      band.row_begin.push_back(static_cast<std::int64_t>(band.start.size()));
      const std::int64_t n = k.find_runs(labels_ + row * width, width, starts.data());
      band.start.insert(band.start.end(), starts.begin(), starts.begin() + n);
    }
    const auto num_runs = static_cast<std::int64_t>(band.start.size());
    band.row_begin.push_back(num_runs);

    DisjointSets runs(num_runs);
    std::vector<std::pair<std::int32_t, std::int32_t>> scratch;
    for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
      if (row % height != 0 && row > band.first_row) join(band, runs, row, row - 1, scratch);
      if (row >= height && row - height >= band.first_row)
        join(band, runs, row, row - height, scratch);
    }

    band.component.resize(band.start.size());
    std::int32_t count = 0;
    for (std::int64_t i = 0; i < num_runs; ++i) {
      const std::int32_t root = runs.find(static_cast<std::int32_t>(i));
      band.component[i] = root == i ? count++ : band.component[root];
    }
    result.sums.resize(count);
    result.first.resize(static_cast<std::size_t>(count), -1);
    for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
      const std::int64_t y = row % height;
      const Components::Band::Row r = band.row(row);
      for (std::int64_t i = 0; i < r.count; ++i) {
        const std::int64_t begin = r.start[i];
        const std::int64_t end = i + 1 < r.count ? r.start[i + 1] : width;
        const std::int32_t c = r.component[i];
        if (result.first[c] < 0) result.first[c] = row * width + begin;
        result.sums.size[c] += end - begin;
        result.sums.y[c] += (end - begin) * y;
        result.sums.x[c] += (end - begin) * (begin + end - 1) / 2;
      }
    }

    // A component that is large in the band is large: between two of those nobody asks.
    const auto large = [&](std::int32_t run) {
      return result.sums.size[band.component[run]] >= min_size_;
    };
    std::erase_if(band.contacts,
                  [&](const Components::Contact& c) { return large(c.a) && large(c.b); });
    band.contacts.shrink_to_fit();
    band.start.shrink_to_fit();
  }

  /// Joins the runs of two rows of a band where they touch with equal labels, and notes where they
  /// touch with others.
  void join(Components::Band& band, DisjointSets& runs, std::int64_t row, std::int64_t other,
            std::vector<std::pair<std::int32_t, std::int32_t>>& scratch) {
    const Components::Band::Row above = band.row(other);
    const Components::Band::Row here = band.row(row);
    const auto first_above = static_cast<std::int32_t>(band.row_begin[other - band.first_row]);
    const auto first_here = static_cast<std::int32_t>(band.row_begin[row - band.first_row]);
    scratch.resize(static_cast<std::size_t>(above.count + here.count));
    const std::size_t old_size = band.contacts.size();
    band.contacts.resize(old_size + scratch.size());
    std::pair<std::int32_t, std::int32_t>* equal = scratch.data();
    Components::Contact* contact = band.contacts.data() + old_size;
    const std::int32_t* labels_above = labels_ + other * shape_[2];
    const std::int32_t* labels_here = labels_ + row * shape_[2];
    for_each_overlap(above.start, above.count, here.start, here.count,
                     static_cast<std::int32_t>(shape_[2]),
                     [&](std::int32_t x, std::int32_t end, std::int64_t i, std::int64_t j) {
                       const auto a = first_above + static_cast<std::int32_t>(i);
                       const auto b = first_here + static_cast<std::int32_t>(j);
                       const bool same = labels_above[x] == labels_here[x];
                       *equal = {a, b};
                       *contact = {a, b, end - x};
                       equal += same ? 1 : 0;
                       contact += same ? 0 : 1;
                     });
    for (const auto* p = scratch.data(); p != equal; ++p) runs.unite(p->first, p->second);
    band.contacts.resize(static_cast<std::size_t>(contact - band.contacts.data()));
  }

  void join_bands() {
    std::int64_t total = 0;
    for (BandResult& r : results_) {
      r.offset = static_cast<std::int32_t>(total);
      total += r.sums.count();
    }
    DisjointSets sets(total);
    for (std::size_t i = 1; i < all_.bands.size(); ++i) {
      const Components::Band& band = all_.bands[i];
      // The rows of which a neighbour, above or in the plane before, may lie in an earlier band.
      const std::int64_t last =
          std::min(band.last_row, band.first_row + (shape_[0] > 1 ? shape_[1] : 1));
      for (std::int64_t row = band.first_row; row < last; ++row) {
        if (row % shape_[1] != 0) join_with_earlier(sets, i, row, row - 1);
        if (row >= shape_[1]) join_with_earlier(sets, i, row, row - shape_[1]);
      }
    }
    numbers_.resize(static_cast<std::size_t>(total), -1);
    for (std::size_t i = 0; i < results_.size(); ++i) {
      const BandResult& r = results_[i];
      for (std::int64_t c = 0; c < r.sums.count(); ++c) {
        if (labels_[r.first[c]] < 0) continue;
        const auto id = static_cast<std::int32_t>(r.offset + c);
        const std::int32_t root = sets.find(id);
        if (root == id) {
          numbers_[id] = static_cast<std::int32_t>(all_.first.size());
          all_.first.push_back(r.first[c]);
        } else {
          numbers_[id] = numbers_[root];
        }
      }
    }
    all_.count = static_cast<std::int64_t>(all_.first.size());
    all_.sums.resize(all_.count);
    add_up();
  }

  void join_with_earlier(DisjointSets& sets, std::size_t i, std::int64_t row, std::int64_t other) {
    if (other >= all_.bands[i].first_row) return;
    std::size_t j = i - 1;
    while (all_.bands[j].first_row > other) --j;
    const Components::Band::Row a = all_.bands[j].row(other);
    const Components::Band::Row b = all_.bands[i].row(row);
    for_each_overlap(a.start, a.count, b.start, b.count, static_cast<std::int32_t>(shape_[2]),
                     [&](std::int32_t x, std::int32_t, std::int64_t ra, std::int64_t rb) {
                       if (label(row, x) == label(other, x)) {
                         sets.unite(a.component[ra] + results_[j].offset,
                                    b.component[rb] + results_[i].offset);
                       }
                     });
  }

  /// Adds the bands' sums to those of the components, and empties them.
  void add_up() {
    for (std::size_t i = 0; i < results_.size(); ++i) {
      RegionSums& from = results_[i].sums;
      for (std::int64_t c = 0; c < from.count(); ++c) {
        const std::int32_t to = number(i, static_cast<std::int32_t>(c));
        if (to >= 0) all_.sums.add(to, from, c);
      }
      from = {};
    }
  }

  void sum_colors() {
    const auto label_of = [&](std::int64_t c) { return labels_[all_.first[c]]; };
    std::vector<std::uint8_t> read(static_cast<std::size_t>(all_.count), 1);
    if (totals_ != nullptr) {
      std::int32_t most = -1;
      for (std::int64_t c = 0; c < all_.count; ++c) most = std::max(most, label_of(c));
      std::vector<std::int32_t> large(static_cast<std::size_t>(most + 1), 0);
      const auto is_large = [&](std::int64_t c) { return all_.sums.size[c] >= min_size_; };
      for (std::int64_t c = 0; c < all_.count; ++c) large[label_of(c)] += is_large(c) ? 1 : 0;
      for (std::int64_t c = 0; c < all_.count; ++c) {
        read[c] = is_large(c) && large[label_of(c)] == 1 ? 0 : 1;
      }
    }

    for_bands([&](std::size_t i) {
      const Components::Band& band = all_.bands[i];
      RegionSums& sums = results_[i].sums;
      sums.channels = channels_;
      sums.resize(static_cast<std::int64_t>(results_[i].first.size()));
      for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
        const Components::Band::Row r = band.row(row);
        for (std::int64_t j = 0; j < r.count; ++j) {
          const std::int32_t c = r.component[j];
          const std::int32_t global = number(i, c);
          if (global < 0 || read[global] == 0) continue;
          colors_->add(row, r.start[j], j + 1 < r.count ? r.start[j + 1] : shape_[2],
                       sums.color.data() + std::int64_t{c} * channels_);
        }
      }
    });
    all_.sums.channels = channels_;
    all_.sums.resize(all_.count);
    add_up();

    if (totals_ == nullptr) return;
    std::vector<std::int64_t> remainder;
    for (std::int64_t c = 0; c < all_.count; ++c) {
      const auto end = static_cast<std::size_t>(label_of(c) + 1) * channels_;
      if (remainder.size() < end) {
        remainder.insert(remainder.end(), totals_ + remainder.size(), totals_ + end);
      }
      if (read[c] == 0) continue;
      for (int k = 0; k < channels_; ++k) {
        remainder[std::int64_t{label_of(c)} * channels_ + k] -= all_.sums.color[c * channels_ + k];
      }
    }
    for (std::int64_t c = 0; c < all_.count; ++c) {
      if (read[c] != 0) continue;
      std::copy_n(&remainder[std::int64_t{label_of(c)} * channels_], channels_,
                  &all_.sums.color[c * channels_]);
    }
  }

  const std::int32_t* labels_;
  Extent shape_;
  const ColorSource* colors_;
  int channels_;
  const std::int64_t* totals_;
  std::int64_t min_size_;
  int num_threads_;
  Components all_;
  std::vector<BandResult> results_;
  std::vector<std::int32_t> numbers_;
};

}  // namespace

Components find_components(const std::int32_t* labels, const Extent& shape,
                           const ColorSource* colors, const std::int64_t* label_totals,
                           std::int64_t min_size, int num_threads) {
  return Finder(labels, shape, colors, label_totals, min_size, num_threads).find();
}

void write_components(const Components& components, const std::vector<std::int32_t>& new_label,
                      std::int32_t outside, std::int32_t* labels, int num_threads) {
  const auto num_bands = static_cast<std::int64_t>(components.bands.size());
  parallel_for(num_bands, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(components.shape[2]));
    for (std::int64_t i = begin; i < end; ++i) {
      const Components::Band& band = components.bands[i];
      for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
        const Components::Band::Row r = band.row(row);
        for (std::int64_t j = 0; j < r.count; ++j) {
          values[j] = r.component[j] < 0 ? outside : new_label[r.component[j]];
        }
        kernels().fill_runs(r.start, values.data(), r.count, components.shape[2],
                            labels + row * components.shape[2]);
      }
    }
  });
}

}  // namespace superpix::cpu
