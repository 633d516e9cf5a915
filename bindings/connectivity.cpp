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
      [](const py::array& labels, std::int64_t min_size, std::int64_t max_size,
         const std::optional<py::array>& image, std::int32_t start_label, int num_threads) {
        const ArrayView in = view_of(labels, "labels");
        const ArrayView colors = image ? view_of(*image, "image") : ArrayView{};
        py::array_t<std::int32_t> output =
            new_labels({labels.shape(), labels.shape() + labels.ndim()});
        const ArrayView out = view_of(output, "output");
        ConnectivityParams params;
        params.min_size = min_size;
        params.max_size = max_size;
        params.start_label = start_label;
        {
          const py::gil_scoped_release release;
          enforce_connectivity(in, image ? &colors : nullptr, out, params,
                               cpu_context(num_threads));
        }
        return output;
      },
      py::arg("labels").noconvert(), py::arg("min_size"), py::arg("max_size"),
      py::arg("image").noconvert(), py::arg("start_label"), py::arg("num_threads"));
}

}  // namespace superpix::python
