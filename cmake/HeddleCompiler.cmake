# Flags that every part of heddle is compiled with. Never -march=native: kernels choose their instruction set at run time.

set(HEDDLE_WARNINGS -Wall -Wextra)

# a * b + c is two roundings on every instruction set, unless a kernel asks for one.
add_compile_options(-ffp-contract=off)

if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(HEDDLE_CCACHE ccache)
  if(HEDDLE_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${HEDDLE_CCACHE}")
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
