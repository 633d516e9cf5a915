// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <superpix/soft_pool.h>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {

void bind_soft_pool(py::module_& m) {
  m.def(
      "soft_pool",
      [](py::handle values, py::handle association, py::handle pooled, py::handle weights,
         std::int64_t rows, std::int64_t columns, double eps, py::handle where) {
        const ArrayView values_in = view_of(values, "values");
        const ArrayView association_in = view_of(association, "association");
        const ArrayView pooled_out = output_of(pooled, "pooled", where);
        const OptionalView weights_out(weights, "weights", where);
        run(where, [&](const Context& context) {
          soft_pool(values_in, association_in, pooled_out, weights_out.get(), {rows, columns, eps},
                    context);
        });
      },
      py::arg("values"), py::arg("association"), py::arg("pooled"), py::arg("weights"),
      py::arg("rows"), py::arg("columns"), py::arg("eps"), py::arg("where"));
  m.def(
      "soft_pool_backward",
      [](py::handle values, py::handle association, py::handle pooled, py::handle weights,
         py::handle grad_pooled, py::handle grad_values, py::handle grad_association,
         std::int64_t rows, std::int64_t columns, double eps, py::handle where) {
        const ArrayView values_in = view_of(values, "values");
        const ArrayView association_in = view_of(association, "association");
        const ArrayView pooled_in = view_of(pooled, "pooled");
        const ArrayView weights_in = view_of(weights, "weights");
        const ArrayView grad_in = view_of(grad_pooled, "grad_pooled");
        const OptionalView values_out(grad_values, "grad_values", where);
        const OptionalView association_out(grad_association, "grad_association", where);
        run(where, [&](const Context& context) {
          soft_pool_backward(values_in, association_in, pooled_in, weights_in, grad_in,
                             values_out.get(), association_out.get(), {rows, columns, eps},
                             context);
        });
      },
      py::arg("values"), py::arg("association"), py::arg("pooled"), py::arg("weights"),
      py::arg("grad_pooled"), py::arg("grad_values"), py::arg("grad_association"), py::arg("rows"),
      py::arg("columns"), py::arg("eps"), py::arg("where"));
  m.def(
      "soft_unpool",
      [](py::handle centers, py::handle association, py::handle out, std::int64_t rows,
         std::int64_t columns, bool normalize, py::handle where) {
        const ArrayView centers_in = view_of(centers, "centers");
        const ArrayView association_in = view_of(association, "association");
        const ArrayView result = output_of(out, "out", where);
        run(where, [&](const Context& context) {
          soft_unpool(centers_in, association_in, result, {rows, columns, normalize}, context);
        });
      },
      py::arg("centers"), py::arg("association"), py::arg("out"), py::arg("rows"),
      py::arg("columns"), py::arg("normalize"), py::arg("where"));
  m.def(
      "soft_unpool_backward",
      [](py::handle centers, py::handle association, py::handle grad_out, py::handle grad_centers,
         py::handle grad_association, std::int64_t rows, std::int64_t columns, bool normalize,
         py::handle where) {
        const ArrayView centers_in = view_of(centers, "centers");
        const ArrayView association_in = view_of(association, "association");
        const ArrayView grad_in = view_of(grad_out, "grad_out");
        const OptionalView centers_out(grad_centers, "grad_centers", where);
        const OptionalView association_out(grad_association, "grad_association", where);
        run(where, [&](const Context& context) {
          soft_unpool_backward(centers_in, association_in, grad_in, centers_out.get(),
                               association_out.get(), {rows, columns, normalize}, context);
        });
      },
      py::arg("centers"), py::arg("association"), py::arg("grad_out"), py::arg("grad_centers"),
      py::arg("grad_association"), py::arg("rows"), py::arg("columns"), py::arg("normalize"),
      py::arg("where"));
}

}  // namespace superpix::python
