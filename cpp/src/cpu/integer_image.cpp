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

/// Row y as contiguous RGB: the image's own memory, or a copy in `copy`.
const std::uint8_t* contiguous_row(const ArrayView& rgb, std::int64_t y,
                                   std::vector<std::uint8_t>& copy) {
  const auto* row = static_cast<const std::uint8_t*>(rgb.data) + y * rgb.strides[0];
  if (rgb.strides[1] == 3 && rgb.strides[2] == 1) return row;
  const std::int64_t width = rgb.shape[1];
  copy.resize(static_cast<std::size_t>(3 * width));
  for (std::int64_t x = 0; x < width; ++x) {
    for (std::int64_t c = 0; c < 3; ++c) {
      copy[3 * x + c] = row[x * rgb.strides[1] + c * rgb.strides[2]];
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
        const std::uint8_t* row = contiguous_row(rgb, y, copy);
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

/// Byte value -> linear light.
std::array<float, 256> linear_light(std::pair<double, double> range) {
  std::array<float, 256> table{};
  const double span = range.second - range.first;
  for (int v = 0; v < 256; ++v) {
    const double c = span > 0 ? std::clamp((v - range.first) / span, 0.0, 1.0) : 0.0;
    table[v] = static_cast<float>(c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4));
  }
  return table;
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

}  // namespace

IntegerImage make_integer_image(const ArrayView& rgb, const CellGrid& grid,
                                const std::optional<std::pair<double, double>>& value_range,
                                LabQuantization quantization, int num_threads) {
  const std::int64_t height = rgb.shape[0];
  const std::int64_t width = rgb.shape[1];
  const std::array<float, 256> linear =
      linear_light(value_range ? *value_range : extremes(rgb, num_threads));
  // Kernels read whole groups of pixels, past the last.
  constexpr std::int64_t kPadding = 64;
  IntegerImage image{grid,
                     quantization,
                     Buffer<std::int16_t>(2 * (height * width + kPadding)),
                     Buffer<std::int16_t>(height * width + kPadding),
                     spans(grid, 1),
                     spans(grid, 2)};
  std::fill_n(&image.la[2 * height * width], 2 * kPadding, std::int16_t{0});
  std::fill_n(&image.b[height * width], kPadding, std::int16_t{0});

  const Kernels& k = kernels();
  parallel_for(height, kRowsAtOnce, num_threads, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint8_t> copy;
    std::vector<std::int16_t> la(static_cast<std::size_t>(2 * width));
    std::vector<std::int16_t> b(static_cast<std::size_t>(width));
    const auto& ys = grid.edges(1);
    const auto& xs = grid.edges(2);
    for (std::int64_t y = begin; y < end; ++y) {
      k.lab_from_u8(contiguous_row(rgb, y, copy), width, linear.data(), quantization, la.data(),
                    b.data());
      const std::int64_t cy = grid.cell_of(1, y);
      const std::int64_t cell_height = ys[cy + 1] - ys[cy];
      for (std::int64_t cx = 0; cx < grid.cells()[2]; ++cx) {
        const std::int64_t x = xs[cx];
        const std::int64_t n = xs[cx + 1] - x;
        const std::int64_t to = ys[cy] * width + cell_height * x + (y - ys[cy]) * n;
        copy_short(&image.la[2 * to], &la[2 * x], 4 * n);
        copy_short(&image.b[to], &b[x], 2 * n);
      }
    }
  });
  return image;
}

}  // namespace superpix::cpu
