// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <superpix/device.h>
#include <superpix/threads.h>
#include <superpix/version.h>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {
namespace {

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#elif defined(_MSC_VER)
  return "MSVC " + std::to_string(_MSC_VER);
#else
  return "unknown";
#endif
}

}  // namespace

void bind_runtime(py::module_& m) {
  m.attr("__version__") = SUPERPIX_VERSION;
  m.def("compiler", &compiler);
  m.def("set_num_threads", &set_num_threads, py::arg("n"));
  m.def("get_num_threads", &get_num_threads);
  m.def("built_with_cuda", &built_with_cuda);
  m.def("cuda_available", &cuda_available);
  m.def("cuda_devices", &cuda_devices);
  m.def("simd_level", &simd_level);
  m.def("simd_available", &simd_available);
}

}  // namespace superpix::python
