// SPDX-License-Identifier: Apache-2.0
//
// What follows clustering, on CUDA: smoothing, connectivity and refinement give the labels of the
// CPU.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "cpu/colors.h"
#include "cpu/connectivity.h"
#include "cpu/float_volume.h"
#include "cpu/integer_image.h"
#include "cpu/labels.h"
#include "cpu/refine.h"
#include "cpu/smooth.h"
#include "cuda/connectivity_stage.h"
#include "on_cuda.h"

namespace superpix {
namespace {

using test::Array;

struct Case {
  std::int64_t height, width, rows, columns;
  std::int64_t min_size, max_size;
  int rounds;
  bool has_outside;
};

const Case kCases[] = {
    {37, 70, 4, 7, 40, 300, 1, false},  {37, 70, 4, 7, 85, 110, 3, false},
    {64, 45, 7, 5, 10, 90, 2, true},    {33, 65, 3, 4, 0, 200, 2, false},
    {20, 30, 2, 3, 5000, 100, 1, true}, {1, 40, 1, 4, 3, 12, 2, false},
    {40, 1, 5, 1, 3, 12, 2, false},     {5, 150, 1, 9, 60, 400, 2, false},
    {34, 36, 3, 3, 30, 1, 1, false},    {50, 64, 5, 6, 60, 200, 0, false},
};

/// What clustering could have made: the cell of a pixel or one next to it, in patches with specks.
std::vector<std::int32_t> clusters(const Case& c, const cpu::CellGrid& grid, unsigned seed) {
  test::Random random(seed);
  std::vector<std::int32_t> labels;
  for (std::int64_t y = 0; y < c.height; ++y) {
    for (std::int64_t x = 0; x < c.width; ++x) {
      const bool speck = random.below(5) == 0;
      const double wave =
          std::sin(static_cast<double>(x) * 0.7) * std::cos(static_cast<double>(y) * 0.4);
      const auto near = [&](std::int64_t cell, std::int64_t cells, double shift) {
        const std::int64_t by = speck ? random.below(3) - 1 : std::lround(shift);
        return std::clamp<std::int64_t>(cell + by, 0, cells - 1);
      };
      const std::int64_t row = near(grid.cell_of(1, y), c.rows, wave);
      const std::int64_t column = near(grid.cell_of(2, x), c.columns, 0.9 * wave * wave);
      const bool outside = c.has_outside && (y - 20) * (y - 20) + (x - 25) * (x - 25) > 300;
      labels.push_back(outside ? -1 : static_cast<std::int32_t>(row * c.columns + column));
    }
  }
  return labels;
}

/// The means that clustering would have found, near enough.
std::vector<double> means_of(std::int64_t labels, int channels, double unit) {
  test::Random random(5);
  std::vector<double> means(static_cast<std::size_t>(labels * channels));
  for (double& mean : means) mean = (random.unit() - 0.3) / unit;
  return means;
}

template <class CpuColors>
void expect_labels_of_cpu(const Case& c, const cpu::CellGrid& grid, const CpuColors& colors,
                          const cuda::StageColors& on_cuda, bool tags, unsigned seed) {
  constexpr double kKappa = 0.01;
  constexpr double kSmoothness = 0.02;
  const double weight_y = 0.0025;
  const double weight_x = 0.0225;
  constexpr std::int32_t kStart = 1;
  const std::vector<std::int32_t> labels = clusters(c, grid, seed);
  const std::int64_t num_labels = grid.num_cells();
  const int channels = colors.channels();
  // In steps of the fixed point.
  const std::vector<double> means = means_of(num_labels, channels, colors.unit());
  std::vector<double> means_on_cuda = means;
  const bool floats = on_cuda.kind == cuda::StageColors::Kind::kFloats;
  for (double& mean : means_on_cuda) mean *= floats ? colors.unit() : 1.0;

  const bool smooth = c.rounds > 0 && tags;
  Array<std::int32_t> expected({c.height, c.width});
  std::vector<std::uint8_t> bytes;
  ConnectivityParams params;
  params.min_size = c.min_size;
  params.max_size = c.max_size;
  params.start_label = kStart;
  cpu::RegionSums sums;
  if (tags) {
    const cpu::LabelTags map(grid);
    for (std::int64_t y = 0; y < c.height; ++y) {
      for (std::int64_t x = 0; x < c.width; ++x) {
        const std::int32_t label = labels[static_cast<std::size_t>(y * c.width + x)];
        bytes.push_back(label < 0 ? cpu::LabelTags::kOutside : map.value_of_cell(label));
        map.row(y)[x] = bytes.back();
      }
    }
    if (smooth) cpu::smooth(map, 1);
    sums = cpu::enforce_connectivity(map, expected.data.data(), &colors, means.data(), kKappa,
                                     params, 1);
  } else {
    expected.data = labels;
    const cpu::LabelImage map(expected.data.data(), grid.shape());
    sums = cpu::enforce_connectivity(map, expected.data.data(), &colors, means.data(), kKappa,
                                     params, 1);
  }
  if (c.rounds > 0) {
    cpu::refine(expected.data.data(), c.height, c.width, std::move(sums), colors,
                {kStart, c.min_size, weight_y, weight_x, kSmoothness, c.rounds}, 1);
  }

  cuda::StageShape shape;
  shape.volume = {1, static_cast<int>(c.height), static_cast<int>(c.width)};
  shape.channels = channels;
  shape.min_size = c.min_size;
  shape.max_size = c.max_size;
  shape.start_label = kStart;
  shape.has_outside = c.has_outside;
  shape.refine_iter = c.rounds;
  cuda::StageInput input;
  input.colors = on_cuda;
  input.label_means = means_on_cuda.data();
  input.kappa = kKappa;
  input.weight_y = weight_y;
  input.weight_x = weight_x;
  input.smoothness = kSmoothness;
  Array<std::int32_t> found(expected.shape);
  if (tags) {
    input.kind = smooth ? cuda::StageInput::Labels::kTagsToSmooth : cuda::StageInput::Labels::kTags;
    input.labels = bytes.data();
    input.grid = {{static_cast<int>(c.height), static_cast<int>(c.rows)},
                  {static_cast<int>(c.width), static_cast<int>(c.columns)}};
  } else {
    input.labels = found.data.data();
    input.stride_y = c.width * 4;
    input.stride_x = 4;
  }
  test::run_on_cuda(
      [&](const Context& context) {
        cuda::Call call("slic", context);
        const cuda::ConnectivityStage stage(call, shape, num_labels);
        if (!call.begin()) return;
        if (!tags) found.data = labels;
        stage.enqueue(call, input, found.data.data());
      },
      found);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < found.data.size(); ++i) wrong += found.data[i] != expected.data[i];
  EXPECT_EQ(wrong, 0U) << c.height << " x " << c.width << (tags ? " tags" : " integers")
                       << ", min_size " << c.min_size;
}

TEST(ConnectivityStageOnCuda, LabelsInIntegersAreThoseOfTheCpu) {
  for (const Case& c : kCases) {
    if (c.has_outside) continue;
    const cpu::CellGrid grid({1, c.height, c.width}, {1, c.rows, c.columns});
    const auto rgb = test::picture<std::uint8_t>({c.height, c.width, 3});
    const double compactness = 10.0;
    const cpu::IntegerImage image =
        cpu::make_integer_image(rgb.view(), grid, std::pair{0.0, 255.0}, {20.0, 3.0}, 1);
    const cpu::IntegerColors colors(image, compactness);
    std::vector<std::int16_t> packed;
    for (std::int64_t y = 0; y < c.height; ++y) {
      for (std::int64_t x = 0; x < c.width; ++x) {
        std::int32_t lab[3];
        colors.read(y, x, lab);
        for (const std::int32_t value : lab) packed.push_back(static_cast<std::int16_t>(value));
        packed.push_back(-1);
      }
    }
    cuda::StageColors on_cuda;
    on_cuda.kind = cuda::StageColors::Kind::kShorts;
    on_cuda.channels = 3;
    on_cuda.data = packed.data();
    on_cuda.unit = colors.unit();
    expect_labels_of_cpu(c, grid, colors, on_cuda, c.rounds != 3, 1);
  }
}

TEST(ConnectivityStageOnCuda, LabelsInFloatsAreThoseOfTheCpu) {
  for (const Case& c : kCases) {
    const cpu::CellGrid grid({1, c.height, c.width}, {1, c.rows, c.columns});
    for (const std::int64_t channels : {c.has_outside ? 5 : c.rounds == 1 ? 3 : 1}) {
      const auto pixels = test::picture<float>({1, c.height, c.width, channels}, 2);
      SlicParams params;
      params.compactness = 0.3;
      const cpu::FloatVolume volume =
          cpu::make_float_volume(pixels.view(), nullptr, grid, params, 1);
      const cpu::VolumeColors colors(volume);
      std::vector<float> planes(static_cast<std::size_t>(channels * c.height * c.width));
      for (std::int64_t p = 0; p < c.height * c.width; ++p) {
        const auto place = colors.row(p / c.width).at(p % c.width);
        for (std::int64_t k = 0; k < channels; ++k) {
          planes[static_cast<std::size_t>(k * c.height * c.width + p)] =
              place.first[k * cpu::FloatVolume::kBlock];
        }
      }
      cuda::StageColors on_cuda;
      on_cuda.kind = cuda::StageColors::Kind::kFloats;
      on_cuda.channels = static_cast<int>(channels);
      on_cuda.data = planes.data();
      on_cuda.pixel_stride = 1;
      on_cuda.channel_stride = c.height * c.width;
      on_cuda.most = &volume.most;
      expect_labels_of_cpu(c, grid, colors, on_cuda, channels != 3, 3);
    }
  }
}

}  // namespace
}  // namespace superpix
