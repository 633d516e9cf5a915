// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/numpy.h>
#include <superpix/types.h>

#include <optional>
#include <vector>

namespace superpix::python {

/// A view of a NumPy array: no copy, no conversion, any strides. Throws TypeError for a dtype that
/// the library has no name for, ValueError for too many dimensions.
ArrayView view_of(const pybind11::array& array, const char* argument);

/// What an op takes: a NumPy array, or (address, dtype name, shape) of C-contiguous memory, which
/// is how superpix.torch hands over tensors.
ArrayView view_of(pybind11::handle value, const char* argument);

/// The same for what an op writes all over.
ArrayView output_of(pybind11::handle value, const char* argument);

/// A view, or None.
class OptionalView {
 public:
  using Make = ArrayView (*)(pybind11::handle, const char*);

  OptionalView(pybind11::handle value, const char* argument, Make make = view_of) {
    if (!value.is_none()) view_ = make(value, argument);
  }
  const ArrayView* get() const { return view_ ? &*view_ : nullptr; }

 private:
  std::optional<ArrayView> view_;
};

/// A new C-contiguous int32 array, and its view.
pybind11::array_t<std::int32_t> new_labels(const std::vector<pybind11::ssize_t>& shape);

/// The context of a call on the CPU; num_threads 0 is the library's number.
Context cpu_context(int num_threads);

void bind_color(pybind11::module_& m);
void bind_connectivity(pybind11::module_& m);
void bind_hard_labels(pybind11::module_& m);
void bind_memory(pybind11::module_& m);
void bind_pool(pybind11::module_& m);
void bind_pyramid_pool(pybind11::module_& m);
void bind_runtime(pybind11::module_& m);
void bind_slic(pybind11::module_& m);
void bind_soft_pool(pybind11::module_& m);
void bind_soft_slic(pybind11::module_& m);

}  // namespace superpix::python
