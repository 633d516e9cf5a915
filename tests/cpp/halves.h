// SPDX-License-Identifier: Apache-2.0
//
// Arrays of the 16-bit floating point types, from and to doubles. For tests that see cpp/src.
#pragma once

#include <superpix/types.h>

#include <algorithm>
#include <vector>

#include "array.h"
#include "detail/half.h"

namespace superpix {

template <>
struct DTypeOf<detail::Half> {
  static constexpr DType value = DType::kFloat16;
};
template <>
struct DTypeOf<detail::BFloat16> {
  static constexpr DType value = DType::kBFloat16;
};

namespace test {

/// Each value as the nearest T.
template <class T>
Array<T> rounded(const Array<double>& wide) {
  Array<T> narrow(wide.shape);
  std::transform(wide.data.begin(), wide.data.end(), narrow.data.begin(), [](double value) {
    return detail::narrow<T>(static_cast<detail::ComputeType<T>>(value));
  });
  return narrow;
}

/// Numbers between -scale and scale.
template <class T>
Array<T> random_array(const Shape& shape, unsigned seed, double scale) {
  Array<double> array(shape);
  Random random(seed);
  for (double& value : array.data) value = scale * (2.0 * random.unit() - 1.0);
  return rounded<T>(array);
}

template <class T>
std::vector<double> values_of(const std::vector<T>& data) {
  std::vector<double> values(data.size());
  std::transform(data.begin(), data.end(), values.begin(),
                 [](T value) { return static_cast<double>(detail::widen(value)); });
  return values;
}

/// The same values in double precision.
template <class T>
Array<double> widened(const Array<T>& narrow) {
  return {narrow.shape, values_of(narrow.data)};
}

}  // namespace test
}  // namespace superpix
