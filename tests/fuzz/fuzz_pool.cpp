// SPDX-License-Identifier: Apache-2.0
//
// pool, unpool and their gradients of small images with any labels: what plain loops compute, the
// same bits for every number of threads, and a refusal of labels that no segment has.
#include <cmath>
#include <limits>
#include <optional>

#include "fuzz_input.h"
#include "pool_reference.h"

namespace superpix::fuzz {
namespace {

constexpr Reduce kReductions[] = {Reduce::kSum, Reduce::kMean, Reduce::kMax, Reduce::kMin};

/// Whole numbers, whose sums are exact in any order, and sometimes what is no number.
template <class T>
test::Array<T> take_features(FuzzedDataProvider& bytes, const test::Shape& shape) {
  test::Array<T> array(shape);
  const auto pattern = bytes.ConsumeBytes<std::int8_t>(bytes.ConsumeIntegralInRange<int>(1, 300));
  const bool special = bytes.ConsumeIntegralInRange<int>(0, 7) == 0;
  for (std::size_t i = 0; i < array.data.size() && !pattern.empty(); ++i) {
    const std::int8_t value = pattern[i % pattern.size()];
    array.data[i] = value;
    if (special && value == 77) array.data[i] = std::numeric_limits<T>::quiet_NaN();
  }
  return array;
}

template <class T>
std::vector<double> doubles_of(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

/// Equal, or off by the rounding of one division.
bool agree(double found, double expected, bool rounded) {
  if (std::isnan(expected)) return std::isnan(found);
  return rounded ? std::abs(found - expected) <= 1e-6 * (1 + std::abs(expected))
                 : found == expected;
}

template <class T>
void require_equal(const std::vector<T>& found, const std::vector<double>& expected, bool rounded,
                   const char* what) {
  require(found.size() == expected.size(), what);
  for (std::size_t i = 0; i < found.size(); ++i) {
    require(agree(static_cast<double>(found[i]), expected[i], rounded), what);
  }
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

Context on_threads(int num_threads) {
  Context context;
  context.num_threads = num_threads;
  return context;
}

template <class T, class L>
void run(FuzzedDataProvider& bytes) {
  test::PoolReference reference{};
  reference.batch = bytes.ConsumeIntegralInRange<int>(0, 2);
  reference.channels = bytes.ConsumeIntegralInRange<int>(0, 20);
  reference.height = bytes.ConsumeIntegralInRange<int>(1, 12);
  reference.width = bytes.ConsumeIntegralInRange<int>(1, 40);
  const bool finer = bytes.ConsumeBool();
  reference.label_height = reference.height + (finer ? bytes.ConsumeIntegralInRange<int>(0, 9) : 0);
  reference.label_width = reference.width + (finer ? bytes.ConsumeIntegralInRange<int>(0, 9) : 0);
  reference.segments = bytes.ConsumeIntegralInRange<int>(1, 60);
  const Reduce reduce = bytes.PickValueInArray(kReductions);

  const std::int64_t batch = reference.batch, channels = reference.channels;
  const test::Shape pixels{batch, channels, reference.height, reference.width};
  const test::Shape segments{batch, channels, reference.segments};
  const test::Array<T> features = take_features<T>(bytes, pixels);
  const test::Array<T> gradient = take_features<T>(bytes, segments);
  test::Array<L> labels({batch, reference.label_height, reference.label_width});
  // Mostly labels of segments, in runs; sometimes one that is out of range.
  std::int64_t label = 0;
  for (L& each : labels.data) {
    if (bytes.ConsumeIntegralInRange<int>(0, 3) == 0) {
      label = bytes.ConsumeIntegralInRange<std::int64_t>(-1, reference.segments - 1);
    }
    each = static_cast<L>(label);
  }
  const bool broken = !labels.data.empty() && bytes.ConsumeIntegralInRange<int>(0, 15) == 0;
  if (broken) {
    const bool below = bytes.ConsumeBool();
    labels.data[bytes.ConsumeIntegralInRange<std::size_t>(0, labels.data.size() - 1)] =
        static_cast<L>(below ? -2 : reference.segments);
  }

  const ArrayView layout = pool_saved_layout(batch, channels, reference.segments, reduce);
  const test::Shape saved_shape(layout.shape.begin(), layout.shape.begin() + layout.ndim);
  std::vector<std::int64_t> map(labels.data.begin(), labels.data.end());
  std::optional<test::Array<T>> first, first_back;
  for (const int num_threads : {1, 2}) {
    test::Array<T> pooled(segments, T{-99}), back(pixels, T{-99});
    test::Array<std::int32_t> saved(saved_shape, -99);
    const ArrayView kept = saved.view();
    const Context context = on_threads(num_threads);
    try {
      pool(features.view(), labels.view(), pooled.view(), &kept, reduce, context);
      require(!broken, "a label out of range was accepted");
    } catch (const InvalidArgument& error) {
      require(broken, error.what());
      return;
    }
    pool_backward(gradient.view(), labels.view(), &kept, back.view(), reduce, context);
    if (!first) {
      first = pooled;
      first_back = back;
    }
    require(same_bits(pooled.data, first->data), "1 and 2 threads differ");
    require(same_bits(back.data, first_back->data), "1 and 2 threads differ, backward");
  }
  const bool mean = reduce == Reduce::kMean;
  require_equal(first->data, reference.pool(doubles_of(features.data), map, reduce), mean, "pool");
  require_equal(
      first_back->data,
      reference.pool_backward(doubles_of(gradient.data), doubles_of(features.data), map, reduce),
      mean, "pool_backward");
  if (finer) return;

  test::Array<T> out(pixels, T{-99});
  unpool(gradient.view(), labels.view(), out.view());
  for (std::int64_t i = 0; i < test::product(pixels); ++i) {
    const std::int64_t plane = i / reference.cells();
    const std::int64_t k = map[plane / channels * reference.cells() + i % reference.cells()];
    const double expected =
        k < 0 ? 0.0 : static_cast<double>(gradient.data[plane * reference.segments + k]);
    require(agree(static_cast<double>(out.data[i]), expected, false), "unpool");
  }
  test::Array<T> sums(segments, T{-99});
  unpool_backward(features.view(), labels.view(), sums.view());
  require_equal(sums.data, reference.pool(doubles_of(features.data), map, Reduce::kSum), false,
                "unpool_backward");
}

}  // namespace
}  // namespace superpix::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider bytes(data, size);
  using superpix::fuzz::run;
  switch (bytes.ConsumeIntegralInRange<int>(0, 3)) {
    case 0:
      run<float, std::int32_t>(bytes);
      break;
    case 1:
      run<float, std::int64_t>(bytes);
      break;
    case 2:
      run<double, std::int32_t>(bytes);
      break;
    default:
      run<double, std::int64_t>(bytes);
  }
  return 0;
}
