// SPDX-License-Identifier: Apache-2.0
//
// What the benchmarks compute with.
#pragma once

#include <benchmark/benchmark.h>
#include <superpix/superpix.h>

#include <cstdint>
#include <random>
#include <vector>

namespace superpix::bench {

/// A smooth picture [H,W,3] with discs and noise, which is to superpixels about what a photograph
/// is.
inline std::vector<std::uint8_t> picture(std::int64_t height, std::int64_t width) {
  std::mt19937 random(1);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(height * width * 3));
  struct Disc {
    std::int64_t y, x, squared_radius;
    std::uint32_t color;
  };
  std::vector<Disc> discs;
  for (int i = 0; i < 60; ++i) {
    const std::int64_t radius = 5 + random() % (height / 6 + 1);
    discs.push_back({static_cast<std::int64_t>(random() % height),
                     static_cast<std::int64_t>(random() % width), radius * radius,
                     static_cast<std::uint32_t>(random())});
  }
  for (std::int64_t p = 0; p < height * width; ++p) {
    const std::int64_t y = p / width, x = p % width;
    std::uint32_t color = static_cast<std::uint32_t>(100 * y / height + 80 * x / width) * 0x10101;
    for (const Disc& disc : discs) {
      const std::int64_t dy = y - disc.y, dx = x - disc.x;
      if (dy * dy + dx * dx < disc.squared_radius) color = disc.color;
    }
    for (int c = 0; c < 3; ++c) {
      const std::uint32_t value = (color >> (8 * c) & 255) * 15 / 16;
      pixels[3 * p + c] = static_cast<std::uint8_t>(value + random() % 16);
    }
  }
  return pixels;
}

/// Values from 0 to 1.
inline std::vector<float> noise(std::int64_t n) {
  std::mt19937 random(2);
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = static_cast<float>(random() % 65536) / 65536;
  return values;
}

/// The cells of a grid, [H,W]: labels from 0 to rows * columns - 1.
inline std::vector<std::int32_t> cells(std::int64_t height, std::int64_t width, std::int64_t rows,
                                       std::int64_t columns) {
  std::vector<std::int32_t> labels(static_cast<std::size_t>(height * width));
  for (std::int64_t p = 0; p < height * width; ++p) {
    labels[p] = static_cast<std::int32_t>(p / width * rows / height * columns +
                                          p % width * columns / width);
  }
  return labels;
}

/// Associations [9,H,W] that sum to 1.
inline std::vector<float> association(std::int64_t height, std::int64_t width) {
  const std::int64_t pixels = height * width;
  std::vector<float> values = noise(9 * pixels);
  for (std::int64_t p = 0; p < pixels; ++p) {
    float sum = 0;
    for (int k = 0; k < 9; ++k) sum += values[k * pixels + p];
    for (int k = 0; k < 9; ++k) values[k * pixels + p] /= sum + 1e-6F;
  }
  return values;
}

/// Sizes that all benchmarks have: a BSDS500 picture, 1 and 8 megapixels.
inline void sizes(benchmark::internal::Benchmark* b) {
  b->Args({321, 481})->Args({1024, 1024})->Args({2160, 3840});
  b->ArgNames({"height", "width"})->Unit(benchmark::kMillisecond)->UseRealTime();
}

/// Reports pixels per second.
inline void count_pixels(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * state.range(0) * state.range(1));
}

}  // namespace superpix::bench
