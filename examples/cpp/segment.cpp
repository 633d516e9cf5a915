// SPDX-License-Identifier: Apache-2.0
//
// Superpixels of a photograph, from the command line:
//     segment photo.png superpixels.png 400
// reads PPM (and PNG, if libpng was found), and writes the picture with the borders drawn in.
#include <superpix/superpix.h>

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "picture.h"

namespace {

bool is_png(const std::string& path) { return path.ends_with(".png"); }

Picture read_picture(const std::string& path) {
  return is_png(path) ? read_png(path) : read_ppm(path);
}

void write_picture(const std::string& path, const Picture& picture) {
  if (is_png(path)) {
    write_png(path, picture);
  } else {
    write_ppm(path, picture);
  }
}

std::int64_t read_number(const std::string& text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || number < 1) {
    throw std::runtime_error("NUMBER OF SUPERPIXELS must be a whole number from 1 on, got " + text);
  }
  return number;
}

/// Paints pixels whose right or lower neighbour has another label.
void draw_borders(Picture& picture, const std::vector<std::int32_t>& labels) {
  for (std::int64_t y = 0; y < picture.height; ++y) {
    for (std::int64_t x = 0; x < picture.width; ++x) {
      const std::int64_t here = y * picture.width + x;
      const bool at_border =
          (x + 1 < picture.width && labels[here] != labels[here + 1]) ||
          (y + 1 < picture.height && labels[here] != labels[here + picture.width]);
      if (!at_border) continue;
      std::uint8_t* pixel = picture.at(y, x);
      pixel[0] = 255;
      pixel[1] = 255;
      pixel[2] = 0;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fprintf(stderr, "usage: %s PICTURE OUTPUT [NUMBER OF SUPERPIXELS]\n", argv[0]);
    return 2;
  }
  try {
    Picture picture = read_picture(argv[1]);
    superpix::SlicParams params;
    params.num_segments = 400;
    if (argc == 4) params.num_segments = read_number(argv[3]);
    params.convert_to_lab = true;
    std::vector<std::int32_t> labels(picture.pixels.size() / 3);
    using superpix::ArrayView;
    const std::int64_t count = superpix::slic(
        ArrayView::contiguous(picture.pixels.data(), {picture.height, picture.width, 3}), nullptr,
        ArrayView::contiguous(labels.data(), {picture.height, picture.width}), params);
    draw_borders(picture, labels);
    write_picture(argv[2], picture);
    std::printf("%lld superpixels\n", static_cast<long long>(count));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
