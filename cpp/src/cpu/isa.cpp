// SPDX-License-Identifier: Apache-2.0
//
// Chooses the kernels once, when the first is wanted.
#include <superpix/device.h>
#include <superpix/error.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "cpu/kernels.h"

#if defined(_MSC_VER) && defined(SUPERPIX_X86_64)
#include <intrin.h>
#endif

namespace superpix::cpu {

// Which of them there are, SUPERPIX_SIMD_LEVELS of CMake says.
const Kernels& kernels_generic();
#ifdef SUPERPIX_X86_64
const Kernels& kernels_v2();
const Kernels& kernels_v3();
const Kernels& kernels_v4();
const Kernels& kernels_v4_vnni();
#endif

namespace {

struct Features {
  bool v2 = false;
  bool v3 = false;
  bool v4 = false;
  bool vnni = false;
};

#ifdef SUPERPIX_X86_64
Features detect() {
  Features f;
#if defined(_MSC_VER) && !defined(__clang__)
  int leaf[4];
  __cpuid(leaf, 1);
  f.v2 = (leaf[2] >> 19 & 1) != 0 && (leaf[2] >> 9 & 1) != 0;
  const bool saves_state = (leaf[2] >> 27 & 1) != 0;
  const unsigned long long state = saves_state ? _xgetbv(0) : 0;
  __cpuidex(leaf, 7, 0);
  f.v3 = f.v2 && (state & 0x6) == 0x6 && (leaf[1] >> 5 & 1) != 0;
  const int avx512 = 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30 | 1 << 31;  // F, DQ, CD, BW, VL
  f.v4 = f.v3 && (state & 0xe6) == 0xe6 && (leaf[1] & avx512) == avx512;
  f.vnni = f.v4 && (leaf[2] >> 11 & 1) != 0;
#else
  __builtin_cpu_init();
  f.v2 = __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3") &&
         __builtin_cpu_supports("popcnt");
  f.v3 = f.v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
  f.v4 = f.v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
  f.vnni = f.v4 && __builtin_cpu_supports("avx512vnni");
#endif
  return f;
}
#endif

}  // namespace

std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> all{&kernels_generic()};
#ifdef SUPERPIX_X86_64
  [[maybe_unused]] const Features f = detect();
#endif
#ifdef SUPERPIX_HAS_v2
  if (f.v2) all.push_back(&kernels_v2());
#endif
#ifdef SUPERPIX_HAS_v3
  if (f.v3) all.push_back(&kernels_v3());
#endif
#ifdef SUPERPIX_HAS_v4
  if (f.v4) all.push_back(&kernels_v4());
#endif
#ifdef SUPERPIX_HAS_v4_vnni
  if (f.vnni) all.push_back(&kernels_v4_vnni());
#endif
  return all;
}

namespace {

const Kernels& choose() {
  const std::vector<const Kernels*> all = all_kernels();
  const char* wanted = std::getenv("SUPERPIX_SIMD");
  if (wanted == nullptr || *wanted == '\0') return *all.back();
  std::string names;
  for (const Kernels* k : all) {
    if (std::string(wanted) == k->name) return *k;
    names += std::string(names.empty() ? "" : ", ") + k->name;
  }
  throw InvalidArgument("SUPERPIX_SIMD is \"" + std::string(wanted) +
                        "\", but this processor and build have only: " + names);
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace superpix::cpu

namespace superpix {

std::string simd_level() { return cpu::kernels().name; }

std::vector<std::string> simd_available() {
  std::vector<std::string> names;
  for (const cpu::Kernels* k : cpu::all_kernels()) names.emplace_back(k->name);
  return names;
}

}  // namespace superpix
