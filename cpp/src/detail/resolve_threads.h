// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace superpix::detail {

/// Context::num_threads -> how many threads to use. Throws InvalidArgument("op: message") for a
/// negative number.
int resolve_threads(int requested, const char* op);

}  // namespace superpix::detail
