// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <superpix/soft_slic.h>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {

void bind_soft_slic(py::module_& m) {
  m.def(
      "soft_slic",
      [](py::handle features, py::handle initial_centers, py::handle association,
         py::handle centers, py::handle history, std::int64_t rows, std::int64_t columns,
         int num_iter, double temperature, py::handle where) {
        const ArrayView in = view_of(features, "features");
        const OptionalView start(initial_centers, "initial_centers");
        const OptionalView association_out(association, "association", where);
        const ArrayView centers_out = output_of(centers, "centers", where);
        const OptionalView history_out(history, "history", where);
        run(where, [&](const Context& context) {
          soft_slic(in, start.get(), association_out.get(), centers_out, history_out.get(),
                    {rows, columns, num_iter, temperature, 0}, context);
        });
      },
      py::arg("features"), py::arg("initial_centers"), py::arg("association"), py::arg("centers"),
      py::arg("history"), py::arg("rows"), py::arg("columns"), py::arg("num_iter"),
      py::arg("temperature"), py::arg("where"));
  m.def(
      "soft_slic_backward",
      [](py::handle features, py::handle history, py::handle grad_association,
         py::handle grad_centers, py::handle grad_features, py::handle grad_initial,
         std::int64_t rows, std::int64_t columns, int num_iter, double temperature, int grad_iter,
         py::handle where) {
        const ArrayView in = view_of(features, "features");
        const ArrayView history_in = view_of(history, "history");
        const OptionalView association_in(grad_association, "grad_association");
        const OptionalView centers_in(grad_centers, "grad_centers");
        const ArrayView features_out = output_of(grad_features, "grad_features", where);
        const OptionalView initial_out(grad_initial, "grad_initial", where);
        run(where, [&](const Context& context) {
          soft_slic_backward(in, history_in, association_in.get(), centers_in.get(), features_out,
                             initial_out.get(), {rows, columns, num_iter, temperature, grad_iter},
                             context);
        });
      },
      py::arg("features"), py::arg("history"), py::arg("grad_association"), py::arg("grad_centers"),
      py::arg("grad_features"), py::arg("grad_initial"), py::arg("rows"), py::arg("columns"),
      py::arg("num_iter"), py::arg("temperature"), py::arg("grad_iter"), py::arg("where"));
}

}  // namespace superpix::python
