// SPDX-License-Identifier: Apache-2.0
//
// A list of what touches what, in which hardly anything is twice.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace superpix::cpu {

/// That two pieces touch, and along how many pixel edges.
struct Touch {
  std::uint64_t pair;
  std::int64_t length;

  Touch() = default;
  Touch(std::uint64_t p, std::int64_t l) : pair(p), length(l) {}
  Touch(std::int32_t a, std::int32_t b, std::int64_t l)
      : pair(static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32 |
             static_cast<std::uint32_t>(b)),
        length(l) {}

  std::int32_t a() const { return static_cast<std::int32_t>(pair >> 32); }
  std::int32_t b() const { return static_cast<std::int32_t>(pair); }
};

/// Touches of which those of the same pair are brought together where they follow closely: each
/// waits in a table, at the place of its pair, until a touch of another pair wants that.
class TouchList {
 public:
  /// Empties it. `places`: a few times as many as there are pairs at a time.
  void start(std::int64_t places) {
    const auto size = static_cast<std::uint64_t>(std::clamp<std::int64_t>(places, 16, kMaxPlaces));
    const int bits = static_cast<int>(std::bit_width(size - 1));
    shift_ = 64 - bits;
    waiting_.assign(std::size_t{1} << bits, {kNone, 0});
    count_ = 0;
  }

  /// Whether a place has the same pair is not to be foreseen: no branch asks for it.
  void add(const Touch* begin, const Touch* end) {
    make_room(end - begin);
    Touch* waiting = waiting_.data();
    Touch* to = touches_.data() + count_;
    for (const Touch* t = begin; t != end; ++t) {
      Touch& place = waiting[t->pair * 0x9E3779B97F4A7C15U >> shift_];
      const std::int64_t same = place.pair == t->pair ? 1 : 0;
      const std::int64_t used = place.pair != kNone ? 1 : 0;
      const std::int64_t length = place.length;
      *to = place;
      to += used & (same ^ 1);
      place = {t->pair, t->length + (length & -same)};
    }
    count_ = to - touches_.data();
  }

  /// To be called before begin() and end().
  void finish() {
    make_room(static_cast<std::int64_t>(waiting_.size()));
    for (const Touch& t : waiting_) {
      touches_[count_] = t;
      count_ += t.pair != kNone ? 1 : 0;
    }
  }

  const Touch* begin() const { return touches_.data(); }
  const Touch* end() const { return touches_.data() + count_; }

 private:
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  static constexpr std::int64_t kMaxPlaces = 1 << 13;

  void make_room(std::int64_t more) {
    const auto needed = static_cast<std::size_t>(count_ + more + 1);
    if (touches_.size() < needed) touches_.resize(2 * needed);
  }

  int shift_ = 0;
  std::vector<Touch> waiting_;
  std::vector<Touch> touches_;
  std::int64_t count_ = 0;
};

}  // namespace superpix::cpu
