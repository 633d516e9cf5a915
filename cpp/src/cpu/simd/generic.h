// SPDX-License-Identifier: Apache-2.0
//
// Plain loops of a fixed length, which compilers turn into the vector instructions that the target
// has by default (NEON on 64-bit Arm). Also the reference for the hand-written instruction sets.
#pragma once

#include <cmath>

namespace superpix::cpu {
namespace {

struct Floats {
  float v[16];
};
struct Ints {
  std::int32_t v[16];
};
struct Mask {
  std::int32_t v[16];  // -1 or 0
};

template <class R, class F>
inline R each(F f) {
  R r;
  for (int i = 0; i < 16; ++i) r.v[i] = f(i);
  return r;
}

// Wraps around like the vector instructions do; signed overflow would be undefined.
inline std::int32_t wrap(std::uint32_t x) { return static_cast<std::int32_t>(x); }
inline std::uint32_t unsign(std::int32_t x) { return static_cast<std::uint32_t>(x); }

inline Floats floats(float x) {
  return each<Floats>([&](int) { return x; });
}
inline Floats load(const float* p) {
  return each<Floats>([&](int i) { return p[i]; });
}
inline void store(float* p, Floats a) { std::memcpy(p, a.v, sizeof a.v); }
inline Floats add(Floats a, Floats b) {
  return each<Floats>([&](int i) { return a.v[i] + b.v[i]; });
}
inline Floats sub(Floats a, Floats b) {
  return each<Floats>([&](int i) { return a.v[i] - b.v[i]; });
}
inline Floats mul(Floats a, Floats b) {
  return each<Floats>([&](int i) { return a.v[i] * b.v[i]; });
}
inline Floats divide(Floats a, Floats b) {
  return each<Floats>([&](int i) { return a.v[i] / b.v[i]; });
}
inline Floats multiply_add(Floats a, Floats b, Floats c) { return add(mul(a, b), c); }
inline Floats load_first(const float* p, std::int64_t n) {
  return each<Floats>([&](int i) { return i < n ? p[i] : 0.0F; });
}
inline void store_first(float* p, Floats a, std::int64_t n) {
  for (int i = 0; i < 16 && i < n; ++i) p[i] = a.v[i];
}
inline Floats max(Floats a, Floats b) {
  return each<Floats>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline Mask less(Floats a, Floats b) {
  return each<Mask>([&](int i) { return a.v[i] < b.v[i] ? -1 : 0; });
}
inline Mask is_nan(Floats a) {
  return each<Mask>([&](int i) { return a.v[i] != a.v[i] ? -1 : 0; });
}
inline Mask either(Mask a, Mask b) {
  return each<Mask>([&](int i) { return a.v[i] | b.v[i]; });
}
inline Floats select(Mask m, Floats a, Floats b) {
  return each<Floats>([&](int i) { return m.v[i] != 0 ? a.v[i] : b.v[i]; });
}
inline Floats gather(const float* p, Ints index) {
  return each<Floats>([&](int i) { return p[index.v[i]]; });
}

inline Ints ints(std::int32_t x) {
  return each<Ints>([&](int) { return x; });
}
inline Ints load(const std::int32_t* p) {
  return each<Ints>([&](int i) { return p[i]; });
}
inline void store(std::int32_t* p, Ints a) { std::memcpy(p, a.v, sizeof a.v); }
inline Ints load_pairs(const std::int16_t* p) {
  Ints r;
  std::memcpy(r.v, p, sizeof r.v);
  return r;
}
inline Ints load_shorts(const std::int16_t* p) {
  return each<Ints>([&](int i) { return std::int32_t{p[i]}; });
}
inline void store_shorts(std::int16_t* p, Ints a) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int16_t>(a.v[i]);
}
inline Ints load_bytes(const std::uint8_t* p) {
  return each<Ints>([&](int i) { return std::int32_t{p[i]}; });
}
inline void store_bytes(std::uint8_t* p, Ints a) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::uint8_t>(a.v[i]);
}
inline Ints load(const std::uint8_t* p) {
  Ints r;
  std::memcpy(r.v, p, sizeof r.v);
  return r;
}
inline void store(std::uint8_t* p, Ints a) { std::memcpy(p, a.v, sizeof a.v); }
inline std::uint64_t differing_bytes(Ints a, Ints b) {
  std::uint8_t x[64];
  std::uint8_t y[64];
  store(x, a);
  store(y, b);
  std::uint64_t all = 0;
  for (int i = 0; i < 64; ++i) all |= static_cast<std::uint64_t>(x[i] != y[i]) << i;
  return all;
}
inline Ints add(Ints a, Ints b) {
  return each<Ints>([&](int i) { return wrap(unsign(a.v[i]) + unsign(b.v[i])); });
}
inline Ints sub(Ints a, Ints b) {
  return each<Ints>([&](int i) { return wrap(unsign(a.v[i]) - unsign(b.v[i])); });
}
inline Ints multiply(Ints a, std::int32_t b) {
  return each<Ints>([&](int i) { return wrap(unsign(a.v[i]) * unsign(b)); });
}
inline Ints max(Ints a, Ints b) {
  return each<Ints>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline Ints bit_and(Ints a, Ints b) {
  return each<Ints>([&](int i) { return a.v[i] & b.v[i]; });
}
inline Ints bit_or(Ints a, Ints b) {
  return each<Ints>([&](int i) { return a.v[i] | b.v[i]; });
}
inline Ints bit_xor(Ints a, Ints b) {
  return each<Ints>([&](int i) { return a.v[i] ^ b.v[i]; });
}
template <int kBits>
inline Ints shift_left(Ints a) {
  return each<Ints>([&](int i) { return wrap(unsign(a.v[i]) << kBits); });
}
template <int kBits>
inline Ints shift_right(Ints a) {
  return each<Ints>([&](int i) { return wrap(unsign(a.v[i]) >> kBits); });
}
inline Mask equal(Ints a, Ints b) {
  return each<Mask>([&](int i) { return a.v[i] == b.v[i] ? -1 : 0; });
}
inline Ints zero_unless(Mask m, Ints a) {
  return each<Ints>([&](int i) { return m.v[i] & a.v[i]; });
}
inline Ints dot(Ints sum, Ints a, Ints b) {
  const auto low = [](std::int32_t x) { return std::int32_t{static_cast<std::int16_t>(x)}; };
  return each<Ints>([&](int i) {
    return wrap(unsign(sum.v[i]) + unsign(low(a.v[i]) * low(b.v[i])) +
                unsign((a.v[i] >> 16) * (b.v[i] >> 16)));
  });
}
inline Ints gather(const std::int32_t* p, Ints index) {
  return each<Ints>([&](int i) { return p[index.v[i]]; });
}
inline Ints lookup(const std::int32_t* table, Ints index) { return gather(table, index); }
inline Ints select(Mask m, Ints a, Ints b) {
  return each<Ints>([&](int i) { return m.v[i] != 0 ? a.v[i] : b.v[i]; });
}
inline Ints gather_shorts(const std::int16_t* p, Ints index) {
  return each<Ints>([&](int i) { return std::int32_t{p[index.v[i]]}; });
}
inline float sum(Floats a) {
  for (int n = 8; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) a.v[i] += a.v[i + n];
  }
  return a.v[0];
}
inline std::int32_t sum(Ints a) {
  std::uint32_t s = 0;
  for (int i = 0; i < 16; ++i) s += unsign(a.v[i]);
  return wrap(s);
}

inline Ints to_ints(Floats a) {
  return each<Ints>([&](int i) { return static_cast<std::int32_t>(std::nearbyint(a.v[i])); });
}
inline Floats to_floats(Ints a) {
  return each<Floats>([&](int i) { return static_cast<float>(a.v[i]); });
}
inline Ints bits_of(Floats a) {
  Ints r;
  std::memcpy(r.v, a.v, sizeof r.v);
  return r;
}
inline Floats floats_of_bits(Ints a) {
  Floats r;
  std::memcpy(r.v, a.v, sizeof r.v);
  return r;
}

inline std::uint32_t bits(Mask m) {
  std::uint32_t all = 0;
  for (int i = 0; i < 16; ++i) all |= (unsign(m.v[i]) & 1U) << i;
  return all;
}
inline Mask mask_of_bits(std::uint32_t b) {
  return each<Mask>([&](int i) { return (b >> i & 1U) != 0 ? -1 : 0; });
}

inline void load_rgb(const std::uint8_t* p, Ints* r, Ints* g, Ints* b) {
  for (int i = 0; i < 16; ++i) {
    r->v[i] = p[3 * i];
    g->v[i] = p[3 * i + 1];
    b->v[i] = p[3 * i + 2];
  }
}

inline std::uint32_t differs_from_left(const std::int32_t* p) {
  std::uint32_t all = 0;
  for (int i = 0; i < 16; ++i) all |= (p[i] != p[i - 1] ? 1U : 0U) << i;
  return all;
}

}  // namespace
}  // namespace superpix::cpu
