// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <superpix/slic.h>

#include <tuple>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {
namespace {

// As Python has a SeedGrid: cells, num_seeds, num_pixels.
using SeedTuple = std::tuple<std::array<std::int64_t, 3>, std::int64_t, std::int64_t>;

}  // namespace

void bind_slic(py::module_& m) {
  m.attr("CHROMA_WEIGHT") = kChromaWeight;
  m.def(
      "slic",
      [](py::handle image, py::handle mask, py::handle labels, std::int64_t num_segments,
         double compactness, int max_num_iter, const std::array<double, 3>& sigma,
         const std::array<double, 3>& spacing, bool convert_to_lab,
         const std::optional<std::pair<double, double>>& value_range, bool slic_zero,
         bool perturb_seeds, bool enforce_connectivity, double min_size_factor,
         double max_size_factor, int refine_iter, std::int32_t start_label,
         const std::optional<SeedTuple>& seed_grid, py::handle where) {
        const ArrayView in = view_of(image, "image");
        const OptionalView inside(mask, "mask");
        const ArrayView out = output_of(labels, "labels", where);
        SlicParams params;
        params.num_segments = num_segments;
        params.compactness = compactness;
        params.max_num_iter = max_num_iter;
        params.sigma = sigma;
        params.spacing = spacing;
        params.convert_to_lab = convert_to_lab;
        params.value_range = value_range;
        params.slic_zero = slic_zero;
        params.perturb_seeds = perturb_seeds;
        params.enforce_connectivity = enforce_connectivity;
        params.min_size_factor = min_size_factor;
        params.max_size_factor = max_size_factor;
        params.refine_iter = refine_iter;
        params.start_label = start_label;
        if (seed_grid) {
          params.seed_grid =
              SeedGrid{std::get<0>(*seed_grid), std::get<1>(*seed_grid), std::get<2>(*seed_grid)};
        }
        run(where, [&](const Context& context) { slic(in, inside.get(), out, params, context); });
      },
      py::arg("image"), py::arg("mask"), py::arg("labels"), py::kw_only(), py::arg("num_segments"),
      py::arg("compactness"), py::arg("max_num_iter"), py::arg("sigma"), py::arg("spacing"),
      py::arg("convert_to_lab"), py::arg("value_range"), py::arg("slic_zero"),
      py::arg("perturb_seeds"), py::arg("enforce_connectivity"), py::arg("min_size_factor"),
      py::arg("max_size_factor"), py::arg("refine_iter"), py::arg("start_label"),
      py::arg("seed_grid"), py::arg("where"));
  m.def(
      "choose_seed_grid",
      [](const py::array& mask, std::int64_t num_segments, const std::array<double, 3>& spacing) {
        const ArrayView in = view_of(mask, "mask");
        SlicParams params;
        params.num_segments = num_segments;
        params.spacing = spacing;
        const py::gil_scoped_release release;
        const SeedGrid grid = choose_seed_grid(in, params);
        return SeedTuple{grid.cells, grid.num_seeds, grid.num_pixels};
      },
      py::arg("mask"), py::arg("num_segments"), py::arg("spacing"));
}

}  // namespace superpix::python
