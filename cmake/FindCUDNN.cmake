# Finds the headers and the libraries of cuDNN 9.8 or newer, in this order: CUDNN_PATH, the folder of CUDA
# (CUDAToolkit_ROOT, CUDA_PATH), the system's folders, the wheels of NVIDIA in the python3 on PATH, and those in the
# project's .cuda (npm run setup:cuda).
# Gives CUDNN_INCLUDE_DIR, CUDNN_LIBRARY_DIR and CUDNN_VERSION. Nothing is linked: cuDNN is opened at run time.
include(NvidiaWheels)
nvidia_wheels(nvidia_site_packages)
set(cudnn_wheels "")
foreach(site IN LISTS nvidia_site_packages)
  # One for another CUDA than nvcc's is of no use: the engine would refuse it at run time.
  file(GLOB cudnn_wheel ${site}/nvidia_cudnn_cu[0-9]*.dist-info)
  if(NOT cudnn_wheel OR "${cudnn_wheel}" MATCHES "nvidia_cudnn_cu${cuda_major}-")
    list(APPEND cudnn_wheels ${site}/nvidia/cudnn)
  endif()
endforeach()

set(cudnn_named $ENV{CUDNN_PATH} ${CUDNN_PATH} ${CUDAToolkit_ROOT} $ENV{CUDAToolkit_ROOT} $ENV{CUDA_PATH})
find_path(CUDNN_INCLUDE_DIR cudnn_version.h
          HINTS ${cudnn_named}
          PATHS /usr/local/cuda ${cudnn_wheels}
          PATH_SUFFIXES include include/${CMAKE_LIBRARY_ARCHITECTURE})
# The library of the same installation as the headers, where there is one.
get_filename_component(cudnn_root "${CUDNN_INCLUDE_DIR}" DIRECTORY)
find_file(CUDNN_LIBRARY NAMES libcudnn.so.9
          HINTS ${cudnn_root} ${cudnn_named}
          PATHS /usr /usr/local /usr/local/cuda ${cudnn_wheels}
          PATH_SUFFIXES lib lib64 lib/${CMAKE_LIBRARY_ARCHITECTURE} ../lib/${CMAKE_LIBRARY_ARCHITECTURE})
get_filename_component(CUDNN_LIBRARY_DIR "${CUDNN_LIBRARY}" DIRECTORY)
mark_as_advanced(CUDNN_INCLUDE_DIR CUDNN_LIBRARY)

unset(CUDNN_VERSION)
if(CUDNN_INCLUDE_DIR)
  file(STRINGS ${CUDNN_INCLUDE_DIR}/cudnn_version.h cudnn_lines REGEX "#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) +[0-9]+")
  string(REGEX MATCHALL "[0-9]+" cudnn_parts "${cudnn_lines}")
  list(JOIN cudnn_parts "." CUDNN_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CUDNN REQUIRED_VARS CUDNN_LIBRARY CUDNN_INCLUDE_DIR VERSION_VAR CUDNN_VERSION)
