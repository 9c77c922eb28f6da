# Flags that every part of heddle is compiled with. Never -march=native: kernels choose their instruction set at run time.

set(HEDDLE_WARNINGS -Wall -Wextra)

# a * b + c is two roundings on every instruction set, unless a kernel asks for one.
add_compile_options(-ffp-contract=off)

if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(HEDDLE_CCACHE ccache)
  if(HEDDLE_CCACHE)
    # What ccache must overlook to take precompiled headers: macros that a header might have asked for, times inside
    # headers, and that CMake has only just written the header that includes the others.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${HEDDLE_CCACHE}")
  endif()
endif()

if(HEDDLE_SANITIZE)
  add_compile_options(-fsanitize=${HEDDLE_SANITIZE} -fno-omit-frame-pointer)
  # The sanitizers' dlopen looks along the run path of its own library and then along the program's RPATH, never along
  # a RUNPATH: without the old kind of tag OpenBLAS would not be found.
  add_link_options(-fsanitize=${HEDDLE_SANITIZE} -Wl,--disable-new-dtags)
  if(HEDDLE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
