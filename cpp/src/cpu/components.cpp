// SPDX-License-Identifier: Apache-2.0
//
// Bands of rows are labelled in parallel, each by itself; then the few runs along their borders
// join what belongs together.
#include "cpu/components.h"

#include <cmath>
#include <utility>

#include "cpu/kernels.h"
#include "cpu/labels.h"
#include "cpu/split.h"

namespace superpix::cpu {
namespace {

using Pair = std::pair<std::int32_t, std::int32_t>;

std::int64_t find_runs(const std::int32_t* row, std::int64_t n, std::int32_t* starts,
                       std::uint64_t* bits) {
  return kernels().find_runs(row, n, starts, bits);
}
std::int64_t find_runs(const std::uint8_t* row, std::int64_t n, std::int32_t* starts,
                       std::uint64_t* bits) {
  return kernels().find_tag_runs(row, n, starts, bits);
}

/// What is summed over the pieces of a band.
struct Pieces {
  RegionSums sums;                  // [pieces], without colours
  std::vector<std::int64_t> first;  // [pieces]
  std::vector<std::int32_t> label;  // [pieces]
};

/// Finds the runs of a band and joins them to pieces.
template <class Labels>
class BandFinder {
 public:
  BandFinder(const Labels& labels, Components::Band& band)
      : labels_(labels), height_(labels.shape()[1]), width_(labels.shape()[2]), band_(band) {}

  Pieces find() {
    const std::int64_t rows = band_.last_row - band_.first_row;
    band_.words = (width_ + 63) / 64;
    band_.starts.resize(static_cast<std::size_t>(rows * band_.words));
    band_.row_begin.reserve(static_cast<std::size_t>(rows + 1));
    std::vector<std::int32_t> starts(static_cast<std::size_t>(width_ + 16));
    equal_.resize(static_cast<std::size_t>(width_));
    for (std::int64_t row = band_.first_row; row < band_.last_row; ++row) {
      band_.row_begin.push_back(static_cast<std::int64_t>(band_.start.size()));
      const std::int64_t n = find_runs(labels_.row(row), width_, starts.data(),
                                       &band_.starts[(row - band_.first_row) * band_.words]);
      band_.start.insert(band_.start.end(), starts.begin(), starts.begin() + n);
      band_.piece.resize(band_.start.size(), -1);
      if (row % height_ != 0 && row > band_.first_row) join(row, row - 1);
      if (row - height_ >= band_.first_row) join(row, row - height_);
      add_row(row, n);
    }
    band_.row_begin.push_back(static_cast<std::int64_t>(band_.start.size()));
    return number();
  }

 private:
  using Value = typename Labels::Value;

  /// What is known of a piece while it may still be found to be part of another.
  struct Sums {
    std::int64_t size = 0, y = 0, x = 0, first = 0;
    std::int32_t label = 0;
  };

  /// Gives the runs of `row` that touch equal labels in `other` their piece.
  void join(std::int64_t row, std::int64_t other) {
    const Value* labels_there = labels_.row(other);
    const Value* labels_here = labels_.row(row);
    const std::uint64_t* starts = band_.starts.data();
    Pair* equal = equal_.data();
    for_each_overlap(starts + (other - band_.first_row) * band_.words,
                     starts + (row - band_.first_row) * band_.words, width_,
                     [&](std::int32_t x, std::int32_t, std::int32_t there, std::int32_t here) {
                       *equal = {there, here};
                       const bool inside = !Labels::is_outside(labels_here[x]);
                       equal += inside && labels_here[x] == labels_there[x] ? 1 : 0;
                     });
    const std::int32_t* there = &band_.piece[band_.row_begin[other - band_.first_row]];
    std::int32_t* here = &band_.piece[band_.row_begin[row - band_.first_row]];
    for (const Pair* p = equal_.data(); p != equal; ++p) {
      const std::int32_t piece = there[p->first];
      std::int32_t& own = here[p->second];
      if (own < 0) {
        own = piece;
      } else if (own != piece) {
        sets_.unite(own, piece);
      }
    }
  }

  void add_row(std::int64_t row, std::int64_t count) {
    const std::int64_t y = row % height_;
    const std::int64_t first_run = band_.row_begin.back();
    const std::int32_t* starts = &band_.start[first_run];
    std::int32_t* pieces = &band_.piece[first_run];
    const Value* labels = labels_.row(row);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t begin = starts[i];
      const std::int64_t end = i + 1 < count ? starts[i + 1] : width_;
      if (pieces[i] < 0) {
        if (Labels::is_outside(labels[begin])) continue;
        pieces[i] = sets_.add();
        sums_.push_back({0, 0, 0, row * width_ + begin, labels_.label(row, begin, labels[begin])});
      }
      Sums& s = sums_[pieces[i]];
      s.size += end - begin;
      s.y += (end - begin) * y;
      s.x += (end - begin) * (begin + end - 1) / 2;
    }
  }

  Pieces number() {
    std::vector<std::int32_t> number(sums_.size());
    std::int32_t count = 0;
    for (std::size_t i = 0; i < number.size(); ++i) {
      const std::int32_t root = sets_.find(static_cast<std::int32_t>(i));
      number[i] = root == static_cast<std::int32_t>(i) ? count++ : number[root];
    }
    band_.num_pieces = count;
    Pieces pieces{RegionSums(count, 0),
                  std::vector<std::int64_t>(static_cast<std::size_t>(count), -1),
                  std::vector<std::int32_t>(static_cast<std::size_t>(count))};
    for (std::size_t i = 0; i < number.size(); ++i) {
      std::int64_t* to = pieces.sums[number[i]];
      to[RegionSums::kSize] += sums_[i].size;
      to[RegionSums::kY] += sums_[i].y;
      to[RegionSums::kX] += sums_[i].x;
      if (pieces.first[number[i]] < 0) pieces.first[number[i]] = sums_[i].first;
      pieces.label[number[i]] = sums_[i].label;
    }
    for (std::int32_t& piece : band_.piece) {
      if (piece >= 0) piece = number[piece];
    }
    band_.start.shrink_to_fit();
    band_.piece.shrink_to_fit();
    return pieces;
  }

  const Labels& labels_;
  std::int64_t height_;
  std::int64_t width_;
  Components::Band& band_;
  DisjointSets sets_{0};
  std::vector<Sums> sums_;
  std::vector<Pair> equal_;
};

class Finder {
 public:
  Finder(const Extent& shape, const ColorSource* colors, int num_threads)
      : colors_(colors), num_threads_(num_threads) {
    all_.shape = shape;
    divide_into_bands();
  }

  /// Finds the components of the labels.
  template <class Labels>
  void find(const Labels& labels) {
    for_bands(all_, num_threads_, [&](std::size_t i) { find_in_band(labels, i); });
    join();
  }

  /// Splits components above max_size. Only the bands where there are such are looked through
  /// again; in all others, pieces keep their component.
  void split(std::int64_t max_size, std::int32_t* scratch) {
    const Split split = split_components(all_, max_size, scratch, num_threads_);
    if (split.wholes.empty()) return;
    const std::vector<std::int32_t> old_label = std::move(label_);
    const LabelImage parts(scratch, all_.shape);
    for_bands(all_, num_threads_, [&](std::size_t i) {
      if (split.bands[i] != 0) {
        find_in_band(parts, i);
        return;
      }
      for (std::int32_t k = 0; k < all_.bands[i].num_pieces; ++k) {
        pieces_[i].label[k] = all_.sets.root(all_.bands[i].first_piece + k);
      }
    });
    join();
    const auto num_old = static_cast<std::int32_t>(old_label.size());
    for (std::int32_t& label : label_) {
      label = old_label[label < num_old ? label : split.wholes[label - num_old]];
    }
  }

  Components finish(const double* label_means, std::int64_t min_size) {
    if (colors_ != nullptr) sum_colors(label_means, min_size);
    return std::move(all_);
  }

 private:
  void divide_into_bands() {
    // What a thread works on at a time stays in its second-level cache; and there is work for all.
    constexpr std::int64_t kPixelsPerBand = 1 << 16;
    constexpr std::int64_t kBands = 8;
    constexpr std::int64_t kRowsPerBand = 16;
    const std::int64_t rows = all_.shape[0] * all_.shape[1];
    const std::int64_t n =
        std::clamp<std::int64_t>(rows * all_.shape[2] / kPixelsPerBand,
                                 std::clamp<std::int64_t>(rows / kRowsPerBand, 1, kBands), rows);
    all_.bands.resize(static_cast<std::size_t>(n));
    pieces_.resize(all_.bands.size());
    for (std::int64_t i = 0; i < n; ++i) {
      all_.bands[i].first_row = i * rows / n;
      all_.bands[i].last_row = (i + 1) * rows / n;
    }
  }

  template <class Labels>
  void find_in_band(const Labels& labels, std::size_t i) {
    Components::Band& band = all_.bands[i];
    Components::Band found;
    found.first_row = band.first_row;
    found.last_row = band.last_row;
    pieces_[i] = BandFinder<Labels>(labels, found).find();
    band = std::move(found);
  }

  /// Makes components of what was found in the bands.
  void join() {
    std::int32_t total = 0;
    for (Components::Band& band : all_.bands) {
      band.first_piece = total;
      total += band.num_pieces;
    }
    all_.sets = DisjointSets(total);
    all_.first.resize(static_cast<std::size_t>(total));
    label_.resize(static_cast<std::size_t>(total));
    all_.sums = RegionSums(total, colors_ != nullptr ? colors_->channels() : 0);
    for_bands(all_, num_threads_, [&](std::size_t i) {
      const std::int64_t begin = all_.bands[i].first_piece;
      const Pieces& pieces = pieces_[i];
      std::copy(pieces.first.begin(), pieces.first.end(), all_.first.begin() + begin);
      std::copy(pieces.label.begin(), pieces.label.end(), label_.begin() + begin);
      for (std::int64_t k = 0; k < pieces.sums.count(); ++k) {
        std::copy_n(pieces.sums[k], pieces.sums.fields(), all_.sums[begin + k]);
      }
    });
    join_bands();
    for (std::int64_t i = 0; i < all_.num_pieces(); ++i) {
      const std::int32_t root = all_.sets.root(static_cast<std::int32_t>(i));
      if (root != i) all_.sums.add(root, all_.sums, i);
    }
  }

  void join_bands() {
    std::vector<std::vector<Pair>> equal(all_.bands.size());
    for_bands(all_, num_threads_, [&](std::size_t i) {
      for_each_seam(all_, i, [&](std::int64_t row, std::size_t j, std::int64_t other) {
        const Components::Band::Row here = all_.bands[i].row(row);
        const Components::Band::Row there = all_.bands[j].row(other);
        for_each_overlap(there.starts, here.starts, all_.shape[2],
                         [&](std::int32_t, std::int32_t, std::int32_t a, std::int32_t b) {
                           if (there.piece[a] < 0 || here.piece[b] < 0) return;
                           const Pair pair{there.piece[a] + all_.bands[j].first_piece,
                                           here.piece[b] + all_.bands[i].first_piece};
                           if (label_[pair.first] != label_[pair.second]) return;
                           if (equal[i].empty() || equal[i].back() != pair)
                             equal[i].push_back(pair);
                         });
      });
    });
    for (const auto& pairs : equal) {
      for (const auto& [a, b] : pairs) all_.sets.unite(a, b);
    }
    all_.sets.flatten();
  }

  /// Adds the colours of all components to their sums.
  void sum_colors(const double* label_means, std::int64_t min_size) {
    std::vector<std::uint8_t> read(static_cast<std::size_t>(all_.num_pieces()), 1);
    if (label_means != nullptr) read = are_read(min_size);
    const int channels = all_.sums.channels();
    for_bands(all_, num_threads_, [&](std::size_t i) {
      const Components::Band& band = all_.bands[i];
      const std::uint8_t* read_here = read.data() + band.first_piece;
      std::vector<ColorSource::Run> runs(static_cast<std::size_t>(all_.shape[2]));
      for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
        const Components::Band::Row r = band.row(row);
        std::size_t count = 0;
        for (std::int64_t j = 0; j < r.count; ++j) {
          const std::int32_t piece = r.piece[j];
          if (piece < 0) continue;
          const std::int64_t end = j + 1 < r.count ? r.start[j + 1] : all_.shape[2];
          runs[count] = {r.start[j], static_cast<std::int32_t>(end),
                         all_.sums[band.first_piece + piece] + RegionSums::kColor};
          count += read_here[piece];
        }
        colors_->add(row, runs.data(), count);
      }
    });
    for (std::int64_t i = 0; i < all_.num_pieces(); ++i) {
      const std::int32_t root = all_.sets.root(static_cast<std::int32_t>(i));
      if (root == i) continue;
      for (int c = RegionSums::kColor; c < all_.sums.fields(); ++c) {
        all_.sums[root][c] += all_.sums[i][c];
      }
    }
    for (std::int64_t i = 0; i < all_.num_pieces(); ++i) {
      if (read[i] != 0 || !all_.is_root(i)) continue;
      const auto size = static_cast<double>(all_.sums[i][RegionSums::kSize]);
      const double* mean = label_means + std::int64_t{label_[i]} * channels;
      for (int c = 0; c < channels; ++c) {
        all_.sums[i][RegionSums::kColor + c] = std::llrint(mean[c] * size);
      }
    }
  }

  std::int64_t greatest_label() const {
    return label_.empty() ? -1 : *std::max_element(label_.begin(), label_.end());
  }

  /// The pieces of all components but those that are the only large one of their label.
  std::vector<std::uint8_t> are_read(std::int64_t min_size) const {
    const auto is_large = [&](std::int64_t i) {
      return all_.sums[i][RegionSums::kSize] >= min_size;
    };
    std::vector<std::int32_t> large(static_cast<std::size_t>(greatest_label() + 1), 0);
    for (std::int64_t i = 0; i < all_.num_pieces(); ++i) {
      if (all_.is_root(i) && is_large(i)) ++large[label_[i]];
    }
    std::vector<std::uint8_t> read(static_cast<std::size_t>(all_.num_pieces()));
    for (std::int64_t i = 0; i < all_.num_pieces(); ++i) {
      const std::int32_t root = all_.sets.root(static_cast<std::int32_t>(i));
      read[i] = is_large(root) && large[label_[i]] == 1 ? 0 : 1;
    }
    return read;
  }

  const ColorSource* colors_;
  int num_threads_;
  Components all_;
  std::vector<Pieces> pieces_;       // [bands]
  std::vector<std::int32_t> label_;  // [pieces]
};

}  // namespace

template <class Labels>
Components find_components(const Labels& labels, std::int32_t* scratch, const ColorSource* colors,
                           const double* label_means, const ComponentLimits& limits,
                           int num_threads) {
  Finder finder(labels.shape(), colors, num_threads);
  finder.find(labels);
  if (limits.max_size > 0) finder.split(limits.max_size, scratch);
  return finder.finish(label_means, limits.min_size);
}

template Components find_components(const LabelImage&, std::int32_t*, const ColorSource*,
                                    const double*, const ComponentLimits&, int);
template Components find_components(const LabelTags&, std::int32_t*, const ColorSource*,
                                    const double*, const ComponentLimits&, int);

void write_band(const Components& components, const Components::Band& band,
                const std::vector<std::int32_t>& new_label, std::int32_t outside,
                std::int32_t* labels) {
  const std::int64_t width = components.shape[2];
  const std::int32_t* labels_here = new_label.data() + band.first_piece;
  std::vector<std::int32_t> values(static_cast<std::size_t>(width));
  for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
    const Components::Band::Row r = band.row(row);
    for (std::int64_t j = 0; j < r.count; ++j) {
      values[j] = r.piece[j] < 0 ? outside : labels_here[r.piece[j]];
    }
    kernels().fill_runs(r.start, values.data(), r.count, width, labels + row * width);
  }
}

void write_components(const Components& components, const std::vector<std::int32_t>& new_label,
                      std::int32_t outside, std::int32_t* labels, int num_threads) {
  for_bands(components, num_threads, [&](std::size_t i) {
    write_band(components, components.bands[i], new_label, outside, labels);
  });
}

}  // namespace superpix::cpu
