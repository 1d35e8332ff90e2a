# Finds the headers of cudnn-frontend 1.15 or newer: in CUDNN_FRONTEND_PATH, CUDNN_PATH, the folder of CUDA, the system's
# folders, in the wheel nvidia-cudnn-frontend of the python3 on PATH or of the project's .cuda.
# Gives CudnnFrontend_INCLUDE_DIR and CudnnFrontend_VERSION.
include(NvidiaWheels)
nvidia_wheels(nvidia_site_packages)
find_path(CudnnFrontend_INCLUDE_DIR cudnn_frontend.h
          HINTS $ENV{CUDNN_FRONTEND_PATH} ${CUDNN_FRONTEND_PATH} $ENV{CUDNN_PATH} ${CUDNN_PATH}
                ${CUDAToolkit_ROOT} $ENV{CUDAToolkit_ROOT} $ENV{CUDA_PATH}
          PATHS ${nvidia_site_packages}
          PATH_SUFFIXES include)
mark_as_advanced(CudnnFrontend_INCLUDE_DIR)

unset(CudnnFrontend_VERSION)
if(EXISTS ${CudnnFrontend_INCLUDE_DIR}/cudnn_frontend_version.h)
  file(STRINGS ${CudnnFrontend_INCLUDE_DIR}/cudnn_frontend_version.h frontend_lines
       REGEX "#define CUDNN_FRONTEND_(MAJOR|MINOR|PATCH)_VERSION +[0-9]+")
  string(REGEX MATCHALL "[0-9]+" frontend_parts "${frontend_lines}")
  list(JOIN frontend_parts "." CudnnFrontend_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CudnnFrontend REQUIRED_VARS CudnnFrontend_INCLUDE_DIR CudnnFrontend_VERSION
                                  VERSION_VAR CudnnFrontend_VERSION)
