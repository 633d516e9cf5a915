// SPDX-License-Identifier: Apache-2.0
//
// The C interface: arguments become those of C++, and what that throws becomes a status.
#include <superpix/c.h>
#include <superpix/superpix.h>

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <string>

#include "detail/check.h"

namespace superpix {
namespace {

static_assert(SUPERPIX_BOOL == static_cast<int>(DType::kBool));
static_assert(SUPERPIX_INT64 == static_cast<int>(DType::kInt64));
static_assert(SUPERPIX_UINT64 == static_cast<int>(DType::kUInt64));
static_assert(SUPERPIX_BFLOAT16 == static_cast<int>(DType::kBFloat16));
static_assert(SUPERPIX_MEAN == static_cast<int>(Reduce::kMean));
static_assert(SUPERPIX_MIN == static_cast<int>(Reduce::kMin));

std::string& last_error() {
  static thread_local std::string message;
  return message;
}

superpix_status failed(superpix_status status, const char* message) noexcept {
  try {
    last_error() = message;
  } catch (...) {
    last_error().clear();
  }
  return status;
}

/// Calls a function, and returns what became of it.
template <class F>
superpix_status status_of(F&& call) noexcept {
  try {
    call();
    return SUPERPIX_OK;
  } catch (const InvalidType& error) {
    return failed(SUPERPIX_INVALID_TYPE, error.what());
  } catch (const InvalidArgument& error) {
    return failed(SUPERPIX_INVALID_ARGUMENT, error.what());
  } catch (const DeviceUnavailable& error) {
    return failed(SUPERPIX_DEVICE_UNAVAILABLE, error.what());
  } catch (const CudaError& error) {
    return failed(SUPERPIX_CUDA_ERROR, error.what());
  } catch (const std::bad_alloc&) {
    return failed(SUPERPIX_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return failed(SUPERPIX_INTERNAL_ERROR, error.what());
  } catch (...) {
    return failed(SUPERPIX_INTERNAL_ERROR, "unknown exception");
  }
}

/// Names an argument of an operation.
struct Argument {
  const char* op;
  const char* name;

  void require(bool condition, const std::string& expected) const {
    if (!condition) throw InvalidArgument(std::string(op) + ": " + name + " must " + expected);
  }
};

template <class T>
const T& required(const T* pointer, const Argument& argument) {
  argument.require(pointer != nullptr, "not be NULL");
  return *pointer;
}

ArrayView view_of(const superpix_array* array, const Argument& argument) {
  const superpix_array& from = required(array, argument);
  argument.require(from.dtype >= SUPERPIX_BOOL && from.dtype <= SUPERPIX_BFLOAT16,
                   "have a superpix_dtype, got " + std::to_string(from.dtype));
  argument.require(from.ndim >= 0 && from.ndim <= kMaxDims,
                   "have from 0 to 5 dimensions, got " + std::to_string(from.ndim));
  argument.require(from.ndim == 0 || from.shape != nullptr, "have a shape, got NULL");
  ArrayView view;
  view.data = from.data;
  view.dtype = static_cast<DType>(from.dtype);
  view.ndim = from.ndim;
  std::copy_n(from.shape, from.ndim, view.shape.begin());
  detail::check_shape(view, argument.op, argument.name);
  auto stride = static_cast<std::int64_t>(item_size(view.dtype));
  for (int axis = from.ndim - 1; axis >= 0; --axis) {
    view.strides[axis] = from.strides != nullptr ? from.strides[axis] : stride;
    stride *= from.shape[axis];
  }
  return view;
}

/// The view of an array that may be NULL, as C++ takes it.
class OptionalView {
 public:
  OptionalView(const superpix_array* array, const Argument& argument) {
    if (array != nullptr) view_ = view_of(array, argument);
  }
  const ArrayView* get() const { return view_ ? &*view_ : nullptr; }

 private:
  std::optional<ArrayView> view_;
};

Context context_of(const superpix_context* context, const char* op) {
  Context result;
  if (context == nullptr) return result;
  const Argument argument{op, "context"};
  argument.require(context->device == SUPERPIX_CPU || context->device == SUPERPIX_CUDA,
                   "have a superpix_device, got " + std::to_string(context->device));
  result.device = context->device == SUPERPIX_CUDA ? Device::kCuda : Device::kCpu;
  result.num_threads = context->num_threads;
  result.device_index = context->device_index;
  result.stream = context->stream;
  result.workspace = context->workspace;
  result.workspace_size = context->workspace_size;
  result.workspace_query = context->workspace_query;
  return result;
}

bool flag_of(std::int32_t value, const Argument& argument) {
  argument.require(value == 0 || value == 1, "be 0 or 1, got " + std::to_string(value));
  return value == 1;
}

Reduce reduce_of(std::int32_t reduce, const char* op) {
  Argument{op, "reduce"}.require(reduce >= SUPERPIX_SUM && reduce <= SUPERPIX_MIN,
                                 "be a superpix_reduce, got " + std::to_string(reduce));
  return static_cast<Reduce>(reduce);
}

SlicParams slic_params_of(const superpix_slic_params* from, const char* op) {
  SlicParams params;
  if (from == nullptr) return params;
  params.num_segments = from->num_segments;
  params.compactness = from->compactness;
  params.max_num_iter = from->max_num_iter;
  for (int axis = 0; axis < 3; ++axis) {
    params.sigma[axis] = from->sigma[axis];
    params.spacing[axis] = from->spacing[axis];
  }
  params.convert_to_lab = flag_of(from->convert_to_lab, {op, "convert_to_lab"});
  if (from->value_range != nullptr) {
    params.value_range = {from->value_range[0], from->value_range[1]};
  }
  params.slic_zero = flag_of(from->slic_zero, {op, "slic_zero"});
  params.perturb_seeds = flag_of(from->perturb_seeds, {op, "perturb_seeds"});
  params.enforce_connectivity = flag_of(from->enforce_connectivity, {op, "enforce_connectivity"});
  params.min_size_factor = from->min_size_factor;
  params.max_size_factor = from->max_size_factor;
  params.refine_iter = from->refine_iter;
  params.start_label = from->start_label;
  if (from->seed_grid != nullptr) {
    const superpix_seed_grid& grid = *from->seed_grid;
    params.seed_grid = {
        {grid.cells[0], grid.cells[1], grid.cells[2]}, grid.num_seeds, grid.num_pixels};
  }
  return params;
}

ConnectivityParams connectivity_params_of(const superpix_connectivity_params* from) {
  ConnectivityParams params;
  if (from == nullptr) return params;
  params.min_size = from->min_size;
  params.max_size = from->max_size;
  params.max_segments = from->max_segments;
  params.start_label = from->start_label;
  params.refine_iter = from->refine_iter;
  params.position_weight = from->position_weight;
  params.smoothness = from->smoothness;
  return params;
}

}  // namespace
}  // namespace superpix

using superpix::OptionalView;
using superpix::status_of;
using superpix::view_of;

const char* superpix_last_error() { return superpix::last_error().c_str(); }

const char* superpix_version() { return SUPERPIX_VERSION; }

superpix_status superpix_set_num_threads(int32_t num_threads) {
  return status_of([&] { superpix::set_num_threads(num_threads); });
}

int32_t superpix_get_num_threads() { return superpix::get_num_threads(); }

int32_t superpix_cuda_available() { return superpix::cuda_available() ? 1 : 0; }

superpix_status superpix_slic_defaults(superpix_slic_params* params) {
  return status_of([&] {
    superpix::required(params, {"slic_defaults", "params"});
    const superpix::SlicParams defaults;
    *params = {};
    params->num_segments = defaults.num_segments;
    params->compactness = defaults.compactness;
    for (int axis = 0; axis < 3; ++axis) {
      params->sigma[axis] = defaults.sigma[axis];
      params->spacing[axis] = defaults.spacing[axis];
    }
    params->min_size_factor = defaults.min_size_factor;
    params->max_size_factor = defaults.max_size_factor;
    params->max_num_iter = defaults.max_num_iter;
    params->convert_to_lab = defaults.convert_to_lab ? 1 : 0;
    params->slic_zero = defaults.slic_zero ? 1 : 0;
    params->perturb_seeds = defaults.perturb_seeds ? 1 : 0;
    params->enforce_connectivity = defaults.enforce_connectivity ? 1 : 0;
    params->refine_iter = defaults.refine_iter;
    params->start_label = defaults.start_label;
  });
}

superpix_status superpix_slic(const superpix_array* image, const superpix_array* mask,
                              const superpix_array* labels, const superpix_slic_params* params,
                              const superpix_context* context, int64_t* num_labels) {
  const char* op = "slic";
  return status_of([&] {
    const OptionalView inside(mask, {op, "mask"});
    const std::int64_t count =
        superpix::slic(view_of(image, {op, "image"}), inside.get(), view_of(labels, {op, "labels"}),
                       superpix::slic_params_of(params, op), superpix::context_of(context, op));
    if (num_labels != nullptr) *num_labels = count;
  });
}

superpix_status superpix_choose_seed_grid(const superpix_array* mask,
                                          const superpix_slic_params* params,
                                          superpix_seed_grid* grid) {
  const char* op = "choose_seed_grid";
  return status_of([&] {
    superpix::required(grid, {op, "grid"});
    const superpix::SeedGrid found = superpix::choose_seed_grid(
        view_of(mask, {op, "mask"}), superpix::slic_params_of(params, op));
    *grid = {{found.cells[0], found.cells[1], found.cells[2]}, found.num_seeds, found.num_pixels};
  });
}

superpix_status superpix_rgb_to_lab(const superpix_array* image, const superpix_array* lab,
                                    const superpix_context* context) {
  const char* op = "rgb_to_lab";
  return status_of([&] {
    superpix::rgb_to_lab(view_of(image, {op, "image"}), view_of(lab, {op, "lab"}),
                         superpix::context_of(context, op));
  });
}

superpix_status superpix_connectivity_defaults(superpix_connectivity_params* params) {
  return status_of([&] {
    superpix::required(params, {"connectivity_defaults", "params"});
    const superpix::ConnectivityParams defaults;
    *params = {defaults.min_size,        defaults.max_size,   defaults.max_segments,
               defaults.position_weight, defaults.smoothness, defaults.refine_iter,
               defaults.start_label};
  });
}

superpix_status superpix_enforce_connectivity(const superpix_array* labels,
                                              const superpix_array* image,
                                              const superpix_array* output,
                                              const superpix_connectivity_params* params,
                                              const superpix_context* context,
                                              int64_t* num_labels) {
  const char* op = "enforce_connectivity";
  return status_of([&] {
    const OptionalView colors(image, {op, "image"});
    const std::int64_t count = superpix::enforce_connectivity(
        view_of(labels, {op, "labels"}), colors.get(), view_of(output, {op, "output"}),
        superpix::connectivity_params_of(params), superpix::context_of(context, op));
    if (num_labels != nullptr) *num_labels = count;
  });
}

superpix_status superpix_pool(const superpix_array* features, const superpix_array* labels,
                              const superpix_array* pooled, const superpix_array* saved,
                              int32_t reduce, const superpix_context* context) {
  const char* op = "pool";
  return status_of([&] {
    const OptionalView kept(saved, {op, "saved"});
    superpix::pool(view_of(features, {op, "features"}), view_of(labels, {op, "labels"}),
                   view_of(pooled, {op, "pooled"}), kept.get(), superpix::reduce_of(reduce, op),
                   superpix::context_of(context, op));
  });
}

superpix_status superpix_pool_backward(const superpix_array* grad_pooled,
                                       const superpix_array* labels, const superpix_array* saved,
                                       const superpix_array* grad_features, int32_t reduce,
                                       const superpix_context* context) {
  const char* op = "pool_backward";
  return status_of([&] {
    const OptionalView kept(saved, {op, "saved"});
    superpix::pool_backward(view_of(grad_pooled, {op, "grad_pooled"}),
                            view_of(labels, {op, "labels"}), kept.get(),
                            view_of(grad_features, {op, "grad_features"}),
                            superpix::reduce_of(reduce, op), superpix::context_of(context, op));
  });
}

superpix_status superpix_unpool(const superpix_array* pooled, const superpix_array* labels,
                                const superpix_array* out, const superpix_context* context) {
  const char* op = "unpool";
  return status_of([&] {
    superpix::unpool(view_of(pooled, {op, "pooled"}), view_of(labels, {op, "labels"}),
                     view_of(out, {op, "out"}), superpix::context_of(context, op));
  });
}

superpix_status superpix_unpool_backward(const superpix_array* grad_out,
                                         const superpix_array* labels,
                                         const superpix_array* grad_pooled,
                                         const superpix_context* context) {
  const char* op = "unpool_backward";
  return status_of([&] {
    superpix::unpool_backward(view_of(grad_out, {op, "grad_out"}), view_of(labels, {op, "labels"}),
                              view_of(grad_pooled, {op, "grad_pooled"}),
                              superpix::context_of(context, op));
  });
}
