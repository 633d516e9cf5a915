// SPDX-License-Identifier: Apache-2.0
//
// Pictures in files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// Red, green and blue, row by row.
struct Picture {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<std::uint8_t> pixels;

  std::uint8_t* at(std::int64_t y, std::int64_t x) { return &pixels[3 * (y * width + x)]; }
};

/// Binary PPM (P6) with values up to 255. Throws std::runtime_error, as all here.
Picture read_ppm(const std::string& path);
void write_ppm(const std::string& path, const Picture& picture);

/// PNG of any kind, as 8 bits a channel without transparency.
Picture read_png(const std::string& path);
void write_png(const std::string& path, const Picture& picture);
