# The C++ tests: one doctest program of all tests/cpp/*.cpp. They may include the engine's private headers.

file(GLOB heddle_test_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/cpp/*.cpp"
     "${PROJECT_SOURCE_DIR}/src/convert/stub/*.cpp")
heddle_find_doctest()
add_executable(heddle_tests ${heddle_test_sources})
target_link_libraries(heddle_tests PRIVATE heddle_objects doctest::doctest)
target_include_directories(heddle_tests PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_compile_options(heddle_tests PRIVATE ${HEDDLE_WARNINGS})
target_precompile_headers(heddle_tests PRIVATE <doctest/doctest.h> ${HEDDLE_PRECOMPILED})
# It reads doctest's header as the one file that has to hold what the header only declares to others.
set_source_files_properties("${PROJECT_SOURCE_DIR}/tests/cpp/main.cpp" PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
add_test(NAME heddle_tests COMMAND heddle_tests)

if(HEDDLE_BUILD_LIBRARY)
  add_test(NAME installed_library COMMAND "${CMAKE_COMMAND}"
    "-DBUILD=${PROJECT_BINARY_DIR}" "-DSOURCE=${PROJECT_SOURCE_DIR}" "-DWORK=${PROJECT_BINARY_DIR}/installed_library"
    -P "${PROJECT_SOURCE_DIR}/tests/cpp/installed_library.cmake")
endif()
