// SPDX-License-Identifier: Apache-2.0
//
// slic and pool for any library that knows DLPack: arrays come in without a copy, on the CPU or on
// a CUDA device, and results go out as the memory that the core wrote.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <superpix/superpix.h>

#include <cstdint>
#include <memory>
#include <stdexcept>

namespace nb = nanobind;

namespace {

superpix::DType dtype_of(const nb::dlpack::dtype& dtype) {
  if (dtype == nb::dtype<std::uint8_t>()) return superpix::DType::kUInt8;
  if (dtype == nb::dtype<std::int32_t>()) return superpix::DType::kInt32;
  if (dtype == nb::dtype<float>()) return superpix::DType::kFloat32;
  throw std::invalid_argument("arrays must be uint8, int32 or float32");
}

/// The core's view of an array: strides of nanobind count elements, those of superpix bytes.
superpix::ArrayView view_of(const nb::ndarray<nb::ro>& array) {
  superpix::ArrayView view;
  view.data = const_cast<void*>(array.data());
  view.dtype = dtype_of(array.dtype());
  view.ndim = static_cast<int>(array.ndim());
  if (view.ndim > superpix::kMaxDims) throw std::invalid_argument("too many dimensions");
  for (int axis = 0; axis < view.ndim; ++axis) {
    view.shape[axis] = static_cast<std::int64_t>(array.shape(axis));
    view.strides[axis] =
        array.stride(axis) * static_cast<std::int64_t>(superpix::item_size(view.dtype));
  }
  return view;
}

using Labels = nb::ndarray<nb::numpy, std::int32_t, nb::ndim<2>>;
using Means = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

/// A NumPy array of new memory, which the array owns.
template <class Array, class T>
Array new_array(std::size_t rows, std::size_t columns) {
  auto memory = std::make_unique<T[]>(rows * columns);
  const nb::capsule owner(memory.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return Array(memory.release(), {rows, columns}, owner);
}

superpix::SlicParams params_of(int num_segments) {
  superpix::SlicParams params;
  params.num_segments = num_segments;
  params.convert_to_lab = true;
  return params;
}

/// SLIC of an image [H,W,3] in the memory of the CPU.
Labels slic(const nb::ndarray<nb::ro, nb::ndim<3>, nb::device::cpu>& image, int num_segments) {
  Labels labels = new_array<Labels, std::int32_t>(image.shape(0), image.shape(1));
  superpix::slic(view_of(nb::ndarray<nb::ro>(image)), nullptr, view_of(nb::ndarray<nb::ro>(labels)),
                 params_of(num_segments));
  return labels;
}

/// The means [C,K] of features [C,H,W] over labels [H,W] from 0 to K - 1.
Means mean(
    const nb::ndarray<nb::ro, float, nb::ndim<3>, nb::c_contig, nb::device::cpu>& features,
    const nb::ndarray<nb::ro, std::int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>& labels,
    std::size_t num_segments) {
  const auto channels = static_cast<std::int64_t>(features.shape(0));
  const auto height = static_cast<std::int64_t>(features.shape(1));
  const auto width = static_cast<std::int64_t>(features.shape(2));
  Means means = new_array<Means, float>(features.shape(0), num_segments);
  using superpix::ArrayView;
  superpix::pool(
      ArrayView::contiguous(features.data(), {1, channels, height, width}),
      ArrayView::contiguous(labels.data(), {1, static_cast<std::int64_t>(labels.shape(0)),
                                            static_cast<std::int64_t>(labels.shape(1))}),
      ArrayView::contiguous(means.data(), {1, channels, static_cast<std::int64_t>(num_segments)}),
      nullptr, superpix::Reduce::kMean);
  return means;
}

using CudaImage = nb::ndarray<nb::ro, std::uint8_t, nb::ndim<3>, nb::device::cuda>;
using CudaLabels = nb::ndarray<std::int32_t, nb::ndim<2>, nb::c_contig, nb::device::cuda>;
using CudaBytes = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cuda>;

void slic_on(const superpix::Context& context, const CudaImage& image, const CudaLabels& labels,
             int num_segments) {
  superpix::slic(view_of(nb::ndarray<nb::ro>(image)), nullptr, view_of(nb::ndarray<nb::ro>(labels)),
                 params_of(num_segments), context);
}

superpix::Context context_of(const CudaImage& image) {
  superpix::Context context;
  context.device = superpix::Device::kCuda;
  context.device_index = image.device_id();
  return context;
}

/// SLIC of an image [H,W,3] uint8 in the memory of a CUDA device, into labels [H,W] there. The work
/// is enqueued on `stream`; `workspace`, bytes of the device, must have workspace_size() of them.
void slic_cuda(const CudaImage& image, const CudaLabels& labels, const CudaBytes& workspace,
               int num_segments, std::uintptr_t stream) {
  superpix::Context context = context_of(image);
  context.stream = reinterpret_cast<void*>(stream);
  context.workspace = workspace.data();
  context.workspace_size = workspace.size();
  slic_on(context, image, labels, num_segments);
}

/// How many bytes slic_cuda() needs for the same arguments.
std::size_t workspace_size(const CudaImage& image, const CudaLabels& labels, int num_segments) {
  std::size_t bytes = 0;
  superpix::Context context = context_of(image);
  context.workspace_query = &bytes;
  slic_on(context, image, labels, num_segments);
  return bytes;
}

}  // namespace

NB_MODULE(consumer, m) {
  // superpix::InvalidArgument is a std::invalid_argument, which nanobind makes a ValueError.
  m.def("slic", &slic, nb::arg("image"), nb::arg("num_segments"));
  m.def("mean", &mean, nb::arg("features"), nb::arg("labels"), nb::arg("num_segments"));
  m.def("slic_cuda", &slic_cuda, nb::arg("image"), nb::arg("labels"), nb::arg("workspace"),
        nb::arg("num_segments"), nb::arg("stream") = 0);
  m.def("workspace_size", &workspace_size, nb::arg("image"), nb::arg("labels"),
        nb::arg("num_segments"));
}
