# The native benchmarks. The bare loop needs oneDNN alone, the primitives Google Benchmark too.
if(TARGET cpu_engine)
  add_executable(resnet-loop native/bench/resnet-loop.cc native/cpu/split.cc)
  target_link_libraries(resnet-loop PRIVATE project_options OneDNN::OneDNN OpenMP::OpenMP_CXX)
endif()

find_package(benchmark)
if(benchmark_FOUND AND OpenMP_CXX_FOUND)
  add_executable(primitives native/bench/primitives.cc native/bench/peak.cc native/bench/clock.cc
                            $<$<TARGET_EXISTS:cuda_engine>:native/bench/cuda-clock.cc>)
  target_link_libraries(primitives PRIVATE project_options core ${engines} OpenMP::OpenMP_CXX benchmark::benchmark)
endif()
