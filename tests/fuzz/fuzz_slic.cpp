// SPDX-License-Identifier: Apache-2.0
//
// slic of any small image with any parameters that it accepts: only input that is not finite may be
// refused, and every result keeps what superpix/slic.h promises.
#include <algorithm>
#include <cmath>

#include "calls.h"
#include "fuzz_input.h"

namespace superpix::fuzz {
namespace {

constexpr DType kImageTypes[] = {DType::kUInt8,  DType::kFloat32, DType::kBool,    DType::kInt8,
                                 DType::kInt16,  DType::kInt32,   DType::kInt64,   DType::kUInt16,
                                 DType::kUInt32, DType::kUInt64,  DType::kFloat16, DType::kFloat64};

SlicParams take_params(FuzzedDataProvider& bytes) {
  SlicParams params;
  params.num_segments = bytes.ConsumeIntegralInRange<std::int64_t>(1, 200);
  params.compactness = take_positive(bytes);
  params.max_num_iter = bytes.ConsumeIntegralInRange<int>(0, 6);
  for (int axis = 0; axis < 3; ++axis) {
    params.sigma[axis] = bytes.ConsumeIntegralInRange<int>(-40, 40) / 10.0;
    params.sigma[axis] = std::max(params.sigma[axis], 0.0);
    params.spacing[axis] = std::clamp(take_positive(bytes), 1e-30, 1e30);
  }
  if (bytes.ConsumeBool()) {
    const double low = bytes.ConsumeIntegralInRange<int>(-300, 300);
    params.value_range = {{low, low + take_positive(bytes)}};
    if (!(params.value_range->first < params.value_range->second)) params.value_range.reset();
  }
  params.slic_zero = bytes.ConsumeBool();
  params.perturb_seeds = bytes.ConsumeBool();
  params.enforce_connectivity = !bytes.ConsumeBool();
  params.min_size_factor = bytes.ConsumeBool() ? 0.5 : take_positive(bytes);
  params.max_size_factor = bytes.ConsumeBool() ? 3.0 : take_positive(bytes);
  params.refine_iter = bytes.ConsumeIntegralInRange<int>(0, 4);
  params.start_label = bytes.ConsumeIntegralInRange<std::int32_t>(0, 1);
  return params;
}

template <class T>
bool is_finite_at(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return std::isfinite(value);
}

/// Whether all values inside are finite.
bool is_finite(const std::vector<char>& data, DType dtype, std::int64_t channels,
               const std::vector<std::uint8_t>& inside) {
  const auto size = static_cast<std::int64_t>(item_size(dtype));
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(data.size()) / size; ++i) {
    if (!inside.empty() && inside[i / channels] == 0) continue;
    const char* p = data.data() + i * size;
    if (dtype == DType::kFloat16 && (p[1] & 0x7c) == 0x7c) return false;
    if (dtype == DType::kFloat32 && !is_finite_at<float>(p)) return false;
    if (dtype == DType::kFloat64 && !is_finite_at<double>(p)) return false;
  }
  return true;
}

void run(FuzzedDataProvider& bytes) {
  test::Shape shape = take_shape(bytes);
  const test::Volume volume = volume_of(shape);
  const std::int64_t n = test::num_pixels(volume);
  const DType dtype = bytes.PickValueInArray(kImageTypes);
  const std::int64_t channels =
      bytes.ConsumeBool() ? 3 : bytes.ConsumeIntegralInRange<std::int64_t>(1, 5);
  SlicParams params = take_params(bytes);
  params.convert_to_lab = channels == 3 && !bytes.ConsumeBool();

  std::vector<std::uint8_t> inside;
  ArrayView mask;
  if (bytes.ConsumeIntegralInRange<int>(0, 2) == 0) {
    for (const char m : take_elements(bytes, DType::kBool, n)) inside.push_back(m != 0 ? 1 : 0);
    inside[bytes.ConsumeIntegralInRange<std::int64_t>(0, n - 1)] = 1;
    mask = test::Array<bool>(shape, inside).view();
    mask.data = inside.data();
  }
  const ArrayView* used = inside.empty() ? nullptr : &mask;

  shape.push_back(channels);
  const bool scattered = bytes.ConsumeBool();
  std::vector<char> data = take_elements(bytes, dtype, n * channels);
  const ArrayView dense = view_of(data, dtype, shape);
  const test::Scattered elsewhere(dense);
  const ArrayView image = scattered ? elsewhere.view : dense;

  test::Labels one;
  try {
    one = test::slic_of(image, params, used, 1);
  } catch (const InvalidArgument& error) {
    require(!is_finite(data, dtype, channels, inside), error.what());
    return;
  }
  require(is_finite(data, dtype, channels, inside) || n == 0, "what is not finite was accepted");
  require(test::slic_of(image, params, used, 2) == one, "1 and 2 threads differ");

  if (!params.enforce_connectivity) {
    for (std::int64_t p = 0; p < n; ++p) {
      const bool in = inside.empty() || inside[p] != 0;
      const std::int32_t number = one.labels[p] - params.start_label;
      require(in ? number >= 0 && number < n : number == -1, "a label out of range");
    }
    return;
  }
  SlicParams plain = params;
  plain.enforce_connectivity = false;
  const std::int64_t clusters = test::slic_of(image, plain, used, 1).count;
  const std::int64_t pixels =
      inside.empty() ? n : std::count(inside.begin(), inside.end(), std::uint8_t{1});
  const double smallest =
      params.min_size_factor * (static_cast<double>(pixels) / static_cast<double>(clusters));
  const std::int64_t min_size =
      params.num_segments < pixels ? static_cast<std::int64_t>(std::min(smallest, 1e9)) : 0;
  const std::string wrong =
      test::what_is_wrong(one.labels, volume, inside, params.start_label, one.count, min_size);
  require(wrong.empty(), wrong);
}

}  // namespace
}  // namespace superpix::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider bytes(data, size);
  superpix::fuzz::run(bytes);
  return 0;
}
