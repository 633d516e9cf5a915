// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/hard_labels.h>

#include <cstdint>

namespace superpix::cpu {

/// superpix/hard_labels.h for an association of type S [batch][9][height][width] and labels of type
/// L, std::int32_t or std::int64_t, checked.
template <class S, class L>
void hard_labels(std::int64_t batch, std::int64_t height, std::int64_t width, const S* association,
                 L* labels, const HardLabelsParams& params, int num_threads);

}  // namespace superpix::cpu
