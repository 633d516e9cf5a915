// SPDX-License-Identifier: Apache-2.0
//
// What the soft ops check of their arguments, in the same words, and how they get at their types.
#pragma once

#include <superpix/types.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <type_traits>

#include "detail/check.h"
#include "detail/half.h"

namespace superpix::detail {

/// Arguments over the pixels or superpixels of a batch of images: the first one, [B,*,H,W], and the
/// grid give the shapes and the dtype of all others.
class SoftArguments {
 public:
  static constexpr std::int64_t kMostChannels = 65536;
  static constexpr std::int64_t kMostPixels = std::numeric_limits<std::int32_t>::max();

  SoftArguments(const char* op, const ArrayView& first, const char* argument, std::int64_t rows,
                std::int64_t columns)
      : op_(op), first_(first) {
    if (!is_floating(first.dtype)) {
      throw InvalidType(std::string(op) + ": " + argument +
                        " must be float16, bfloat16, float32 or float64, got " + name(first.dtype));
    }
    check(first.ndim == 4, op, [&] {
      return std::string(argument) + " must be [B, C, H, W], got " + first.shape_string();
    });
    check_output(first, first.dtype, op, argument);
    check(first.shape[1] >= 1, op, [&] {
      return std::string(argument) + " must have channels, got " + first.shape_string();
    });
    check(first.shape[1] <= kMostChannels, op,
          [&] { return std::string(argument) + " must have at most 65536 channels"; });
    check(first.shape[3] == 0 || first.shape[2] <= kMostPixels / first.shape[3], op,
          [&] { return std::string(argument) + " must have at most 2^31 - 1 pixels an image"; });
    check(rows >= 1 && rows <= first.shape[2] && columns >= 1 && columns <= first.shape[3], op,
          [&] {
            return "the grid must have from 1 to H rows and from 1 to W columns, got " +
                   std::to_string(rows) + " x " + std::to_string(columns) + " for " +
                   first.shape_string();
          });
    num_cells_ = rows * columns;
  }

  /// [B,channels,H,W], or nullptr.
  void pixels(const ArrayView* view, const char* argument, std::int64_t channels) const {
    shape(view, argument, first_.dtype,
          {first_.shape[0], channels, first_.shape[2], first_.shape[3]});
  }
  /// [B,channels,K], or nullptr.
  void centers(const ArrayView* view, const char* argument, std::int64_t channels) const {
    shape(view, argument, first_.dtype, {first_.shape[0], channels, num_cells_});
  }
  /// [B,K] of the dtype that is computed in, or nullptr.
  void weights(const ArrayView* view, const char* argument) const {
    shape(view, argument, compute_dtype(), {first_.shape[0], num_cells_});
  }
  /// [B,H,W] of its own dtype.
  void labels(const ArrayView& view, const char* argument) const {
    shape(&view, argument, view.dtype, {first_.shape[0], first_.shape[2], first_.shape[3]});
  }
  /// `size` elements of the dtype that is computed in, or nullptr.
  void elements(const ArrayView* view, const char* argument, std::int64_t size) const {
    if (view == nullptr) return;
    check_output(*view, compute_dtype(), op_, argument);
    check(view->size() == size, op_, [&] {
      return std::string(argument) + " must have " + std::to_string(size) + " elements, got " +
             std::to_string(view->size());
    });
  }

 private:
  DType compute_dtype() const {
    return first_.dtype == DType::kFloat64 ? DType::kFloat64 : DType::kFloat32;
  }

  void shape(const ArrayView* view, const char* argument, DType dtype,
             std::initializer_list<std::int64_t> expected) const {
    if (view == nullptr) return;
    check_output(*view, dtype, op_, argument);
    const ArrayView wanted = ArrayView::contiguous(nullptr, dtype, expected);
    check(view->ndim == wanted.ndim && view->shape == wanted.shape, op_, [&] {
      return std::string(argument) + " must be " + wanted.shape_string() + ", got " +
             view->shape_string();
    });
  }

  const char* op_;
  const ArrayView& first_;
  std::int64_t num_cells_ = 0;
};

template <class T>
T* pointer(const ArrayView* view) {
  return view != nullptr ? static_cast<T*>(view->data) : nullptr;
}

/// Calls f(std::type_identity<S>{}) with the type of a floating point dtype.
template <class F>
void with_floating(DType dtype, F f) {
  switch (dtype) {
    case DType::kFloat16:
      return f(std::type_identity<Half>{});
    case DType::kBFloat16:
      return f(std::type_identity<BFloat16>{});
    case DType::kFloat32:
      return f(std::type_identity<float>{});
    default:
      return f(std::type_identity<double>{});
  }
}

}  // namespace superpix::detail
