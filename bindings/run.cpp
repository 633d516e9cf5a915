// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {

bool is_cuda(py::handle where) { return py::isinstance<py::tuple>(where); }

void run(py::handle where, const std::function<void(const Context&)>& op) {
  Context context;
  if (!is_cuda(where)) {
    context.num_threads = where.cast<int>();
    const py::gil_scoped_release release;
    op(context);
    return;
  }
  const auto parts = py::reinterpret_borrow<py::tuple>(where);
  context.device = Device::kCuda;
  context.device_index = parts[0].cast<int>();
  context.stream = reinterpret_cast<void*>(parts[1].cast<std::uintptr_t>());
  std::size_t bytes = 0;
  context.workspace_query = &bytes;
  op(context);
  context.workspace_query = nullptr;
  py::object workspace;
  if (bytes > 0) {
    workspace = parts[2](bytes);
    const auto address = workspace.attr("data_ptr")().cast<std::uintptr_t>();
    context.workspace = reinterpret_cast<void*>(address);
    context.workspace_size = bytes;
  }
  const py::gil_scoped_release release;
  op(context);
}

}  // namespace superpix::python
