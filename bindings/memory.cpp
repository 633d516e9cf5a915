// SPDX-License-Identifier: Apache-2.0
//
// Memory for large outputs: an object with Python's buffer protocol, whose pages come from, and go
// back to, what the library keeps.
#include "cpu/memory.h"

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>

#include "array.h"

namespace py = pybind11;

namespace superpix::python {
namespace {

class Memory {
 public:
  explicit Memory(std::size_t bytes) : block_(cpu::take_output_memory(bytes)), bytes_(bytes) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { cpu::give_back_output_memory(block_); }

  py::buffer_info buffer() {
    return {static_cast<std::uint8_t*>(block_.data), static_cast<py::ssize_t>(bytes_)};
  }

 private:
  cpu::MemoryBlock block_;
  std::size_t bytes_;
};

}  // namespace

void bind_memory(py::module_& m) {
  py::class_<Memory>(m, "Memory", py::buffer_protocol())
      .def(py::init<std::size_t>(), py::arg("bytes"))
      .def_buffer(&Memory::buffer);
}

}  // namespace superpix::python
