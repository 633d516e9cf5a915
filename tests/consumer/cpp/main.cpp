// SPDX-License-Identifier: Apache-2.0
#include <superpix/superpix.h>

#include <cstdint>
#include <cstdio>
#include <vector>

int main() {
  // Four quarters of different colours.
  std::vector<std::uint8_t> image;
  for (int y = 0; y < 40; ++y) {
    for (int x = 0; x < 60; ++x) {
      const int red = y < 20 ? 200 : 30, blue = x < 30 ? 220 : 10;
      image.insert(image.end(),
                   {static_cast<std::uint8_t>(red), 90, static_cast<std::uint8_t>(blue)});
    }
  }
  std::vector<std::int32_t> labels(40 * 60);
  superpix::SlicParams params;
  params.num_segments = 4;
  params.convert_to_lab = true;
  const auto count =
      superpix::slic(superpix::ArrayView::contiguous(image.data(), {40, 60, 3}), nullptr,
                     superpix::ArrayView::contiguous(labels.data(), {40, 60}), params);
  std::printf("superpix %s: %d superpixels, CUDA device: %s\n", SUPERPIX_VERSION,
              static_cast<int>(count), superpix::cuda_available() ? "yes" : "no");
  return count == 4 && labels.front() != labels.back() ? 0 : 1;
}
