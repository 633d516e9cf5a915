// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace superpix::cpu {

/// Says that the cache line of p will soon be read. p need not be valid.
inline void prefetch(const void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p);
#else
  (void)p;
#endif
}

}  // namespace superpix::cpu
