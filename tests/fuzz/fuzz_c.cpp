// SPDX-License-Identifier: Apache-2.0
//
// The C interface with arguments that make no sense: it never crashes, and says what was wrong.
#include <fuzzer/FuzzedDataProvider.h>
#include <superpix/c.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

namespace {

// Enough for every array below: 5 axes of up to 6 elements of 8 bytes.
constexpr std::size_t kBytes = 6 * 6 * 6 * 6 * 6 * 8;

/// An array, or NULL, or something that is none.
class Array {
 public:
  explicit Array(FuzzedDataProvider& bytes) : memory_(kBytes) {
    const auto pattern = bytes.ConsumeBytes<char>(bytes.ConsumeIntegralInRange<int>(1, 100));
    for (std::size_t i = 0; i < memory_.size() && !pattern.empty(); ++i) {
      memory_[i] = pattern[i % pattern.size()];
    }
    const bool sane = bytes.ConsumeIntegralInRange<int>(0, 7) != 0;
    for (std::int64_t& side : shape_) {
      side = bytes.ConsumeIntegralInRange<std::int64_t>(sane ? 1 : -2, 6);
    }
    array_.dtype = bytes.ConsumeIntegralInRange<std::int32_t>(sane ? 0 : -2, sane ? 12 : 15);
    array_.ndim = bytes.ConsumeIntegralInRange<std::int32_t>(sane ? 2 : -2, sane ? 4 : 7);
    array_.data = sane || bytes.ConsumeBool() ? memory_.data() : nullptr;
    array_.shape = sane || bytes.ConsumeBool() ? shape_.data() : nullptr;
    backwards_ = bytes.ConsumeIntegralInRange<int>(0, 3) == 0;
    missing_ = !sane && bytes.ConsumeBool();
    if (array_.dtype == SUPERPIX_BOOL) {
      for (char& value : memory_) value = static_cast<char>(value & 1);
    }
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  /// Takes what another array would need: a type, and some of its sizes.
  void follow(const Array& other, std::int32_t dtype, std::initializer_list<int> axes) {
    array_.dtype = dtype;
    array_.ndim = static_cast<std::int32_t>(axes.size());
    std::transform(axes.begin(), axes.end(), shape_.begin(),
                   [&](int axis) { return other.shape_[axis]; });
  }
  std::int32_t dtype() const { return array_.dtype; }
  std::int32_t ndim() const { return array_.ndim; }
  void set(std::int32_t dtype, std::int32_t ndim) {
    array_.dtype = dtype;
    array_.ndim = ndim;
  }

  /// The array, C-contiguous or with every axis backwards.
  const superpix_array* get() {
    if (missing_) return nullptr;
    array_.strides = nullptr;
    const bool whole = array_.data != nullptr && array_.shape != nullptr && array_.ndim > 0 &&
                       array_.ndim <= 5 &&
                       std::all_of(shape_.begin(), shape_.end(), [](auto n) { return n > 0; });
    if (!backwards_ || !whole) return &array_;
    std::int64_t stride = 8, last = 0;
    for (int axis = array_.ndim - 1; axis >= 0; --axis) {
      strides_[axis] = -stride;
      last += stride * (shape_[axis] - 1);
      stride *= shape_[axis];
    }
    array_.strides = strides_.data();
    array_.data = memory_.data() + last;
    return &array_;
  }

 private:
  std::vector<char> memory_;
  std::array<std::int64_t, 8> shape_{};
  std::array<std::int64_t, 8> strides_{};
  bool backwards_ = false;
  superpix_array array_{};
  bool missing_ = false;
};

double take_number(FuzzedDataProvider& bytes) {
  constexpr double kSpecial[] = {0.0,
                                 -1.0,
                                 1e-300,
                                 1e300,
                                 std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()};
  if (bytes.ConsumeIntegralInRange<int>(0, 15) == 0) return bytes.PickValueInArray(kSpecial);
  return bytes.ConsumeIntegralInRange<int>(1, 40) / 8.0;
}

superpix_slic_params take_slic_params(FuzzedDataProvider& bytes, const double* range) {
  superpix_slic_params params;
  superpix_slic_defaults(&params);
  params.num_segments = bytes.ConsumeIntegralInRange<int>(-1, 60);
  params.compactness = take_number(bytes);
  for (int axis = 0; axis < 3; ++axis) {
    params.sigma[axis] = std::min(take_number(bytes), 4.0);
    params.spacing[axis] = take_number(bytes);
  }
  if (bytes.ConsumeBool()) params.value_range = range;
  params.min_size_factor = take_number(bytes);
  params.max_size_factor = take_number(bytes);
  params.max_num_iter = bytes.ConsumeIntegralInRange<int>(-1, 4);
  for (std::int32_t* flag : {&params.convert_to_lab, &params.slic_zero, &params.perturb_seeds,
                             &params.enforce_connectivity}) {
    *flag = bytes.ConsumeIntegralInRange<int>(0, 40) == 0 ? 2 : (bytes.ConsumeBool() ? 1 : 0);
  }
  params.refine_iter = bytes.ConsumeIntegralInRange<int>(-1, 2);
  params.start_label = bytes.ConsumeIntegralInRange<int>(-1, 2);
  return params;
}

void require(bool condition, const char* message) {
  if (condition) return;
  std::fprintf(stderr, "superpix: %s\n", message);
  __builtin_trap();
}

void check(superpix_status status) {
  require(status >= SUPERPIX_OK && status <= SUPERPIX_DEVICE_UNAVAILABLE, superpix_last_error());
  require(status == SUPERPIX_OK || std::strlen(superpix_last_error()) > 0, "failed without reason");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider bytes(data, size);
  const double range[] = {take_number(bytes), take_number(bytes)};
  const superpix_slic_params slic = take_slic_params(bytes, range);
  superpix_connectivity_params connectivity{};
  connectivity.min_size = bytes.ConsumeIntegralInRange<int>(-2, 40);
  connectivity.max_size = bytes.ConsumeIntegralInRange<int>(-2, 40);
  connectivity.max_segments = bytes.ConsumeIntegralInRange<int>(-2, 20);
  connectivity.position_weight = take_number(bytes);
  connectivity.smoothness = take_number(bytes);
  connectivity.refine_iter = bytes.ConsumeIntegralInRange<int>(-1, 2);
  connectivity.start_label = bytes.ConsumeIntegral<std::int32_t>();
  superpix_context context{};
  context.num_threads = bytes.ConsumeIntegralInRange<int>(-1, 2);
  context.device = bytes.ConsumeIntegralInRange<int>(0, 20) == 0 ? 1 : 0;
  const superpix_context* where = bytes.ConsumeBool() ? &context : nullptr;
  const std::int32_t reduce = bytes.ConsumeIntegralInRange<int>(-1, 4);
  const bool fitting = bytes.ConsumeIntegralInRange<int>(0, 3) != 0;
  Array a(bytes), b(bytes), c(bytes), d(bytes);
  superpix_seed_grid grid{};
  const int op = bytes.ConsumeIntegralInRange<int>(0, 6);
  if (fitting && op >= 3) {
    // Features [B,C,H,W], labels [B,H,W], pooled [B,C,K], and what is saved of a mean.
    a.set(bytes.PickValueInArray({SUPERPIX_FLOAT32, SUPERPIX_FLOAT64, SUPERPIX_FLOAT16}), 4);
    b.follow(a, bytes.ConsumeBool() ? SUPERPIX_INT32 : SUPERPIX_INT64, {0, 2, 3});
    c.follow(a, a.dtype(), {0, 1, 2});
    d.follow(a, SUPERPIX_INT32, {0, 2});
  }

  std::int64_t count = 0;
  switch (op) {
    case 0:
      if (fitting && a.ndim() == 3) {
        b.follow(a, SUPERPIX_BOOL, {0, 1});
        c.follow(a, SUPERPIX_INT32, {0, 1});
      }
      check(superpix_slic(a.get(), bytes.ConsumeBool() ? b.get() : nullptr, c.get(),
                          bytes.ConsumeBool() ? &slic : nullptr, where, &count));
      break;
    case 1:
      check(superpix_choose_seed_grid(a.get(), &slic, bytes.ConsumeBool() ? &grid : nullptr));
      break;
    case 2:
      if (fitting && a.ndim() == 3) c.follow(a, SUPERPIX_INT32, {0, 1, 2});
      check(superpix_enforce_connectivity(a.get(), bytes.ConsumeBool() ? b.get() : nullptr, c.get(),
                                          bytes.ConsumeBool() ? &connectivity : nullptr, where,
                                          &count));
      break;
    case 3:
      check(superpix_pool(a.get(), b.get(), c.get(), bytes.ConsumeBool() ? d.get() : nullptr,
                          reduce, where));
      break;
    case 4:
      check(superpix_pool_backward(c.get(), b.get(), bytes.ConsumeBool() ? d.get() : nullptr,
                                   a.get(), reduce, where));
      break;
    case 5:
      check(superpix_unpool(c.get(), b.get(), a.get(), where));
      break;
    default:
      check(superpix_unpool_backward(a.get(), b.get(), c.get(), where));
  }
  return 0;
}
