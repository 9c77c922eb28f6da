# The Python extension heddle.core; install component "python".
#
# The folder python/ of the build tree is a working package (the extension beside links to the Python sources), so
#   PYTHONPATH=build/release/python python -c "import heddle.core"
# runs what was just built, without installing.

file(GLOB heddle_python_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/python/src/*.cpp")

execute_process(COMMAND "${Python_EXECUTABLE}" -m nanobind --cmake_dir
  OUTPUT_VARIABLE nanobind_DIR OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE heddle_nanobind_missing)
if(heddle_nanobind_missing)
  message(FATAL_ERROR "nanobind was not found: ${Python_EXECUTABLE} -m pip install nanobind nanobind-backend")
endif()
find_package(nanobind 3.1 CONFIG REQUIRED)

# Split mode: the extension keeps to the stable ABI of Python 3.11 (the first with the buffer protocol in it), so one
# binary serves every later Python; the package nanobind-backend holds what depends on the Python version.
nanobind_add_module(heddle_core BACKEND_MODULE nanobind_backend STABLE_ABI_VERSION 3.11 NOMINSIZE
  ${heddle_python_sources})
target_link_libraries(heddle_core PRIVATE heddle_objects)
target_include_directories(heddle_core PRIVATE "${PROJECT_SOURCE_DIR}/python/src" "${PROJECT_SOURCE_DIR}/src")
target_compile_options(heddle_core PRIVATE ${HEDDLE_WARNINGS})
target_precompile_headers(heddle_core PRIVATE <nanobind/nanobind.h> <nanobind/stl/optional.h> <nanobind/stl/pair.h>
  <nanobind/stl/tuple.h> <nanobind/stl/variant.h> ${HEDDLE_PRECOMPILED})

# torch carries its own oneDNN and OpenMP in the same process: nothing of ours may be seen but the module's entry.
set(heddle_core_exports "${PROJECT_SOURCE_DIR}/cmake/core-exports.map")
target_link_options(heddle_core PRIVATE "-Wl,--version-script=${heddle_core_exports}")
set_target_properties(heddle_core PROPERTIES LINK_DEPENDS "${heddle_core_exports}")

# Copies of oneDNN and OpenBLAS go into the package.
set(heddle_package_dir "${PROJECT_BINARY_DIR}/python/heddle")
set_target_properties(heddle_core PROPERTIES
  OUTPUT_NAME core
  LIBRARY_OUTPUT_DIRECTORY "${heddle_package_dir}"
  INSTALL_RPATH "$ORIGIN/lib")

file(GLOB heddle_package_entries CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/python/heddle"
  "${PROJECT_SOURCE_DIR}/python/heddle/*")
list(REMOVE_ITEM heddle_package_entries __pycache__)
file(MAKE_DIRECTORY "${heddle_package_dir}")
foreach(entry IN LISTS heddle_package_entries)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/python/heddle/${entry}" "${heddle_package_dir}/${entry}" SYMBOLIC)
endforeach()

install(TARGETS heddle_core LIBRARY DESTINATION heddle COMPONENT python)
heddle_install_onednn(heddle/lib python)
heddle_install_openblas(heddle/lib python)

# Type stubs, made from the extension itself: core/__init__.pyi and one file for each submodule.
set(heddle_stub_dir "${PROJECT_BINARY_DIR}/stubs")
nanobind_add_stub(heddle_stubs
  MODULE heddle.core
  PYTHON_PATH "${PROJECT_BINARY_DIR}/python"
  DEPENDS heddle_core
  PATTERN_FILE "${PROJECT_SOURCE_DIR}/python/src/stubs.pat"
  RECURSIVE
  OUTPUT_PATH "${heddle_stub_dir}"
  MARKER_FILE "${heddle_stub_dir}/made")
install(DIRECTORY "${heddle_stub_dir}/" DESTINATION heddle COMPONENT python FILES_MATCHING PATTERN "*.pyi")
