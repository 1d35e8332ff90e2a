# The engine on cuDNN and its kernels with the GPU emulated on the host: loops take the place of cuDNN's plans, and what talks to
# cuDNN or to the driver is left out. Sets `host_cuda_sources`, and `host_cuda`, with which they are compiled.
set(host_cuda ${CMAKE_SOURCE_DIR}/test/support/host-cuda)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/host-cuda)
file(GLOB host_cuda_sources CONFIGURE_DEPENDS native/cuda/*.cc native/kernels/*.cc)
list(FILTER host_cuda_sources EXCLUDE REGEX "/(compile|cudnn-library|driver|plan)\\.cc$")
list(APPEND host_cuda_sources ${host_cuda}/emulation.cc ${host_cuda}/runtime.cc ${host_cuda}/streams.cc ${host_cuda}/plans.cc)
file(GLOB kernel_sources CONFIGURE_DEPENDS native/kernels/*.cu)
foreach(source IN LISTS kernel_sources)
  get_filename_component(name ${source} NAME_WE)
  set(translated ${CMAKE_BINARY_DIR}/host-cuda/${name}.cc)
  add_custom_command(OUTPUT ${translated}
                     COMMAND ${CUDNN_RESNET_PYTHON3} ${host_cuda}/launches.py ${source} ${translated}
                     DEPENDS ${source} ${host_cuda}/launches.py VERBATIM)
  list(APPEND host_cuda_sources ${translated})
endforeach()

add_library(host_cuda INTERFACE)
target_link_libraries(host_cuda INTERFACE project_options)
target_compile_definitions(host_cuda INTERFACE CUDNN_RESNET_CUDA_ARCHITECTURES="the host")
target_compile_options(host_cuda INTERFACE -Wno-unknown-pragmas)  # those for nvcc
target_include_directories(host_cuda INTERFACE ${host_cuda})
target_include_directories(host_cuda SYSTEM INTERFACE ${CUDNN_INCLUDE_DIR} ${CUDNN_RESNET_CUDA_INCLUDE_DIR})
