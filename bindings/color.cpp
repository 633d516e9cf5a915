// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <superpix/color.h>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {

void bind_color(py::module_& m) {
  m.def(
      "rgb_to_lab",
      [](py::handle image, py::handle lab, py::handle where) {
        const ArrayView rgb = view_of(image, "image");
        const ArrayView out = output_of(lab, "lab", where);
        run(where, [&](const Context& context) { rgb_to_lab(rgb, out, context); });
      },
      py::arg("image"), py::arg("lab"), py::arg("where"));
}

}  // namespace superpix::python
