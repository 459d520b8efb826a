# Fails if a kernel object compiled for newer instructions holds an inline function that is not of its own namespace: the
# linker would keep one copy of it for the whole program, perhaps this one, and older machines would meet it anywhere.
# cmake -DNM=nm -DOBJECTS=a.o,b.o -DNAMESPACE=avx512 -P check_variant_symbols.cmake
string(REPLACE "," ";" objects "${OBJECTS}")
if(NOT objects)
  message(FATAL_ERROR "no objects to check")
endif()
foreach(object IN LISTS objects)
  execute_process(COMMAND ${NM} -C ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]* [WVu] [^\n]*" weak "${symbols}")
  list(FILTER weak EXCLUDE REGEX "plumbline::cpu::${NAMESPACE}::")
  if(weak)
    message(FATAL_ERROR "${object} defines ${weak}")
  endif()
endforeach()
