// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <superpix/color.h>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {

void bind_color(py::module_& m) {
  m.def(
      "rgb_to_lab",
      [](const py::array& image, int num_threads) {
        const ArrayView rgb = view_of(image, "image");
        py::array_t<float> lab(
            std::vector<py::ssize_t>(image.shape(), image.shape() + image.ndim()));
        const ArrayView out = view_of(lab, "lab");
        {
          const py::gil_scoped_release release;
          rgb_to_lab(rgb, out, cpu_context(num_threads));
        }
        return lab;
      },
      py::arg("image").noconvert(), py::arg("num_threads"));
}

}  // namespace superpix::python
