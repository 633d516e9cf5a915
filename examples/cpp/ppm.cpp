// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <limits>
#include <stdexcept>

#include "picture.h"

namespace {

/// The next number of a header, which may have comments before it.
std::int64_t read_number(std::istream& file) {
  while (file >> std::ws && file.peek() == '#') {
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  std::int64_t number = -1;
  file >> number;
  return number;
}

}  // namespace

Picture read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  char magic[2] = {};
  file.read(magic, 2);
  Picture picture;
  picture.width = read_number(file);
  picture.height = read_number(file);
  const std::int64_t most = read_number(file);
  constexpr std::int64_t kMostPixels = std::int64_t{1} << 31;
  if (magic[0] != 'P' || magic[1] != '6' || most != 255 || picture.width < 1 ||
      picture.height < 1 || picture.height > kMostPixels / picture.width) {
    throw std::runtime_error(path + ": not a binary PPM file with 8 bits a channel");
  }
  file.get();  // one white space
  picture.pixels.resize(static_cast<std::size_t>(3 * picture.height * picture.width));
  file.read(reinterpret_cast<char*>(picture.pixels.data()),
            static_cast<std::streamsize>(picture.pixels.size()));
  if (!file) throw std::runtime_error(path + ": ends before its last pixel");
  return picture;
}

void write_ppm(const std::string& path, const Picture& picture) {
  std::ofstream file(path, std::ios::binary);
  file << "P6\n" << picture.width << ' ' << picture.height << "\n255\n";
  file.write(reinterpret_cast<const char*>(picture.pixels.data()),
             static_cast<std::streamsize>(picture.pixels.size()));
  if (!file.flush()) throw std::runtime_error(path + ": cannot be written");
}
