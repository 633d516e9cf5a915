// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the library throws. Nothing else is thrown but std::bad_alloc.
#pragma once

#include <superpix/export.h>

#include <stdexcept>

namespace superpix {

/// An argument has a value that the op does not take; the message names op and argument.
/// (Python: ValueError)
class SUPERPIX_API InvalidArgument : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// An array has an element type that the op does not take. (Python: TypeError)
class SUPERPIX_API InvalidType : public InvalidArgument {
 public:
  using InvalidArgument::InvalidArgument;
};

/// The device that was asked for is not there, or the library was not compiled for it.
/// (Python: RuntimeError)
class SUPERPIX_API DeviceUnavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A call of CUDA failed, or work that was enqueued before did; the message has CUDA's reason.
/// (Python: RuntimeError)
class SUPERPIX_API CudaError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace superpix
