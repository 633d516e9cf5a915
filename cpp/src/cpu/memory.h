// SPDX-License-Identifier: Apache-2.0
//
// Memory for the large arrays of a call, kept for the next call: a page that is new costs more than
// the work that some of our loops do on it, and allocators hand large arrays back to the system.
#pragma once

#include <superpix/export.h>

#include <cstddef>

namespace superpix::cpu {

// AddressSanitizer sees more if every array is new.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SUPERPIX_KEEPS_MEMORY false
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SUPERPIX_KEEPS_MEMORY false
#elif !defined(SUPERPIX_KEEPS_MEMORY)
#define SUPERPIX_KEEPS_MEMORY true
#endif
inline constexpr bool kKeepsMemory = SUPERPIX_KEEPS_MEMORY;

struct MemoryBlock {
  void* data = nullptr;
  std::size_t bytes = 0;  // at least those asked for
};

/// Uninitialised memory, aligned to 64 bytes. Throws std::bad_alloc.
MemoryBlock take_memory(std::size_t bytes);

/// Keeps the block for another take_memory(), up to 128 MiB and 8 blocks in all, of which the
/// oldest go first. Where the system knows how (Linux), it may take the pages of blocks of 2 MiB
/// and more back whenever it runs short of memory.
void give_back_memory(MemoryBlock block) noexcept;

/// The same for arrays that a caller keeps: up to 256 MiB beyond those of calls, whose comings and
/// goings would drive them out. Exported, but for superpix's own Python module alone.
SUPERPIX_API MemoryBlock take_output_memory(std::size_t bytes);
SUPERPIX_API void give_back_output_memory(MemoryBlock block) noexcept;

}  // namespace superpix::cpu
