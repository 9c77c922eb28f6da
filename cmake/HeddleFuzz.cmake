# Fuzzers: one libFuzzer program fuzz_NAME for each tests/fuzz/NAME.cpp, seeds in tests/fuzz/corpus/NAME. clang only.
#
# What reads files is instrumented; kernels are not, and not optimised either: they hardly run, would cost most of the
# build and lead the fuzzer astray.

if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "The fuzzers want clang: -DCMAKE_CXX_COMPILER=clang++")
endif()

set(heddle_fuzz_flags -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
file(GLOB heddle_fuzzed CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/core/*.cpp" "${PROJECT_SOURCE_DIR}/src/io/*.cpp"
     "${PROJECT_SOURCE_DIR}/src/convert/*.cpp" "${PROJECT_SOURCE_DIR}/src/convert/*/*.cpp")
set_property(SOURCE ${heddle_fuzzed} APPEND PROPERTY COMPILE_OPTIONS ${heddle_fuzz_flags})

file(GLOB_RECURSE heddle_unfuzzed CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/cpu/*.cpp")
set_property(SOURCE ${heddle_unfuzzed} APPEND PROPERTY COMPILE_OPTIONS -O0 -Wno-unknown-pragmas)

file(GLOB heddle_fuzz_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/*.cpp")
foreach(source IN LISTS heddle_fuzz_sources)
  cmake_path(GET source STEM name)
  add_executable(fuzz_${name} "${source}")
  # clang calls a library for atomic structs, where gcc has instructions.
  target_link_libraries(fuzz_${name} PRIVATE heddle_objects atomic)
  target_include_directories(fuzz_${name} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_compile_options(fuzz_${name} PRIVATE ${HEDDLE_WARNINGS} ${heddle_fuzz_flags})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=address,undefined,fuzzer)
endforeach()
