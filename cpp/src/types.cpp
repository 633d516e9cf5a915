// SPDX-License-Identifier: Apache-2.0
#include <superpix/error.h>
#include <superpix/types.h>

#include <algorithm>

#include "detail/check.h"

namespace superpix {

std::size_t item_size(DType dtype) noexcept {
  switch (dtype) {
    case DType::kBool:
    case DType::kInt8:
    case DType::kUInt8:
      return 1;
    case DType::kInt16:
    case DType::kUInt16:
    case DType::kFloat16:
    case DType::kBFloat16:
      return 2;
    case DType::kInt32:
    case DType::kUInt32:
    case DType::kFloat32:
      return 4;
    case DType::kInt64:
    case DType::kUInt64:
    case DType::kFloat64:
      return 8;
  }
  return 0;
}

const char* name(DType dtype) noexcept {
  switch (dtype) {
    case DType::kBool:
      return "bool";
    case DType::kInt8:
      return "int8";
    case DType::kInt16:
      return "int16";
    case DType::kInt32:
      return "int32";
    case DType::kInt64:
      return "int64";
    case DType::kUInt8:
      return "uint8";
    case DType::kUInt16:
      return "uint16";
    case DType::kUInt32:
      return "uint32";
    case DType::kUInt64:
      return "uint64";
    case DType::kFloat16:
      return "float16";
    case DType::kFloat32:
      return "float32";
    case DType::kFloat64:
      return "float64";
    case DType::kBFloat16:
      return "bfloat16";
  }
  return "?";
}

ArrayView ArrayView::contiguous(void* data, DType dtype,
                                std::initializer_list<std::int64_t> shape) {
  if (shape.size() > static_cast<std::size_t>(kMaxDims)) {
    throw InvalidArgument("ArrayView: shape must have at most 5 sizes, got " +
                          std::to_string(shape.size()));
  }
  ArrayView view;
  view.data = data;
  view.dtype = dtype;
  view.ndim = static_cast<int>(shape.size());
  std::copy(shape.begin(), shape.end(), view.shape.begin());
  detail::check_shape(view, "ArrayView", "shape");
  auto stride = static_cast<std::int64_t>(item_size(dtype));
  for (int axis = view.ndim - 1; axis >= 0; --axis) {
    view.strides[axis] = stride;
    stride *= view.shape[axis];
  }
  return view;
}

std::int64_t ArrayView::size() const noexcept {
  std::int64_t n = 1;
  for (int axis = 0; axis < ndim; ++axis) n *= shape[axis];
  return n;
}

bool ArrayView::is_contiguous() const noexcept {
  if (size() == 0) return true;
  auto stride = static_cast<std::int64_t>(item_size(dtype));
  for (int axis = ndim - 1; axis >= 0; --axis) {
    if (shape[axis] != 1 && strides[axis] != stride) return false;
    stride *= shape[axis];
  }
  return true;
}

std::string ArrayView::shape_string() const {
  std::string text = "[";
  for (int axis = 0; axis < ndim; ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  return text + "]";
}

}  // namespace superpix
