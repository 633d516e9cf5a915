// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <superpix/connectivity.h>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {

void bind_connectivity(py::module_& m) {
  m.def(
      "enforce_connectivity",
      [](py::handle labels, py::handle image, py::handle output, std::int64_t min_size,
         std::int64_t max_size, std::int64_t max_segments, std::int32_t start_label,
         int refine_iter, double position_weight, double smoothness, py::handle where) {
        const ArrayView in = view_of(labels, "labels");
        const OptionalView colors(image, "image");
        const ArrayView out = output_of(output, "output", where);
        const ConnectivityParams params{min_size,        max_size,   start_label, refine_iter,
                                        position_weight, smoothness, max_segments};
        run(where, [&](const Context& context) {
          enforce_connectivity(in, colors.get(), out, params, context);
        });
      },
      py::arg("labels"), py::arg("image"), py::arg("output"), py::arg("min_size"),
      py::arg("max_size"), py::arg("max_segments"), py::arg("start_label"), py::arg("refine_iter"),
      py::arg("position_weight"), py::arg("smoothness"), py::arg("where"));
}

}  // namespace superpix::python
