/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * SUPERPIX_API marks what a shared library offers; all else in it is hidden.
 */
#ifndef SUPERPIX_EXPORT_H_
#define SUPERPIX_EXPORT_H_

/* CMake defines SUPERPIX_SHARED for who uses a shared library, SUPERPIX_EXPORTS for who makes it.
 */
#if defined(DOXYGEN)
/** Marks what a shared library offers. */
#define SUPERPIX_API
#elif defined(_WIN32) && defined(SUPERPIX_EXPORTS)
#define SUPERPIX_API __declspec(dllexport)
#elif defined(_WIN32) && defined(SUPERPIX_SHARED)
#define SUPERPIX_API __declspec(dllimport)
#elif defined(_WIN32)
#define SUPERPIX_API
#else
#define SUPERPIX_API __attribute__((visibility("default")))
#endif

#endif /* SUPERPIX_EXPORT_H_ */
