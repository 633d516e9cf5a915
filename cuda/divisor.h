// SPDX-License-Identifier: Apache-2.0
//
// Division by a number that the host knows, in three instructions, after Granlund and Montgomery,
// "Division by Invariant Integers using Multiplication" (PLDI 1994).
#pragma once

#include <cuda_runtime.h>

#include <bit>
#include <cstdint>

namespace superpix::cuda {

class Divisor {
 public:
  Divisor() : Divisor(1) {}
  /// At least 1.
  explicit Divisor(int value)
      : value_(value),
        shift_(std::bit_width(static_cast<unsigned>(value) - 1)),
        magic_(static_cast<std::uint32_t>(
            ((std::uint64_t{1} << shift_) - static_cast<std::uint64_t>(value)) * kTwoTo32 /
                static_cast<std::uint64_t>(value) +
            1)) {}

  __host__ __device__ int value() const { return value_; }

  /// For n >= 0.
  __host__ __device__ friend int operator/(int n, const Divisor& by) {
    const auto dividend = static_cast<std::uint32_t>(n);
    const auto high = static_cast<std::uint32_t>((std::uint64_t{dividend} * by.magic_) >> 32);
    return static_cast<int>((high + dividend) >> by.shift_);
  }

 private:
  static constexpr std::uint64_t kTwoTo32 = std::uint64_t{1} << 32;

  int value_;
  int shift_;
  std::uint32_t magic_;
};

}  // namespace superpix::cuda
