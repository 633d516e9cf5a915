// SPDX-License-Identifier: Apache-2.0
#include <superpix/color.h>

#include "cpu/color.h"
#include "cuda/color.h"
#include "detail/check.h"
#include "detail/check_device.h"
#include "detail/resolve_threads.h"

namespace superpix {

void rgb_to_lab(const ArrayView& image, const ArrayView& lab, const Context& context) {
  constexpr const char* kOp = "rgb_to_lab";
  const bool on_cuda = detail::on_cuda(context, kOp);
  detail::check(image.ndim >= 1 && image.ndim <= 4 && image.shape[image.ndim - 1] == 3, kOp, [&] {
    return "image must be [..., 3] with at most 4 dimensions, got " + image.shape_string();
  });
  switch (image.dtype) {
    case DType::kUInt8:
    case DType::kUInt16:
    case DType::kFloat16:
    case DType::kFloat32:
    case DType::kFloat64:
      break;
    default:
      throw InvalidType(std::string(kOp) +
                        ": image must be uint8, uint16, float16, float32 or float64, got " +
                        name(image.dtype));
  }
  detail::check_data(image, kOp, "image");
  detail::check_output(lab, DType::kFloat32, kOp, "lab");
  detail::check(lab.ndim == image.ndim && lab.shape == image.shape, kOp, [&] {
    return "lab must have the shape of image, " + image.shape_string() + ", got " +
           lab.shape_string();
  });
  if (on_cuda) return cuda::rgb_to_lab(image, lab, context);
  const int num_threads = detail::resolve_threads(context.num_threads, kOp);
  if (detail::answers_query(context)) return;
  cpu::rgb_to_lab(image, static_cast<float*>(lab.data), num_threads);
}

}  // namespace superpix
