# Fuzzers: one libFuzzer program fuzz_NAME for each tests/fuzz/NAME.cpp, seeds in tests/fuzz/corpus/NAME. clang only.

if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "The fuzzers want clang: -DCMAKE_CXX_COMPILER=clang++")
endif()

file(GLOB heddle_fuzz_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/*.cpp")
foreach(source IN LISTS heddle_fuzz_sources)
  cmake_path(GET source STEM name)
  add_executable(fuzz_${name} "${source}")
  target_link_libraries(fuzz_${name} PRIVATE heddle_objects)
  target_include_directories(fuzz_${name} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_compile_options(fuzz_${name} PRIVATE ${HEDDLE_WARNINGS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endforeach()
