// SPDX-License-Identifier: Apache-2.0
/// @file
/// What every op takes: a view of an array that somebody else owns, and where and how to run.
#pragma once

#include <superpix/export.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace superpix {

/// Types of elements. The 16-bit floats are IEEE 754 binary16 and the upper half of binary32.
enum class DType : std::uint8_t {
  kBool,  ///< One byte, 0 or 1.
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kFloat16,
  kFloat32,
  kFloat64,
  kBFloat16,
};

/// Size of one element in bytes.
SUPERPIX_API std::size_t item_size(DType dtype) noexcept;
/// The name that NumPy uses: "uint8", "float32" ...
SUPERPIX_API const char* name(DType dtype) noexcept;

template <class T>
struct DTypeOf;
// clang-format off
template <> struct DTypeOf<bool> { static constexpr DType value = DType::kBool; };
template <> struct DTypeOf<std::int8_t> { static constexpr DType value = DType::kInt8; };
template <> struct DTypeOf<std::int16_t> { static constexpr DType value = DType::kInt16; };
template <> struct DTypeOf<std::int32_t> { static constexpr DType value = DType::kInt32; };
template <> struct DTypeOf<std::int64_t> { static constexpr DType value = DType::kInt64; };
template <> struct DTypeOf<std::uint8_t> { static constexpr DType value = DType::kUInt8; };
template <> struct DTypeOf<std::uint16_t> { static constexpr DType value = DType::kUInt16; };
template <> struct DTypeOf<std::uint32_t> { static constexpr DType value = DType::kUInt32; };
template <> struct DTypeOf<std::uint64_t> { static constexpr DType value = DType::kUInt64; };
template <> struct DTypeOf<float> { static constexpr DType value = DType::kFloat32; };
template <> struct DTypeOf<double> { static constexpr DType value = DType::kFloat64; };
// clang-format on

/// The most dimensions that an array has.
inline constexpr int kMaxDims = 5;

/// A view of an n-dimensional array. It owns nothing; the caller keeps the memory alive for the
/// call. Strides are in bytes and may be negative. Where an op takes any strides, elements need not
/// be aligned; those of C-contiguous arrays are aligned to their size.
struct SUPERPIX_API ArrayView {
  void* data = nullptr;                          ///< The element at index 0 of every axis.
  DType dtype = DType::kFloat32;                 ///< Of every element.
  int ndim = 0;                                  ///< How many axes there are.
  std::array<std::int64_t, kMaxDims> shape{};    ///< Elements along the first ndim axes, >= 0.
  std::array<std::int64_t, kMaxDims> strides{};  ///< Bytes from one element to the next.

  /// A C-contiguous array of `shape` at `data`. Throws InvalidArgument for more than kMaxDims
  /// sizes, one below 0, and 2^63 bytes or more.
  template <class T>
  static ArrayView contiguous(const T* data, std::initializer_list<std::int64_t> shape) {
    return contiguous(const_cast<T*>(data), DTypeOf<T>::value, shape);
  }
  /// The same of a dtype that is known at run time.
  static ArrayView contiguous(void* data, DType dtype, std::initializer_list<std::int64_t> shape);

  /// Number of elements; 1 for ndim 0.
  std::int64_t size() const noexcept;
  /// Whether elements follow each other in memory, the last axis first.
  bool is_contiguous() const noexcept;
  /// "[321, 481, 3]", for messages.
  std::string shape_string() const;
};

/// Where arrays lie, and where an op runs.
enum class Device : std::uint8_t {
  kCpu,  ///< The memory of the CPU.
  kCuda  ///< That of a CUDA device.
};

/// Where and how an op runs. The default is the CPU with the library's number of threads.
///
/// On CUDA all arrays lie in the memory of one device, and an op only enqueues work on the stream:
/// it allocates nothing and waits for nothing, so that a CUDA graph can capture it. What it needs
/// besides its arguments the caller lends it, and asks for the size first:
///
///     std::size_t bytes = 0;
///     context.workspace_query = &bytes;
///     soft_slic(..., context);            // writes bytes, and does nothing else
///     context.workspace_query = nullptr;
///     context.workspace = ...;            // of the device, aligned to 256 bytes
///     context.workspace_size = bytes;
///     soft_slic(..., context);
///
/// The arguments are those of the run, pointers included. The size follows from the shapes, dtypes
/// and parameters. The workspace may be used for something else, or freed in the order of the
/// stream, as soon as the op has returned.
struct Context {
  /// Where arrays lie, and where the op runs.
  Device device = Device::kCpu;
  /// CPU only: how many threads may work, of which at most 64 do; 0 takes get_num_threads().
  /// Results never depend on it.
  int num_threads = 0;
  /// CUDA only: the device that arrays and stream belong to. The current one stays what it is.
  int device_index = 0;
  /// CUDA only: a cudaStream_t; nullptr is the default stream.
  void* stream = nullptr;
  /// CUDA only: working memory of the device, aligned to 256 bytes.
  void* workspace = nullptr;
  /// CUDA only: its size in bytes.
  std::size_t workspace_size = 0;
  /// Where an op, instead of running, writes how many bytes it needs: none on the CPU.
  std::size_t* workspace_query = nullptr;
};

}  // namespace superpix
