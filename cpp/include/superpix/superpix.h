// SPDX-License-Identifier: Apache-2.0
/// @file
/// Everything public in one include.
///
/// What all ops have in common, unless their header says otherwise:
/// - Memory: arrays are the caller's, and used during the call alone (on CUDA, until the stream has
///   passed it). Inputs are only read. Outputs are written whole, and overlap neither inputs nor
///   each other.
/// - Errors: what error.h lists, before anything is computed where shapes, dtypes or parameters are
///   wrong. What outputs hold after an exception is not specified.
/// - Threads: any number of threads may call any op at once. An op shares its work among as many
///   threads as Context says, or works alone where another op has the workers.
/// - Cost: time grows with the number of elements of the arrays, times the iterations. Working
///   memory is kept for the next call: up to 128 MiB in all, and what each thread merged components
///   in.
#pragma once

// IWYU pragma: begin_exports
#include <superpix/color.h>
#include <superpix/connectivity.h>
#include <superpix/device.h>
#include <superpix/error.h>
#include <superpix/export.h>
#include <superpix/hard_labels.h>
#include <superpix/pool.h>
#include <superpix/pyramid_pool.h>
#include <superpix/slic.h>
#include <superpix/soft_pool.h>
#include <superpix/soft_slic.h>
#include <superpix/threads.h>
#include <superpix/types.h>
#include <superpix/version.h>
// IWYU pragma: end_exports
