// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#define HAVE_FORK
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#endif

#include "array.h"
#include "calls.h"

#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER
#elif __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER
#endif
#endif

namespace superpix {
namespace {

using test::Array;
using test::Labels;

// Large enough for every parallel loop to be one.
const Array<std::uint8_t>& photo() {
  static const Array<std::uint8_t> image = test::picture<std::uint8_t>({300, 400, 3});
  return image;
}

SlicParams photo_params() {
  SlicParams params;
  params.num_segments = 200;
  params.convert_to_lab = true;
  return params;
}

Labels segment_photo(int num_threads) {
  return test::slic_of(photo().view(), photo_params(), nullptr, num_threads);
}

class Threads : public ::testing::Test {
 protected:
  void TearDown() override { set_num_threads(0); }
};

TEST_F(Threads, NumberIsWhatWasSetUntilItIsReset) {
  const int by_default = get_num_threads();
  EXPECT_GE(by_default, 1);
  for (const int n : {1, 3, 64}) {
    set_num_threads(n);
    EXPECT_EQ(get_num_threads(), n);
  }
  set_num_threads(0);
  EXPECT_EQ(get_num_threads(), by_default);
}

TEST_F(Threads, NegativeNumberIsRefusedAndChangesNothing) {
  set_num_threads(3);
  for (const int n : {-1, std::numeric_limits<int>::min()}) {
    try {
      set_num_threads(n);
      FAIL() << n;
    } catch (const InvalidArgument& error) {
      EXPECT_NE(std::string(error.what()).find(": num_threads must"), std::string::npos)
          << error.what();
    }
  }
  EXPECT_EQ(get_num_threads(), 3);
}

TEST_F(Threads, NegativeNumberInAContextIsRefusedByEveryOp) {
  const Array<std::uint8_t> image({4, 5, 3});
  const Array<std::int32_t> labels({4, 5});
  EXPECT_THROW(segment_photo(-1), InvalidArgument);
  EXPECT_THROW(test::lab_of(image.view(), -1), InvalidArgument);
  EXPECT_THROW(test::connected(labels.view(), nullptr, {}, -1), InvalidArgument);
}

TEST_F(Threads, ResultIsTheSameForEveryNumber) {
  const Labels expected = segment_photo(1);
  for (const int n : {2, 3, 8, 33}) EXPECT_EQ(segment_photo(n), expected) << n;
  set_num_threads(5);
  EXPECT_EQ(segment_photo(0), expected);
}

TEST_F(Threads, WorkAfterAnErrorAsBefore) {
  const Labels expected = segment_photo(2);
  Array<float> broken({200, 300, 3}, 0.5F);
  broken.data[12345] = std::numeric_limits<float>::quiet_NaN();
  for (int i = 0; i < 20; ++i) {
    EXPECT_THROW(test::slic_of(broken.view(), photo_params(), nullptr, 2), InvalidArgument);
  }
  EXPECT_EQ(segment_photo(2), expected);
}

TEST_F(Threads, ManyShortLoopsDoNotLoseOne) {
  const Array<std::uint8_t> image = test::picture<std::uint8_t>({40, 50, 3});
  SlicParams params = photo_params();
  params.num_segments = 30;
  const Labels expected = test::slic_of(image.view(), params, nullptr, 1);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(test::slic_of(image.view(), params, nullptr, 2 + i % 5), expected);
  }
}

TEST_F(Threads, WakeUpAfterAPause) {
  const Labels expected = segment_photo(1);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(segment_photo(4), expected);
  }
}

TEST_F(Threads, CallersOfDifferentOpsAtOnceGetWhatEachGetsAlone) {
  const Array<float> volume = test::picture<float>({6, 50, 60, 2});
  const Array<std::int32_t> map = test::noise<std::int32_t>({300, 400}, 4, 1);
  SlicParams volume_params;
  volume_params.num_segments = 60;
  ConnectivityParams map_params;
  map_params.min_size = 30;
  const Labels photo_expected = segment_photo(1);
  const Labels volume_expected = test::slic_of(volume.view(), volume_params, nullptr, 1);
  const Labels map_expected = test::connected(map.view(), nullptr, map_params, 1);
  const std::vector<float> lab_expected = test::lab_of(photo().view(), 1);

  std::atomic<int> wrong{0};
  const auto check = [&](bool equal) { wrong += equal ? 0 : 1; };
  const std::function<void()> calls[] = {
      [&] { check(segment_photo(2) == photo_expected); },
      [&] { check(test::slic_of(volume.view(), volume_params, nullptr, 3) == volume_expected); },
      [&] { check(test::connected(map.view(), nullptr, map_params, 2) == map_expected); },
      [&] { check(test::lab_of(photo().view(), 4) == lab_expected); },
      [&] {
        for (int n = 1; n < 100; ++n) set_num_threads(n % 7);
        check(segment_photo(0) == photo_expected);
      },
  };
  std::vector<std::thread> callers;
  for (const auto& call : calls) {
    callers.emplace_back([&call] {
      for (int i = 0; i < 5; ++i) call();
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Threads, CallersMayComeAndGo) {
  const Labels expected = segment_photo(1);
  for (int i = 0; i < 5; ++i) {
    Labels found;
    std::thread([&] { found = segment_photo(2); }).join();
    EXPECT_EQ(found, expected);
  }
}

#ifdef HAVE_FORK

class Fork : public Threads {
 protected:
#ifdef UNDER_THREAD_SANITIZER
  void SetUp() override {
    GTEST_SKIP() << "ThreadSanitizer loses count of threads in the child of a process that had any";
  }
#endif

  /// Runs `child` in a forked child, which has a minute. It exits with 0 when `child` is true.
  static void in_child(const std::function<bool()>& child, bool by_exit = false) {
    std::fflush(nullptr);
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      int status = 1;
      try {
        status = child() ? 0 : 1;
      } catch (...) {
        status = 2;
      }
      if (by_exit) std::exit(status);
      _exit(status);
    }
    int status = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    pid_t done = 0;
    while ((done = waitpid(pid, &status, WNOHANG)) == 0) {
      if (std::chrono::steady_clock::now() > deadline) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        FAIL() << "the child hangs";
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ASSERT_EQ(done, pid);
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
};

TEST_F(Fork, ChildWorksAfterUseInTheParentAndSoDoesTheParent) {
  const Labels expected = segment_photo(3);
  for (int i = 0; i < 3; ++i) {
    in_child([&] { return segment_photo(3) == expected; });
    EXPECT_EQ(segment_photo(3), expected);
  }
}

TEST_F(Fork, ChildIsTheFirstToWork) {
  const Labels expected = segment_photo(1);
  in_child([&] { return segment_photo(2) == expected; });
}

TEST_F(Fork, GrandchildWorks) {
  const Labels expected = segment_photo(2);
  in_child([&] {
    const bool here = segment_photo(2) == expected;
    in_child([&] { return segment_photo(2) == expected; });
    return here && !HasFailure();
  });
}

TEST_F(Fork, ChildEndsThroughExit) {
#ifdef UNDER_ADDRESS_SANITIZER
  GTEST_SKIP() << "the parent's pool, which a child leaves alone, is a leak to LeakSanitizer";
#endif
  const Labels expected = segment_photo(2);
  in_child([] { return true; }, true);
  in_child([&] { return segment_photo(2) == expected; }, true);
}

TEST_F(Fork, ChildWorksWhenForkedInTheMiddleOfACall) {
#ifdef UNDER_ADDRESS_SANITIZER
  GTEST_SKIP() << "AddressSanitizer's allocator may be locked, for good, in the child";
#endif
  const Labels expected = segment_photo(2);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::thread busy([&] {
    while (!stop) wrong += segment_photo(2) == expected ? 0 : 1;
  });
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * i));
    in_child([&] { return segment_photo(2) == expected; });
  }
  stop = true;
  busy.join();
  EXPECT_EQ(wrong, 0);
}

#endif  // HAVE_FORK

}  // namespace
}  // namespace superpix
