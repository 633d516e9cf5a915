// SPDX-License-Identifier: Apache-2.0
//
// In place of png.cpp where there is no libpng.
#include <stdexcept>

#include "picture.h"

namespace {
constexpr const char* kWhy = ": only PPM can be read and written, as libpng was not found";
}

Picture read_png(const std::string& path) { throw std::runtime_error(path + kWhy); }
void write_png(const std::string& path, const Picture&) { throw std::runtime_error(path + kWhy); }
