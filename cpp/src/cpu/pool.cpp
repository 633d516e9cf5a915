// SPDX-License-Identifier: Apache-2.0
//
// An image is pooled for a group of 16 channels at a time: a table [K][16] of sums, or of best
// values, that stays in the cache, and one pass over the pixels of these channels. Large images are
// pooled in bands that have tables of their own, which are brought together in order. What is added
// to what depends on the size of the image and on K alone.
#include "cpu/pool.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

using detail::BFloat16;
using detail::Half;
using detail::narrow;
using detail::widen;

constexpr int kGroup = 16;
// With more segments than this, tables have one channel and are done without kernels: pixels miss
// the cache anyway, and 16 channels would need too much memory.
constexpr std::int64_t kMostInTables = std::int64_t{1} << 17;
constexpr std::int64_t kBandCells = std::int64_t{1} << 16;
// A band has this many cells for each row of its table, which has to be cleared and added up.
constexpr std::int64_t kCellsPerRow = 32;
constexpr std::int64_t kMostBands = 64;
// Outputs of more bytes are written around the cache, which would not hold them till they are read;
// it saves reading what is to be overwritten.
constexpr std::int64_t kLargeOutput = std::int64_t{1} << 25;
constexpr std::int64_t kLine = 64;
// Elements for which it does not pay to wake other threads.
constexpr std::int64_t kFew = std::int64_t{1} << 15;

template <class S>
const PoolKernels<S>& pool_kernels() {
  if constexpr (std::is_same_v<S, float>) {
    return kernels().float_pool;
  } else if constexpr (std::is_same_v<S, double>) {
    return kernels().double_pool;
  } else if constexpr (std::is_same_v<S, Half>) {
    return kernels().half_pool;
  } else {
    return kernels().bfloat16_pool;
  }
}

/// The channels [first, first + count) of an image.
struct ChannelGroup {
  std::int64_t image, first;
  int count;
};

/// Groups of at most `width` channels, of nearly the same size.
class ChannelGroups {
 public:
  ChannelGroups(std::int64_t batch, std::int64_t channels, std::int64_t width)
      : batch_(batch), channels_(channels), per_image_((channels + width - 1) / width) {}

  std::int64_t size() const { return batch_ * per_image_; }
  ChannelGroup operator[](std::int64_t i) const {
    const std::int64_t group = i % per_image_;
    const std::int64_t first = group * channels_ / per_image_;
    const std::int64_t last = (group + 1) * channels_ / per_image_;
    return {i / per_image_, first, static_cast<int>(last - first)};
  }

 private:
  std::int64_t batch_, channels_, per_image_;
};

/// Cells [first, first + n) of a group of channels.
template <class S>
struct Cells {
  PoolPlanes<const S> planes;
  std::int64_t first;
};

/// A table of sums, [K][kWidth].
template <class S, int kWidth>
class Sums {
 public:
  static constexpr int kChannels = kWidth;

  Sums(const PoolArgs<S>& args, Reduce reduce)
      : args_(&args),
        is_mean_(reduce == Reduce::kMean),
        sums_(args.num_segments * kWidth),
        counts_(args.num_segments) {}

  void clear() {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    std::fill(counts_.begin(), counts_.end(), 0);
  }

  void add(const Cells<S>& cells, const LabelMaps::Runs& runs) {
    for (std::int64_t i = 0; i < runs.count; ++i) {
      const LabelRun& run = runs.data[i];
      counts_[run.label] += run.length * run.weight;
    }
    if constexpr (kWidth == kGroup) {
      pool_kernels<S>().sum_runs(cells.planes, runs.data, runs.count, sums_.data());
    } else {
      for (std::int64_t i = 0; i < runs.count; ++i) {
        const LabelRun& run = runs.data[i];
        const S* values = cells.planes.first + run.begin;
        ComputeType<S> total = widen(values[0]);
        for (int k = 1; k < run.length; ++k) total += widen(values[k]);
        sums_[run.label] += static_cast<double>(total) * run.weight;
      }
    }
  }

  void merge(const Sums& next) {
    for (std::int64_t i = 0; i < sums_.size(); ++i) sums_[i] += next.sums_[i];
    for (std::int64_t i = 0; i < counts_.size(); ++i) counts_[i] += next.counts_[i];
  }

  void put(const ChannelGroup& group) {
    const std::int64_t n = args_->num_segments;
    if (is_mean_) divide();
    for (int c = 0; c < group.count; ++c) {
      S* out = args_->pooled + (group.image * args_->channels + group.first + c) * n;
      const double* sum = sums_.data() + c;
      for (std::int64_t k = 0; k < n; ++k, sum += kWidth) {
        out[k] = narrow<S>(static_cast<ComputeType<S>>(*sum));
      }
    }
    if (is_mean_ && args_->saved != nullptr && group.first == 0) {
      std::copy(counts_.begin(), counts_.end(), args_->saved + group.image * n);
    }
  }

 private:
  void divide() {
    for (std::int64_t k = 0; k < args_->num_segments; ++k) {
      const double count = std::max(counts_[k], 1);
      double* sum = sums_.data() + k * kWidth;
      if constexpr (std::is_same_v<S, double>) {
        for (int c = 0; c < kWidth; ++c) sum[c] /= count;
      } else {
        const double factor = 1.0 / count;  // off by less than what rounding to S hides
        for (int c = 0; c < kWidth; ++c) sum[c] *= factor;
      }
    }
  }

  const PoolArgs<S>* args_;
  bool is_mean_;
  Buffer<double> sums_;
  Buffer<std::int32_t> counts_;  // pixels of each segment
};

/// A table of the best values, [K][kWidth], negated where the least is the best; and of where they
/// are, -1 for a segment without pixels.
template <class S, int kWidth>
class Bests {
 public:
  static constexpr int kChannels = kWidth;

  Bests(const PoolArgs<S>& args, Reduce reduce)
      : args_(&args),
        is_least_(reduce == Reduce::kMin),
        best_(args.num_segments * kWidth),
        indices_(args.num_segments * kWidth) {}

  void clear() {
    std::fill(best_.begin(), best_.end(), ComputeType<S>{0});
    std::fill(indices_.begin(), indices_.end(), -1);
  }

  void add(const Cells<S>& cells, const LabelMaps::Runs& runs) {
    if constexpr (kWidth == kGroup) {
      pool_kernels<S>().best_runs(cells.planes, runs.data, runs.count, is_least_, cells.first,
                                  best_.data(), indices_.data());
    } else {
      for (std::int64_t i = 0; i < runs.count; ++i) {
        const LabelRun& run = runs.data[i];
        for (std::int64_t at = run.begin; at < run.begin + run.length; ++at) {
          const ComputeType<S> value = widen(cells.planes.first[at]);
          take(run.label, is_least_ ? -value : value, static_cast<std::int32_t>(cells.first + at));
        }
      }
    }
  }

  void merge(const Bests& next) {
    for (std::int64_t i = 0; i < indices_.size(); ++i) {
      if (next.indices_[i] >= 0) take(i, next.best_[i], next.indices_[i]);
    }
  }

  void put(const ChannelGroup& group) {
    const std::int64_t n = args_->num_segments;
    const std::int64_t cells = args_->labels.cells();
    for (int c = 0; c < group.count; ++c) {
      const std::int64_t plane = group.image * args_->channels + group.first + c;
      const S* values = args_->features + plane * cells;
      for (std::int64_t k = 0; k < n; ++k) {
        const std::int32_t index = indices_[k * kWidth + c];
        args_->pooled[plane * n + k] = index >= 0 ? values[index] : S{};
        if (args_->saved != nullptr) args_->saved[plane * n + k] = index;
      }
    }
  }

 private:
  void take(std::int64_t i, ComputeType<S> value, std::int32_t index) {
    const ComputeType<S> best = best_[i];
    const bool is_first_nan = value != value && best == best;
    if (indices_[i] >= 0 && !(value > best) && !is_first_nan) return;
    best_[i] = value;
    indices_[i] = index;
  }

  const PoolArgs<S>* args_;
  bool is_least_;
  Buffer<ComputeType<S>> best_;
  Buffer<std::int32_t> indices_;
};

template <class Table, class S>
void pool_in(const PoolArgs<S>& args, const LabelMaps& maps, Reduce reduce, int num_threads) {
  const std::int64_t cells = args.labels.cells();
  const std::int64_t num_blocks = maps.num_blocks();
  const std::int64_t num_bands =
      std::clamp<std::int64_t>(cells / std::max(kBandCells, kCellsPerRow * args.num_segments), 1,
                               std::min(kMostBands, num_blocks));
  const ChannelGroups groups(args.labels.batch, args.channels, Table::kChannels);

  const auto add_band = [&](const ChannelGroup& group, std::int64_t band, Table& table) {
    LabelRun scratch[LabelMaps::kBlock];
    table.clear();
    const S* planes = args.features + (group.image * args.channels + group.first) * cells;
    for (std::int64_t block = band * num_blocks / num_bands;
         block < (band + 1) * num_blocks / num_bands; ++block) {
      const std::int64_t first = block * LabelMaps::kBlock;
      table.add({{planes + first, cells, maps.size(block), group.count}, first},
                maps.runs(group.image, block, scratch));
    }
  };

  // Threads share out the groups, or the bands of each group in turn.
  const bool by_group = num_bands == 1 || groups.size() / 4 >= num_threads;
  parallel_for(groups.size(), 1, by_group ? num_threads : 1,
               [&](std::int64_t begin, std::int64_t end) {
                 std::vector<Table> tables;
                 for (std::int64_t i = 0; i < num_bands; ++i) tables.emplace_back(args, reduce);
                 for (std::int64_t i = begin; i < end; ++i) {
                   const ChannelGroup group = groups[i];
                   parallel_for(num_bands, 1, num_threads, [&](std::int64_t a, std::int64_t b) {
                     for (std::int64_t band = a; band < b; ++band) {
                       add_band(group, band, tables[static_cast<std::size_t>(band)]);
                     }
                   });
                   for (std::size_t band = 1; band < tables.size(); ++band) {
                     tables[0].merge(tables[band]);
                   }
                   tables[0].put(group);
                 }
               });
}

/// Rows of channels for each label, [K + 1][kWidth], the first 0 for pixels without a label.
template <class S, int kWidth>
class Values {
 public:
  explicit Values(const UnpoolArgs<S>& args)
      : args_(&args), rows_((args.num_segments + 1) * kWidth), column_(args.num_segments) {}

  void take(const ChannelGroup& group) {
    const std::int64_t n = args_->num_segments;
    const std::int32_t* counts =
        args_->counts != nullptr ? args_->counts + group.image * n : nullptr;
    if (group.count < kWidth) std::fill(rows_.begin(), rows_.end(), ComputeType<S>{0});
    std::fill_n(rows_.begin(), kWidth, ComputeType<S>{0});
    for (int c = 0; c < group.count; ++c) {
      const S* pooled = args_->pooled + (group.image * args_->channels + group.first + c) * n;
      for (std::int64_t k = 0; k < n; ++k) column_[k] = widen(pooled[k]);
      if (counts != nullptr) {
        for (std::int64_t k = 0; k < n; ++k) column_[k] /= static_cast<ComputeType<S>>(counts[k]);
      }
      ComputeType<S>* to = rows_.data() + kWidth + c;
      for (std::int64_t k = 0; k < n; ++k) to[k * kWidth] = column_[k];
    }
  }

  void put(const LabelMaps& maps, std::int64_t image, std::int64_t block,
           const PoolPlanes<S>& out) const {
    const bool is_plain = args_->labels.has_a_label_per_cell();
    if constexpr (kWidth == kGroup) {
      const PoolKernels<S>& kernel = pool_kernels<S>();
      if (is_plain && args_->labels.is_wide) {
        kernel.put_wide_labels(rows_.data(), maps.labels<std::int64_t>(image, block), out);
        return;
      }
      if (is_plain) {
        kernel.put_labels(rows_.data(), maps.labels<std::int32_t>(image, block), out);
        return;
      }
    }
    LabelRun scratch[LabelMaps::kBlock];
    const LabelMaps::Runs runs = maps.runs(image, block, scratch);
    if constexpr (kWidth == kGroup) {
      pool_kernels<S>().put_runs(rows_.data(), runs.data, runs.count, out);
    } else {
      ComputeType<S> values[LabelMaps::kBlock] = {};
      for (std::int64_t i = 0; i < runs.count; ++i) {
        const LabelRun& run = runs.data[i];
        const ComputeType<S> term = static_cast<ComputeType<S>>(run.weight) * rows_[run.label + 1];
        for (int k = 0; k < run.length; ++k) values[run.begin + k] += term;
      }
      for (std::int64_t i = 0; i < out.n; ++i) out.first[i] = narrow<S>(values[i]);
    }
  }

 private:
  const UnpoolArgs<S>* args_;
  Buffer<ComputeType<S>> rows_;
  Buffer<ComputeType<S>> column_;
};

template <int kWidth, class S>
void unpool_in(const UnpoolArgs<S>& args, const LabelMaps& maps, int num_threads) {
  constexpr std::int64_t kGrain = 16;
  const std::int64_t cells = args.labels.cells();
  const ChannelGroups groups(args.labels.batch, args.channels, kWidth);
  const bool by_group = groups.size() / 4 >= num_threads;
  const bool streams =
      std::is_same_v<S, float> &&
      args.labels.batch * args.channels * cells * std::int64_t{sizeof(S)} > kLargeOutput &&
      reinterpret_cast<std::uintptr_t>(args.out) % kLine == 0 &&
      cells * std::int64_t{sizeof(S)} % kLine == 0;
  parallel_for(
      groups.size(), 1, by_group ? num_threads : 1, [&](std::int64_t begin, std::int64_t end) {
        Values<S, kWidth> values(args);
        for (std::int64_t i = begin; i < end; ++i) {
          const ChannelGroup group = groups[i];
          values.take(group);
          S* planes = args.out + (group.image * args.channels + group.first) * cells;
          parallel_for(maps.num_blocks(), kGrain, num_threads, [&](std::int64_t a, std::int64_t b) {
            for (std::int64_t block = a; block < b; ++block) {
              values.put(maps, group.image, block,
                         {planes + block * LabelMaps::kBlock, cells, maps.size(block), group.count,
                          streams});
            }
          });
        }
      });
}

int threads_for(const LabelArray& labels, std::int64_t channels, int num_threads) {
  const std::int64_t elements =
      labels.batch * (channels * labels.cells() + labels.labels_per_image());
  return elements < kFew ? 1 : num_threads;
}

}  // namespace

template <class S>
void pool(const PoolArgs<S>& args, Reduce reduce, int num_threads) {
  num_threads = threads_for(args.labels, args.channels, num_threads);
  const LabelMaps maps(args.labels, num_threads);
  const bool is_sum = reduce == Reduce::kSum || reduce == Reduce::kMean;
  const bool in_tables = args.num_segments <= kMostInTables;
  if (is_sum && in_tables) {
    pool_in<Sums<S, kGroup>>(args, maps, reduce, num_threads);
  } else if (is_sum) {
    pool_in<Sums<S, 1>>(args, maps, reduce, num_threads);
  } else if (in_tables) {
    pool_in<Bests<S, kGroup>>(args, maps, reduce, num_threads);
  } else {
    pool_in<Bests<S, 1>>(args, maps, reduce, num_threads);
  }
}

template <class S>
void unpool(const UnpoolArgs<S>& args, int num_threads) {
  num_threads = threads_for(args.labels, args.channels, num_threads);
  const LabelMaps maps(args.labels, num_threads);
  if (args.num_segments <= kMostInTables) {
    unpool_in<kGroup>(args, maps, num_threads);
  } else {
    unpool_in<1>(args, maps, num_threads);
  }
}

template <class S>
void put_best_gradients(const BestGradientArgs<S>& args, int num_threads) {
  const std::int64_t planes = args.batch * args.channels;
  if (planes * args.cells < kFew) num_threads = 1;
  parallel_for(planes, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
    // Several gradients of one cell are not rounded to 16 bits one by one.
    const bool is_apart = args.may_meet && sizeof(S) < sizeof(ComputeType<S>);
    Buffer<ComputeType<S>> apart(is_apart ? args.cells : 0);
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const S* pooled = args.pooled + plane * args.num_segments;
      const std::int32_t* indices = args.indices + plane * args.num_segments;
      S* out = args.out + plane * args.cells;
      if (!is_apart) {
        std::fill_n(out, args.cells, S{});
        for (std::int64_t k = 0; k < args.num_segments; ++k) {
          if (indices[k] < 0) continue;
          S& to = out[indices[k]];
          to = narrow<S>(widen(to) + widen(pooled[k]));
        }
        continue;
      }
      std::fill(apart.begin(), apart.end(), ComputeType<S>{0});
      for (std::int64_t k = 0; k < args.num_segments; ++k) {
        if (indices[k] >= 0) apart[indices[k]] += widen(pooled[k]);
      }
      for (std::int64_t i = 0; i < args.cells; ++i) out[i] = narrow<S>(apart[i]);
    }
  });
}

#define SUPERPIX_INSTANTIATE(S)                        \
  template void pool(const PoolArgs<S>&, Reduce, int); \
  template void unpool(const UnpoolArgs<S>&, int);     \
  template void put_best_gradients(const BestGradientArgs<S>&, int)
SUPERPIX_INSTANTIATE(float);
SUPERPIX_INSTANTIATE(double);
SUPERPIX_INSTANTIATE(Half);
SUPERPIX_INSTANTIATE(BFloat16);
#undef SUPERPIX_INSTANTIATE

}  // namespace superpix::cpu
