// SPDX-License-Identifier: Apache-2.0
//
// The ops, with output that they own.
#pragma once

#include <superpix/superpix.h>

#include <cstdint>
#include <vector>

#include "array.h"

namespace superpix::test {

inline Context on_threads(int num_threads) {
  Context context;
  context.num_threads = num_threads;
  return context;
}

inline Shape shape_of(const ArrayView& view, int ndim) {
  return {view.shape.begin(), view.shape.begin() + ndim};
}

struct Labels {
  std::int64_t count = 0;
  std::vector<std::int32_t> labels;
  bool operator==(const Labels&) const = default;
};

inline Labels slic_of(const ArrayView& image, const SlicParams& params,
                      const ArrayView* mask = nullptr, int num_threads = 0) {
  // Labels that no call may leave behind.
  Array<std::int32_t> labels(shape_of(image, image.ndim - 1), -99);
  const std::int64_t count = slic(image, mask, labels.view(), params, on_threads(num_threads));
  return {count, std::move(labels.data)};
}

inline Labels connected(const ArrayView& labels, const ArrayView* image,
                        const ConnectivityParams& params, int num_threads = 0) {
  Array<std::int32_t> output(shape_of(labels, labels.ndim), -99);
  const std::int64_t count =
      enforce_connectivity(labels, image, output.view(), params, on_threads(num_threads));
  return {count, std::move(output.data)};
}

inline std::vector<float> lab_of(const ArrayView& rgb, int num_threads = 0) {
  Array<float> lab(shape_of(rgb, rgb.ndim), -999.0F);
  rgb_to_lab(rgb, lab.view(), on_threads(num_threads));
  return std::move(lab.data);
}

}  // namespace superpix::test
