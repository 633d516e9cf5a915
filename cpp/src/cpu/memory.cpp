// SPDX-License-Identifier: Apache-2.0
#include "cpu/memory.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace superpix::cpu {
namespace {

constexpr std::size_t kHugePage = std::size_t{1} << 21;
constexpr std::size_t kSmallest = std::size_t{1} << 16;  // allocators do well with less
constexpr std::size_t kMostKept = std::size_t{1} << 27;
constexpr std::size_t kMostOutputsKept = std::size_t{1} << 28;
constexpr std::size_t kMostBlocks = 8;

std::align_val_t alignment(std::size_t bytes) {
  return std::align_val_t{bytes >= kHugePage ? kHugePage : 64};
}

MemoryBlock allocate(std::size_t bytes) {
  if (bytes >= kHugePage) bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  const MemoryBlock block{::operator new(bytes, alignment(bytes)), bytes};
#ifdef MADV_HUGEPAGE
  if (bytes >= kHugePage) madvise(block.data, bytes, MADV_HUGEPAGE);
#endif
  return block;
}

void deallocate(const MemoryBlock& block) noexcept {
  ::operator delete(block.data, alignment(block.bytes));
}

/// The blocks that wait, oldest first.
class Kept {
 public:
  explicit Kept(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  /// The smallest that is large enough and not more than twice as large; or nothing.
  MemoryBlock take(std::size_t bytes) {
    // A thread that forked may have held the lock, and is not there in the child: who cannot have
    // it does without.
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return {};
    std::size_t best = count_;
    for (std::size_t i = 0; i < count_; ++i) {
      const std::size_t size = blocks_[i].bytes;
      if (size < bytes || size / 2 > bytes) continue;
      if (best == count_ || size < blocks_[best].bytes) best = i;
    }
    return best < count_ ? remove(best) : MemoryBlock{};
  }

  /// Whether the block is kept.
  bool add(const MemoryBlock& block) noexcept {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() || block.bytes > most_bytes_) return false;
    while (count_ == kMostBlocks || bytes_ + block.bytes > most_bytes_) deallocate(remove(0));
#if defined(__linux__) && defined(MADV_FREE)
    if (block.bytes >= kHugePage) madvise(block.data, block.bytes, MADV_FREE);
#endif
    blocks_[count_++] = block;
    bytes_ += block.bytes;
    return true;
  }

 private:
  MemoryBlock remove(std::size_t i) {
    const MemoryBlock block = blocks_[i];
    std::copy(blocks_.begin() + i + 1, blocks_.begin() + count_, blocks_.begin() + i);
    --count_;
    bytes_ -= block.bytes;
    return block;
  }

  const std::size_t most_bytes_;
  std::mutex mutex_;
  std::array<MemoryBlock, kMostBlocks> blocks_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

// Never destroyed: threads may outlive static objects.
Kept& kept() {
  static Kept& instance = *new Kept(kMostKept);
  return instance;
}
Kept& kept_outputs() {
  static Kept& instance = *new Kept(kMostOutputsKept);
  return instance;
}

MemoryBlock take(Kept& from, std::size_t bytes) {
  if (bytes < kSmallest) return allocate(bytes);
  const MemoryBlock block = from.take(bytes);
  return block.data != nullptr ? block : allocate(bytes);
}

void give_back(Kept& to, const MemoryBlock& block) noexcept {
  if (block.data == nullptr) return;
  const bool is_kept = kKeepsMemory && block.bytes >= kSmallest && to.add(block);
  if (!is_kept) deallocate(block);
}

}  // namespace

MemoryBlock take_memory(std::size_t bytes) { return take(kept(), bytes); }
void give_back_memory(MemoryBlock block) noexcept { give_back(kept(), block); }

MemoryBlock take_output_memory(std::size_t bytes) { return take(kept_outputs(), bytes); }
void give_back_output_memory(MemoryBlock block) noexcept { give_back(kept_outputs(), block); }

}  // namespace superpix::cpu
