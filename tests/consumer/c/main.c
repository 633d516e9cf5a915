/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <superpix/c.h>

/* Says what failed, and ends. */
static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, superpix_last_error());
  return 1;
}

int main(void) {
  enum { kHeight = 40, kWidth = 60, kPixels = kHeight * kWidth };
  static uint8_t pixels[kPixels * 3];
  static int32_t label_of[kPixels], relabelled[kPixels];
  static float red[kPixels], means[4];
  const int64_t image_shape[] = {kHeight, kWidth, 3};
  const int64_t features_shape[] = {1, 1, kHeight, kWidth}, pooled_shape[] = {1, 1, 4};
  const int64_t label_shape[] = {1, kHeight, kWidth};
  const superpix_array image = {pixels, SUPERPIX_UINT8, 3, image_shape, NULL};
  const superpix_array labels = {label_of, SUPERPIX_INT32, 2, label_shape + 1, NULL};
  const superpix_array output = {relabelled, SUPERPIX_INT32, 2, label_shape + 1, NULL};
  const superpix_array features = {red, SUPERPIX_FLOAT32, 4, features_shape, NULL};
  const superpix_array segments = {relabelled, SUPERPIX_INT32, 3, label_shape, NULL};
  const superpix_array pooled = {means, SUPERPIX_FLOAT32, 3, pooled_shape, NULL};
  superpix_slic_params params;
  superpix_connectivity_params connectivity;
  int64_t count = 0, connected = 0;
  int y, x, segment;

  /* Four quarters of different colours. */
  for (y = 0; y < kHeight; ++y) {
    for (x = 0; x < kWidth; ++x) {
      uint8_t* pixel = pixels + 3 * (y * kWidth + x);
      pixel[0] = y < 20 ? 200 : 30;
      pixel[1] = 90;
      pixel[2] = x < 30 ? 220 : 10;
      red[y * kWidth + x] = pixel[0];
    }
  }
  if (superpix_slic_defaults(&params) != SUPERPIX_OK) return failed("defaults");
  params.num_segments = 4;
  params.convert_to_lab = 1;
  if (superpix_slic(&image, NULL, &labels, &params, NULL, &count) != SUPERPIX_OK) {
    return failed("slic");
  }
  if (superpix_connectivity_defaults(&connectivity) != SUPERPIX_OK) return failed("defaults");
  connectivity.start_label = 0;
  if (superpix_enforce_connectivity(&labels, NULL, &output, &connectivity, NULL, &connected) !=
      SUPERPIX_OK) {
    return failed("enforce_connectivity");
  }
  if (superpix_pool(&features, &segments, &pooled, NULL, SUPERPIX_MEAN, NULL) != SUPERPIX_OK) {
    return failed("pool");
  }
  printf("superpix %s: %d superpixels, CUDA device: %s\n", superpix_version(), (int)count,
         superpix_cuda_available() ? "yes" : "no");
  for (segment = 0; segment < 4; ++segment) {
    if (means[segment] != (segment < 2 ? 200 : 30)) return failed("means");
  }

  /* A mistake has a status and a message. */
  params.compactness = -1;
  if (superpix_slic(&image, NULL, &labels, &params, NULL, &count) != SUPERPIX_INVALID_ARGUMENT ||
      strstr(superpix_last_error(), "compactness") == NULL) {
    return failed("an invalid argument");
  }
  return count == 4 && connected == 4 ? 0 : 1;
}
