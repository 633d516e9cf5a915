/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file
 * The hard operations from C, and from every language that calls C: slic, connectivity, pooling.
 *
 * What an operation computes, and what it takes, stands in the C++ header of the same name; an
 * array means here what it means there. Results are those of C++, bit for bit.
 *
 * - Arrays are the caller's, and used during the call alone; on CUDA they and the workspace until
 *   the stream has passed it.
 * - Functions may be called from several threads at once, as long as no output is shared.
 * - Functions that can fail return a superpix_status. What outputs hold after a failure is not
 *   specified.
 * - Structures keep their layout, and enumerators their values, for one SOVERSION of the library:
 *   until the minor version changes while the major one is 0, then until the major one does.
 */
#ifndef SUPERPIX_C_H_
#define SUPERPIX_C_H_

#include <stddef.h>
#include <stdint.h>
#include <superpix/export.h>
#include <superpix/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a call ended. */
typedef enum superpix_status {
  SUPERPIX_OK = 0,
  SUPERPIX_INVALID_ARGUMENT = 1,   /**< An argument has a value that the operation does not take. */
  SUPERPIX_INVALID_TYPE = 2,       /**< An array has a dtype that the operation does not take. */
  SUPERPIX_DEVICE_UNAVAILABLE = 3, /**< No such device, or one it was not compiled for. */
  SUPERPIX_CUDA_ERROR = 4,         /**< A call of CUDA failed, or work enqueued before did. */
  SUPERPIX_OUT_OF_MEMORY = 5,      /**< Working memory could not be had. */
  SUPERPIX_INTERNAL_ERROR = 6      /**< A mistake of this library; please report it. */
} superpix_status;

/**
 * What was wrong with the last call of this thread that failed: one line that names the argument.
 * Empty if none failed. Valid until the next call of this thread that fails.
 */
SUPERPIX_API const char* superpix_last_error(void);

/** The library's version, as "0.1.0"; SUPERPIX_VERSION is the header's. */
SUPERPIX_API const char* superpix_version(void);

/** Types of elements. */
typedef enum superpix_dtype {
  SUPERPIX_BOOL = 0, /**< One byte, 0 or 1. */
  SUPERPIX_INT8 = 1,
  SUPERPIX_INT16 = 2,
  SUPERPIX_INT32 = 3,
  SUPERPIX_INT64 = 4,
  SUPERPIX_UINT8 = 5,
  SUPERPIX_UINT16 = 6,
  SUPERPIX_UINT32 = 7,
  SUPERPIX_UINT64 = 8,
  SUPERPIX_FLOAT16 = 9,
  SUPERPIX_FLOAT32 = 10,
  SUPERPIX_FLOAT64 = 11,
  SUPERPIX_BFLOAT16 = 12
} superpix_dtype;

/** An array in the caller's memory, of up to 5 dimensions. */
typedef struct superpix_array {
  void* data;             /**< The first element. Inputs are only read. */
  int32_t dtype;          /**< A superpix_dtype. */
  int32_t ndim;           /**< From 0 to 5. */
  const int64_t* shape;   /**< ndim numbers, each at least 0. */
  const int64_t* strides; /**< ndim numbers of bytes, of any sign; NULL: C-contiguous. Elements of
                             C-contiguous arrays are aligned to their size. */
} superpix_array;

/** Where arrays lie, and where an operation runs. */
typedef enum superpix_device { SUPERPIX_CPU = 0, SUPERPIX_CUDA = 1 } superpix_device;

/**
 * How an operation runs: superpix::Context of superpix/types.h, which tells how memory of a CUDA
 * device is asked for and lent. All zeros, as well as NULL for the pointer to it: the CPU.
 */
typedef struct superpix_context {
  int32_t device;          /**< A superpix_device. */
  int32_t num_threads;     /**< CPU only; 0 takes superpix_get_num_threads(). */
  int32_t device_index;    /**< CUDA only: which device. */
  void* stream;            /**< CUDA only: a cudaStream_t; NULL is the default stream. */
  void* workspace;         /**< CUDA only: memory of the device, aligned to 256 bytes. */
  size_t workspace_size;   /**< CUDA only: its bytes. */
  size_t* workspace_query; /**< If not NULL, the call writes the bytes of workspace it needs here
                              (0 on the CPU) and does nothing else. */
} superpix_context;

/** How many threads later calls of this process take; 0 goes back to the default. */
SUPERPIX_API superpix_status superpix_set_num_threads(int32_t num_threads);

/** The number of threads in use: what was set, else SUPERPIX_NUM_THREADS, else the processors. */
SUPERPIX_API int32_t superpix_get_num_threads(void);

/** 1 if the library was compiled with CUDA and finds a device and a driver, otherwise 0. */
SUPERPIX_API int32_t superpix_cuda_available(void);

/** superpix::SeedGrid: how seeds are spread over a mask. Needed for masks on CUDA only. */
typedef struct superpix_seed_grid {
  int64_t cells[3];   /**< Along z, y, x. */
  int64_t num_seeds;  /**< Cells in which a superpixel starts. */
  int64_t num_pixels; /**< True values of the mask. */
} superpix_seed_grid;

/** superpix::SlicParams of superpix/slic.h, where each is explained; flags are 0 or 1. */
typedef struct superpix_slic_params {
  int64_t num_segments;         /**< How many superpixels are wanted. */
  double compactness;           /**< What a cell side of distance counts in units of colour. */
  double sigma[3];              /**< Of a blur before all else, in pixels along z, y, x. */
  double spacing[3];            /**< Size of a voxel along z, y, x. */
  const double* value_range;    /**< The two values that count as 0 and 1, or NULL. */
  double min_size_factor;       /**< Smallest component, of the mean size of superpixels. */
  double max_size_factor;       /**< Largest component, in the same units. */
  int32_t max_num_iter;         /**< Rounds of assignment and update. */
  int32_t convert_to_lab;       /**< 1: RGB is converted to CIELAB first. */
  int32_t slic_zero;            /**< 1: SLICO. */
  int32_t perturb_seeds;        /**< 1: seeds move to the lowest gradient near them. */
  int32_t enforce_connectivity; /**< 1: each label is one connected component. */
  int32_t refine_iter;          /**< Passes over borders. */
  int32_t start_label;          /**< The first label, 0 or 1. */
  const superpix_seed_grid* seed_grid; /**< CUDA with a mask: the mask's. Otherwise NULL. */
} superpix_slic_params;

/**
 * Gives parameters the defaults of superpix::SlicParams. For photographs set convert_to_lab, too:
 * the compactness of 10 is meant for CIELAB.
 */
SUPERPIX_API superpix_status superpix_slic_defaults(superpix_slic_params* params);

/**
 * superpix::slic of superpix/slic.h.
 *
 * @param[in]  image       [H,W,C] or [D,H,W,C].
 * @param[in]  mask        NULL, or bool [H,W] / [D,H,W].
 * @param[out] labels      int32 [H,W] / [D,H,W], C-contiguous.
 * @param[in]  params      NULL: the defaults, which see superpix_slic_defaults().
 * @param[in]  context     NULL: the CPU.
 * @param[out] num_labels  NULL, or how many labels there are (without enforce_connectivity: how
 * many clusters); -1 where it would have to be waited for, as on CUDA with enforce_connectivity.
 */
SUPERPIX_API superpix_status superpix_slic(const superpix_array* image, const superpix_array* mask,
                                           const superpix_array* labels,
                                           const superpix_slic_params* params,
                                           const superpix_context* context, int64_t* num_labels);

/** superpix::choose_seed_grid of superpix/slic.h; the mask lies in the memory of the CPU. */
SUPERPIX_API superpix_status superpix_choose_seed_grid(const superpix_array* mask,
                                                       const superpix_slic_params* params,
                                                       superpix_seed_grid* grid);

/** superpix::rgb_to_lab of superpix/color.h: sRGB [..., 3] to CIELAB, float32 of the same shape. */
SUPERPIX_API superpix_status superpix_rgb_to_lab(const superpix_array* image,
                                                 const superpix_array* lab,
                                                 const superpix_context* context);

/** superpix::ConnectivityParams of superpix/connectivity.h, where each is explained. */
typedef struct superpix_connectivity_params {
  int64_t min_size;       /**< Components with fewer pixels join a neighbour. */
  int64_t max_size;       /**< Components with more pixels are split; 0 for no limit. */
  int64_t max_segments;   /**< Neighbours join while there are more; 0 for no limit. */
  double position_weight; /**< Of the refinement: what a squared pixel counts. */
  double smoothness;      /**< Of the refinement: what a neighbour with the same label counts. */
  int32_t refine_iter;    /**< Rounds of border refinement. */
  int32_t start_label;    /**< The first label. */
} superpix_connectivity_params;

/** Gives parameters the defaults of superpix::ConnectivityParams. */
SUPERPIX_API superpix_status superpix_connectivity_defaults(superpix_connectivity_params* params);

/**
 * superpix::enforce_connectivity of superpix/connectivity.h.
 *
 * @param[in]  labels      [H,W] or [D,H,W], any integer dtype.
 * @param[in]  image       NULL, or float32 [H,W,C] / [D,H,W,C].
 * @param[out] output      int32, the shape of labels, C-contiguous.
 * @param[in]  params      NULL: the defaults.
 * @param[in]  context     NULL: the CPU.
 * @param[out] num_labels  NULL, or how many labels there are; -1 on CUDA.
 */
SUPERPIX_API superpix_status superpix_enforce_connectivity(
    const superpix_array* labels, const superpix_array* image, const superpix_array* output,
    const superpix_connectivity_params* params, const superpix_context* context,
    int64_t* num_labels);

/** What pooling makes of the pixels of a segment. */
typedef enum superpix_reduce {
  SUPERPIX_SUM = 0,
  SUPERPIX_MEAN = 1,
  SUPERPIX_MAX = 2,
  SUPERPIX_MIN = 3
} superpix_reduce;

/**
 * superpix::pool of superpix/pool.h.
 *
 * @param[in]  features  [B,C,H,W], floating point.
 * @param[in]  labels    [B,Hl,Wl], int32 or int64.
 * @param[out] pooled    [B,C,K], dtype of features.
 * @param[out] saved     NULL, or int32 for superpix_pool_backward(): [B,K] for the mean, [B,C,K]
 * for maximum and minimum, [0] for the sum.
 * @param[in]  reduce    A superpix_reduce.
 * @param[in]  context   NULL: the CPU.
 */
SUPERPIX_API superpix_status superpix_pool(const superpix_array* features,
                                           const superpix_array* labels,
                                           const superpix_array* pooled,
                                           const superpix_array* saved, int32_t reduce,
                                           const superpix_context* context);

/** superpix::pool_backward of superpix/pool.h: the gradient of superpix_pool(). */
SUPERPIX_API superpix_status superpix_pool_backward(
    const superpix_array* grad_pooled, const superpix_array* labels, const superpix_array* saved,
    const superpix_array* grad_features, int32_t reduce, const superpix_context* context);

/** superpix::unpool of superpix/pool.h: every pixel [B,C,H,W] gets the value of its segment. */
SUPERPIX_API superpix_status superpix_unpool(const superpix_array* pooled,
                                             const superpix_array* labels,
                                             const superpix_array* out,
                                             const superpix_context* context);

/** superpix::unpool_backward of superpix/pool.h: the gradient of superpix_unpool(). */
SUPERPIX_API superpix_status superpix_unpool_backward(const superpix_array* grad_out,
                                                      const superpix_array* labels,
                                                      const superpix_array* grad_pooled,
                                                      const superpix_context* context);

#ifdef __cplusplus
}
#endif

#endif /* SUPERPIX_C_H_ */
