// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <superpix/error.h>
#include <superpix/pool.h>

#include <string>
#include <string_view>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {
namespace {

Reduce reduce_of(std::string_view name) {
  if (name == "sum") return Reduce::kSum;
  if (name == "mean") return Reduce::kMean;
  if (name == "max") return Reduce::kMax;
  if (name == "min") return Reduce::kMin;
  throw InvalidArgument("reduce must be 'sum', 'mean', 'max' or 'min', got '" + std::string(name) +
                        "'");
}

}  // namespace

void bind_pool(py::module_& m) {
  m.def(
      "pool",
      [](py::handle features, py::handle labels, py::handle pooled, py::handle saved,
         std::string_view reduce, py::handle where) {
        const ArrayView in = view_of(features, "features");
        const ArrayView labels_in = view_of(labels, "labels");
        const ArrayView out = output_of(pooled, "pooled", where);
        const OptionalView saved_out(saved, "saved", where);
        const Reduce how = reduce_of(reduce);
        run(where, [&](const Context& context) {
          pool(in, labels_in, out, saved_out.get(), how, context);
        });
      },
      py::arg("features"), py::arg("labels"), py::arg("pooled"), py::arg("saved"),
      py::arg("reduce"), py::arg("where"));
  m.def(
      "pool_backward",
      [](py::handle grad_pooled, py::handle labels, py::handle saved, py::handle grad_features,
         std::string_view reduce, py::handle where) {
        const ArrayView in = view_of(grad_pooled, "grad_pooled");
        const ArrayView labels_in = view_of(labels, "labels");
        const OptionalView saved_in(saved, "saved");
        const ArrayView out = output_of(grad_features, "grad_features", where);
        const Reduce how = reduce_of(reduce);
        run(where, [&](const Context& context) {
          pool_backward(in, labels_in, saved_in.get(), out, how, context);
        });
      },
      py::arg("grad_pooled"), py::arg("labels"), py::arg("saved"), py::arg("grad_features"),
      py::arg("reduce"), py::arg("where"));
  m.def(
      "pool_saved_shape",
      [](std::int64_t batch, std::int64_t channels, std::int64_t num_segments,
         std::string_view reduce) {
        const ArrayView layout =
            pool_saved_layout(batch, channels, num_segments, reduce_of(reduce));
        py::tuple shape(layout.ndim);
        for (int axis = 0; axis < layout.ndim; ++axis) shape[axis] = layout.shape[axis];
        return shape;
      },
      py::arg("batch"), py::arg("channels"), py::arg("num_segments"), py::arg("reduce"));
  m.def(
      "unpool",
      [](py::handle pooled, py::handle labels, py::handle out, py::handle where) {
        const ArrayView in = view_of(pooled, "pooled");
        const ArrayView labels_in = view_of(labels, "labels");
        const ArrayView to = output_of(out, "out", where);
        run(where, [&](const Context& context) { unpool(in, labels_in, to, context); });
      },
      py::arg("pooled"), py::arg("labels"), py::arg("out"), py::arg("where"));
  m.def(
      "unpool_backward",
      [](py::handle grad_out, py::handle labels, py::handle grad_pooled, py::handle where) {
        const ArrayView in = view_of(grad_out, "grad_out");
        const ArrayView labels_in = view_of(labels, "labels");
        const ArrayView to = output_of(grad_pooled, "grad_pooled", where);
        run(where, [&](const Context& context) { unpool_backward(in, labels_in, to, context); });
      },
      py::arg("grad_out"), py::arg("labels"), py::arg("grad_pooled"), py::arg("where"));
}

}  // namespace superpix::python
