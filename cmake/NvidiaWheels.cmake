# nvidia_wheels(<variable>): the site-packages folders that may hold wheels of NVIDIA: those of the python3 on PATH, then
# the project's own environment.
function(nvidia_wheels result)
  set(folders "")
  find_program(CUDNN_RESNET_PYTHON3 python3)
  mark_as_advanced(CUDNN_RESNET_PYTHON3)
  if(CUDNN_RESNET_PYTHON3)
    execute_process(COMMAND ${CUDNN_RESNET_PYTHON3} -c "import site, sysconfig
for path in dict.fromkeys([sysconfig.get_path('purelib'), *site.getsitepackages(), site.getusersitepackages()]): print(path)"
                    OUTPUT_VARIABLE lines ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REPLACE "\n" ";" folders "${lines}")
  endif()
  file(GLOB own ${CMAKE_CURRENT_SOURCE_DIR}/.cuda/lib/python3*/site-packages)
  set(${result} ${folders} ${own} PARENT_SCOPE)
endfunction()
