// SPDX-License-Identifier: Apache-2.0
//
// Bands of rows are labelled in parallel, each by itself; then the few runs along their borders
// join what belongs together. Numbers follow from first pixels, not from the bands.
#include "cpu/components.h"

#include <algorithm>

#include "cpu/disjoint_sets.h"
#include "cpu/kernels.h"
#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

struct Runs {
  const std::int32_t* starts;
  const std::int32_t* components;
  std::int64_t count;
};

Runs runs_of(const Components::Band& band, std::int64_t row) {
  const std::int64_t begin = band.row_begin[row - band.first_row];
  return {band.start.data() + begin, band.component.data() + begin,
          band.row_begin[row - band.first_row + 1] - begin};
}

/// What a band knows of its components, before bands are joined.
struct BandResult {
  std::vector<std::int64_t> size;
  std::vector<std::int64_t> color;
  std::vector<std::int64_t> first;
};

/// Finds the runs of a band, joins them inside the band, and numbers the parts from 0.
BandResult label_band(const std::int32_t* labels, const Extent& shape, const ColorSource* colors,
                      Components::Band& band) {
  const std::int64_t height = shape[1];
  const std::int64_t width = shape[2];
  const Kernels& k = kernels();
  std::vector<std::int32_t> starts(static_cast<std::size_t>(width + 16));
  DisjointSets runs;
  const auto label_of = [&](std::int64_t row, std::int32_t x) { return labels[row * width + x]; };

  for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
    const std::int64_t n = k.find_runs(labels + row * width, width, starts.data());
    const auto first = static_cast<std::int64_t>(band.start.size());
    band.row_begin.push_back(first);
    band.start.insert(band.start.end(), starts.begin(), starts.begin() + n);
    for (std::int64_t i = 0; i < n; ++i) runs.add();
    const auto join_with = [&](std::int64_t other) {
      const std::int64_t begin = band.row_begin[other - band.first_row];
      const std::int64_t end = band.row_begin[other - band.first_row + 1];
      for_each_overlap(band.start.data() + begin, end - begin, band.start.data() + first, n,
                       static_cast<std::int32_t>(width),
                       [&](std::int32_t x, std::int32_t, std::int64_t a, std::int64_t b) {
                         const std::int32_t label = label_of(row, x);
                         if (label >= 0 && label == label_of(other, x)) {
                           runs.unite(static_cast<std::int32_t>(begin + a),
                                      static_cast<std::int32_t>(first + b));
                         }
                       });
    };
    if (row % height != 0 && row > band.first_row) join_with(row - 1);
    if (row >= height && row - height >= band.first_row) join_with(row - height);
  }
  band.row_begin.push_back(static_cast<std::int64_t>(band.start.size()));

  BandResult result;
  const int channels = colors != nullptr ? colors->channels() : 0;
  band.component.resize(band.start.size());
  for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
    const std::int64_t last = band.row_begin[row - band.first_row + 1];
    for (std::int64_t i = band.row_begin[row - band.first_row]; i < last; ++i) {
      const std::int32_t begin = band.start[i];
      const auto end = i + 1 < last ? band.start[i + 1] : static_cast<std::int32_t>(width);
      if (label_of(row, begin) < 0) {
        band.component[i] = -1;
        continue;
      }
      const std::int32_t root = runs.find(static_cast<std::int32_t>(i));
      if (root == i) {
        band.component[i] = static_cast<std::int32_t>(result.size.size());
        result.size.push_back(0);
        result.color.resize(result.color.size() + static_cast<std::size_t>(channels), 0);
        result.first.push_back(row * width + begin);
      } else {
        band.component[i] = band.component[root];
      }
      const std::int32_t c = band.component[i];
      result.size[c] += end - begin;
      if (colors != nullptr) {
        colors->add(row, begin, end, result.color.data() + std::int64_t{c} * channels);
      }
    }
  }
  return result;
}

}  // namespace

Components find_components(const std::int32_t* labels, const Extent& shape,
                           const ColorSource* colors, int num_threads) {
  constexpr std::int64_t kPixelsPerBand = 1 << 15;
  const std::int64_t height = shape[1];
  const std::int64_t width = shape[2];
  const std::int64_t num_rows = shape[0] * height;
  Components all;
  all.shape = shape;

  const std::int64_t num_bands = std::clamp<std::int64_t>(
      num_rows * width / kPixelsPerBand, 1, std::min<std::int64_t>(num_threads, num_rows));
  all.bands.resize(static_cast<std::size_t>(num_bands));
  std::vector<BandResult> results(all.bands.size());
  parallel_for(num_bands, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      all.bands[i].first_row = i * num_rows / num_bands;
      all.bands[i].last_row = (i + 1) * num_rows / num_bands;
      results[i] = label_band(labels, shape, colors, all.bands[i]);
    }
  });

  // Number the bands' components one after another, and join those that touch across borders.
  std::vector<std::int32_t> offset(all.bands.size());
  std::int64_t total = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    offset[i] = static_cast<std::int32_t>(total);
    total += static_cast<std::int64_t>(results[i].size.size());
  }
  DisjointSets sets(total);
  for (std::size_t i = 1; i < all.bands.size(); ++i) {
    const Components::Band& band = all.bands[i];
    // Rows whose neighbour above, or in the plane before, lies in an earlier band.
    const std::int64_t last = std::min(band.last_row, band.first_row + (shape[0] > 1 ? height : 1));
    for (std::int64_t row = band.first_row; row < last; ++row) {
      const auto join_with = [&](std::int64_t other) {
        if (other >= band.first_row) return;
        std::size_t j = i - 1;
        while (all.bands[j].first_row > other) --j;
        const Runs a = runs_of(all.bands[j], other);
        const Runs b = runs_of(band, row);
        for_each_overlap(a.starts, a.count, b.starts, b.count, static_cast<std::int32_t>(width),
                         [&](std::int32_t x, std::int32_t, std::int64_t ra, std::int64_t rb) {
                           const std::int32_t label = labels[row * width + x];
                           if (label >= 0 && label == labels[other * width + x]) {
                             sets.unite(a.components[ra] + offset[j], b.components[rb] + offset[i]);
                           }
                         });
      };
      if (row % height != 0) join_with(row - 1);
      if (row >= height) join_with(row - height);
    }
  }

  const int channels = colors != nullptr ? colors->channels() : 0;
  std::vector<std::int32_t> number(static_cast<std::size_t>(total));
  for (std::size_t i = 0; i < results.size(); ++i) {
    const BandResult& r = results[i];
    for (std::size_t j = 0; j < r.size.size(); ++j) {
      const auto id = static_cast<std::int32_t>(offset[i] + static_cast<std::int32_t>(j));
      const std::int32_t root = sets.find(id);
      if (root == id) {
        number[id] = static_cast<std::int32_t>(all.count++);
        all.size.push_back(0);
        all.first.push_back(r.first[j]);
        all.color.resize(all.color.size() + static_cast<std::size_t>(channels), 0);
      } else {
        number[id] = number[root];
      }
      const std::int64_t to = number[id];
      all.size[to] += r.size[j];
      for (int c = 0; c < channels; ++c) {
        all.color[to * channels + c] += r.color[j * static_cast<std::size_t>(channels) + c];
      }
    }
  }
  parallel_for(num_bands, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int32_t& c : all.bands[i].component) c = c < 0 ? c : number[c + offset[i]];
    }
  });
  return all;
}

void write_components(const Components& components, const std::vector<std::int32_t>& new_label,
                      std::int32_t outside, std::int32_t* labels, int num_threads) {
  const auto num_bands = static_cast<std::int64_t>(components.bands.size());
  parallel_for(num_bands, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Components::Band& band = components.bands[i];
      for (std::int64_t row = band.first_row; row < band.last_row; ++row) {
        std::int32_t* to = labels + row * components.shape[2];
        components.for_each_run(band, row,
                                [&](std::int64_t x, std::int64_t x_end, std::int32_t c) {
                                  const std::int32_t label = c < 0 ? outside : new_label[c];
                                  for (; x < x_end; ++x) to[x] = label;
                                });
      }
    }
  });
}

}  // namespace superpix::cpu
