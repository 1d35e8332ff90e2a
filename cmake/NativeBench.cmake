# The native benchmarks, of each engine that is built.
if(TARGET cpu_engine)
  add_executable(resnet-loop native/bench/resnet-loop.cc)
  target_link_libraries(resnet-loop PRIVATE project_options OneDNN::OneDNN)
endif()
