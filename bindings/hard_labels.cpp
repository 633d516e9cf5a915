// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <superpix/hard_labels.h>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {

void bind_hard_labels(py::module_& m) {
  m.def(
      "hard_labels",
      [](py::handle association, py::handle labels, std::int64_t rows, std::int64_t columns,
         py::handle where) {
        const ArrayView in = view_of(association, "association");
        const ArrayView out = output_of(labels, "labels", where);
        run(where, [&](const Context& context) { hard_labels(in, out, {rows, columns}, context); });
      },
      py::arg("association"), py::arg("labels"), py::arg("rows"), py::arg("columns"),
      py::arg("where"));
}

}  // namespace superpix::python
