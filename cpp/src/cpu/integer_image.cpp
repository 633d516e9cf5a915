// SPDX-License-Identifier: Apache-2.0
#include "cpu/integer_image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "cpu/thread_pool.h"

namespace superpix::cpu {
namespace {

constexpr std::int64_t kRowsAtOnce = 8;

/// Pixels [begin, end) of row y as contiguous RGB: the image's own memory, or a copy in `copy`.
const std::uint8_t* contiguous_pixels(const ArrayView& rgb, std::int64_t y, std::int64_t begin,
                                      std::int64_t end, std::vector<std::uint8_t>& copy) {
  const auto* row = static_cast<const std::uint8_t*>(rgb.data) + y * rgb.strides[0];
  if (rgb.strides[1] == 3 && rgb.strides[2] == 1) return row + 3 * begin;
  copy.resize(static_cast<std::size_t>(3 * (end - begin)));
  for (std::int64_t x = begin; x < end; ++x) {
    for (std::int64_t c = 0; c < 3; ++c) {
      copy[3 * (x - begin) + c] = row[x * rgb.strides[1] + c * rgb.strides[2]];
    }
  }
  return copy.data();
}

std::pair<double, double> extremes(const ArrayView& rgb, int num_threads) {
  const std::int64_t height = rgb.shape[0];
  const std::int64_t pieces = (height + kRowsAtOnce - 1) / kRowsAtOnce;
  std::vector<std::array<std::uint8_t, 2>> found(static_cast<std::size_t>(pieces), {255, 0});
  parallel_for(pieces, 1, num_threads, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint8_t> copy;
    for (std::int64_t piece = begin; piece < end; ++piece) {
      std::uint8_t low = 255;
      std::uint8_t high = 0;
      const std::int64_t last = std::min(height, (piece + 1) * kRowsAtOnce);
      for (std::int64_t y = piece * kRowsAtOnce; y < last; ++y) {
        const std::uint8_t* row = contiguous_pixels(rgb, y, 0, rgb.shape[1], copy);
        for (std::int64_t i = 0; i < 3 * rgb.shape[1]; ++i) {
          low = std::min(low, row[i]);
          high = std::max(high, row[i]);
        }
      }
      found[piece] = {low, high};
    }
  });
  std::array<std::uint8_t, 2> all{255, 0};
  for (const auto& f : found) all = {std::min(all[0], f[0]), std::max(all[1], f[1])};
  return {all[0], all[1]};
}

/// memcpy for a few dozen bytes of a length that is not known when compiling.
inline void copy_short(void* to, const void* from, std::int64_t bytes) {
  auto* t = static_cast<char*>(to);
  const auto* f = static_cast<const char*>(from);
  if (bytes < 32) {
    std::memcpy(t, f, static_cast<std::size_t>(bytes));
    return;
  }
  for (std::int64_t i = 0; i + 32 <= bytes; i += 32) std::memcpy(t + i, f + i, 32);
  std::memcpy(t + bytes - 32, f + bytes - 32, 32);  // overlaps what is there already
}

std::vector<IntegerImage::Span> spans(const CellGrid& grid, int axis) {
  std::vector<IntegerImage::Span> spans;
  const auto& edges = grid.edges(axis);
  for (std::int64_t cell = 0; cell < grid.cells()[axis]; ++cell) {
    spans.insert(spans.end(), edges[cell + 1] - edges[cell], {edges[cell], edges[cell + 1]});
  }
  return spans;
}

/// Converts cells [first, last) of row cy of cells, and sums them up while they are in cache.
class CellConverter {
 public:
  CellConverter(const ArrayView& rgb, const std::array<float, 256>& linear, IntegerImage& image)
      : rgb_(rgb), linear_(linear), image_(image) {}

  void convert(std::int64_t cy, std::int64_t first, std::int64_t last) {
    const CellGrid& grid = image_.grid;
    const std::vector<std::int32_t>& ys = grid.edges(1);
    const std::vector<std::int32_t>& xs = grid.edges(2);
    const std::int64_t row = ys[cy] * grid.shape()[2];  // where the row of cells is stored
    const std::int64_t height = ys[cy + 1] - ys[cy];
    const std::int64_t width = xs[last] - xs[first];
    la_.resize(static_cast<std::size_t>(2 * width));
    b_.resize(static_cast<std::size_t>(width));
    for (std::int64_t y = 0; y < height; ++y) {
      kernels_.lab_from_u8(contiguous_pixels(rgb_, ys[cy] + y, xs[first], xs[last], copy_), width,
                           linear_.data(), image_.quantization, la_.data(), b_.data());
      for (std::int64_t cx = first; cx < last; ++cx) {
        const std::int64_t x = xs[cx] - xs[first];
        const std::int64_t n = xs[cx + 1] - xs[cx];
        const std::int64_t to = row + height * xs[cx] + y * n;
        copy_short(&image_.la[2 * to], &la_[2 * x], 4 * n);
        copy_short(&image_.b[to], &b_[x], 2 * n);
      }
    }
    for (std::int64_t cx = first; cx < last; ++cx) {
      const std::int64_t from = row + height * xs[cx];
      kernels_.sum_integer_colors(&image_.la[2 * from], &image_.b[from],
                                  height * (xs[cx + 1] - xs[cx]),
                                  &image_.sums[3 * (cy * grid.cells()[2] + cx)]);
    }
  }

 private:
  const Kernels& kernels_ = kernels();
  const ArrayView& rgb_;
  const std::array<float, 256>& linear_;
  IntegerImage& image_;
  std::vector<std::uint8_t> copy_;
  std::vector<std::int16_t> la_;
  std::vector<std::int16_t> b_;
};

}  // namespace

std::array<float, 256> linear_light(std::pair<double, double> range) {
  std::array<float, 256> table{};
  const double span = range.second - range.first;
  for (int v = 0; v < 256; ++v) {
    const double c = span > 0 ? std::clamp((v - range.first) / span, 0.0, 1.0) : 0.0;
    table[v] = static_cast<float>(c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4));
  }
  return table;
}

IntegerImage make_integer_image(const ArrayView& rgb, const CellGrid& grid,
                                const std::optional<std::pair<double, double>>& value_range,
                                LabQuantization quantization, int num_threads) {
  const std::int64_t num_pixels = grid.num_pixels();
  const std::array<float, 256> linear =
      linear_light(value_range ? *value_range : extremes(rgb, num_threads));
  // Kernels read whole groups of pixels, past the last.
  constexpr std::int64_t kPadding = 64;
  IntegerImage image{grid,
                     quantization,
                     Buffer<std::int16_t>(2 * (num_pixels + kPadding)),
                     Buffer<std::int16_t>(num_pixels + kPadding),
                     Buffer<std::int64_t>(3 * grid.num_cells()),
                     spans(grid, 1),
                     spans(grid, 2)};
  std::fill_n(&image.la[2 * num_pixels], 2 * kPadding, std::int16_t{0});
  std::fill_n(&image.b[num_pixels], kPadding, std::int16_t{0});

  // Cells are converted some side by side: enough for long rows, few enough for caches and threads.
  constexpr std::int64_t kPixelsAtOnce = 1 << 14;
  const std::int64_t columns = grid.cells()[2];
  const std::int64_t together =
      std::clamp<std::int64_t>(kPixelsAtOnce * grid.num_cells() / num_pixels, 1, columns);
  const std::int64_t per_row = (columns + together - 1) / together;
  parallel_for(grid.cells()[1] * per_row, 1, num_threads,
               [&](std::int64_t begin, std::int64_t end) {
                 CellConverter converter(rgb, linear, image);
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t first = i % per_row * together;
                   converter.convert(i / per_row, first, std::min(first + together, columns));
                 }
               });
  return image;
}

}  // namespace superpix::cpu
