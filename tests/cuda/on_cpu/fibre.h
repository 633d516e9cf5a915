// SPDX-License-Identifier: Apache-2.0
//
// A function with a stack of its own, which can be left in the middle and resumed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#ifdef __SANITIZE_ADDRESS__
#define CUDA_ON_CPU_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define CUDA_ON_CPU_ASAN 0
#endif

#ifndef __x86_64__
#include <ucontext.h>
#endif

namespace cuda_on_cpu {

#ifdef __x86_64__
// Keeps what a function must preserve, and goes on where `to` was kept. swapcontext() does this,
// too, with two system calls, which take most of the time of a test.
__attribute__((naked, noinline)) inline void switch_stacks(void** /*from*/, void* /*to*/) {
  asm volatile(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n"
      "movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n"
      "ret\n");
}
#endif

class Fibre {
 public:
  Fibre() : stack_(new char[kStackSize]) {}

  /// entry() is what resume() begins with; it must end with leave(true).
  void start(void (*entry)()) {
    fake_stack_ = nullptr;
#ifdef __x86_64__
    // As if entry() had been called, and had been left at its first instruction.
    auto top = reinterpret_cast<std::uintptr_t>(stack_.get() + kStackSize) / 16 * 16;
    auto* frame = reinterpret_cast<void**>(top) - 8;
    for (int i = 0; i < 8; ++i) frame[i] = nullptr;
    frame[6] = reinterpret_cast<void*>(entry);
    own_ = frame;
#else
    getcontext(&own_);
    own_.uc_stack.ss_sp = stack_.get();
    own_.uc_stack.ss_size = kStackSize;
    own_.uc_link = nullptr;
    makecontext(&own_, entry, 0);
#endif
  }

  /// Goes on with the fibre until it leaves.
  void resume() {
#if CUDA_ON_CPU_ASAN
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, stack_.get(), kStackSize);
#endif
    exchange(&callers_, &own_);
#if CUDA_ON_CPU_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  }

  /// The first thing that entry() does.
  void arrive() {
#if CUDA_ON_CPU_ASAN
    __sanitizer_finish_switch_fiber(fake_stack_, &callers_stack_, &callers_stack_size_);
#endif
  }

  /// Back to who called resume(). Called on the fibre.
  void leave([[maybe_unused]] bool for_good) {
#if CUDA_ON_CPU_ASAN
    __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack_, callers_stack_,
                                   callers_stack_size_);
#endif
    exchange(&own_, &callers_);
    arrive();
  }

 private:
#ifdef __x86_64__
  using State = void*;
  static void exchange(State* from, State* to) { switch_stacks(from, *to); }
#else
  using State = ucontext_t;
  static void exchange(State* from, State* to) { swapcontext(from, to); }
#endif

  static constexpr std::size_t kStackSize = std::size_t{256} * 1024;

  std::unique_ptr<char[]> stack_;
  State own_{};
  State callers_{};
  void* fake_stack_ = nullptr;
  const void* callers_stack_ = nullptr;
  std::size_t callers_stack_size_ = 0;
};

}  // namespace cuda_on_cpu
