// SPDX-License-Identifier: Apache-2.0
/// @file
/// Everything public in one include.
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
