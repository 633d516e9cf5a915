// SPDX-License-Identifier: Apache-2.0
//
// Workers are made when first wanted and then wait: a short while spinning, because the loops of
// SLIC follow each other within microseconds, then asleep. OpenMP is not used: its runtime hangs in
// a forked child after use in the parent, and meets the copies that other packages bring along.
#include "cpu/thread_pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace superpix::cpu {
namespace {

void pause_briefly() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  asm volatile("yield");
#endif
}

// Longer than the serial gaps inside one call, shorter than anybody notices. A pause takes 10 to 40
// nanoseconds, so that it is the clock that counts.
constexpr std::chrono::microseconds kSpinTime{200};
constexpr int kPausesPerLook = 50;

/// Whether `done` became true before it was time to stop spinning.
template <class F>
bool spin_until(F done) {
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

thread_local bool inside_parallel_for = false;

/// One parallel loop. Every thread has a share of the range, the same in each loop over the same
/// range, so that it finds what it worked on last in its cache; when its share is done, it takes
/// from the others'.
class Loop {
 public:
  static constexpr int kMaxShares = 64;

  Loop(std::int64_t n, std::int64_t grain, int num_threads, RangeFunction f)
      : grain_(grain), num_shares_(num_threads), f_(f) {
    for (int i = 0; i < num_shares_; ++i) {
      shares_[i].next.store(i * n / num_shares_, std::memory_order_relaxed);
      shares_[i].end = (i + 1) * n / num_shares_;
    }
  }

  void work(int thread) noexcept {
    inside_parallel_for = true;
    for (int i = 0; i < num_shares_; ++i) work_on(shares_[(thread + i) % num_shares_]);
    inside_parallel_for = false;
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  void work_on(Share& share) noexcept {
    while (!failed_.load(std::memory_order_relaxed)) {
      const std::int64_t begin = share.next.fetch_add(grain_, std::memory_order_relaxed);
      if (begin >= share.end) break;
      try {
        f_(begin, std::min(begin + grain_, share.end));
      } catch (...) {
        if (!failed_.exchange(true)) error_ = std::current_exception();
      }
    }
  }

  const std::int64_t grain_;
  const int num_shares_;
  const RangeFunction f_;
  std::array<Share, kMaxShares> shares_;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
};

class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  ~Pool() {
    stopping_.store(true);
    announce();
    for (std::thread& worker : workers_) worker.join();
  }

  /// Runs the loop on the caller and `helpers` workers. One loop at a time: a second caller waits
  /// for nobody, but finds the pool taken and runs its loop alone.
  void run(Loop& loop, int helpers) {
    const std::unique_lock taken(running_, std::try_to_lock);
    if (!taken.owns_lock()) {
      loop.work(0);
      return;
    }
    if (static_cast<int>(workers_.size()) < helpers) add_workers(helpers);
    helpers_.store(helpers, std::memory_order_relaxed);
    loop_.store(&loop);
    announce();
    loop.work(0);
    // There is nothing left for workers that have not come yet: nobody waits for them. One that has
    // is counted before it looks for the loop, so that it is either waited for or finds none.
    loop_.store(nullptr);
    const auto all_done = [&] { return busy_.load() == 0; };
    if (!spin_until(all_done)) {
      while (!all_done()) std::this_thread::yield();
    }
  }

 private:
  void add_workers(int wanted) {
    while (static_cast<int>(workers_.size()) < wanted) {
      const int index = static_cast<int>(workers_.size());
      const std::uint64_t seen = generation_.load();
      try {
        workers_.emplace_back([this, index, seen] { wait_for_work(index, seen); });
      } catch (const std::system_error&) {
        break;  // the system gives no more threads: those that are there do the work
      }
    }
    // Where there are more threads than processors, who spins takes time from who works.
    const auto threads = static_cast<unsigned>(workers_.size()) + 1;
    spins_.store(threads <= std::thread::hardware_concurrency(), std::memory_order_relaxed);
  }

  /// A new generation. Who falls asleep counts as a sleeper before it looks for one, so that it is
  /// either woken or does not sleep.
  void announce() {
    generation_.fetch_add(1);
    if (sleepers_.load() == 0) return;
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
  }

  void wait_for_work(int index, std::uint64_t seen) {
    for (;;) {
      const auto has_news = [&] { return generation_.load() != seen; };
      if (!spins_.load(std::memory_order_relaxed) || !spin_until(has_news)) {
        std::unique_lock lock(mutex_);
        sleepers_.fetch_add(1);
        wake_.wait(lock, has_news);
        sleepers_.fetch_sub(1);
      }
      seen = generation_.load();
      if (stopping_.load()) return;
      busy_.fetch_add(1);
      Loop* loop = loop_.load();
      if (loop != nullptr && index < helpers_.load(std::memory_order_relaxed)) {
        loop->work(index + 1);
      }
      busy_.fetch_sub(1);
    }
  }

  // All in one order (the default), as the promises above are about the order of different ones.
  std::mutex running_;  // held by the caller whose loop the workers serve
  std::mutex mutex_;    // of who sleeps
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> spins_{true};
  std::atomic<int> helpers_{0};
  std::atomic<int> sleepers_{0};
  alignas(64) std::atomic<std::uint64_t> generation_{0};  // changes with every loop
  std::atomic<Loop*> loop_{nullptr};
  alignas(64) std::atomic<int> busy_{0};  // workers that may be in the current loop
};

// A forked child has none of its parent's threads, and perhaps a locked mutex. It leaves that pool
// alone, for good, and makes one of its own.
std::atomic<Pool*> current_pool{nullptr};
std::mutex making_pool;

struct PoolOwner {
  PoolOwner() {
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork([] { making_pool.lock(); }, [] { making_pool.unlock(); },
                   [] {
                     current_pool.store(nullptr);
                     inside_parallel_for = false;
                     making_pool.unlock();
                   });
#endif
  }
#ifndef _WIN32
  // Windows has ended the threads by now, so that joining them would hang.
  ~PoolOwner() { delete current_pool.exchange(nullptr); }
#endif
};

Pool& pool() {
  static PoolOwner owner;
  if (Pool* existing = current_pool.load(std::memory_order_acquire)) return *existing;
  const std::lock_guard lock(making_pool);
  if (current_pool.load(std::memory_order_relaxed) == nullptr) current_pool.store(new Pool);
  return *current_pool.load(std::memory_order_relaxed);
}

}  // namespace

void parallel_for(std::int64_t n, std::int64_t grain, int num_threads, RangeFunction f) {
  if (n <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t pieces = (n + grain - 1) / grain;
  const int threads =
      static_cast<int>(std::min<std::int64_t>({num_threads, pieces, Loop::kMaxShares}));
  if (threads <= 1 || inside_parallel_for) {
    f(0, n);
    return;
  }
  Loop loop(n, grain, threads, f);
  pool().run(loop, threads - 1);
  loop.rethrow();
}

}  // namespace superpix::cpu
