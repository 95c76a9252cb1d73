# Warnings are errors everywhere; a warning that must stay is silenced at its line, with the reason.
add_library(hami_warnings INTERFACE)
target_compile_options(hami_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wundef -Wnull-dereference
  $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC's flow analysis reports impossible paths inside inlined standard headers.
  target_compile_options(hami_warnings INTERFACE -Wno-null-dereference)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # C11 anonymous unions and zero-length arrays of kernel headers.
  target_compile_options(hami_warnings INTERFACE -Wno-unused-command-line-argument)
endif()
