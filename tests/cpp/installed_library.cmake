# Installs the C++ library into an empty folder, builds examples/cpp against it with find_package(heddle), and runs its
# programs where nothing but the installed files can be found.
#   cmake -DBUILD=<build tree> -DSOURCE=<source tree> -DWORK=<scratch folder> -P installed_library.cmake

function(run)
  execute_process(COMMAND ${ARGV} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE failed)
  if(failed)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --component cpp --prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" -S "${SOURCE}/examples/cpp" -B "${WORK}/build" -G Ninja -DCMAKE_BUILD_TYPE=Release
  "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
run("${CMAKE_COMMAND}" --build "${WORK}/build")
file(GLOB programs LIST_DIRECTORIES false "${WORK}/build/example" "${WORK}/build/train"
  "${WORK}/build/*_program")
foreach(program IN LISTS programs)
  run("${CMAKE_COMMAND}" -E env --unset=LD_LIBRARY_PATH "${program}")
  message(STATUS "${program} says: ${output}")
endforeach()

file(GLOB library "${WORK}/prefix/lib*/libheddle.so" "${WORK}/prefix/lib/*/libheddle.so")
file(READ_ELF "${library}" RUNPATH paths)
if(NOT "${paths}" STREQUAL "$ORIGIN;$ORIGIN/heddle")
  message(FATAL_ERROR "libheddle.so looks for libraries in '${paths}', which should be relative to it")
endif()
