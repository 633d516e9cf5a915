// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace superpix::detail {

/// Context::num_threads -> how many threads to use. Throws InvalidArgument for a negative number.
int resolve_threads(int requested);

}  // namespace superpix::detail
