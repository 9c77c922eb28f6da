# Finds what heddle is built on and makes one imported target of each:
#   OpenMP::OpenMP_CXX, Threads::Threads   the compiler's
#   fmt::fmt, hwy::hwy, hwy::hwy_contrib   installed (Debian: libfmt-dev, libhwy-dev), else fetched at a pinned version, static
#   ZLIB::ZLIB                             installed (Debian: zlib1g-dev), else fetched at a pinned version, static
#   DNNL::dnnl                             oneDNN 3, from the Python package onednn-devel-cpu-gomp
#   heddle::json                           nlohmann-json 3, from the Python package nlohmann-json
#   heddle_install_openblas()              OpenBLAS with LAPACK, from the Python package scipy-openblas32
# Tests and benchmarks call heddle_find_doctest() and heddle_find_benchmark().

include(FetchContent)

# The pinned versions are older than CMake 4, which refuses projects that ask for CMake below 3.5.
if(NOT DEFINED CMAKE_POLICY_VERSION_MINIMUM)
  set(CMAKE_POLICY_VERSION_MINIMUM 3.5)
endif()
set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)  # their option() yields to the variables set here

# Fetches and adds one project, quietly and without installing or sharing it.
macro(heddle_fetch name repository tag)
  message(STATUS "heddle: building ${name} ${tag} from ${repository}")
  FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${tag} GIT_SHALLOW TRUE EXCLUDE_FROM_ALL SYSTEM)
  set(heddle_saved_shared "${BUILD_SHARED_LIBS}")
  set(BUILD_SHARED_LIBS OFF)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  FetchContent_MakeAvailable(${name})
  set(BUILD_SHARED_LIBS "${heddle_saved_shared}")
endmacro()

# --- the compiler's own --------------------------------------------------------------------------------------------

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)

# --- fmt and Highway -----------------------------------------------------------------------------------------------

if(NOT HEDDLE_FETCH_DEPENDENCIES)
  find_package(fmt 9 CONFIG QUIET)
  find_package(hwy 1.0.3 CONFIG QUIET)
endif()
if(NOT TARGET fmt::fmt)
  heddle_fetch(fmt https://github.com/fmtlib/fmt.git 9.1.0)
endif()
if(NOT TARGET hwy::hwy)
  set(HWY_ENABLE_TESTS OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_EXAMPLES OFF CACHE BOOL "" FORCE)
  set(HWY_ENABLE_INSTALL OFF CACHE BOOL "" FORCE)
  set(HWY_FORCE_STATIC_LIBS ON CACHE BOOL "" FORCE)
  heddle_fetch(highway https://github.com/google/highway.git 1.0.3)
  add_library(hwy::hwy ALIAS hwy)
  add_library(hwy::hwy_contrib ALIAS hwy_contrib)
endif()

# --- zlib ----------------------------------------------------------------------------------------------------------

if(NOT HEDDLE_FETCH_DEPENDENCIES)
  find_package(ZLIB 1.2.11 QUIET)
endif()
if(NOT TARGET ZLIB::ZLIB)
  set(ZLIB_BUILD_EXAMPLES OFF CACHE BOOL "" FORCE)
  set(SKIP_INSTALL_ALL ON)
  heddle_fetch(zlib https://github.com/madler/zlib.git v1.3.1)
  target_include_directories(zlibstatic SYSTEM PUBLIC
    "$<BUILD_INTERFACE:${zlib_SOURCE_DIR}>" "$<BUILD_INTERFACE:${zlib_BINARY_DIR}>")
  add_library(ZLIB::ZLIB ALIAS zlibstatic)
endif()

# --- Python, which also knows where the oneDNN and OpenBLAS wheels are ---------------------------------------------

set(Python_FIND_VIRTUALENV FIRST)
set(heddle_python_components Interpreter)
if(HEDDLE_BUILD_PYTHON)
  list(APPEND heddle_python_components Development.Module ${SKBUILD_SABI_COMPONENT})
endif()
find_package(Python 3.11 REQUIRED COMPONENTS ${heddle_python_components})

# Where an installed Python package put a file: the wheels' files lie below the prefix they were installed to, which in
# an isolated build is not sys.prefix, so the package's own record is asked.
function(heddle_locate_in_wheel package suffix variable)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c "
import importlib.metadata, os, sys
package, suffix = sys.argv[1:]
try:
    files = importlib.metadata.distribution(package).files or []
except importlib.metadata.PackageNotFoundError:
    files = []
found = [file for file in files if str(file).endswith(suffix)]
print(os.path.realpath(found[0].locate()) if found else '', end='')
" "${package}" "${suffix}"
    OUTPUT_VARIABLE found COMMAND_ERROR_IS_FATAL ANY)
  set(${variable} "${found}" PARENT_SCOPE)
endfunction()

# --- oneDNN --------------------------------------------------------------------------------------------------------

if(NOT EXISTS "${dnnl_DIR}/dnnl-config.cmake")  # never found, or in an environment that is gone
  heddle_locate_in_wheel(onednn-devel-cpu-gomp "cmake/dnnl/dnnl-config.cmake" heddle_dnnl_config)
  if(heddle_dnnl_config)
    cmake_path(GET heddle_dnnl_config PARENT_PATH heddle_dnnl_dir)
    set(dnnl_DIR "${heddle_dnnl_dir}" CACHE PATH "Folder of oneDNN's dnnl-config.cmake" FORCE)
  endif()
endif()
find_package(dnnl 3.2 CONFIG QUIET)
if(NOT TARGET DNNL::dnnl)
  message(FATAL_ERROR
    "oneDNN 3.2 was not found. Install it beside the Python of this build (${Python_EXECUTABLE}):\n"
    "  ${Python_EXECUTABLE} -m pip install onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0\n"
    "or say where it is with -Ddnnl_DIR=<folder of dnnl-config.cmake>.")
endif()

# A copy goes with heddle, as the one name that the loader asks for and without symbols that only debuggers use: 44 MB,
# where the wheel unpacks 55 MB under three names.
heddle_locate_in_wheel(onednn-cpu-gomp "doc/onednn/LICENSE" heddle_onednn_license)
heddle_locate_in_wheel(onednn-cpu-gomp "doc/onednn/THIRD-PARTY-PROGRAMS" heddle_onednn_third_parties)
function(heddle_install_onednn destination component)
  install(FILES "$<TARGET_FILE:DNNL::dnnl>" RENAME "$<TARGET_SONAME_FILE_NAME:DNNL::dnnl>"
    DESTINATION "${destination}" COMPONENT "${component}")
  if(CMAKE_STRIP)
    install(CODE "execute_process(COMMAND \"${CMAKE_STRIP}\" --strip-unneeded
      \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${destination}/$<TARGET_SONAME_FILE_NAME:DNNL::dnnl>\")"
      COMPONENT "${component}")
  endif()
  if(heddle_onednn_license AND heddle_onednn_third_parties)  # else it came by another way than the wheel
    install(FILES "${heddle_onednn_license}" RENAME LICENSE-oneDNN.txt
      DESTINATION "${destination}" COMPONENT "${component}")
    install(FILES "${heddle_onednn_third_parties}" RENAME THIRD-PARTY-PROGRAMS-oneDNN.txt
      DESTINATION "${destination}" COMPONENT "${component}")
  endif()
endfunction()

# --- nlohmann-json: headers only ------------------------------------------------------------------------------------

heddle_locate_in_wheel(nlohmann-json "include/nlohmann/json.hpp" heddle_json_header)
if(NOT heddle_json_header)
  message(FATAL_ERROR
    "nlohmann-json was not found. Install it beside the Python of this build (${Python_EXECUTABLE}):\n"
    "  ${Python_EXECUTABLE} -m pip install nlohmann-json")
endif()
cmake_path(GET heddle_json_header PARENT_PATH heddle_json_folder)
cmake_path(GET heddle_json_folder PARENT_PATH heddle_json_include)
add_library(heddle_json INTERFACE)
target_include_directories(heddle_json SYSTEM INTERFACE "${heddle_json_include}")
add_library(heddle::json ALIAS heddle_json)

# --- OpenBLAS (LAPACK): loaded when linear algebra is first asked for, so nothing links it ----------------------------

heddle_locate_in_wheel(scipy-openblas32 "libscipy_openblas.so" heddle_openblas_library)
heddle_locate_in_wheel(scipy-openblas32 "LICENSE.txt" heddle_openblas_license)
if(NOT heddle_openblas_library OR NOT heddle_openblas_license)
  message(FATAL_ERROR
    "OpenBLAS was not found. Install it beside the Python of this build (${Python_EXECUTABLE}):\n"
    "  ${Python_EXECUTABLE} -m pip install scipy-openblas32")
endif()
# The run path of what is built here; what is installed looks where heddle_install_openblas() puts a copy.
cmake_path(GET heddle_openblas_library PARENT_PATH heddle_openblas_folder)
list(APPEND CMAKE_BUILD_RPATH "${heddle_openblas_folder}")

# OpenBLAS asks not to be depended on at run time, so that its interface may change: a copy goes with heddle.
function(heddle_install_openblas destination component)
  install(FILES "${heddle_openblas_library}" DESTINATION "${destination}" COMPONENT "${component}")
  install(FILES "${heddle_openblas_license}" RENAME LICENSE-OpenBLAS.txt
    DESTINATION "${destination}" COMPONENT "${component}")
endfunction()

# --- for tests and benchmarks --------------------------------------------------------------------------------------

macro(heddle_find_doctest)
  if(NOT HEDDLE_FETCH_DEPENDENCIES)
    find_package(doctest 2.4.9 CONFIG QUIET)
  endif()
  if(NOT TARGET doctest::doctest)
    set(DOCTEST_WITH_TESTS OFF CACHE BOOL "" FORCE)
    set(DOCTEST_NO_INSTALL ON CACHE BOOL "" FORCE)
    heddle_fetch(doctest https://github.com/doctest/doctest.git v2.4.9)
    # Debian's package has its header below doctest/, the sources as well: <doctest/doctest.h> works for both.
    target_include_directories(doctest SYSTEM INTERFACE "${doctest_SOURCE_DIR}")
  endif()
endmacro()

macro(heddle_find_benchmark)
  if(NOT HEDDLE_FETCH_DEPENDENCIES)
    find_package(benchmark 1.7.1 CONFIG QUIET)
  endif()
  if(NOT TARGET benchmark::benchmark)
    set(BENCHMARK_ENABLE_TESTING OFF CACHE BOOL "" FORCE)
    set(BENCHMARK_ENABLE_INSTALL OFF CACHE BOOL "" FORCE)
    heddle_fetch(benchmark https://github.com/google/benchmark.git v1.7.1)
  endif()
endmacro()
