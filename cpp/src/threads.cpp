// SPDX-License-Identifier: Apache-2.0
#include <superpix/threads.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

#include "detail/check.h"
#include "detail/resolve_threads.h"

namespace superpix {
namespace {

std::atomic<int> chosen{0};

int usable_processors() noexcept {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const unsigned n = std::thread::hardware_concurrency();
  return n == 0 ? 1 : static_cast<int>(n);
}

int default_num_threads() noexcept {
  if (const char* text = std::getenv("SUPERPIX_NUM_THREADS")) {
    const int n = std::atoi(text);
    if (n >= 1) return n;
  }
  return usable_processors();
}

void check_num_threads(int n, const char* op) {
  detail::check(n >= 0, op, [&] {
    return "num_threads must be at least 1, or 0 for the default, got " + std::to_string(n);
  });
}

}  // namespace

void set_num_threads(int n) {
  check_num_threads(n, "set_num_threads");
  chosen.store(n, std::memory_order_relaxed);
}

int get_num_threads() noexcept {
  static const int fallback = default_num_threads();
  const int n = chosen.load(std::memory_order_relaxed);
  return n > 0 ? n : fallback;
}

namespace detail {

int resolve_threads(int requested, const char* op) {
  check_num_threads(requested, op);
  return requested > 0 ? requested : get_num_threads();
}

}  // namespace detail
}  // namespace superpix
