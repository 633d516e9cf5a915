// SPDX-License-Identifier: Apache-2.0
//
// enforce_connectivity of any label map: what it promises, and what a slow reference computes.
#include "calls.h"
#include "fuzz_input.h"

namespace superpix::fuzz {
namespace {

constexpr DType kLabelTypes[] = {DType::kInt32, DType::kInt64,  DType::kUInt8, DType::kInt8,
                                 DType::kInt16, DType::kUInt16, DType::kUInt32};

/// Any values, or a few, of which some are negative.
std::vector<std::int64_t> take_map(FuzzedDataProvider& bytes, DType dtype, std::int64_t n) {
  std::vector<std::int64_t> map(static_cast<std::size_t>(n));
  const auto pattern = bytes.ConsumeBytes<std::uint8_t>(bytes.ConsumeIntegralInRange<int>(1, 600));
  const int names = bytes.ConsumeIntegralInRange<int>(1, 127);
  const bool is_unsigned = *name(dtype) == 'u';
  const int outside = is_unsigned ? 0 : bytes.ConsumeIntegralInRange<int>(0, 2);
  for (std::int64_t i = 0; i < n && !pattern.empty(); ++i) {
    map[i] = pattern[i % pattern.size()] % (names + outside) - outside;
  }
  return map;
}

template <class T>
ArrayView fill(std::vector<char>& data, const std::vector<std::int64_t>& map,
               const test::Shape& shape) {
  data.resize(map.size() * sizeof(T));
  for (std::size_t i = 0; i < map.size(); ++i) {
    const T value = static_cast<T>(map[i]);
    std::memcpy(data.data() + i * sizeof(T), &value, sizeof(T));
  }
  return view_of(data, DTypeOf<T>::value, shape);
}

ArrayView fill(DType dtype, std::vector<char>& data, const std::vector<std::int64_t>& map,
               const test::Shape& shape) {
  switch (dtype) {
    case DType::kInt8:
      return fill<std::int8_t>(data, map, shape);
    case DType::kInt16:
      return fill<std::int16_t>(data, map, shape);
    case DType::kInt64:
      return fill<std::int64_t>(data, map, shape);
    case DType::kUInt8:
      return fill<std::uint8_t>(data, map, shape);
    case DType::kUInt16:
      return fill<std::uint16_t>(data, map, shape);
    case DType::kUInt32:
      return fill<std::uint32_t>(data, map, shape);
    default:
      return fill<std::int32_t>(data, map, shape);
  }
}

void run(FuzzedDataProvider& bytes) {
  const test::Shape shape = take_shape(bytes);
  const test::Volume volume = volume_of(shape);
  const std::int64_t n = test::num_pixels(volume);
  const DType dtype = bytes.PickValueInArray(kLabelTypes);
  ConnectivityParams params;
  params.min_size = bytes.ConsumeIntegralInRange<std::int64_t>(0, 40);
  params.max_size = bytes.ConsumeBool() ? 0 : bytes.ConsumeIntegralInRange<std::int64_t>(1, 60);
  params.max_segments = bytes.ConsumeBool() ? 0 : bytes.ConsumeIntegralInRange<std::int64_t>(1, 20);
  params.start_label = bytes.ConsumeIntegralInRange<std::int32_t>(-5, 5);
  const int channels = bytes.ConsumeIntegralInRange<int>(0, 3);
  const bool scattered = bytes.ConsumeBool();

  const std::vector<std::int64_t> map = take_map(bytes, dtype, n);
  std::vector<char> data;
  const ArrayView dense = fill(dtype, data, map, shape);
  const test::Scattered elsewhere(dense);
  const ArrayView labels = scattered ? elsewhere.view : dense;

  // Whole numbers, so that the reference has the same ties.
  std::vector<float> colors(static_cast<std::size_t>(n * channels));
  for (float& c : colors) c = static_cast<float>(bytes.ConsumeIntegral<std::uint8_t>());
  ArrayView image = ArrayView::contiguous(colors.data(), {shape[0], shape[1], channels});
  if (shape.size() == 3) {
    image = ArrayView::contiguous(colors.data(), {shape[0], shape[1], shape[2], channels});
  }
  const ArrayView* used = channels > 0 ? &image : nullptr;

  const test::Labels one = test::connected(labels, used, params, 1);
  require(test::connected(labels, used, params, 2) == one, "1 and 2 threads differ");

  std::vector<std::uint8_t> inside;
  for (const std::int64_t label : map) inside.push_back(label >= 0 ? 1 : 0);
  const std::string wrong = test::what_is_wrong(one.labels, volume, inside, params.start_label,
                                                one.count, params.min_size);
  require(wrong.empty(), wrong);

  if (shape.size() == 2 && used != nullptr) {
    ConnectivityParams refining = params;
    refining.refine_iter = bytes.ConsumeIntegralInRange<int>(1, 3);
    refining.position_weight = bytes.ConsumeIntegralInRange<int>(0, 9);
    refining.smoothness = bytes.ConsumeIntegralInRange<int>(0, 99);
    const test::Labels refined = test::connected(labels, used, refining, 1);
    require(test::connected(labels, used, refining, 2) == refined, "1 and 2 threads differ");
    const std::string bad = test::what_is_wrong(refined.labels, volume, inside, params.start_label,
                                                refined.count, params.min_size);
    require(bad.empty(), "refined: " + bad);
  }

  if (params.max_size != 0) return;
  std::vector<std::int32_t> expected =
      test::merge_slowly(test::flood_fill(map, volume), volume, colors, channels, params.min_size);
  if (params.max_segments > 0) {
    expected = test::merge_pairs_slowly(expected, volume, colors, channels,
                                        static_cast<std::size_t>(params.max_segments));
  }
  for (std::int32_t& label : expected) label += params.start_label;
  require(one.labels == expected, "the reference differs");
}

}  // namespace
}  // namespace superpix::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider bytes(data, size);
  superpix::fuzz::run(bytes);
  return 0;
}
