// SPDX-License-Identifier: Apache-2.0
//
// Memory of a CUDA device, for NumPy arrays that are to be computed on there.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <superpix/error.h>

#include <cstddef>
#include <cstdint>

#include "array.h"
#include "cuda/memory.h"

namespace py = pybind11;

namespace superpix::python {
namespace {

ArrayView bytes_of(const py::array& array, const cuda::DeviceMemory& memory) {
  const ArrayView view = view_of(array, "array");
  if (!view.is_contiguous() || static_cast<std::size_t>(array.nbytes()) != memory.size()) {
    throw InvalidArgument("array must be C-contiguous and have as many bytes as the memory");
  }
  return view;
}

}  // namespace

void bind_device(py::module_& m) {
  using cuda::DeviceMemory;
  m.def("synchronize", &cuda::synchronize, py::arg("device_index"),
        py::call_guard<py::gil_scoped_release>());
  m.def(
      "copy_to_host",
      [](std::uintptr_t address, const py::array& array, int device_index) {
        const ArrayView view = output_of(array, "array", py::int_(0));
        if (!view.is_contiguous()) throw InvalidArgument("array must be C-contiguous");
        const auto bytes = static_cast<std::size_t>(array.nbytes());
        const py::gil_scoped_release release;
        cuda::copy_to_host(view.data, reinterpret_cast<const void*>(address), bytes, device_index);
      },
      py::arg("address"), py::arg("array"), py::arg("device_index"));
  m.def(
      "copy_rows",
      [](std::uintptr_t to, std::size_t to_pitch, std::uintptr_t from, std::size_t from_pitch,
         std::size_t width, std::size_t count, int device_index) {
        cuda::copy_rows({reinterpret_cast<void*>(to), to_pitch},
                        {reinterpret_cast<void*>(from), from_pitch}, width, count, device_index);
      },
      py::kw_only(), py::arg("to"), py::arg("to_pitch"), py::arg("from_"), py::arg("from_pitch"),
      py::arg("width"), py::arg("count"), py::arg("device_index"),
      py::call_guard<py::gil_scoped_release>());
  py::class_<DeviceMemory>(m, "DeviceMemory")
      .def(py::init<std::size_t, int>(), py::arg("bytes"), py::arg("device_index") = 0)
      .def("data_ptr",
           [](const DeviceMemory& self) { return reinterpret_cast<std::uintptr_t>(self.data()); })
      .def("copy_from",
           [](DeviceMemory& self, const py::array& array) {
             const ArrayView view = bytes_of(array, self);
             const py::gil_scoped_release release;
             if (self.size() > 0) self.copy_from(view.data);
           })
      .def("copy_to", [](const DeviceMemory& self, py::array array) {
        const ArrayView view = bytes_of(array, self);
        const py::gil_scoped_release release;
        if (self.size() > 0) self.copy_to(view.data);
      });
}

}  // namespace superpix::python
