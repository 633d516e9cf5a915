// SPDX-License-Identifier: Apache-2.0
//
// Pyramid pooling against windows taken one by one in double precision.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "array.h"

namespace superpix {
namespace {

using test::Array;
using test::Shape;
using Bins = std::vector<std::int64_t>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Case {
  std::int64_t batch, channels, height, width;
  Bins bins;

  std::int64_t planes() const { return batch * channels; }
  std::int64_t pixels() const { return height * width; }
  std::int64_t windows() const { return pyramid_pool_size(bins); }
};

const std::vector<Case> kCases = {
    {1, 1, 1, 1, {1}},
    {1, 2, 1, 1, {1, 2, 3}},
    {2, 3, 60, 60, {1, 2, 3, 6}},
    {1, 3, 65, 59, {1, 2, 3, 6}},
    {2, 2, 7, 5, {6, 3, 2, 1, 3}},
    {1, 5, 16, 16, {4}},
    {1, 2, 15, 17, {9, 40}},
    {1, 1, 3, 700, {1, 5}},
    {1, 2, 300, 2, {1, 7}},
    {1, 1, 33, 1, {2, 33}},
    {1, 1, 200, 300, {1, 2, 3, 6}},  // large enough to be shared by threads
    {3, 1, 190, 181, {3, 4}},
};

struct Window {
  std::int64_t top, bottom, left, right;
  std::int64_t size() const { return (bottom - top) * (right - left); }
};

std::vector<Window> windows_of(const Case& c) {
  const auto begin = [](std::int64_t i, std::int64_t n, std::int64_t b) {
    return static_cast<std::int64_t>(
        std::floor(static_cast<double>(i * n) / static_cast<double>(b)));
  };
  const auto end = [](std::int64_t i, std::int64_t n, std::int64_t b) {
    return static_cast<std::int64_t>(
        std::ceil(static_cast<double>((i + 1) * n) / static_cast<double>(b)));
  };
  std::vector<Window> windows;
  for (const std::int64_t b : c.bins) {
    for (std::int64_t i = 0; i < b; ++i) {
      for (std::int64_t j = 0; j < b; ++j) {
        windows.push_back(
            {begin(i, c.height, b), end(i, c.height, b), begin(j, c.width, b), end(j, c.width, b)});
      }
    }
  }
  return windows;
}

/// Calls f(plane, window, t) for every window of every plane; t counts all of them.
void for_windows(const Case& c,
                 const std::function<void(std::int64_t, const Window&, std::int64_t)>& f) {
  const std::vector<Window> windows = windows_of(c);
  for (std::int64_t plane = 0; plane < c.planes(); ++plane) {
    for (std::size_t w = 0; w < windows.size(); ++w) {
      f(plane, windows[w], plane * c.windows() + static_cast<std::int64_t>(w));
    }
  }
}

/// Calls f(index of the pixel in its plane) for the pixels of a window in row-major order.
void for_pixels(const Case& c, const Window& window, const std::function<void(std::int64_t)>& f) {
  for (std::int64_t y = window.top; y < window.bottom; ++y) {
    for (std::int64_t x = window.left; x < window.right; ++x) f(y * c.width + x);
  }
}

std::vector<double> reference_mean(const Case& c, const std::vector<double>& features) {
  std::vector<double> pooled(static_cast<std::size_t>(c.planes() * c.windows()));
  for_windows(c, [&](std::int64_t plane, const Window& window, std::int64_t t) {
    double sum = 0.0;
    for_pixels(c, window, [&](std::int64_t p) { sum += features[plane * c.pixels() + p]; });
    pooled[t] = sum / static_cast<double>(window.size());
  });
  return pooled;
}

std::vector<double> reference_mean_backward(const Case& c, const std::vector<double>& gradient) {
  std::vector<double> features(static_cast<std::size_t>(c.planes() * c.pixels()));
  for_windows(c, [&](std::int64_t plane, const Window& window, std::int64_t t) {
    for_pixels(c, window, [&](std::int64_t p) {
      features[plane * c.pixels() + p] += gradient[t] / static_cast<double>(window.size());
    });
  });
  return features;
}

std::vector<std::int64_t> reference_maxima(const Case& c, const std::vector<double>& features) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(c.planes() * c.windows()), -1);
  for_windows(c, [&](std::int64_t plane, const Window& window, std::int64_t t) {
    const double* values = features.data() + plane * c.pixels();
    for_pixels(c, window, [&](std::int64_t p) {
      if (indices[t] < 0 || values[p] > values[indices[t]] || std::isnan(values[p])) {
        indices[t] = p;
      }
    });
  });
  return indices;
}

/// Elements of any floating point dtype, which the tests see as doubles.
class Floating {
 public:
  Floating(DType dtype, const Shape& shape, const std::vector<double>& values)
      : dtype_(dtype), shape_(shape), bytes_(values.size() * item_size(dtype)) {
    bytes_.shrink_to_fit();
    for (std::size_t i = 0; i < values.size(); ++i) put(i, values[i]);
  }

  ArrayView view() const {
    ArrayView v;
    v.data = const_cast<unsigned char*>(bytes_.data());
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

  std::vector<double> values() const {
    std::vector<double> all(bytes_.size() / item_size(dtype_));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = get(i);
    return all;
  }

  const std::vector<unsigned char>& bytes() const { return bytes_; }

 private:
  template <class T>
  T read(std::size_t i) const {
    T value;
    std::memcpy(&value, bytes_.data() + i * sizeof(T), sizeof(T));
    return value;
  }
  template <class T>
  void write(std::size_t i, T value) {
    std::memcpy(bytes_.data() + i * sizeof(T), &value, sizeof(T));
  }

  double get(std::size_t i) const {
    switch (dtype_) {
      case DType::kFloat64:
        return read<double>(i);
      case DType::kFloat32:
        return static_cast<double>(read<float>(i));
      case DType::kBFloat16: {
        const std::uint32_t bits = std::uint32_t{read<std::uint16_t>(i)} << 16;
        float value;
        std::memcpy(&value, &bits, sizeof value);
        return static_cast<double>(value);
      }
      default: {
        const auto bits = read<std::uint16_t>(i);
        const int exponent = bits >> 10 & 31;
        const int fraction = bits & 1023;
        const double sign = (bits >> 15) != 0 ? -1.0 : 1.0;
        if (exponent == 31) return fraction != 0 ? kNan : sign * kInfinity;
        return exponent == 0 ? sign * std::ldexp(fraction, -24)
                             : sign * std::ldexp(1024 + fraction, exponent - 25);
      }
    }
  }

  /// Exact, for values that the dtype has.
  void put(std::size_t i, double value) {
    switch (dtype_) {
      case DType::kFloat64:
        return write(i, value);
      case DType::kFloat32:
        return write(i, static_cast<float>(value));
      case DType::kBFloat16: {
        const auto narrow = static_cast<float>(value);
        std::uint32_t bits;
        std::memcpy(&bits, &narrow, sizeof bits);
        return write(i, static_cast<std::uint16_t>(bits >> 16 | (std::isnan(value) ? 1U : 0U)));
      }
      default: {
        const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
        if (std::isnan(value)) return write(i, std::uint16_t{0x7e01});
        if (std::isinf(value)) return write(i, static_cast<std::uint16_t>(sign | 0x7c00));
        if (value == 0.0) return write(i, sign);
        int exponent;
        const double fraction = std::frexp(std::abs(value), &exponent);
        const int scaled = static_cast<int>(std::ldexp(fraction, 11));
        return write(i, static_cast<std::uint16_t>(sign | (exponent + 14) << 10 | (scaled & 1023)));
      }
    }
  }

  DType dtype_;
  Shape shape_;
  std::vector<unsigned char> bytes_;
};

const std::vector<DType> kDtypes = {DType::kFloat16, DType::kBFloat16, DType::kFloat32,
                                    DType::kFloat64};

/// Of a mean of values up to 1.
double tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return 1e-14;
    case DType::kFloat32:
      return 1e-6;
    case DType::kBFloat16:
      return 1.0 / 256;
    default:
      return 1.0 / 2048;
  }
}

/// Multiples of 1/64 in [-1, 1], which every dtype has, with many ties.
std::vector<double> random_values(std::int64_t n, unsigned seed) {
  test::Random random(seed);
  std::vector<double> values(static_cast<std::size_t>(n));
  for (double& v : values) v = static_cast<double>(random.below(129) - 64) / 64.0;
  return values;
}

Shape features_shape(const Case& c) { return {c.batch, c.channels, c.height, c.width}; }
Shape pooled_shape(const Case& c) { return {c.batch, c.channels, c.windows()}; }

Context on_threads(int num_threads) {
  Context context;
  context.num_threads = num_threads;
  return context;
}

Floating zeros(DType dtype, const Shape& shape) {
  return {dtype, shape, std::vector<double>(static_cast<std::size_t>(test::product(shape)))};
}

Floating mean_of(const Case& c, const Floating& features, int num_threads = 1) {
  const Floating pooled(features.view().dtype, pooled_shape(c),
                        std::vector<double>(static_cast<std::size_t>(c.planes() * c.windows()), 7));
  pyramid_pool(features.view(), pooled.view(), nullptr, {c.bins, PyramidReduce::kMean},
               on_threads(num_threads));
  return pooled;
}

struct Maxima {
  Floating pooled;
  std::vector<std::int64_t> indices;
};

Maxima max_of(const Case& c, const Floating& features, int num_threads = 1) {
  Maxima out{zeros(features.view().dtype, pooled_shape(c)), {}};
  const Array<std::int64_t> indices(pooled_shape(c), -1);
  const ArrayView indices_view = indices.view();
  pyramid_pool(features.view(), out.pooled.view(), &indices_view, {c.bins, PyramidReduce::kMax},
               on_threads(num_threads));
  out.indices = indices.data;
  return out;
}

Floating mean_backward(const Case& c, const Floating& gradient, int num_threads = 1) {
  const Floating features(
      gradient.view().dtype, features_shape(c),
      std::vector<double>(static_cast<std::size_t>(c.planes() * c.pixels()), 7));
  pyramid_pool_backward(gradient.view(), nullptr, features.view(), {c.bins, PyramidReduce::kMean},
                        on_threads(num_threads));
  return features;
}

template <class Index>
Floating max_backward(const Case& c, const Floating& gradient,
                      const std::vector<std::int64_t>& indices, int num_threads = 1) {
  const Floating features(
      gradient.view().dtype, features_shape(c),
      std::vector<double>(static_cast<std::size_t>(c.planes() * c.pixels()), 7));
  const Array<Index> narrow(pooled_shape(c), std::vector<Index>(indices.begin(), indices.end()));
  const ArrayView view = narrow.view();
  pyramid_pool_backward(gradient.view(), &view, features.view(), {c.bins, PyramidReduce::kMax},
                        on_threads(num_threads));
  return features;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected,
                 double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], tolerance * (1.0 + std::abs(expected[i]))) << i;
  }
}

TEST(PyramidPool, MeanMatchesReference) {
  for (const Case& c : kCases) {
    for (const DType dtype : kDtypes) {
      const std::vector<double> values = random_values(c.planes() * c.pixels(), 1);
      const Floating found = mean_of(c, {dtype, features_shape(c), values});
      expect_near(found.values(), reference_mean(c, values), tolerance_of(dtype));
    }
  }
}

TEST(PyramidPool, MaxIsTheFirstGreatestPixel) {
  for (const Case& c : kCases) {
    for (const DType dtype : kDtypes) {
      const std::vector<double> values = random_values(c.planes() * c.pixels(), 2);
      const Maxima found = max_of(c, {dtype, features_shape(c), values});
      const std::vector<std::int64_t> expected = reference_maxima(c, values);
      EXPECT_EQ(found.indices, expected);
      const std::vector<double> pooled = found.pooled.values();
      for (std::size_t t = 0; t < expected.size(); ++t) {
        const auto plane = static_cast<std::int64_t>(t) / c.windows();
        ASSERT_EQ(pooled[t], values[plane * c.pixels() + expected[t]]);
      }
    }
  }
}

TEST(PyramidPool, SpecialValuesAreThoseOfTheReference) {
  for (const Case& c : kCases) {
    for (const DType dtype : kDtypes) {
      std::vector<double> values = random_values(c.planes() * c.pixels(), 3);
      test::Random random(4);
      for (double& v : values) {
        const std::int64_t kind = random.below(40);
        if (kind == 0) v = kNan;
        if (kind == 1) v = kInfinity;
        if (kind >= 2 && kind < 20) v = -kInfinity;
        if (kind == 20) v = -0.0;
        if (kind == 21) v = 0.0;
      }
      const Floating features(dtype, features_shape(c), values);
      const std::vector<double> means = mean_of(c, features).values();
      const std::vector<double> expected = reference_mean(c, values);
      for (std::size_t t = 0; t < means.size(); ++t) {
        ASSERT_EQ(std::isnan(means[t]), std::isnan(expected[t]));
        if (std::isinf(expected[t])) {
          ASSERT_EQ(means[t], expected[t]);
        }
      }
      EXPECT_EQ(max_of(c, features).indices, reference_maxima(c, values));
    }
  }
}

TEST(PyramidPool, MaxOfAllEqualPixelsIsTheFirst) {
  const Case c{1, 1, 7, 20, {1, 3}};
  for (const double value : {-kInfinity, kInfinity, -0.0, 0.0, -3.0, kNan}) {
    const std::vector<double> values(static_cast<std::size_t>(c.pixels()), value);
    for (const DType dtype : kDtypes) {
      EXPECT_EQ(max_of(c, {dtype, features_shape(c), values}).indices, reference_maxima(c, values));
    }
  }
}

// Sums are long here, and all rounding errors alike: one after the other they would lose more than
// they may.
TEST(PyramidPool, MeanOfLargePlanesIsExactEnough) {
  for (const Case& c :
       {Case{1, 1, 4096, 4096, {1, 3}}, Case{1, 1, 2, 1 << 20, {1}}, Case{1, 1, 1 << 20, 2, {1}}}) {
    std::vector<float> values(static_cast<std::size_t>(c.pixels()), 0.1F);
    const std::vector<double> wide(values.begin(), values.end());
    const Array<float> features(features_shape(c), std::move(values));
    const Array<float> pooled(pooled_shape(c));
    pyramid_pool(features.view(), pooled.view(), nullptr, {c.bins, PyramidReduce::kMean});
    const std::vector<double> expected = reference_mean(c, wide);
    for (std::size_t t = 0; t < expected.size(); ++t) {
      EXPECT_NEAR(static_cast<double>(pooled.data[t]), expected[t], 2e-6 * expected[t]);
    }
  }
}

TEST(PyramidPool, IndicesAreOptionalAndOfEitherSize) {
  const Case c = kCases[3];
  const Floating features(DType::kFloat32, features_shape(c),
                          random_values(c.planes() * c.pixels(), 6));
  const Maxima expected = max_of(c, features);
  const Array<std::int32_t> indices(pooled_shape(c), -1);
  const ArrayView view = indices.view();
  const Floating pooled = zeros(DType::kFloat32, pooled_shape(c));
  const PyramidPoolParams params{c.bins, PyramidReduce::kMax};
  pyramid_pool(features.view(), pooled.view(), &view, params);
  EXPECT_EQ(pooled.bytes(), expected.pooled.bytes());
  EXPECT_EQ(std::vector<std::int64_t>(indices.data.begin(), indices.data.end()), expected.indices);
  const Floating alone = zeros(DType::kFloat32, pooled_shape(c));
  pyramid_pool(features.view(), alone.view(), nullptr, params);
  EXPECT_EQ(alone.bytes(), expected.pooled.bytes());
}

TEST(PyramidPoolBackward, MeanMatchesReference) {
  for (const Case& c : kCases) {
    for (const DType dtype : kDtypes) {
      const std::vector<double> values = random_values(c.planes() * c.windows(), 7);
      const Floating found = mean_backward(c, {dtype, pooled_shape(c), values});
      expect_near(found.values(), reference_mean_backward(c, values), tolerance_of(dtype));
    }
  }
}

TEST(PyramidPoolBackward, MaxGivesEveryGradientToItsPixel) {
  for (const Case& c : kCases) {
    const Floating features(DType::kFloat64, features_shape(c),
                            random_values(c.planes() * c.pixels(), 8));
    const std::vector<std::int64_t> indices = max_of(c, features).indices;
    const std::vector<double> values = random_values(c.planes() * c.windows(), 9);
    std::vector<double> expected(static_cast<std::size_t>(c.planes() * c.pixels()));
    for_windows(c, [&](std::int64_t plane, const Window&, std::int64_t t) {
      expected[plane * c.pixels() + indices[t]] += values[t];
    });
    for (const DType dtype : kDtypes) {
      const Floating gradient(dtype, pooled_shape(c), values);
      expect_near(max_backward<std::int64_t>(c, gradient, indices).values(), expected,
                  tolerance_of(dtype));
      expect_near(max_backward<std::int32_t>(c, gradient, indices).values(), expected,
                  tolerance_of(dtype));
    }
  }
}

// In half precision, 2048 + 1 is 2048 again: the sum of many must not be rounded in between.
TEST(PyramidPoolBackward, SumsOfHalvesAreNotRoundedInBetween) {
  const Case c{1, 1, 1, 1, {1, 40}};
  std::vector<double> values(1601, 1.0);
  values[0] = 2048.0;
  const Floating gradient(DType::kFloat16, pooled_shape(c), values);
  const std::vector<std::int64_t> indices(values.size(), 0);
  EXPECT_EQ(mean_backward(c, gradient).values().front(), 3648.0);
  EXPECT_EQ(max_backward<std::int64_t>(c, gradient, indices).values().front(), 3648.0);
}

TEST(PyramidPoolBackward, IsTheTransposeOfTheMean) {
  for (const Case& c : kCases) {
    const std::vector<double> x = random_values(c.planes() * c.pixels(), 10);
    const std::vector<double> g = random_values(c.planes() * c.windows(), 11);
    const std::vector<double> pooled = mean_of(c, {DType::kFloat64, features_shape(c), x}).values();
    const std::vector<double> gradient =
        mean_backward(c, {DType::kFloat64, pooled_shape(c), g}).values();
    double forward = 0.0;
    double backward = 0.0;
    for (std::size_t t = 0; t < g.size(); ++t) forward += pooled[t] * g[t];
    for (std::size_t p = 0; p < x.size(); ++p) backward += x[p] * gradient[p];
    EXPECT_NEAR(forward, backward, 1e-9 * (1.0 + std::abs(forward)));
  }
}

TEST(PyramidPoolBackward, NanStaysInItsWindow) {
  const Case c{1, 1, 12, 12, {2}};
  std::vector<double> values = random_values(c.windows(), 12);
  values[1] = kNan;
  const std::vector<double> found =
      mean_backward(c, {DType::kFloat32, pooled_shape(c), values}).values();
  for (std::int64_t p = 0; p < c.pixels(); ++p) {
    EXPECT_EQ(std::isnan(found[p]), p / c.width < 6 && p % c.width >= 6);
  }
}

TEST(PyramidPool, HasTheSameBitsForAnyNumberOfThreadsAndPlaceInTheBatch) {
  std::vector<Case> cases = kCases;
  cases.push_back({1, 40, 60, 61, {1, 2, 3, 6}});
  for (const Case& c : cases) {
    for (const DType dtype : kDtypes) {
      const std::vector<double> x = random_values(c.planes() * c.pixels(), 13);
      const std::vector<double> g = random_values(c.planes() * c.windows(), 14);
      const Floating features(dtype, features_shape(c), x);
      const Floating gradient(dtype, pooled_shape(c), g);
      const Floating mean = mean_of(c, features);
      const Maxima max = max_of(c, features);
      const Floating mean_gradient = mean_backward(c, gradient);
      const Floating max_gradient = max_backward<std::int64_t>(c, gradient, max.indices);
      for (const int threads : {2, 5}) {
        EXPECT_EQ(mean_of(c, features, threads).bytes(), mean.bytes());
        EXPECT_EQ(max_of(c, features, threads).indices, max.indices);
        EXPECT_EQ(mean_backward(c, gradient, threads).bytes(), mean_gradient.bytes());
        EXPECT_EQ(max_backward<std::int64_t>(c, gradient, max.indices, threads).bytes(),
                  max_gradient.bytes());
      }
      Case twice = c;
      twice.batch *= 2;
      const auto repeated = [](std::vector<double> values) {
        const std::vector<double> once = values;
        values.insert(values.end(), once.begin(), once.end());
        return values;
      };
      const auto second_half = [](const Floating& both) {
        const auto half = static_cast<std::ptrdiff_t>(both.bytes().size() / 2);
        return std::vector<unsigned char>(both.bytes().begin() + half, both.bytes().end());
      };
      EXPECT_EQ(second_half(mean_of(twice, {dtype, features_shape(twice), repeated(x)}, 2)),
                mean.bytes());
      EXPECT_EQ(second_half(mean_backward(twice, {dtype, pooled_shape(twice), repeated(g)}, 2)),
                mean_gradient.bytes());
    }
  }
}

TEST(PyramidPool, BatchesAndChannelsMayBeEmpty) {
  for (const Case& c : {Case{0, 3, 8, 9, {1, 2}}, Case{2, 0, 8, 9, {1, 2}}}) {
    EXPECT_TRUE(mean_of(c, zeros(DType::kFloat32, features_shape(c))).bytes().empty());
    EXPECT_TRUE(max_of(c, zeros(DType::kFloat32, features_shape(c))).indices.empty());
    EXPECT_TRUE(mean_backward(c, zeros(DType::kFloat32, pooled_shape(c))).bytes().empty());
    EXPECT_TRUE(
        max_backward<std::int32_t>(c, zeros(DType::kFloat32, pooled_shape(c)), {}).bytes().empty());
  }
}

TEST(PyramidPoolSize, CountsTheWindowsOfAllLevels) {
  EXPECT_EQ(pyramid_pool_size({1, 2, 3, 6}), 50);
  EXPECT_EQ(pyramid_pool_size({4, 4}), 32);
}

template <class Error>
void expect_error(const std::string& what, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "no error for " << what;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another error for " << what << ": " << error.what();
  }
}

TEST(PyramidPoolErrors, NameTheArgument) {
  const Array<float> features({1, 2, 8, 9});
  const Array<float> pooled({1, 2, 5});
  const Array<std::int64_t> indices({1, 2, 5});
  const ArrayView indices_view = indices.view();
  const PyramidPoolParams mean{{1, 2}, PyramidReduce::kMean};
  const PyramidPoolParams max{{1, 2}, PyramidReduce::kMax};
  const auto pool = [&](const ArrayView& in, const ArrayView& out, const ArrayView* index,
                        const PyramidPoolParams& params) {
    return [=] { pyramid_pool(in, out, index, params); };
  };
  const auto back = [&](const ArrayView& in, const ArrayView* index, const ArrayView& out,
                        const PyramidPoolParams& params) {
    return [=] { pyramid_pool_backward(in, index, out, params); };
  };

  for (const Bins& bins :
       {Bins{}, Bins{1, 0}, Bins{-1}, Bins{32769}, Bins{std::numeric_limits<std::int64_t>::max()},
        Bins{32768, 32768, 32768}}) {
    const PyramidPoolParams params{bins, PyramidReduce::kMean};
    expect_error<InvalidArgument>("bins must",
                                  pool(features.view(), pooled.view(), nullptr, params));
    expect_error<InvalidArgument>("bins must",
                                  back(pooled.view(), nullptr, features.view(), params));
    expect_error<InvalidArgument>("bins must", [&] { pyramid_pool_size(bins); });
  }

  const Array<std::int32_t> integers({1, 2, 8, 9});
  expect_error<InvalidType>("features must be float16",
                            pool(integers.view(), pooled.view(), nullptr, mean));
  expect_error<InvalidArgument>("features must be [B, C, H, W]",
                                pool(pooled.view(), pooled.view(), nullptr, mean));
  for (const Shape& shape : {Shape{1, 2, 0, 9}, Shape{0, 2, 8, 0}}) {
    const Array<float> empty(shape);
    const Array<float> out({shape[0], 2, 5});
    expect_error<InvalidArgument>("features must have pixels",
                                  pool(empty.view(), out.view(), nullptr, mean));
    expect_error<InvalidArgument>("grad_features must have pixels",
                                  back(out.view(), nullptr, empty.view(), mean));
  }
  const ArrayView huge =
      ArrayView::contiguous(features.data.data(), {1, 2, std::int64_t{1} << 16, 1 << 15});
  expect_error<InvalidArgument>("features must have at most 2^31 - 1 pixels",
                                pool(huge, pooled.view(), nullptr, mean));
  test::Scattered scattered(features.view());
  expect_error<InvalidArgument>("features must be C-contiguous",
                                pool(scattered.view, pooled.view(), nullptr, mean));
  const ArrayView nowhere = ArrayView::contiguous(static_cast<float*>(nullptr), {1, 2, 8, 9});
  expect_error<InvalidArgument>("features must point", pool(nowhere, pooled.view(), nullptr, mean));

  const Array<float> other({1, 2, 6});
  const Array<double> wide({1, 2, 5});
  expect_error<InvalidArgument>("pooled must be [1, 2, 5], got [1, 2, 6]",
                                pool(features.view(), other.view(), nullptr, mean));
  expect_error<InvalidType>("pooled must be float32",
                            pool(features.view(), wide.view(), nullptr, mean));

  const Array<std::int64_t> short_indices({1, 2, 4});
  const ArrayView short_view = short_indices.view();
  const ArrayView float_view = pooled.view();
  expect_error<InvalidArgument>("indices must be nullptr",
                                pool(features.view(), pooled.view(), &indices_view, mean));
  expect_error<InvalidArgument>("indices must be [1, 2, 5]",
                                pool(features.view(), pooled.view(), &short_view, max));
  expect_error<InvalidType>("indices must be int32 or int64",
                            pool(features.view(), pooled.view(), &float_view, max));

  expect_error<InvalidArgument>("indices must be nullptr",
                                back(pooled.view(), &indices_view, features.view(), mean));
  expect_error<InvalidArgument>("indices must be given",
                                back(pooled.view(), nullptr, features.view(), max));
  expect_error<InvalidArgument>("grad_pooled must be [1, 2, 5]",
                                back(other.view(), nullptr, features.view(), mean));
  expect_error<InvalidType>("grad_pooled must be float16",
                            back(indices.view(), nullptr, features.view(), mean));
  expect_error<InvalidType>("grad_features must be float64",
                            back(wide.view(), nullptr, features.view(), mean));
  for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{72}, std::int64_t{1} << 32}) {
    Array<std::int64_t> bad({1, 2, 5});
    bad.data[9] = index;
    const ArrayView view = bad.view();
    expect_error<InvalidArgument>("indices must be from 0 to 71, got " + std::to_string(index),
                                  back(pooled.view(), &view, features.view(), max));
  }

  Context cuda;
  cuda.device = Device::kCuda;
  expect_error<DeviceUnavailable>(
      "pyramid_pool", [&] { pyramid_pool(features.view(), pooled.view(), nullptr, mean, cuda); });
}

}  // namespace
}  // namespace superpix
