# How our own targets are made, so that every folder's list is a few lines.
include(CheckIPOSupported)
if(HAMI_LTO)
  check_ipo_supported(RESULT HAMI_IPO OUTPUT HAMI_IPO_WHY LANGUAGES CXX)
  if(NOT HAMI_IPO)
    message(STATUS "Link-time optimisation is off: ${HAMI_IPO_WHY}")
  endif()
endif()

# Flags of everything we ship: no exceptions, no run-time type information, root-relative includes.
function(hami_common target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE hami_warnings hami_hardening PUBLIC hami_sanitize)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti>)
  if(HAMI_IPO)
    set_property(TARGET ${target} PROPERTY INTERPROCEDURAL_OPTIMIZATION ON)
  endif()
endfunction()

# hami_library(NAME sources... ): a static library with alias hami::NAME.
function(hami_library name)
  add_library(hami_${name} STATIC ${ARGN})
  add_library(hami::${name} ALIAS hami_${name})
  hami_common(hami_${name})
endfunction()

# hami_program(NAME sources... ): a program; static-pie when HAMI_STATIC is on, so that starting it
# costs no dynamic loading and no library of a container or an engine can be loaded into it.
function(hami_program name)
  add_executable(${name} ${ARGN})
  hami_common(${name})
  if(HAMI_STATIC)
    target_link_options(${name} PRIVATE -static-pie)
  elseif(HAMI_SANITIZE)
    target_link_options(${name} PRIVATE -pie)  # the sanitizer's run time brings its own libraries
  else()
    target_link_options(${name} PRIVATE -pie -static-libgcc -static-libstdc++)
  endif()
endfunction()

# hami_static_archive(VAR NAME): the .a of a Debian library; fails when only the shared one is there.
function(hami_static_archive var name)
  find_library(${var} NAMES lib${name}.a REQUIRED)
endfunction()
