# libheddle.so, its headers and the files by which find_package(heddle) finds them; install component "cpp".

include(CMakePackageConfigHelpers)

add_library(heddle SHARED)
add_library(heddle::heddle ALIAS heddle)
target_link_libraries(heddle PRIVATE heddle_objects)
target_compile_features(heddle PUBLIC cxx_std_20)
target_include_directories(heddle PUBLIC
  "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
  "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
# Calls inside the library stay inside it, whatever a program defines: no function of a program's, inline ones of our
# own headers among them, takes the place of the library's. What is not heddle's (libraries linked statically, instances
# of the standard library's templates) is not exported.
set(heddle_exports "${PROJECT_SOURCE_DIR}/cmake/heddle-exports.map")
target_link_options(heddle PRIVATE -Wl,--no-undefined -Wl,-Bsymbolic-functions "-Wl,--version-script=${heddle_exports}")
set_property(TARGET heddle APPEND PROPERTY LINK_DEPENDS "${heddle_exports}")
# oneDNN is looked for beside the library (as in a Python environment's lib/), then where the install below puts a copy;
# OpenBLAS likewise.
set_target_properties(heddle PROPERTIES
  LINKER_LANGUAGE CXX
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  INSTALL_RPATH "$ORIGIN;$ORIGIN/heddle")

set(heddle_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/heddle")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/heddle-config.cmake.in"
  "${PROJECT_BINARY_DIR}/heddle-config.cmake" INSTALL_DESTINATION "${heddle_cmake_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/heddle-config-version.cmake"
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)

install(TARGETS heddle EXPORT heddle-targets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT cpp NAMELINK_COMPONENT cpp)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/heddle" "${PROJECT_SOURCE_DIR}/include/mlx" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT cpp
  FILES_MATCHING PATTERN "*.h")
install(EXPORT heddle-targets NAMESPACE heddle:: DESTINATION "${heddle_cmake_dir}" COMPONENT cpp)
install(FILES "${PROJECT_BINARY_DIR}/heddle-config.cmake" "${PROJECT_BINARY_DIR}/heddle-config-version.cmake"
  DESTINATION "${heddle_cmake_dir}" COMPONENT cpp)
heddle_install_onednn("${CMAKE_INSTALL_LIBDIR}/heddle" cpp)
heddle_install_openblas("${CMAKE_INSTALL_LIBDIR}/heddle" cpp)
