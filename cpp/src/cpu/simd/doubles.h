// SPDX-License-Identifier: Apache-2.0
//
// Sixteen double lanes, for kernels that are templates: plain loops on every instruction set, as
// double precision is for checking gradients, not for speed.
#pragma once

#include <math.h>

#include <cstdint>

namespace superpix::cpu {
namespace {

struct Doubles {
  double v[16];
};

template <class F>
inline Doubles each_double(F f) {
  Doubles r;
  for (int i = 0; i < 16; ++i) r.v[i] = f(i);
  return r;
}

inline Doubles doubles(double x) {
  return each_double([&](int) { return x; });
}
inline Doubles load(const double* p) {
  return each_double([&](int i) { return p[i]; });
}
inline void store(double* p, Doubles a) {
  for (int i = 0; i < 16; ++i) p[i] = a.v[i];
}
inline Doubles load_first(const double* p, std::int64_t n) {
  return each_double([&](int i) { return i < n ? p[i] : 0.0; });
}
inline void store_first(double* p, Doubles a, std::int64_t n) {
  for (int i = 0; i < 16 && i < n; ++i) p[i] = a.v[i];
}
inline Doubles load_lanes(const double* p, std::int64_t offset, std::uint32_t lanes,
                          Doubles other) {
  return each_double([&](int i) { return (lanes >> i & 1U) != 0 ? p[offset + i] : other.v[i]; });
}
inline void store_lanes(double* p, std::int64_t offset, std::uint32_t lanes, Doubles a) {
  for (int i = 0; i < 16; ++i) {
    if ((lanes >> i & 1U) != 0) p[offset + i] = a.v[i];
  }
}
inline Doubles operator+(Doubles a, Doubles b) {
  return each_double([&](int i) { return a.v[i] + b.v[i]; });
}
inline Doubles operator-(Doubles a, Doubles b) {
  return each_double([&](int i) { return a.v[i] - b.v[i]; });
}
inline Doubles operator*(Doubles a, Doubles b) {
  return each_double([&](int i) { return a.v[i] * b.v[i]; });
}
inline Doubles divide(Doubles a, Doubles b) {
  return each_double([&](int i) { return a.v[i] / b.v[i]; });
}
inline Doubles multiply_add(Doubles a, Doubles b, Doubles c) { return a * b + c; }
inline Doubles max(Doubles a, Doubles b) {
  return each_double([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline double sum(Doubles a) {
  for (int n = 8; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) a.v[i] += a.v[i + n];
  }
  return a.v[0];
}
inline Doubles exp_nonpositive(Doubles x) {
  return each_double([&](int i) { return ::exp(x.v[i]); });
}

}  // namespace
}  // namespace superpix::cpu
