# One libFuzzer program per file of native/fuzz, of the parts of the native code that need no engine.
file(GLOB fuzz_sources CONFIGURE_DEPENDS native/fuzz/*.cc)
add_library(fuzzed OBJECT ${core_sources} native/cuda/plan-files.cc)
target_link_libraries(fuzzed PUBLIC project_options Threads::Threads)
foreach(source IN LISTS fuzz_sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(fuzz-${name} ${source})
  target_link_libraries(fuzz-${name} PRIVATE fuzzed -fsanitize=fuzzer)
endforeach()
