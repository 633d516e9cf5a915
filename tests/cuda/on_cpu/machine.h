// SPDX-License-Identifier: Apache-2.0
//
// Executes CUDA kernels on the CPU, for tests: one block after another, the threads of a block as
// fibres that run in an order shuffled by `seed` until each of them waits at a barrier or ends.
// What the hardware leaves undefined ends the process with a message: barriers that not all threads
// reach, shuffles from lanes that do not take part, shared memory beyond what was asked for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <source_location>
#include <vector>

#include "fibre.h"

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : x(vx), y(vy), z(vz) {}
};

// What a kernel reads to know where it is. The names are CUDA's.
inline uint3 threadIdx{};
inline uint3 blockIdx{};
inline dim3 blockDim;
inline dim3 gridDim;
inline constexpr int warpSize = 32;

namespace superpix::cuda {
// Dynamic shared memory, by the name that cuda/shared.h gives it; as much as sm_90 has.
alignas(128) inline unsigned char superpix_shared[227 * 1024];
}  // namespace superpix::cuda

namespace cuda_on_cpu {

/// Another seed is another order of threads and blocks. No result may depend on it.
inline unsigned seed = 1;
/// What memory holds that nobody wrote: as floats of any size, NaN.
inline unsigned char garbage = 0xff;

using Site = std::source_location;

class Machine {
 public:
  /// Runs body() once for every thread of every block.
  void run(dim3 grid, dim3 block, std::size_t shared, const std::function<void()>& body) {
    const std::lock_guard<std::mutex> one_at_a_time(mutex_);
    const unsigned threads = block.x * block.y * block.z;
    require(threads >= 1 && threads <= 1024, "a block has from 1 to 1024 threads");
    require(shared <= sizeof superpix::cuda::superpix_shared, "too much shared memory");
    body_ = &body;
    gridDim = grid;
    blockDim = block;
    while (threads_.size() < threads) threads_.push_back(std::make_unique<Thread>());
    num_threads_ = threads;
    random_.seed(seed);
    limit_shared(shared);
    std::vector<std::uint64_t> order(std::uint64_t{grid.x} * grid.y * grid.z);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random_);
    for (const std::uint64_t i : order) {
      blockIdx = {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y),
                  static_cast<unsigned>(i / grid.x / grid.y)};
      std::memset(superpix::cuda::superpix_shared, garbage, shared);
      run_block();
    }
    limit_shared(sizeof superpix::cuda::superpix_shared);
  }

  /// Waits for all threads of the block that have not ended.
  void block_barrier(Site site) { wait(State::kAtBlockBarrier, ~0U, site); }

  /// Waits for the lanes of `mask`, to which the caller must belong.
  void warp_barrier(unsigned mask, Site site) {
    require((mask >> lane() & 1U) != 0, "a lane is not in its own mask", site);
    wait(State::kAtWarpBarrier, mask, site);
  }

  /// Lets others go first, sometimes: threads may be interrupted between any two instructions, and
  /// where it matters is at atomics.
  void maybe_yield() {
    if ((random_() & 3U) == 0) wait(State::kReady, 0, Site::current());
  }

  /// The value of lane `from`, for the lanes of `mask`, each of which calls this.
  template <class T>
  T exchange(unsigned mask, T value, unsigned from, Site site) {
    static_assert(sizeof(T) <= sizeof(Thread::slot));
    require((mask >> from & 1U) != 0, "a value from a lane that is not in the mask", site);
    Thread& own = *threads_[current_];
    std::memcpy(own.slot, &value, sizeof value);
    own.from = from;
    warp_barrier(mask, site);
    std::memcpy(&value, own.received, sizeof value);
    return value;
  }

  /// fold(value, value of another lane), over the lanes of `mask` in ascending order.
  template <class T, class Fold>
  T reduce(unsigned mask, T value, Fold fold, Site site) {
    std::memcpy(threads_[current_]->slot, &value, sizeof value);
    warp_barrier(mask, site);
    T result{};
    bool first = true;
    for (unsigned i = 0; i < 32; ++i) {
      if ((mask >> i & 1U) == 0) continue;
      T other;
      std::memcpy(&other, threads_[(current_ & ~31U) + i]->slot, sizeof other);
      result = first ? other : fold(result, other);
      first = false;
    }
    warp_barrier(mask, site);
    return result;
  }

  unsigned lane() const { return current_ & 31U; }

  static void require(bool condition, const char* message, Site site = Site::current()) {
    if (condition) return;
    std::fprintf(stderr, "CUDA on the CPU: %s (%s:%u)\n", message, site.file_name(),
                 static_cast<unsigned>(site.line()));
    std::abort();
  }

 private:
  enum class State { kReady, kAtBlockBarrier, kAtWarpBarrier, kDone };

  struct Thread {
    Fibre fibre;
    State state = State::kReady;
    unsigned mask = 0;
    Site site;
    unsigned from = 0;  // the lane whose slot is wanted
    alignas(16) unsigned char slot[16]{};
    alignas(16) unsigned char received[16]{};
  };

  static void enter() { instance().thread_main(); }

  void thread_main() {
    threads_[current_]->fibre.arrive();
    (*body_)();
    threads_[current_]->state = State::kDone;
    threads_[current_]->fibre.leave(true);
  }

  void run_block() {
    std::vector<unsigned> order(num_threads_);
    std::iota(order.begin(), order.end(), 0U);
    for (unsigned i = 0; i < num_threads_; ++i) {
      threads_[i]->state = State::kReady;
      threads_[i]->fibre.start(&Machine::enter);
    }
    // A warp goes on for a while before another does, so that some are far ahead of others: what
    // lacks a barrier finds what nobody has written yet.
    const unsigned num_warps = (num_threads_ + 31) / 32;
    unsigned warp = 0;
    for (;;) {
      if ((random_() & 7U) == 0) warp = static_cast<unsigned>(random_() % num_warps);
      bool any = false;
      for (unsigned tried = 0; tried < num_warps && !any; ++tried) {
        const auto begin = order.begin() + warp * 32;
        const auto end = order.begin() + std::min(warp * 32 + 32, num_threads_);
        std::shuffle(begin, end, random_);
        for (auto i = begin; i != end; ++i) {
          if (threads_[*i]->state != State::kReady) continue;
          any = true;
          resume(*i);
        }
        if (!any) warp = (warp + 1) % num_warps;
      }
      if (!any && !release_block()) return;
    }
  }

  void resume(unsigned i) {
    current_ = i;
    threadIdx = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
    threads_[i]->fibre.resume();
  }

  void wait(State state, unsigned mask, Site site) {
    Thread& thread = *threads_[current_];
    thread.state = state;
    thread.mask = mask;
    thread.site = site;
    if (state == State::kAtWarpBarrier) {
      release_warp(thread);
      if (thread.state == State::kReady) return;
    }
    thread.fibre.leave(false);
  }

  // Lets the lanes of a mask go on once all of them have come, each with what it wanted of another.
  void release_warp(const Thread& last) {
    const unsigned first = current_ & ~31U;
    for (unsigned i = 0; i < 32; ++i) {
      if ((last.mask >> i & 1U) == 0) continue;
      require(first + i < num_threads_, "a mask names a lane beyond the block", last.site);
      const Thread& other = *threads_[first + i];
      require(other.state != State::kDone, "a mask names a lane that has ended", last.site);
      if (other.state != State::kAtWarpBarrier) return;
      require(other.mask == last.mask && other.site.line() == last.site.line(),
              "lanes of a warp wait at different places", last.site);
    }
    for (unsigned i = 0; i < 32; ++i) {
      if ((last.mask >> i & 1U) == 0) continue;
      Thread& other = *threads_[first + i];
      std::memcpy(other.received, threads_[first + other.from % 32]->slot, sizeof other.received);
      other.state = State::kReady;
    }
  }

  // Lets a block go on when all of its threads wait; false when all have ended.
  bool release_block() {
    const Thread* first = nullptr;
    for (unsigned i = 0; i < num_threads_; ++i) {
      const Thread& thread = *threads_[i];
      if (thread.state == State::kDone) continue;
      require(thread.state == State::kAtBlockBarrier, "a warp waits for lanes that do not come",
              thread.site);
      if (first == nullptr) first = &thread;
      require(thread.site.line() == first->site.line(),
              "threads of a block wait at different places", thread.site);
    }
    if (first == nullptr) return false;
    for (unsigned i = 0; i < num_threads_; ++i) {
      if (threads_[i]->state != State::kDone) threads_[i]->state = State::kReady;
    }
    return true;
  }

  static void limit_shared([[maybe_unused]] std::size_t bytes) {
#if CUDA_ON_CPU_ASAN
    unsigned char* memory = superpix::cuda::superpix_shared;
    constexpr std::size_t kAll = sizeof superpix::cuda::superpix_shared;
    __asan_unpoison_memory_region(memory, kAll);
    __asan_poison_memory_region(memory + bytes, kAll - bytes);
#endif
  }

 public:
  static Machine& instance() {
    static Machine machine;
    return machine;
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Thread>> threads_;
  const std::function<void()>* body_ = nullptr;
  unsigned num_threads_ = 0;
  unsigned current_ = 0;
  std::mt19937 random_{1};
};

inline Machine& machine() { return Machine::instance(); }

}  // namespace cuda_on_cpu
