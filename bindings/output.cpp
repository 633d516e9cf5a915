// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "array.h"

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace py = pybind11;

namespace superpix::python {
namespace {

/// Asks for large pages for memory that is about to be written for the first time. Otherwise a
/// kernel waits for the system at every 4 KiB, which takes longer than the kernel. NumPy asks for
/// them itself, PyTorch does not.
void ask_for_large_pages(const ArrayView& view) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kLargePage = std::uintptr_t{1} << 21;
  const auto begin = reinterpret_cast<std::uintptr_t>(view.data);
  const std::uintptr_t end =
      begin + static_cast<std::uintptr_t>(view.size()) * item_size(view.dtype);
  if (end - begin < 2 * kLargePage) return;
  static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const std::uintptr_t first = (begin + page - 1) / page * page;
  // It is a wish: whether it is granted makes no difference to what is computed.
  madvise(reinterpret_cast<void*>(first), (end - first) / page * page, MADV_HUGEPAGE);
#else
  (void)view;
#endif
}

}  // namespace

ArrayView output_of(py::handle value, const char* argument, py::handle where) {
  const ArrayView view = view_of(value, argument);
  if (!is_cuda(where)) ask_for_large_pages(view);
  return view;
}

}  // namespace superpix::python
