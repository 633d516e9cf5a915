# The sources of the CUDA backend. tests/cuda compiles them for the CPU, whatever SUPERPIX_CUDA says.
set(
  SUPERPIX_CUDA_SOURCES
  call
  color
  components
  connectivity
  connectivity_stage
  device
  float_volume
  gaussian
  hard_labels
  integer_image
  label_tiles
  memory
  merge
  merge_pairs
  number_pixels
  numbering
  pool
  pyramid_axes
  pyramid_chunks
  pyramid_pool
  pyramid_pool_backward
  refine
  slic
  slic_float
  slic_u8
  slic_u8_iteration
  soft_pool
  soft_pool_gradient
  soft_pool_mix
  soft_pool_sums
  soft_slic
  soft_slic_backward
  soft_slic_centers
  split
  tile_components
  unpool
)
list(TRANSFORM SUPERPIX_CUDA_SOURCES REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/cuda/\\1.cu")

# Decides once whether the CUDA sources are compiled: SUPERPIX_HAVE_CUDA.
set(SUPERPIX_HAVE_CUDA OFF)
if(NOT SUPERPIX_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
      # Turing, Ampere with Ada, which runs its machine code, and Hopper; the virtual architecture
      # serves whatever comes later.
      set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 90)
    endif()
    enable_language(CUDA)
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      # This CMake is older than the compiler, and does not know its flag.
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    endif()
    # The driver is the only thing that a machine must have, and only to run on its GPU.
    set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
    find_package(CUDAToolkit REQUIRED)
    set(SUPERPIX_HAVE_CUDA ON)
  elseif(SUPERPIX_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SUPERPIX_CUDA=ON, but no CUDA compiler was found. "
                        "Set CUDACXX to nvcc, or use SUPERPIX_CUDA=OFF.")
  endif()
endif()
message(STATUS "superpix: CUDA backend ${SUPERPIX_HAVE_CUDA}")
