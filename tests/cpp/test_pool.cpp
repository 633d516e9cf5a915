// SPDX-License-Identifier: Apache-2.0
//
// Pooling over labels and back, against plain loops in double precision.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "array.h"
#include "detail/half.h"
#include "pool_reference.h"

namespace superpix {
namespace {

using test::Array;
using test::PoolReference;
using test::Shape;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
const std::vector<DType> kFloating = {DType::kFloat32, DType::kFloat64, DType::kFloat16,
                                      DType::kBFloat16};
const std::vector<Reduce> kReductions = {Reduce::kSum, Reduce::kMean, Reduce::kMax, Reduce::kMin};

/// Numbers stored as a floating dtype, in memory that ends with the last of them.
class Tensor {
 public:
  Tensor(DType dtype, Shape shape, const std::vector<double>& values)
      : Tensor(dtype, std::move(shape)) {
    for (std::size_t i = 0; i < values.size(); ++i) put(i, values[i]);
  }
  /// Every element 7.
  Tensor(DType dtype, Shape shape)
      : dtype_(dtype),
        shape_(std::move(shape)),
        bytes_(static_cast<std::size_t>(test::product(shape_)) * item_size(dtype)) {
    for (std::size_t i = 0; i < size(); ++i) put(i, 7.0);
  }

  std::size_t size() const { return bytes_.size() / item_size(dtype_); }
  ArrayView view() const {
    ArrayView v;
    v.data = const_cast<char*>(bytes_.data());
    v.dtype = dtype_;
    v.ndim = static_cast<int>(shape_.size());
    auto stride = static_cast<std::int64_t>(item_size(dtype_));
    for (int axis = v.ndim - 1; axis >= 0; --axis) {
      v.shape[axis] = shape_[axis];
      v.strides[axis] = stride;
      stride *= shape_[axis];
    }
    return v;
  }
  const std::vector<char>& bytes() const { return bytes_; }

  std::vector<double> values() const {
    std::vector<double> values(size());
    for (std::size_t i = 0; i < size(); ++i) values[i] = get(i);
    return values;
  }

 private:
  template <class T>
  void put_as(std::size_t i, T value) {
    std::memcpy(bytes_.data() + i * sizeof value, &value, sizeof value);
  }
  template <class T>
  T get_as(std::size_t i) const {
    T value;
    std::memcpy(&value, bytes_.data() + i * sizeof value, sizeof value);
    return value;
  }
  void put(std::size_t i, double value) {
    const auto narrow = static_cast<float>(value);
    if (dtype_ == DType::kFloat32) put_as(i, narrow);
    if (dtype_ == DType::kFloat64) put_as(i, value);
    if (dtype_ == DType::kFloat16) put_as(i, detail::half_of_float(narrow));
    if (dtype_ == DType::kBFloat16) put_as(i, detail::bfloat16_of_float(narrow));
  }
  double get(std::size_t i) const {
    if (dtype_ == DType::kFloat32) return get_as<float>(i);
    if (dtype_ == DType::kFloat64) return get_as<double>(i);
    if (dtype_ == DType::kFloat16) return detail::float_of_half(get_as<std::uint16_t>(i));
    return detail::float_of_bfloat16(get_as<std::uint16_t>(i));
  }

  DType dtype_;
  Shape shape_;
  std::vector<char> bytes_;
};

/// The relative error of a number that is stored once.
double rounding(DType dtype) {
  if (dtype == DType::kFloat64) return 0x1p-52;
  if (dtype == DType::kFloat32) return 0x1p-23;
  return dtype == DType::kFloat16 ? 0x1p-10 : 0x1p-7;
}

enum class Pattern { kBlocks, kNoise, kStripes, kOne };

struct Case {
  PoolReference shape;
  Pattern pattern;
};

// batch, channels, height, width, label height, label width, segments
const std::vector<Case> kCases = {
    {{1, 1, 1, 1, 1, 1, 1}, Pattern::kOne},
    {{2, 3, 5, 7, 5, 7, 4}, Pattern::kNoise},
    {{1, 5, 32, 32, 32, 32, 16}, Pattern::kBlocks},
    {{2, 16, 33, 47, 33, 47, 30}, Pattern::kBlocks},
    {{3, 17, 20, 30, 20, 30, 300}, Pattern::kNoise},
    {{1, 40, 1, 200, 1, 200, 9}, Pattern::kStripes},
    {{1, 20, 200, 1, 200, 1, 6}, Pattern::kBlocks},
    {{2, 33, 40, 64, 40, 64, 1}, Pattern::kOne},
    {{1, 16, 48, 64, 48, 64, 25}, Pattern::kBlocks},
    // two bands
    {{1, 3, 300, 500, 300, 500, 12}, Pattern::kBlocks},
    {{1, 2, 260, 515, 260, 515, 700}, Pattern::kNoise},
    // labels of a higher resolution
    {{2, 3, 4, 6, 8, 12, 5}, Pattern::kNoise},
    {{1, 20, 10, 13, 37, 41, 12}, Pattern::kBlocks},
    {{2, 17, 20, 20, 150, 150, 50}, Pattern::kBlocks},
    {{1, 16, 16, 17, 17, 17, 9}, Pattern::kStripes},
    {{1, 4, 1, 1, 30, 20, 40}, Pattern::kNoise},
    {{1, 2, 70, 80, 140, 240, 3}, Pattern::kOne},
};

/// Labels from 0 to segments - 1, some of them left out, and some -1 if asked for.
std::vector<std::int64_t> labels_of(const Case& c, bool ignore) {
  test::Random random(11);
  const PoolReference& s = c.shape;
  std::vector<std::int64_t> labels;
  for (std::int64_t image = 0; image < s.batch; ++image) {
    const auto side = static_cast<std::int64_t>(std::ceil(std::sqrt(s.segments)));
    for (std::int64_t y = 0; y < s.label_height; ++y) {
      for (std::int64_t x = 0; x < s.label_width; ++x) {
        // Borders are ragged by one pixel.
        const std::int64_t shifted = std::min(s.label_width - 1, x + random.below(2));
        std::int64_t label = 0;
        if (c.pattern == Pattern::kNoise) label = random.below(s.segments);
        if (c.pattern == Pattern::kStripes) label = shifted / 7 % s.segments;
        if (c.pattern == Pattern::kBlocks) {
          label = (y * side / s.label_height * side + shifted * side / s.label_width + image) %
                  s.segments;
        }
        if (label == 2 && s.segments > 3) label = 3;
        labels.push_back(ignore && random.below(9) == 0 ? -1 : label);
      }
    }
  }
  return labels;
}

/// As tensors have them after rounding to `dtype`; whole numbers have many ties.
Tensor numbers(DType dtype, const Shape& shape, unsigned seed, bool whole) {
  test::Random random(seed);
  std::vector<double> values(static_cast<std::size_t>(test::product(shape)));
  for (double& v : values) {
    v = whole ? static_cast<double>(random.below(7)) - 3.0 : 2.0 * random.unit() - 1.0;
  }
  return {dtype, shape, values};
}

/// Label maps as int32 or int64.
struct LabelMap {
  LabelMap(const std::vector<std::int64_t>& values, const Shape& shape, bool is_wide)
      : wide(shape, values),
        narrow(shape, std::vector<std::int32_t>(values.begin(), values.end())),
        is_wide_(is_wide) {}
  ArrayView view() const { return is_wide_ ? wide.view() : narrow.view(); }

  Array<std::int64_t> wide;
  Array<std::int32_t> narrow;

 private:
  bool is_wide_;
};

Context on_threads(int n) {
  Context context;
  context.num_threads = n;
  return context;
}

struct Problem {
  Problem(const Case& c, DType type, bool is_wide, bool ignore, bool whole = false)
      : shape(c.shape),
        label_values(labels_of(c, ignore)),
        labels(label_values, {shape.batch, shape.label_height, shape.label_width}, is_wide),
        features(numbers(type, {shape.batch, shape.channels, shape.height, shape.width}, 3, whole)),
        grad_pooled(numbers(type, {shape.batch, shape.channels, shape.segments}, 4, false)),
        dtype(type) {}

  struct Result {
    Tensor pooled;
    Array<std::int32_t> saved;
    Tensor grad_features;
  };
  Result run(Reduce reduce, int num_threads = 1) const {
    const ArrayView layout = pool_saved_layout(shape.batch, shape.channels, shape.segments, reduce);
    Result r{
        Tensor(dtype, {shape.batch, shape.channels, shape.segments}),
        Array<std::int32_t>(Shape(layout.shape.begin(), layout.shape.begin() + layout.ndim), 77),
        Tensor(dtype, {shape.batch, shape.channels, shape.height, shape.width})};
    const ArrayView saved = r.saved.view();
    const Context context = on_threads(num_threads);
    pool(features.view(), labels.view(), r.pooled.view(), &saved, reduce, context);
    pool_backward(grad_pooled.view(), labels.view(), &saved, r.grad_features.view(), reduce,
                  context);
    return r;
  }

  PoolReference shape;
  std::vector<std::int64_t> label_values;
  LabelMap labels;
  Tensor features;
  Tensor grad_pooled;
  DType dtype;
};

void expect_near(const std::vector<double>& found, const std::vector<double>& expected,
                 double relative, double absolute) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::abs(found[i] - expected[i]) <= absolute + relative * std::abs(expected[i])) continue;
    FAIL() << "element " << i << ": " << found[i] << ", expected " << expected[i];
  }
}

class Pool : public ::testing::TestWithParam<DType> {};

TEST_P(Pool, MatchesReference) {
  for (const Case& c : kCases) {
    for (const bool is_wide : {false, true}) {
      const Problem problem(c, GetParam(), is_wide, is_wide);
      const std::vector<double> features = problem.features.values();
      const std::vector<double> grad_pooled = problem.grad_pooled.values();
      for (const Reduce reduce : kReductions) {
        const Problem::Result found = problem.run(reduce);
        const auto expected = c.shape.pool(features, problem.label_values, reduce);
        const auto gradient =
            c.shape.pool_backward(grad_pooled, features, problem.label_values, reduce);
        // Errors of sums are relative to their terms, of which none is above 1.
        const auto counts = c.shape.counts(problem.label_values);
        const double terms =
            reduce == Reduce::kSum ? *std::max_element(counts.begin(), counts.end()) : 1.0;
        const double u = rounding(GetParam());
        expect_near(found.pooled.values(), expected, u,
                    terms * (GetParam() == DType::kFloat64 ? 1e-14 : 1e-6));
        expect_near(found.grad_features.values(), gradient, 2 * u,
                    c.shape.pixels() > c.shape.cells() ? 1e-5 : 1e-7);  // what float16 has at least
        if (reduce == Reduce::kMean) {
          EXPECT_EQ(found.saved.data, counts);
        }
      }
    }
  }
}

TEST_P(Pool, ExtremesAreExactAndTheFirstWins) {
  for (const Case& c : kCases) {
    const Problem problem(c, GetParam(), true, true, true);
    const std::vector<double> features = problem.features.values();
    for (const Reduce reduce : {Reduce::kMax, Reduce::kMin}) {
      const Problem::Result found = problem.run(reduce);
      EXPECT_EQ(found.pooled.values(), c.shape.pool(features, problem.label_values, reduce));
      EXPECT_EQ(found.saved.data,
                c.shape.indices(features, problem.label_values, reduce == Reduce::kMin));
    }
  }
}

TEST_P(Pool, HasTheSameBitsForAnyNumberOfThreads) {
  for (const Case& c : kCases) {
    const Problem problem(c, GetParam(), false, true);
    for (const Reduce reduce : kReductions) {
      const Problem::Result expected = problem.run(reduce);
      for (const int threads : {2, 5}) {
        const Problem::Result found = problem.run(reduce, threads);
        EXPECT_EQ(found.pooled.bytes(), expected.pooled.bytes());
        EXPECT_EQ(found.saved.data, expected.saved.data);
        EXPECT_EQ(found.grad_features.bytes(), expected.grad_features.bytes());
      }
    }
  }
}

// An image alone, a channel alone: the bits that they have among others.
TEST_P(Pool, HasTheSameBitsForAnyPlaceInTheBatchAndAmongTheChannels) {
  for (const Case& c : kCases) {
    if (c.shape.batch * c.shape.channels == 1) continue;
    const Problem problem(c, GetParam(), true, true);
    const std::size_t item = item_size(GetParam());
    const auto piece = [&](const std::vector<char>& bytes, std::int64_t i, std::int64_t size) {
      const auto n = static_cast<std::ptrdiff_t>(size * static_cast<std::int64_t>(item));
      return std::vector<char>(bytes.begin() + i * n, bytes.begin() + (i + 1) * n);
    };
    const std::int64_t plane = c.shape.batch * c.shape.channels - 1;
    Case alone = c;
    alone.shape.batch = alone.shape.channels = 1;
    Problem one(alone, GetParam(), true, true);
    const auto pixels = c.shape.pixels();
    const auto first = (c.shape.batch - 1) * pixels;
    std::copy_n(problem.label_values.begin() + first, pixels, one.labels.wide.data.begin());
    const auto copy = [&](const Tensor& from, const Tensor& to, std::int64_t size) {
      const std::vector<char> bytes = piece(from.bytes(), plane, size);
      std::memcpy(to.view().data, bytes.data(), bytes.size());
    };
    copy(problem.features, one.features, c.shape.cells());
    copy(problem.grad_pooled, one.grad_pooled, c.shape.segments);
    for (const Reduce reduce : kReductions) {
      const Problem::Result many = problem.run(reduce, 2);
      const Problem::Result found = one.run(reduce);
      EXPECT_EQ(found.pooled.bytes(), piece(many.pooled.bytes(), plane, c.shape.segments));
      EXPECT_EQ(found.grad_features.bytes(),
                piece(many.grad_features.bytes(), plane, c.shape.cells()));
    }
  }
}

TEST_P(Pool, UnpoolGivesEveryPixelWhatItsSegmentHas) {
  for (const Case& c : kCases) {
    if (c.shape.pixels() != c.shape.cells()) continue;
    for (const int threads : {1, 2}) {
      const Problem problem(c, GetParam(), threads == 1, true);
      const PoolReference& s = c.shape;
      const Tensor out(GetParam(), {s.batch, s.channels, s.height, s.width});
      unpool(problem.grad_pooled.view(), problem.labels.view(), out.view(), on_threads(threads));
      const std::vector<double> found = out.values();
      const std::vector<double> pooled = problem.grad_pooled.values();
      for (std::int64_t i = 0; i < s.batch * s.channels * s.cells(); ++i) {
        const std::int64_t plane = i / s.cells();
        const std::int64_t label =
            problem.label_values[plane / s.channels * s.pixels() + i % s.cells()];
        ASSERT_EQ(found[i], label < 0 ? 0.0 : pooled[plane * s.segments + label]);
      }
      const Tensor sums(GetParam(), {s.batch, s.channels, s.segments});
      unpool_backward(problem.features.view(), problem.labels.view(), sums.view(),
                      on_threads(threads));
      EXPECT_EQ(sums.bytes(), problem.run(Reduce::kSum).pooled.bytes());
    }
  }
}

TEST_P(Pool, NanSpreadsOverItsSegmentAlone) {
  const Case c{{1, 18, 12, 20, 12, 20, 6}, Pattern::kStripes};
  Problem problem(c, GetParam(), false, false);
  std::vector<double> features = problem.features.values();
  const std::int64_t cells = c.shape.cells();
  // In channels 0 and 17; the second NaN of the segment must not win, negative or not.
  for (const std::int64_t channel : {0, 17}) {
    features[channel * cells + 21] = kNan;
    features[channel * cells + 22] = -kNan;
  }
  features[3 * cells + 21] = kInfinity;
  features[4 * cells + 21] = -kInfinity;
  problem.features = Tensor(GetParam(), {1, 18, 12, 20}, features);
  const std::int64_t label = problem.label_values[21];
  ASSERT_EQ(label, problem.label_values[22]);
  for (const Reduce reduce : kReductions) {
    const Problem::Result result = problem.run(reduce);
    const std::vector<double> found = result.pooled.values();
    const std::vector<double> expected =
        c.shape.pool(problem.features.values(), problem.label_values, reduce);
    for (std::int64_t i = 0; i < 18 * 6; ++i) {
      const bool has_nan = i % 6 == label && (i / 6 == 0 || i / 6 == 17);
      EXPECT_EQ(std::isnan(found[i]), has_nan) << i;
      if (!has_nan && std::isinf(expected[i])) {
        EXPECT_EQ(found[i], expected[i]);
      }
      if (has_nan && (reduce == Reduce::kMax || reduce == Reduce::kMin)) {
        EXPECT_EQ(result.saved.data[i], 21);
      }
    }
  }
}

// Whether the NaNs are in one band or in two, and however many segments there are.
TEST_P(Pool, TheFirstNanWinsWhereverTheOthersAre) {
  for (const std::int64_t segments : {2, 140000}) {
    const Case c{{1, 1, 300, 500, 300, 500, segments}, Pattern::kOne};
    Problem problem(c, GetParam(), false, false);
    std::vector<double> features = problem.features.values();
    for (const std::int64_t at : {70000, 70001, 70100, 149999}) features[at] = kNan;
    problem.features = Tensor(GetParam(), {1, 1, 300, 500}, features);
    for (const Reduce reduce : {Reduce::kMax, Reduce::kMin}) {
      const Problem::Result found = problem.run(reduce);
      EXPECT_TRUE(std::isnan(found.pooled.values()[0]));
      EXPECT_EQ(found.saved.data[0], 70000);
    }
  }
}

TEST_P(Pool, ExtremesMayBeInfinite) {
  const LabelMap labels(std::vector<std::int64_t>(40, 1), {1, 4, 10}, false);
  for (const double value : {-kInfinity, kInfinity}) {
    const Tensor features(GetParam(), {1, 1, 4, 10}, std::vector<double>(40, value));
    for (const Reduce reduce : {Reduce::kMax, Reduce::kMin}) {
      const Tensor pooled(GetParam(), {1, 1, 2});
      const Array<std::int32_t> saved({1, 1, 2}, 77);
      const ArrayView saved_view = saved.view();
      pool(features.view(), labels.view(), pooled.view(), &saved_view, reduce);
      EXPECT_EQ(pooled.values(), (std::vector<double>{0.0, value}));
      EXPECT_EQ(saved.data, (std::vector<std::int32_t>{-1, 0}));
    }
  }
}

// Tables of this many segments have one channel.
TEST_P(Pool, TakesMoreSegmentsThanFitTheCache) {
  const PoolReference s{1, 2, 90, 100, 180, 100, 140000};
  for (const Case& c :
       {Case{s, Pattern::kNoise}, Case{{1, 3, 170, 900, 170, 900, 150000}, Pattern::kNoise}}) {
    const Problem problem(c, GetParam(), true, true);
    const std::vector<double> features = problem.features.values();
    for (const Reduce reduce : kReductions) {
      const Problem::Result found = problem.run(reduce, 2);
      const double u = rounding(GetParam());
      expect_near(found.pooled.values(), c.shape.pool(features, problem.label_values, reduce), u,
                  GetParam() == DType::kFloat64 ? 1e-14 : 1e-6);
      expect_near(found.grad_features.values(),
                  c.shape.pool_backward(problem.grad_pooled.values(), features,
                                        problem.label_values, reduce),
                  2 * u, GetParam() == DType::kFloat64 ? 1e-14 : 1e-6);
    }
  }
}

TEST_P(Pool, EmptyBatchAndNoChannelsAreFine) {
  for (const Shape& shape : {Shape{0, 3, 4, 5}, Shape{2, 0, 4, 5}}) {
    const Tensor features(GetParam(), shape);
    const Array<std::int32_t> labels({shape[0], 4, 5});
    const Tensor pooled(GetParam(), {shape[0], shape[1], 6});
    for (const Reduce reduce : {Reduce::kSum, Reduce::kMax}) {
      const ArrayView saved = pool_saved_layout(shape[0], shape[1], 6, reduce);
      pool(features.view(), labels.view(), pooled.view(), &saved, reduce);
      pool_backward(pooled.view(), labels.view(), &saved, features.view(), reduce);
    }
    unpool(pooled.view(), labels.view(), features.view());
  }
}

std::string dtype_name(const ::testing::TestParamInfo<DType>& info) { return name(info.param); }
INSTANTIATE_TEST_SUITE_P(Dtype, Pool, ::testing::ValuesIn(kFloating), dtype_name);

// A float sum of a million terms one by one is off by 1e-2.
TEST(PoolPrecision, DoesNotDependOnTheSizeOfASegment) {
  constexpr std::int64_t kSide = 1024;
  for (const bool is_noise : {false, true}) {
    test::Random random(5);
    Array<float> features({1, 3, kSide, kSide}, 0.1F);
    for (std::int64_t i = 0; i < kSide * kSide; ++i) {
      features.data[kSide * kSide + i] = static_cast<float>(random.unit());
      features.data[2 * kSide * kSide + i] = static_cast<float>(1000.0 + random.unit());
    }
    // Two segments of half a million pixels, of long runs or of short ones.
    Array<std::int32_t> labels({1, kSide, kSide}, 0);
    for (auto& label : labels.data) {
      if (is_noise) label = static_cast<std::int32_t>(random.below(2));
    }
    const PoolReference reference{1, 3, kSide, kSide, kSide, kSide, 2};
    const Array<float> pooled({1, 3, 2});
    pool(features.view(), labels.view(), pooled.view(), nullptr, Reduce::kMean);
    const auto expected = reference.pool({features.data.begin(), features.data.end()},
                                         {labels.data.begin(), labels.data.end()}, Reduce::kMean);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(pooled.data[i], expected[i], 1e-6 * expected[i]);
    }
  }
}

TEST(PoolBackward, MatchesCentralDifferences) {
  for (const Case& c : kCases) {
    if (c.shape.cells() > 2000) continue;
    Problem problem(c, DType::kFloat64, false, true);
    const std::vector<double> weights = problem.grad_pooled.values();
    for (const Reduce reduce : kReductions) {
      const auto loss = [&] {
        const std::vector<double> pooled = problem.run(reduce).pooled.values();
        double sum = 0.0;
        for (std::size_t i = 0; i < pooled.size(); ++i) sum += pooled[i] * weights[i];
        return sum;
      };
      const std::vector<double> gradient = problem.run(reduce).grad_features.values();
      auto* features = static_cast<double*>(problem.features.view().data);
      for (std::size_t i = 0; i < gradient.size(); i += 1 + gradient.size() / 20) {
        constexpr double kStep = 1e-7;  // less than what is between the values of a segment
        const double value = features[i];
        features[i] = value + kStep;
        const double more = loss();
        features[i] = value - kStep;
        const double less = loss();
        features[i] = value;
        EXPECT_NEAR(gradient[i], (more - less) / (2 * kStep), 1e-5) << i;
      }
    }
  }
}

// Many segments have the one cell: their gradients are added before they are rounded.
TEST(PoolBackward, GradientsThatMeetAreAddedInFloat) {
  const std::int64_t n = 1000;
  Array<std::int32_t> labels({1, 1, n});
  for (std::int64_t i = 0; i < n; ++i) labels.data[i] = static_cast<std::int32_t>(i);
  const Tensor features(DType::kBFloat16, {1, 1, 1, 1});
  const Tensor grad_pooled(DType::kBFloat16, {1, 1, n}, std::vector<double>(n, 1.0));
  for (const Reduce reduce : kReductions) {
    const Tensor pooled(DType::kBFloat16, {1, 1, n});
    const Array<std::int32_t> array(reduce == Reduce::kMean ? Shape{1, n} : Shape{1, 1, n});
    const ArrayView saved = array.view();
    pool(features.view(), labels.view(), pooled.view(), &saved, reduce);
    const Tensor gradient(DType::kBFloat16, {1, 1, 1, 1});
    pool_backward(grad_pooled.view(), labels.view(), &saved, gradient.view(), reduce);
    EXPECT_EQ(gradient.values()[0], 1000.0);
  }
}

// Large outputs are written around the cache if lines of 64 bytes are whole.
TEST(Unpool, IsTheSameWhereverALargeOutputLies) {
  constexpr std::int64_t kSide = 736;
  constexpr std::int64_t kSize = 17 * kSide * kSide;
  static_assert(kSize * sizeof(float) > std::size_t{1} << 25);
  test::Random random(8);
  Array<std::int32_t> labels({1, kSide, kSide});
  for (auto& label : labels.data) label = static_cast<std::int32_t>(random.below(9)) - 1;
  Array<float> pooled({1, 17, 8});
  for (auto& value : pooled.data) value = static_cast<float>(random.unit());
  std::vector<float> memory(kSize + 32);
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  float* aligned = memory.data() + (64 - address % 64) % 64 / sizeof(float);
  for (const std::int64_t offset : {0, 1}) {
    float* out = aligned + offset;
    std::fill(memory.begin(), memory.end(), 7.0F);
    unpool(pooled.view(), labels.view(), ArrayView::contiguous(out, {1, 17, kSide, kSide}),
           on_threads(2));
    for (std::int64_t i = 0; i < kSize; ++i) {
      const std::int32_t label = labels.data[i % (kSide * kSide)];
      const float expected = label < 0 ? 0.0F : pooled.data[i / (kSide * kSide) * 8 + label];
      if (out[i] != expected) FAIL() << offset << " " << i;
    }
    EXPECT_EQ(out[kSize], 7.0F);
  }
}

TEST(PoolSaved, HasADocumentedLayout) {
  EXPECT_EQ(pool_saved_layout(2, 3, 4, Reduce::kSum).shape_string(), "[0]");
  EXPECT_EQ(pool_saved_layout(2, 3, 4, Reduce::kMean).shape_string(), "[2, 4]");
  for (const Reduce reduce : {Reduce::kMax, Reduce::kMin}) {
    EXPECT_EQ(pool_saved_layout(2, 3, 4, reduce).shape_string(), "[2, 3, 4]");
    EXPECT_EQ(pool_saved_layout(2, 3, 4, reduce).dtype, DType::kInt32);
  }
}

TEST(PoolSaved, IsOptional) {
  const Problem problem(kCases[3], DType::kFloat32, false, true);
  for (const Reduce reduce : kReductions) {
    const Tensor pooled(DType::kFloat32, {2, 16, 30});
    pool(problem.features.view(), problem.labels.view(), pooled.view(), nullptr, reduce);
    EXPECT_EQ(pooled.bytes(), problem.run(reduce).pooled.bytes());
  }
}

void expect_error(const std::string& what, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "no error for " << what;
  } catch (const InvalidArgument& error) {
    EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
  }
}

TEST(PoolErrors, NameTheArgument) {
  const Array<float> features({2, 3, 8, 9});
  const Array<std::int32_t> labels({2, 8, 9});
  const Array<float> pooled({2, 3, 4});
  const auto refused = [&](const std::string& what, const ArrayView& f, const ArrayView& l,
                           const ArrayView& p) {
    expect_error("pool: " + what, [&] { pool(f, l, p, nullptr, Reduce::kSum); });
  };
  const auto f = features.view();
  const auto l = labels.view();
  const auto p = pooled.view();
  refused("features must be float16, bfloat16, float32 or float64, got int32",
          Array<std::int32_t>({2, 3, 8, 9}).view(), l, p);
  refused("features must be [B, C, H, W], got [2, 3, 8]", Array<float>({2, 3, 8}).view(), l, p);
  refused("features must have pixels", Array<float>({2, 3, 0, 9}).view(), l, p);
  refused("features must be C-contiguous", test::Scattered(f).view, l, p);
  refused("pooled must be float32", f, l, Array<double>({2, 3, 4}).view());
  refused("pooled must be [2, 3, K], got [2, 4, 4]", f, l, Array<float>({2, 4, 4}).view());
  refused("pooled must have from 1 to", f, l, Array<float>({2, 3, 0}).view());
  refused("pooled must be C-contiguous", f, l, test::Scattered(p).view);
  refused("labels must be int32 or int64, got int16", f, Array<std::int16_t>({2, 8, 9}).view(), p);
  refused("labels must be [B, H, W]", f, Array<std::int32_t>({8, 9}).view(), p);
  refused("labels must be C-contiguous", f, test::Scattered(l).view, p);
  refused("labels must have as many images", f, Array<std::int32_t>({1, 8, 9}).view(), p);
  refused("labels must be at least as high and wide, got [2, 8, 8] for features [2, 3, 8, 9]", f,
          Array<std::int32_t>({2, 8, 8}).view(), p);
  refused("labels must be at least as high and wide", f, Array<std::int32_t>({2, 7, 18}).view(), p);
  ArrayView missing = l;
  missing.data = nullptr;
  refused("labels must point to its elements", f, missing, p);
}

TEST(PoolErrors, LabelsOutsideAreFoundWhereverTheyAre) {
  const Array<float> features({2, 1, 30, 41});
  const Array<float> pooled({2, 1, 5});
  for (const std::int64_t bad :
       {std::int64_t{5}, std::int64_t{-2}, std::int64_t{1} << 32, (std::int64_t{1} << 32) - 1,
        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    for (const std::size_t at : {0, 1, 63, 1229, 1230, 2459}) {
      const std::string message = "labels must be from -1 to 4, got " + std::to_string(bad);
      Array<std::int64_t> wide({2, 30, 41}, 4);
      wide.data[at] = bad;
      expect_error("pool: " + message, [&] {
        pool(features.view(), wide.view(), pooled.view(), nullptr, Reduce::kMean);
      });
      expect_error("pool_backward: " + message, [&] {
        pool_backward(pooled.view(), wide.view(), nullptr, features.view(), Reduce::kSum);
      });
      expect_error("unpool: " + message,
                   [&] { unpool(pooled.view(), wide.view(), features.view()); });
      expect_error("unpool_backward: " + message,
                   [&] { unpool_backward(features.view(), wide.view(), pooled.view()); });
      if (bad != static_cast<std::int32_t>(bad)) continue;
      Array<std::int32_t> narrow({2, 30, 41}, 4);
      narrow.data[at] = static_cast<std::int32_t>(bad);
      expect_error(message, [&] {
        pool(features.view(), narrow.view(), pooled.view(), nullptr, Reduce::kMax);
      });
    }
  }
}

TEST(PoolErrors, SavedAndGradientsAreChecked) {
  const Array<float> features({2, 3, 8, 9});
  const Array<std::int32_t> labels({2, 8, 9});
  const Array<float> pooled({2, 3, 4});
  const auto backward = [&](const Array<std::int32_t>& array, Reduce reduce) {
    const ArrayView saved = array.view();
    pool_backward(pooled.view(), labels.view(), &saved, features.view(), reduce);
  };
  expect_error("saved must be [2, 4], got [2, 3, 4]", [&] {
    backward(Array<std::int32_t>({2, 3, 4}), Reduce::kMean);
  });
  expect_error("saved must be [2, 3, 4], got [2, 4]", [&] {
    backward(Array<std::int32_t>({2, 4}), Reduce::kMax);
  });
  expect_error("saved must have indices from -1 to 71, got 72", [&] {
    backward(Array<std::int32_t>({2, 3, 4}, 72), Reduce::kMin);
  });
  expect_error("saved must have indices from -1 to 71, got -2", [&] {
    backward(Array<std::int32_t>({2, 3, 4}, -2), Reduce::kMax);
  });
  expect_error("saved must be given", [&] {
    pool_backward(pooled.view(), labels.view(), nullptr, features.view(), Reduce::kMean);
  });
  const Array<std::int64_t> wide({2, 4});
  const ArrayView wide_view = wide.view();
  expect_error("saved must be int32", [&] {
    pool(features.view(), labels.view(), pooled.view(), &wide_view, Reduce::kMean);
  });
  expect_error("grad_features must be float16", [&] {
    pool_backward(pooled.view(), labels.view(), nullptr, Array<std::int32_t>({2, 3, 8, 9}).view(),
                  Reduce::kSum);
  });
  expect_error("reduce", [&] {
    pool(features.view(), labels.view(), pooled.view(), nullptr, static_cast<Reduce>(9));
  });
  expect_error("unpool: labels must have the same height and width", [&] {
    unpool(pooled.view(), Array<std::int32_t>({2, 16, 18}).view(), features.view());
  });
  Context cuda;
  cuda.device = Device::kCuda;
  EXPECT_THROW(pool(features.view(), labels.view(), pooled.view(), nullptr, Reduce::kSum, cuda),
               DeviceUnavailable);
}

}  // namespace
}  // namespace superpix
