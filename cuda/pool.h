// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <superpix/pool.h>

#include <cstdint>

namespace superpix::cuda {

/// superpix/pool.h on CUDA, for checked arguments; `op` is what errors name. `saved` may be
/// nullptr.
void pool(const char* op, const ArrayView& features, const ArrayView& labels,
          const ArrayView& pooled, std::int32_t* saved, Reduce reduce, const Context& context);

/// Every cell gets the sum of `pooled` over its pixels, of the mean divided by the segment's number
/// of pixels; of a maximum or minimum, what the segments have whose saved index is this cell.
/// `saved` as pool() wrote it, nullptr for sums.
void unpool(const char* op, const ArrayView& pooled, const ArrayView& labels,
            const std::int32_t* saved, const ArrayView& out, Reduce reduce, const Context& context);

}  // namespace superpix::cuda
