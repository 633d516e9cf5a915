// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "cpu/components.h"

namespace superpix::cpu {

/// Gives the parts of components above max_size labels of their own: connected, at most max_size
/// pixels. Parts are flooded from the first pixel that is left, as many pixels as make the parts
/// equal. Returns whether there was anything to split; then the components are to be found anew.
bool split_components(const Components& components, std::int64_t max_size, std::int32_t* labels);

}  // namespace superpix::cpu
