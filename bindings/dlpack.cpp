// SPDX-License-Identifier: Apache-2.0
//
// Arrays of other libraries in and out, without copies.
#include "dlpack.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <superpix/error.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {
namespace {

std::optional<DType> dtype_of(const DLDataType& type) {
  struct Known {
    std::uint8_t code;
    std::uint8_t bits;
    DType dtype;
  };
  constexpr Known kKnown[] = {
      {kDLBool, 8, DType::kBool},        {kDLInt, 8, DType::kInt8},
      {kDLInt, 16, DType::kInt16},       {kDLInt, 32, DType::kInt32},
      {kDLInt, 64, DType::kInt64},       {kDLUInt, 8, DType::kUInt8},
      {kDLUInt, 16, DType::kUInt16},     {kDLUInt, 32, DType::kUInt32},
      {kDLUInt, 64, DType::kUInt64},     {kDLFloat, 16, DType::kFloat16},
      {kDLFloat, 32, DType::kFloat32},   {kDLFloat, 64, DType::kFloat64},
      {kDLBFloat, 16, DType::kBFloat16},
  };
  for (const Known& known : kKnown) {
    if (type.lanes == 1 && type.code == known.code && type.bits == known.bits) return known.dtype;
  }
  return std::nullopt;
}

DLDataType type_of(DType dtype) {
  const auto bits = static_cast<std::uint8_t>(8 * item_size(dtype));
  switch (dtype) {
    case DType::kBool:
      return {kDLBool, bits, 1};
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
      return {kDLInt, bits, 1};
    case DType::kUInt8:
    case DType::kUInt16:
    case DType::kUInt32:
    case DType::kUInt64:
      return {kDLUInt, bits, 1};
    case DType::kBFloat16:
      return {kDLBFloat, bits, 1};
    default:
      return {kDLFloat, bits, 1};
  }
}

py::tuple tuple_of(const std::vector<std::int64_t>& values) {
  py::tuple result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = values[i];
  return result;
}

/// An array that another library lent; it gets it back when this object goes.
class Borrowed {
 public:
  explicit Borrowed(py::capsule capsule) {
    if (std::string(capsule.name()) != "dltensor") {
      throw InvalidArgument("__dlpack__ must return a capsule of DLPack that nobody has used");
    }
    lent_ = capsule.get_pointer<DLManagedTensor>();
    capsule.set_name("used_dltensor");
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    if (lent_->deleter != nullptr) lent_->deleter(lent_);
  }

  std::uintptr_t address() const {
    return reinterpret_cast<std::uintptr_t>(lent_->tensor.data) + lent_->tensor.byte_offset;
  }
  /// The name of the dtype, or None for one that the library has no name for.
  py::object dtype() const {
    const std::optional<DType> dtype = dtype_of(lent_->tensor.dtype);
    return dtype ? py::object(py::str(name(*dtype))) : py::none();
  }
  std::vector<std::int64_t> shape() const {
    return {lent_->tensor.shape, lent_->tensor.shape + lent_->tensor.ndim};
  }
  /// In bytes.
  std::vector<std::int64_t> strides() const {
    const DLTensor& tensor = lent_->tensor;
    std::vector<std::int64_t> strides(static_cast<std::size_t>(tensor.ndim));
    std::int64_t step = tensor.dtype.bits / 8;
    for (std::size_t axis = strides.size(); axis-- > 0;) {
      strides[axis] =
          tensor.strides != nullptr ? tensor.strides[axis] * (tensor.dtype.bits / 8) : step;
      step *= tensor.shape[axis];
    }
    return strides;
  }

 private:
  DLManagedTensor* lent_;
};

/// What a capsule holds on to.
struct Lent {
  DLManagedTensor managed{};
  std::vector<std::int64_t> shape, strides;
  py::object owner;
};

void give_back(DLManagedTensor* managed) {
  const py::gil_scoped_acquire acquire;
  delete static_cast<Lent*>(managed->manager);
}

/// A capsule of CUDA memory that `owner` keeps alive. strides are in bytes.
py::capsule lend(std::uintptr_t address, const std::string& dtype_name,
                 std::vector<std::int64_t> shape, std::vector<std::int64_t> strides,
                 int device_index, py::object owner) {
  auto lent = std::make_unique<Lent>();
  const DType dtype = dtype_named(dtype_name, "dtype");
  for (std::int64_t& stride : strides) stride /= static_cast<std::int64_t>(item_size(dtype));
  lent->shape = std::move(shape);
  lent->strides = std::move(strides);
  lent->owner = std::move(owner);
  lent->managed.tensor = {reinterpret_cast<void*>(address),
                          {kDLCuda, device_index},
                          static_cast<std::int32_t>(lent->shape.size()),
                          type_of(dtype),
                          lent->shape.data(),
                          lent->strides.data(),
                          0};
  lent->managed.manager = lent.get();
  lent->managed.deleter = give_back;
  const auto drop = [](PyObject* capsule) {
    if (PyCapsule_IsValid(capsule, "dltensor") == 0) return;  // somebody took it
    auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
    managed->deleter(managed);
  };
  return py::reinterpret_steal<py::capsule>(
      PyCapsule_New(&lent.release()->managed, "dltensor", drop));
}

}  // namespace

void bind_dlpack(py::module_& m) {
  py::class_<Borrowed>(m, "Borrowed")
      .def(py::init<py::capsule>(), py::arg("capsule"))
      .def_property_readonly("address", &Borrowed::address)
      .def_property_readonly("dtype", &Borrowed::dtype)
      .def_property_readonly("shape", [](const Borrowed& self) { return tuple_of(self.shape()); })
      .def_property_readonly("strides",
                             [](const Borrowed& self) { return tuple_of(self.strides()); });
  m.def(
      "lend",
      [](std::uintptr_t address, const std::string& dtype, const py::tuple& shape,
         const py::tuple& strides, int device_index, py::object owner) {
        return lend(address, dtype, shape.cast<std::vector<std::int64_t>>(),
                    strides.cast<std::vector<std::int64_t>>(), device_index, std::move(owner));
      },
      py::arg("address"), py::arg("dtype"), py::arg("shape"), py::arg("strides"),
      py::arg("device_index"), py::arg("owner"));
}

}  // namespace superpix::python
