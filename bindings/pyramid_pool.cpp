// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <superpix/error.h>
#include <superpix/pyramid_pool.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {
namespace {

using Bins = std::vector<std::int64_t>;

PyramidReduce reduce_of(const std::string& name) {
  if (name == "mean") return PyramidReduce::kMean;
  if (name == "max") return PyramidReduce::kMax;
  throw InvalidArgument("reduce must be 'mean' or 'max', got '" + name + "'");
}

}  // namespace

void bind_pyramid_pool(py::module_& m) {
  m.def(
      "pyramid_pool",
      [](py::handle features, py::handle pooled, py::handle indices, Bins bins,
         const std::string& reduce, py::handle where) {
        const ArrayView in = view_of(features, "features");
        const ArrayView out = output_of(pooled, "pooled", where);
        const OptionalView indices_out(indices, "indices", where);
        const PyramidPoolParams params{std::move(bins), reduce_of(reduce)};
        run(where, [&](const Context& context) {
          pyramid_pool(in, out, indices_out.get(), params, context);
        });
      },
      py::arg("features"), py::arg("pooled"), py::arg("indices"), py::arg("bins"),
      py::arg("reduce"), py::arg("where"));
  m.def(
      "pyramid_pool_backward",
      [](py::handle grad_pooled, py::handle indices, py::handle grad_features, Bins bins,
         const std::string& reduce, py::handle where) {
        const ArrayView in = view_of(grad_pooled, "grad_pooled");
        const OptionalView indices_in(indices, "indices");
        const ArrayView out = output_of(grad_features, "grad_features", where);
        const PyramidPoolParams params{std::move(bins), reduce_of(reduce)};
        run(where, [&](const Context& context) {
          pyramid_pool_backward(in, indices_in.get(), out, params, context);
        });
      },
      py::arg("grad_pooled"), py::arg("indices"), py::arg("grad_features"), py::arg("bins"),
      py::arg("reduce"), py::arg("where"));
  m.def("pyramid_pool_size", &pyramid_pool_size, py::arg("bins"));
}

}  // namespace superpix::python
