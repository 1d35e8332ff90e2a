# Adds the engine on cuDNN to `engines`, where CUDA 12 or 13, cuDNN 9.8 or newer and cudnn-frontend are found. Where they
# are not, that is said and the package runs on the CPU.
option(CUDNN_RESNET_CUDA "Build the engine on cuDNN, where CUDA and cuDNN are found" ON)
option(CUDNN_RESNET_CUDA_ON_HOST "Emulate the GPU on the host in place of using one, for tests" OFF)
if(NOT CUDNN_RESNET_CUDA)
  leave_out(CUDA "it was switched off; leave CUDNN_RESNET_CUDA=OFF out")
  return()
endif()

include(FindCudaCompiler)
find_cuda_compiler(cuda_problem)
if(cuda_problem)
  leave_out(CUDA "${cuda_problem}")
  return()
endif()
find_package(CUDNN 9.8)
find_package(CudnnFrontend 1.15)
set(cuda_missing "")
if(NOT CUDNN_FOUND)
  list(APPEND cuda_missing "cuDNN 9.8 or newer for CUDA ${cuda_major} was not found")
endif()
if(NOT CudnnFrontend_FOUND)
  list(APPEND cuda_missing "cudnn-frontend's headers, 1.15 or newer, were not found")
endif()
if(cuda_missing)
  list(JOIN cuda_missing ", and " cuda_missing)
  leave_out(CUDA "${cuda_missing}; npm run setup:cuda -- --cuda ${cuda_major} in the package's folder gets both, or set CUDNN_PATH and CUDNN_FRONTEND_PATH")
  return()
endif()
if(CUDNN_RESNET_CUDA_ON_HOST)
  include(HostCuda)
  add_library(cuda_engine OBJECT ${host_cuda_sources})
  target_link_libraries(cuda_engine PUBLIC host_cuda Threads::Threads)
  target_compile_definitions(core PUBLIC CUDNN_RESNET_CUDA)
  list(APPEND engines cuda_engine)
  return()
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake older than 3.26 does not know that nvcc has C++20
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()

file(GLOB cuda_sources CONFIGURE_DEPENDS native/cuda/*.cc native/kernels/*.cc native/kernels/*.cu)
add_library(cuda_engine OBJECT ${cuda_sources})
target_link_libraries(cuda_engine PUBLIC project_options ${CUDNN_RESNET_CUDART_STATIC} ${CMAKE_DL_LIBS} rt Threads::Threads)
target_include_directories(cuda_engine SYSTEM PUBLIC ${CUDNN_INCLUDE_DIR} ${CudnnFrontend_INCLUDE_DIR}
                                                     ${CUDNN_RESNET_CUDA_INCLUDE_DIR} ${CUDNN_RESNET_NVRTC_INCLUDE_DIR})
# Where the libraries may stand that cuDNN opens: with CUDA, or in the wheels beside cuDNN's.
set(cuda_library_dirs ${CUDNN_RESNET_CUDA_LIBRARY_DIR})
foreach(wheel cu${cuda_major} cublas cuda_nvrtc)
  list(APPEND cuda_library_dirs ${CUDNN_LIBRARY_DIR}/../../${wheel}/lib)
endforeach()
list(JOIN cuda_library_dirs ":" cuda_library_dirs)
list(JOIN CMAKE_CUDA_ARCHITECTURES " " cuda_architectures)
target_compile_definitions(cuda_engine PRIVATE
  NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING
  CUDNN_RESNET_CUDA_MAJOR="${cuda_major}"
  CUDNN_RESNET_CUDA_ARCHITECTURES="${cuda_architectures}"
  CUDNN_RESNET_CUDNN_LIBRARY_DIRS="${CUDNN_LIBRARY_DIR}"
  CUDNN_RESNET_CUDA_LIBRARY_DIRS="${cuda_library_dirs}")
target_compile_options(cuda_engine PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wno-unused-parameter>)
if(CUDNN_RESNET_STRICT)
  target_compile_options(cuda_engine PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings;-Xcompiler=-Werror>)
endif()
target_compile_definitions(core PUBLIC CUDNN_RESNET_CUDA)
list(APPEND engines cuda_engine)
message(STATUS "cudnn-resnet: the CUDA engine uses CUDA ${CMAKE_CUDA_COMPILER_VERSION}, cuDNN ${CUDNN_VERSION}, "
               "cudnn-frontend ${CudnnFrontend_VERSION}, architectures ${cuda_architectures}")

# What stands in for the driver where plans are made on a machine without one: see native/cuda/driver.cc.
if(CMAKE_JS_INC)
  add_library(stub_driver SHARED native/stub-driver/libcuda.cc)
  target_link_libraries(stub_driver PRIVATE project_options)
  set_target_properties(stub_driver PROPERTIES OUTPUT_NAME cuda SOVERSION 1 CXX_VISIBILITY_PRESET default
                                               LIBRARY_OUTPUT_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/stub-driver)
endif()

# The engine and its kernels on the host, where there is no GPU.
option(CUDNN_RESNET_EMULATED_GPU "Build the unit tests for an emulated GPU too" ON)
if(CUDNN_RESNET_NATIVE_TESTS AND CUDNN_RESNET_EMULATED_GPU AND CUDNN_RESNET_PYTHON3)
  include(HostCuda)
  file(GLOB engine_tests CONFIGURE_DEPENDS native/test/cuda-engine*-test.cc)
  file(GLOB host_cuda_tests CONFIGURE_DEPENDS test/support/host-cuda/*-test.cc)
  add_executable(cuda-on-host-tests ${engine_tests} ${host_cuda_tests} ${host_cuda_sources})
  set(other_engines ${engines})
  list(REMOVE_ITEM other_engines cuda_engine)
  target_link_libraries(cuda-on-host-tests PRIVATE host_cuda core ${other_engines} GTest::gtest_main)
  add_test(NAME cuda-on-host COMMAND cuda-on-host-tests)
  add_test(NAME cuda-on-host-unfused COMMAND cuda-on-host-tests --gtest_filter=*onvol*:*Linear*)
  set_tests_properties(cuda-on-host-unfused PROPERTIES ENVIRONMENT CUDNN_RESNET_REFUSE_FUSED=1)
  add_test(NAME cuda-on-host-without-bfloat16 COMMAND cuda-on-host-tests --gtest_filter=*bfloat16)
  set_tests_properties(cuda-on-host-without-bfloat16 PROPERTIES ENVIRONMENT CUDNN_RESNET_NO_BFLOAT16=1)
  set_property(TEST cuda-on-host cuda-on-host-unfused cuda-on-host-without-bfloat16
               APPEND PROPERTY ENVIRONMENT CUDNN_RESNET_CACHE=${CMAKE_BINARY_DIR}/host-cuda/cache)
endif()
