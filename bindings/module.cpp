// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <superpix/error.h>

#include <string_view>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {

ArrayView view_of(const py::array& array, const char* argument) {
  const auto refuse = [&](const std::string& why) {
    return py::type_error(std::string(argument) + why);
  };
  if (array.ndim() > kMaxDims) {
    throw py::value_error(std::string(argument) + " must have at most " + std::to_string(kMaxDims) +
                          " dimensions, got " + std::to_string(array.ndim()));
  }
  const py::dtype dtype = array.dtype();
  if (dtype.byteorder() == '>' || (dtype.byteorder() == '<' && PY_BIG_ENDIAN != 0)) {
    throw refuse(" must be in native byte order; use array.astype(array.dtype.newbyteorder('='))");
  }
  const auto pick = [&]() -> DType {
    const auto size = dtype.itemsize();
    switch (dtype.kind()) {
      case 'b':
        return DType::kBool;
      case 'i':
        return size == 1   ? DType::kInt8
               : size == 2 ? DType::kInt16
               : size == 4 ? DType::kInt32
                           : DType::kInt64;
      case 'u':
        return size == 1   ? DType::kUInt8
               : size == 2 ? DType::kUInt16
               : size == 4 ? DType::kUInt32
                           : DType::kUInt64;
      case 'f':
        if (size == 2) return DType::kFloat16;
        if (size == 4) return DType::kFloat32;
        if (size == 8) return DType::kFloat64;
        break;
      default:
        break;
    }
    throw refuse(" must be bool, integer, float16, float32 or float64, got " +
                 py::str(dtype).cast<std::string>());
  };
  ArrayView view;
  view.dtype = pick();
  view.data = const_cast<void*>(array.data());
  view.ndim = static_cast<int>(array.ndim());
  for (int axis = 0; axis < view.ndim; ++axis) {
    view.shape[axis] = array.shape(axis);
    view.strides[axis] = array.strides(axis);
  }
  return view;
}

DType dtype_named(std::string_view dtype, const char* argument) {
  for (int i = 0; i <= static_cast<int>(DType::kBFloat16); ++i) {
    const auto known = static_cast<DType>(i);
    if (dtype == name(known)) return known;
  }
  throw py::type_error(std::string(argument) + " must be floating or integer, got " +
                       std::string(dtype));
}

ArrayView view_of(py::handle value, const char* argument) {
  if (!py::isinstance<py::tuple>(value)) {
    return view_of(py::reinterpret_borrow<py::array>(value), argument);
  }
  const auto parts = py::reinterpret_borrow<py::tuple>(value);
  const auto shape = py::reinterpret_borrow<py::tuple>(parts[2]);
  if (shape.size() > kMaxDims) {
    throw py::value_error(std::string(argument) + " must have at most " + std::to_string(kMaxDims) +
                          " dimensions, got " + std::to_string(shape.size()));
  }
  ArrayView view;
  view.data = reinterpret_cast<void*>(parts[0].cast<std::uintptr_t>());
  view.dtype = dtype_named(parts[1].cast<std::string_view>(), argument);
  view.ndim = static_cast<int>(shape.size());
  auto stride = static_cast<std::int64_t>(item_size(view.dtype));
  for (int axis = view.ndim - 1; axis >= 0; --axis) {
    view.shape[axis] = shape[axis].cast<std::int64_t>();
    view.strides[axis] = stride;
    stride *= view.shape[axis];
  }
  if (parts.size() > 3) {
    const auto strides = py::reinterpret_borrow<py::tuple>(parts[3]);
    for (int axis = 0; axis < view.ndim; ++axis) {
      view.strides[axis] = strides[axis].cast<std::int64_t>();
    }
  }
  return view;
}

}  // namespace superpix::python

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  m.doc() = "The C++ core of superpix. Use the functions of the package, not these.";
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const superpix::InvalidType& e) {
      PyErr_SetString(PyExc_TypeError, e.what());
    } catch (const superpix::InvalidArgument& e) {
      PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const superpix::CudaError& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    } catch (const superpix::DeviceUnavailable& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    }
  });
  superpix::python::bind_color(m);
  superpix::python::bind_connectivity(m);
  superpix::python::bind_device(m);
  superpix::python::bind_dlpack(m);
  superpix::python::bind_hard_labels(m);
  superpix::python::bind_memory(m);
  superpix::python::bind_pool(m);
  superpix::python::bind_pyramid_pool(m);
  superpix::python::bind_runtime(m);
  superpix::python::bind_slic(m);
  superpix::python::bind_soft_pool(m);
  superpix::python::bind_soft_slic(m);
}
