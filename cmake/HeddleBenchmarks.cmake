# The C++ micro-benchmarks: one google-benchmark program of all benchmarks/cpp/*.cpp.

file(GLOB heddle_benchmark_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/benchmarks/cpp/*.cpp")
if(heddle_benchmark_sources)
  heddle_find_benchmark()
  add_executable(heddle_benchmarks ${heddle_benchmark_sources})
  target_link_libraries(heddle_benchmarks PRIVATE heddle_objects benchmark::benchmark benchmark::benchmark_main)
  target_include_directories(heddle_benchmarks PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_compile_options(heddle_benchmarks PRIVATE ${HEDDLE_WARNINGS})
endif()
