// SPDX-License-Identifier: Apache-2.0
//
// Planes are cut into cells, at all edges of all windows: rows of at most 32 pixels, and columns.
// Forward reduces every cell as its pixels are read, then windows from cells; backward brings
// together what windows give to a cell, then writes its pixels.
#include "cpu/pyramid_pool.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>

#include "cpu/kernels.h"
#include "cpu/maximum.h"
#include "cpu/pyramid_pool_scratch.h"
#include "cpu/thread_pool.h"
#include "cpu/window_axis.h"
#include "detail/half.h"

namespace superpix::cpu {
namespace {

using detail::BFloat16;
using detail::Half;
using detail::narrow;
using detail::widen;

// Sums of as many rows are still exact enough in float.
constexpr std::int64_t kLongestRowStrip = 32;
// What a thread takes at a time.
constexpr std::int64_t kGrainPixels = 1 << 16;
// Of a plane whose gradients are scattered: with their sums, they fit the second-level cache.
constexpr std::int64_t kBandPixels = 1 << 14;
// Planes of fewer pixels are not shared by threads.
constexpr std::int64_t kLargePlane = 1 << 15;

template <class S>
const PyramidPoolKernels<S>& pyramid_pool_kernels();
template <>
const PyramidPoolKernels<float>& pyramid_pool_kernels<float>() {
  return kernels().float_pyramid_pool;
}
template <>
const PyramidPoolKernels<double>& pyramid_pool_kernels<double>() {
  return kernels().double_pyramid_pool;
}
template <>
const PyramidPoolKernels<Half>& pyramid_pool_kernels<Half>() {
  return kernels().half_pyramid_pool;
}
template <>
const PyramidPoolKernels<BFloat16>& pyramid_pool_kernels<BFloat16>() {
  return kernels().bfloat16_pyramid_pool;
}

template <class T>
std::unique_ptr<T[]> uninitialized(std::int64_t n) {
  return std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(n));
}

/// The cells of planes of one size, and what threads share.
class Pyramid {
 public:
  Pyramid(std::int64_t planes, std::int64_t height, std::int64_t width,
          const std::vector<std::int64_t>& bins, int num_threads)
      : rows(height, bins, kLongestRowStrip),
        columns(width, bins, width),
        bins_(bins),
        planes_(planes),
        plane_size_(height * width),
        num_threads_(num_threads) {
    for (const std::int64_t b : bins) num_windows_ += b * b;
  }

  const WindowAxis rows;
  const WindowAxis columns;

  std::int64_t num_cells() const { return rows.num_strips() * columns.num_strips(); }
  std::int64_t num_windows() const { return num_windows_; }

  /// Calls f(row of windows, their columns, b) for each row of windows of each level of b x b.
  template <class F>
  void for_window_rows(F f) const {
    const StripRange* row = rows.windows();
    const StripRange* of_level = columns.windows();
    for (const std::int64_t b : bins_) {
      for (std::int64_t i = 0; i < b; ++i) f(*row++, of_level, b);
      of_level += b;
    }
  }

  /// Calls f(begin, end) for ranges of planes, on threads.
  template <class F>
  void for_planes(F f) const {
    const std::int64_t grain = std::max<std::int64_t>(1, kGrainPixels / plane_size_);
    parallel_for(planes_, grain, num_threads_, f);
  }

  /// Calls f(plane, rows of its cells, the first of them, scratch) until that was all of them, on
  /// threads.
  template <class F>
  void for_rows(F f) const {
    const std::int64_t num_rows = rows.num_strips();
    const std::int64_t mean_size = std::max<std::int64_t>(1, plane_size_ / num_rows);
    const std::int64_t grain = std::max<std::int64_t>(1, kGrainPixels / mean_size);
    parallel_for(
        planes_ * num_rows, grain, num_threads_, [&](std::int64_t begin, std::int64_t end) {
          const auto scratch = uninitialized<std::byte>(scratch_bytes(columns.edges().back()));
          while (begin < end) {
            const std::int64_t plane = begin / num_rows;
            const std::int64_t stop = std::min(end, (plane + 1) * num_rows);
            const std::int64_t first = begin % num_rows;
            f(plane, cell_rows(first, stop - plane * num_rows), first, scratch.get());
            begin = stop;
          }
        });
  }

  CellRows cell_rows(std::int64_t begin, std::int64_t end) const {
    return {columns.edges().back(), rows.edges().data() + begin, columns.edges().data(),
            end - begin, columns.num_strips()};
  }

  /// Whether threads must share planes, as there are too few for all to have the same work.
  bool shares_planes() const {
    return num_threads_ > 1 && planes_ / 8 < num_threads_ && plane_size_ >= kLargePlane;
  }

 private:
  const std::vector<std::int64_t>& bins_;
  std::int64_t planes_;
  std::int64_t plane_size_;
  std::int64_t num_windows_ = 0;
  int num_threads_;
};

/// Mean: a cell is the sum of its pixels.
template <class S>
struct MeanPooling {
  using Cell = double;

  static void reduce_cells(const S* plane, const CellRows& rows, void* scratch, Cell* cells) {
    pyramid_pool_kernels<S>().sum_cells(plane, rows, scratch, cells);
  }

  /// `line` has room for a row of cells.
  static void reduce_windows(const Pyramid& pyramid, const Cell* cells, Cell* line,
                             const S* /*plane*/, S* pooled, PyramidIndices /*indices*/,
                             std::int64_t /*first_window*/) {
    const std::int64_t width = pyramid.columns.num_strips();
    pyramid.for_window_rows([&](StripRange rows, const StripRange* columns, std::int64_t b) {
      std::copy_n(cells + rows.begin * width, width, line);
      for (std::int64_t r = rows.begin + 1; r < rows.end; ++r) {
        for (std::int64_t c = 0; c < width; ++c) line[c] += cells[r * width + c];
      }
      const std::int64_t height = pyramid.rows.size(rows);
      for (std::int64_t j = 0; j < b; ++j) {
        double sum = line[columns[j].begin];
        for (std::int64_t c = columns[j].begin + 1; c < columns[j].end; ++c) sum += line[c];
        const auto size = static_cast<double>(height * pyramid.columns.size(columns[j]));
        *pooled++ = narrow<S>(static_cast<ComputeType<S>>(sum / size));
      }
    });
  }
};

void put_index(PyramidIndices indices, std::int64_t i, std::int64_t index) {
  if (indices.is_64_bit) {
    static_cast<std::int64_t*>(indices.data)[i] = index;
  } else {
    static_cast<std::int32_t*>(indices.data)[i] = static_cast<std::int32_t>(index);
  }
}

std::int64_t get_index(PyramidIndices indices, std::int64_t i) {
  return indices.is_64_bit ? static_cast<const std::int64_t*>(indices.data)[i]
                           : static_cast<const std::int32_t*>(indices.data)[i];
}

template <class S>
struct MaxPooling {
  using Cell = Maximum<S>;

  static void reduce_cells(const S* plane, const CellRows& rows, void* scratch, Cell* cells) {
    pyramid_pool_kernels<S>().max_cells(plane, rows, scratch, cells);
  }

  static void reduce_windows(const Pyramid& pyramid, const Cell* cells, Cell* line, const S* plane,
                             S* pooled, PyramidIndices indices, std::int64_t first_window) {
    const std::int64_t width = pyramid.columns.num_strips();
    std::int64_t t = first_window;
    pyramid.for_window_rows([&](StripRange rows, const StripRange* columns, std::int64_t b) {
      std::copy_n(cells + rows.begin * width, width, line);
      for (std::int64_t r = rows.begin + 1; r < rows.end; ++r) {
        for (std::int64_t c = 0; c < width; ++c) line[c] = greater(line[c], cells[r * width + c]);
      }
      for (std::int64_t j = 0; j < b; ++j, ++t) {
        Cell best = line[columns[j].begin];
        for (std::int64_t c = columns[j].begin + 1; c < columns[j].end; ++c) {
          best = greater(best, line[c]);
        }
        const std::int64_t index = index_of(best);
        *pooled++ = plane[index];
        if (indices.data != nullptr) put_index(indices, t, index);
      }
    });
  }
};

template <template <class> class Pooling, class S>
void pool(const PyramidPoolArgs<S>& a, int num_threads) {
  using Cell = typename Pooling<S>::Cell;
  const Pyramid pyramid(a.planes, a.height, a.width, a.bins, num_threads);
  const std::int64_t num_rows = pyramid.rows.num_strips();
  const std::int64_t num_columns = pyramid.columns.num_strips();
  const std::int64_t num_cells = pyramid.num_cells();
  const std::int64_t plane_size = a.height * a.width;

  const auto reduce_windows = [&](std::int64_t plane, const Cell* cells, Cell* line) {
    const std::int64_t first = plane * pyramid.num_windows();
    Pooling<S>::reduce_windows(pyramid, cells, line, a.features + plane * plane_size,
                               a.pooled + first, a.indices, first);
  };
  if (pyramid.shares_planes()) {
    const auto cells = uninitialized<Cell>(a.planes * num_cells);
    pyramid.for_rows(
        [&](std::int64_t plane, const CellRows& rows, std::int64_t first_row, void* scratch) {
          Pooling<S>::reduce_cells(a.features + plane * plane_size, rows, scratch,
                                   cells.get() + plane * num_cells + first_row * num_columns);
        });
    pyramid.for_planes([&](std::int64_t begin, std::int64_t end) {
      const auto line = uninitialized<Cell>(num_columns);
      for (std::int64_t plane = begin; plane < end; ++plane) {
        reduce_windows(plane, cells.get() + plane * num_cells, line.get());
      }
    });
    return;
  }
  pyramid.for_planes([&](std::int64_t begin, std::int64_t end) {
    const auto scratch = uninitialized<std::byte>(scratch_bytes(a.width));
    const auto cells = uninitialized<Cell>(num_cells + num_columns);
    for (std::int64_t plane = begin; plane < end; ++plane) {
      Pooling<S>::reduce_cells(a.features + plane * plane_size, pyramid.cell_rows(0, num_rows),
                               scratch.get(), cells.get());
      reduce_windows(plane, cells.get(), cells.get() + num_cells);
    }
  });
}

/// The gradient of a pixel of each cell of a plane. `line` has room for a row of cells.
template <class S>
void spread_means(const Pyramid& pyramid, const S* pooled, double* cells, double* line) {
  const std::int64_t width = pyramid.columns.num_strips();
  std::fill_n(cells, pyramid.num_cells(), 0.0);
  pyramid.for_window_rows([&](StripRange rows, const StripRange* columns, std::int64_t b) {
    std::fill_n(line, width, 0.0);
    const std::int64_t height = pyramid.rows.size(rows);
    for (std::int64_t j = 0; j < b; ++j) {
      const auto size = static_cast<double>(height * pyramid.columns.size(columns[j]));
      const double share = static_cast<double>(widen(*pooled++)) / size;
      for (std::int64_t c = columns[j].begin; c < columns[j].end; ++c) line[c] += share;
    }
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      for (std::int64_t c = 0; c < width; ++c) cells[r * width + c] += line[c];
    }
  });
}

/// The gradients of the pixels [begin, end) of a plane whose maxima are at `indices`, from
/// first_window on. `sums` is as long and all 0, before and after; not used where S is what sums
/// are made in.
template <class S>
void scatter_maxima(const S* pooled, std::int64_t num_windows, PyramidIndices indices,
                    std::int64_t first_window, std::int64_t begin, std::int64_t end,
                    ComputeType<S>* sums, S* to) {
  std::memset(static_cast<void*>(to + begin), 0, static_cast<std::size_t>(end - begin) * sizeof(S));
  const auto for_windows = [&](auto f) {
    for (std::int64_t t = 0; t < num_windows; ++t) {
      const std::int64_t index = get_index(indices, first_window + t);
      if (index >= begin && index < end) f(t, index);
    }
  };
  if constexpr (std::is_same_v<S, ComputeType<S>>) {
    for_windows([&](std::int64_t t, std::int64_t index) { to[index] += pooled[t]; });
  } else {
    for_windows(
        [&](std::int64_t t, std::int64_t index) { sums[index - begin] += widen(pooled[t]); });
    for_windows(
        [&](std::int64_t, std::int64_t index) { to[index] = narrow<S>(sums[index - begin]); });
    for_windows([&](std::int64_t, std::int64_t index) { sums[index - begin] = 0; });
  }
}

}  // namespace

template <class S>
void pyramid_mean(const PyramidPoolArgs<S>& args, int num_threads) {
  pool<MeanPooling>(args, num_threads);
}

template <class S>
void pyramid_max(const PyramidPoolArgs<S>& args, int num_threads) {
  pool<MaxPooling>(args, num_threads);
}

template <class S>
void pyramid_mean_backward(const PyramidPoolGradients<S>& a, int num_threads) {
  const Pyramid pyramid(a.planes, a.height, a.width, a.bins, num_threads);
  const std::int64_t num_rows = pyramid.rows.num_strips();
  const std::int64_t num_columns = pyramid.columns.num_strips();
  const std::int64_t num_cells = pyramid.num_cells();
  const std::int64_t plane_size = a.height * a.width;

  const auto spread = [&](std::int64_t plane, double* cells, double* line) {
    spread_means(pyramid, a.pooled + plane * pyramid.num_windows(), cells, line);
  };
  if (pyramid.shares_planes()) {
    const auto cells = uninitialized<double>(a.planes * num_cells);
    pyramid.for_planes([&](std::int64_t begin, std::int64_t end) {
      const auto line = uninitialized<double>(num_columns);
      for (std::int64_t plane = begin; plane < end; ++plane) {
        spread(plane, cells.get() + plane * num_cells, line.get());
      }
    });
    pyramid.for_rows(
        [&](std::int64_t plane, const CellRows& rows, std::int64_t first_row, void* scratch) {
          pyramid_pool_kernels<S>().fill_cells(
              cells.get() + plane * num_cells + first_row * num_columns, rows, scratch,
              a.features + plane * plane_size);
        });
    return;
  }
  pyramid.for_planes([&](std::int64_t begin, std::int64_t end) {
    const auto scratch = uninitialized<std::byte>(scratch_bytes(a.width));
    const auto cells = uninitialized<double>(num_cells + num_columns);
    for (std::int64_t plane = begin; plane < end; ++plane) {
      spread(plane, cells.get(), cells.get() + num_cells);
      pyramid_pool_kernels<S>().fill_cells(cells.get(), pyramid.cell_rows(0, num_rows),
                                           scratch.get(), a.features + plane * plane_size);
    }
  });
}

template <class S>
void pyramid_max_backward(const PyramidPoolGradients<S>& a, int num_threads) {
  constexpr bool kSumsInPlace = std::is_same_v<S, ComputeType<S>>;
  std::int64_t num_windows = 0;
  for (const std::int64_t b : a.bins) num_windows += b * b;
  const std::int64_t plane_size = a.height * a.width;
  // Bands of planes, each of which looks at all windows of its plane.
  const std::int64_t band = std::max(kBandPixels, 16 * num_windows);
  const std::int64_t bands = std::max<std::int64_t>(1, plane_size / band);
  const std::int64_t longest_band = plane_size / bands + 1;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrainPixels / longest_band);
  parallel_for(a.planes * bands, grain, num_threads, [&](std::int64_t begin, std::int64_t end) {
    const auto sums = std::make_unique<ComputeType<S>[]>(kSumsInPlace ? 0 : longest_band);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t plane = i / bands;
      scatter_maxima(a.pooled + plane * num_windows, num_windows, a.indices, plane * num_windows,
                     i % bands * plane_size / bands, (i % bands + 1) * plane_size / bands,
                     sums.get(), a.features + plane * plane_size);
    }
  });
}

#define SUPERPIX_INSTANTIATE(S)                                             \
  template void pyramid_mean(const PyramidPoolArgs<S>&, int);               \
  template void pyramid_max(const PyramidPoolArgs<S>&, int);                \
  template void pyramid_mean_backward(const PyramidPoolGradients<S>&, int); \
  template void pyramid_max_backward(const PyramidPoolGradients<S>&, int);
SUPERPIX_INSTANTIATE(float)
SUPERPIX_INSTANTIATE(double)
SUPERPIX_INSTANTIATE(Half)
SUPERPIX_INSTANTIATE(BFloat16)
#undef SUPERPIX_INSTANTIATE

}  // namespace superpix::cpu
