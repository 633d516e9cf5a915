// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/numpy.h>
#include <superpix/types.h>

#include <functional>
#include <optional>
#include <string_view>

namespace superpix::python {

/// A view of a NumPy array: no copy, no conversion, any strides. Throws TypeError for a dtype that
/// the library has no name for, ValueError for too many dimensions.
ArrayView view_of(const pybind11::array& array, const char* argument);

/// The dtype of a name. Throws TypeError for one that the library does not know.
DType dtype_named(std::string_view name, const char* argument);

/// What an op takes: a NumPy array, or (address, dtype name, shape) of C-contiguous memory, which
/// is how superpix.torch hands over tensors, or the same with strides in bytes.
ArrayView view_of(pybind11::handle value, const char* argument);

/// The same for what an op that runs at `where` writes all over.
ArrayView output_of(pybind11::handle value, const char* argument, pybind11::handle where);

/// A view, or None.
class OptionalView {
 public:
  OptionalView(pybind11::handle value, const char* argument) {
    if (!value.is_none()) view_ = view_of(value, argument);
  }
  OptionalView(pybind11::handle value, const char* argument, pybind11::handle where) {
    if (!value.is_none()) view_ = output_of(value, argument, where);
  }
  const ArrayView* get() const { return view_ ? &*view_ : nullptr; }

 private:
  std::optional<ArrayView> view_;
};

/// Whether `where` is CUDA: (device index, address of a stream, allocate), allocate(bytes)
/// returning an object with data_ptr(), whose memory is the op's until it has returned. Else it is
/// a number of threads of the CPU; 0 is the library's.
bool is_cuda(pybind11::handle where);

/// Calls op(context) without the GIL.
void run(pybind11::handle where, const std::function<void(const Context&)>& op);

void bind_color(pybind11::module_& m);
void bind_connectivity(pybind11::module_& m);
void bind_device(pybind11::module_& m);
void bind_dlpack(pybind11::module_& m);
void bind_hard_labels(pybind11::module_& m);
void bind_memory(pybind11::module_& m);
void bind_pool(pybind11::module_& m);
void bind_pyramid_pool(pybind11::module_& m);
void bind_runtime(pybind11::module_& m);
void bind_slic(pybind11::module_& m);
void bind_soft_pool(pybind11::module_& m);
void bind_soft_slic(pybind11::module_& m);

}  // namespace superpix::python
