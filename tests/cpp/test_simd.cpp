// SPDX-License-Identifier: Apache-2.0
//
// Labels and the bits of Lab values do not depend on the instruction set. Each runs in a process of
// its own, simd_checksums, and must print what the generic kernels print.
#include <gtest/gtest.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace superpix {
namespace {

#ifdef _WIN32
FILE* open_pipe(const char* command) { return _popen(command, "r"); }
int close_pipe(FILE* pipe) { return _pclose(pipe); }
void set_level(const std::string& level) { _putenv_s("SUPERPIX_SIMD", level.c_str()); }
#else
FILE* open_pipe(const char* command) { return popen(command, "r"); }
int close_pipe(FILE* pipe) { return pclose(pipe); }
void set_level(const std::string& level) { setenv("SUPERPIX_SIMD", level.c_str(), 1); }
#endif

struct Output {
  int status = -1;
  std::vector<std::string> lines;
};

/// What simd_checksums prints with these kernels; "" for the default.
Output run_with(const std::string& level) {
  set_level(level);
  Output output;
  FILE* pipe = open_pipe("\"" SIMD_CHECKSUMS "\"");
  if (pipe == nullptr) return output;
  std::string text;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  output.status = close_pipe(pipe);
  set_level("");
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) output.lines.push_back(line);
  return output;
}

class Simd : public ::testing::TestWithParam<const char*> {};

TEST_P(Simd, ComputesWhatTheGenericKernelsCompute) {
  const std::vector<std::string> available = simd_available();
  const std::string level = GetParam();
  if (std::find(available.begin(), available.end(), level) == available.end()) {
    GTEST_SKIP() << "this processor or build does not have " << level;
  }
  const Output expected = run_with("generic");
  ASSERT_EQ(expected.status, 0);
  ASSERT_EQ(expected.lines.front(), "level: generic");
  ASSERT_GT(expected.lines.size(), 500U);
  const Output found = run_with(level);
  ASSERT_EQ(found.status, 0) << found.lines.back();
  EXPECT_EQ(found.lines.front(), "level: " + level);
  ASSERT_EQ(found.lines.size(), expected.lines.size());
  for (std::size_t i = 1; i < found.lines.size(); ++i) EXPECT_EQ(found.lines[i], expected.lines[i]);
}

std::string with_underscores(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Level, Simd,
                         ::testing::Values("x86-64-v2", "x86-64-v3", "x86-64-v4", "x86-64-v4-vnni"),
                         with_underscores);

TEST(SimdLevel, EveryAvailableOneIsTested) {
  for (const std::string& level : simd_available()) {
    EXPECT_TRUE(level == "generic" || level == "x86-64-v2" || level == "x86-64-v3" ||
                level == "x86-64-v4" || level == "x86-64-v4-vnni")
        << level;
  }
}

TEST(SimdLevel, IsTheBestUnlessForced) {
  set_level("");
  EXPECT_EQ(simd_level(), simd_available().back());
}

TEST(SimdLevel, ThatDoesNotExistIsAnErrorThatNamesTheOthers) {
  const Output output = run_with("x86-64-v9");
  EXPECT_NE(output.status, 0);
  ASSERT_EQ(output.lines.size(), 1U);
  EXPECT_NE(output.lines.front().find("SUPERPIX_SIMD"), std::string::npos) << output.lines.front();
  EXPECT_NE(output.lines.front().find("generic"), std::string::npos) << output.lines.front();
}

}  // namespace
}  // namespace superpix
