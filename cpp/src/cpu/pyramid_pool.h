// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace superpix::cpu {

/// [planes][T] int32 or int64, or nothing.
struct PyramidIndices {
  void* data;
  bool is_64_bit;
};

// Arguments of superpix/pyramid_pool.h, checked; planes are those of all images. S is what arrays
// are made of: float, double, detail::Half or detail::BFloat16.

template <class S>
struct PyramidPoolArgs {
  std::int64_t planes, height, width;
  const std::vector<std::int64_t>& bins;
  const S* features;
  S* pooled;
  PyramidIndices indices;
};

template <class S>
struct PyramidPoolGradients {
  std::int64_t planes, height, width;
  const std::vector<std::int64_t>& bins;
  const S* pooled;
  PyramidIndices indices;
  S* features;  // out
};

template <class S>
void pyramid_mean(const PyramidPoolArgs<S>& args, int num_threads);
template <class S>
void pyramid_max(const PyramidPoolArgs<S>& args, int num_threads);
template <class S>
void pyramid_mean_backward(const PyramidPoolGradients<S>& args, int num_threads);
template <class S>
void pyramid_max_backward(const PyramidPoolGradients<S>& args, int num_threads);

}  // namespace superpix::cpu
