// SPDX-License-Identifier: Apache-2.0
// The only file, with its .cpp, that knows threads.
#pragma once

#include <cstdint>
#include <functional>

namespace superpix::cpu {

/// A non-owning reference to a callable: no allocation where a parallel loop starts.
class RangeFunction {
 public:
  template <class F>
  RangeFunction(const F& f)  // NOLINT(google-explicit-constructor): made where the loop is called
      : object_(&f), call_([](const void* object, std::int64_t begin, std::int64_t end) {
          (*static_cast<const F*>(object))(begin, end);
        }) {}
  void operator()(std::int64_t begin, std::int64_t end) const { call_(object_, begin, end); }

 private:
  const void* object_;
  void (*call_)(const void*, std::int64_t, std::int64_t);
};

/// Calls f(begin, end) for ranges that together make [0, n), on up to `num_threads` threads (64 at
/// most), the caller being one of them; returns when all are done. Threads take `grain` indices at
/// a time; a single thread takes them all at once. Which thread gets which range is left open, so f
/// may only write what belongs to its range. Nested calls run serially. The first exception of f is
/// rethrown here, after all threads have stopped.
void parallel_for(std::int64_t n, std::int64_t grain, int num_threads, RangeFunction f);

}  // namespace superpix::cpu
