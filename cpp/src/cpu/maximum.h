// SPDX-License-Identifier: Apache-2.0
//
// The greatest of several pixels of a plane of less than 2^31, and where it is. NaN is greater than
// all else; of equals it is the first, of NaNs the last. Greater maxima are greater numbers where
// the value and the place fit one, so that nothing need be decided by branches.
//
// Everything has internal linkage, as kernels of every instruction set use it.
#pragma once

#include <cstdint>
#include <type_traits>

namespace superpix::cpu {

struct WideMaximum {
  double value;
  std::int64_t index;
};

/// Of elements of type S. The upper half of the number is the value (order_of()), the lower half
/// kLastIndex - index, or for NaN the index.
template <class S>
using Maximum = std::conditional_t<std::is_same_v<S, double>, WideMaximum, std::int64_t>;

namespace {

inline constexpr std::int32_t kLastIndex = 0x7fffffff;
inline constexpr std::int32_t kOrderOfNan = 0x7fffffff;

inline std::int64_t maximum_of(std::int32_t order, std::int32_t low) {
  return std::int64_t{order} * (std::int64_t{1} << 32) + low;
}
inline std::int64_t index_of(std::int64_t a) {
  const std::int64_t low = a & kLastIndex;
  return a >> 32 == kOrderOfNan ? low : kLastIndex - low;
}
inline std::int64_t greater(std::int64_t a, std::int64_t b) { return a < b ? b : a; }

inline std::int64_t index_of(const WideMaximum& a) { return a.index; }
inline WideMaximum greater(const WideMaximum& a, const WideMaximum& b) {
  const bool a_is_nan = a.value != a.value;
  const bool b_is_nan = b.value != b.value;
  if (a_is_nan || b_is_nan) return b_is_nan && (!a_is_nan || b.index > a.index) ? b : a;
  return b.value > a.value || (b.value == a.value && b.index < a.index) ? b : a;
}

}  // namespace
}  // namespace superpix::cpu
