// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <superpix/soft_slic.h>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {
namespace {

SoftSlicParams make_params(std::int64_t rows, std::int64_t columns, int num_iter,
                           double temperature) {
  SoftSlicParams params;
  params.rows = rows;
  params.columns = columns;
  params.num_iter = num_iter;
  params.temperature = temperature;
  return params;
}

}  // namespace

void bind_soft_slic(py::module_& m) {
  m.def(
      "soft_slic",
      [](const py::array& features, const std::optional<py::array>& initial_centers,
         std::int64_t rows, std::int64_t columns, int num_iter, double temperature,
         int num_threads) {
        const ArrayView in = view_of(features, "features");
        if (in.ndim != 4) throw py::value_error("features must be [B, C, H, W] here");
        const ArrayView start =
            initial_centers ? view_of(*initial_centers, "initial_centers") : ArrayView{};
        py::array association(features.dtype(),
                              std::vector<py::ssize_t>{in.shape[0], 9, in.shape[2], in.shape[3]});
        py::array centers(features.dtype(),
                          std::vector<py::ssize_t>{in.shape[0], in.shape[1], rows * columns});
        const ArrayView association_view = view_of(association, "association");
        const ArrayView centers_view = view_of(centers, "centers");
        {
          const py::gil_scoped_release release;
          soft_slic(in, initial_centers ? &start : nullptr, &association_view, centers_view,
                    nullptr, make_params(rows, columns, num_iter, temperature),
                    cpu_context(num_threads));
        }
        return py::make_tuple(association, centers);
      },
      py::arg("features").noconvert(), py::arg("initial_centers").noconvert(), py::kw_only(),
      py::arg("rows"), py::arg("columns"), py::arg("num_iter"), py::arg("temperature"),
      py::arg("num_threads"));
}

}  // namespace superpix::python
