# find_cuda_compiler(<problem>): readies enable_language(CUDA), or says in <problem> why that would fail.
#
# nvcc is looked for in CUDACXX, CUDAToolkit_ROOT, CUDA_PATH, PATH, /usr/local/cuda and the wheels of NVIDIA. Sets
# CMAKE_CUDA_COMPILER, CMAKE_CUDA_ARCHITECTURES (from CUDAARCHS where that is set), CUDNN_RESNET_CUDA_INCLUDE_DIR,
# CUDNN_RESNET_NVRTC_INCLUDE_DIR, CUDNN_RESNET_CUDA_LIBRARY_DIR and CUDNN_RESNET_CUDART_STATIC.
include(NvidiaWheels)
include(CheckLanguage)

# Machine code for the GPUs that cuDNN 9 plans for, and PTX of the newest of them, which newer GPUs can compile.
set(CUDNN_RESNET_ARCHITECTURES 75 80 86 89 90 100)

macro(find_cuda_compiler problem)
  set(${problem} "")
  nvidia_wheels(nvidia_site_packages)
  set(cuda_wheels "")
  foreach(site IN LISTS nvidia_site_packages)
    list(APPEND cuda_wheels ${site}/nvidia/cu13 ${site}/nvidia/cuda_nvcc ${site}/nvidia/cuda_nvrtc)
  endforeach()
  if(NOT CMAKE_CUDA_COMPILER AND DEFINED ENV{CUDACXX})
    set(CMAKE_CUDA_COMPILER $ENV{CUDACXX})
  elseif(NOT CMAKE_CUDA_COMPILER)
    find_program(CUDNN_RESNET_NVCC nvcc
                 HINTS ${CUDAToolkit_ROOT} $ENV{CUDAToolkit_ROOT} $ENV{CUDA_PATH}
                 PATHS /usr/local/cuda ${cuda_wheels}
                 PATH_SUFFIXES bin)
    mark_as_advanced(CUDNN_RESNET_NVCC)
    if(CUDNN_RESNET_NVCC)
      set(CMAKE_CUDA_COMPILER ${CUDNN_RESNET_NVCC})
    endif()
  endif()

  if(CMAKE_CUDA_COMPILER)
    get_filename_component(cuda_bin "${CMAKE_CUDA_COMPILER}" DIRECTORY)
    get_filename_component(cuda_root "${cuda_bin}" DIRECTORY)
    # In the wheels the libraries stand where nvcc does not look.
    set(ENV{LIBRARY_PATH} "${cuda_root}/lib:$ENV{LIBRARY_PATH}")
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
      cuda_architectures_known_to(${CMAKE_CUDA_COMPILER} CMAKE_CUDA_ARCHITECTURES)
    endif()
  endif()
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    set(${problem} "no nvcc that works was found; npm run setup:cuda in the package's folder gets one of CUDA 13, or set CUDACXX or CUDAToolkit_ROOT")
  else()
    find_cuda_runtime(${problem})
  endif()
endmacro()

function(cuda_architectures_known_to nvcc result)
  execute_process(COMMAND ${nvcc} --list-gpu-arch OUTPUT_VARIABLE known ERROR_QUIET)
  set(architectures "")
  foreach(architecture IN LISTS CUDNN_RESNET_ARCHITECTURES)
    if(known MATCHES "compute_${architecture}[^0-9]")
      list(APPEND architectures ${architecture}-real)
      set(newest ${architecture})
    endif()
  endforeach()
  if(architectures)
    list(APPEND architectures ${newest}-virtual)
    set(${result} ${architectures} PARENT_SCOPE)
  endif()
endfunction()

# The toolkit that nvcc belongs to: its version, headers and static runtime.
macro(find_cuda_runtime problem)
  get_filename_component(cuda_nvcc "${CMAKE_CUDA_COMPILER}" REALPATH)
  get_filename_component(cuda_bin "${cuda_nvcc}" DIRECTORY)
  get_filename_component(cuda_root "${cuda_bin}" DIRECTORY)
  execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version OUTPUT_VARIABLE cuda_version_text ERROR_QUIET)
  string(REGEX MATCH "release ([0-9]+)" cuda_release "${cuda_version_text}")
  set(cuda_major ${CMAKE_MATCH_1})
  set(cuda_target targets/${CMAKE_SYSTEM_PROCESSOR}-linux)
  find_path(CUDNN_RESNET_CUDA_INCLUDE_DIR cuda_runtime_api.h
            HINTS ${cuda_root} ${cuda_root}/${cuda_target} PATH_SUFFIXES include)
  find_library(CUDNN_RESNET_CUDART_STATIC cudart_static
               HINTS ${cuda_root} ${cuda_root}/${cuda_target} PATH_SUFFIXES lib64 lib)
  # A toolkit may be installed without NVRTC's header, and PyTorch bring it in a wheel.
  find_path(CUDNN_RESNET_NVRTC_INCLUDE_DIR nvrtc.h
            HINTS ${CUDNN_RESNET_CUDA_INCLUDE_DIR} PATHS ${cuda_wheels} PATH_SUFFIXES include)
  mark_as_advanced(CUDNN_RESNET_CUDA_INCLUDE_DIR CUDNN_RESNET_NVRTC_INCLUDE_DIR CUDNN_RESNET_CUDART_STATIC)
  if(NOT cuda_release)
    set(${problem} "${CMAKE_CUDA_COMPILER} is no nvcc that works; set CUDACXX to one of CUDA 12 or 13")
  elseif(cuda_major LESS 12 OR cuda_major GREATER 13)
    set(${problem} "CUDA ${cuda_major} (${CMAKE_CUDA_COMPILER}) is neither 12 nor 13; set CUDACXX or CUDAToolkit_ROOT to one that is")
  elseif(NOT CUDNN_RESNET_CUDA_INCLUDE_DIR OR NOT CUDNN_RESNET_CUDART_STATIC)
    set(${problem} "${CMAKE_CUDA_COMPILER} comes without the headers or the static library of CUDA's runtime; apt-get install cuda-toolkit, or set CUDACXX to an nvcc that has them")
  elseif(NOT CUDNN_RESNET_NVRTC_INCLUDE_DIR)
    set(${problem} "${CUDNN_RESNET_CUDA_INCLUDE_DIR} lacks nvrtc.h, which cudnn-frontend includes; apt-get install cuda-nvrtc-dev, or pip install nvidia-cuda-nvrtc")
  endif()
  get_filename_component(CUDNN_RESNET_CUDA_LIBRARY_DIR "${CUDNN_RESNET_CUDART_STATIC}" DIRECTORY)
endmacro()
