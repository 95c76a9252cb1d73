# Hardening of programs. libvgpu has its own flags: it lives inside other people's processes.
include(CheckCXXCompilerFlag)
add_library(hami_hardening INTERFACE)
target_compile_options(hami_hardening INTERFACE -fstack-protector-strong)
target_compile_definitions(hami_hardening INTERFACE $<$<NOT:$<CONFIG:Debug>>:_GLIBCXX_ASSERTIONS>)
if(NOT HAMI_SANITIZE)
  target_compile_options(hami_hardening INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
                                                  $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()
check_cxx_compiler_flag(-fcf-protection HAMI_HAS_CF_PROTECTION)
if(HAMI_HAS_CF_PROTECTION)
  target_compile_options(hami_hardening INTERFACE -fcf-protection)
endif()
target_link_options(hami_hardening INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)

add_library(hami_sanitize INTERFACE)
if(HAMI_SANITIZE)
  target_compile_options(hami_sanitize INTERFACE -fsanitize=${HAMI_SANITIZE} -fno-omit-frame-pointer
                                                 -fno-sanitize-recover=all)
  target_link_options(hami_sanitize INTERFACE -fsanitize=${HAMI_SANITIZE})
  if(HAMI_SANITIZE MATCHES "undefined")
    # Objects made without run-time type information have nothing that this check could compare.
    target_compile_options(hami_sanitize INTERFACE -fno-sanitize=vptr)
  endif()
  if(HAMI_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # It warns that it does not follow fences. What ours order are atomics, which it follows by themselves.
    target_compile_options(hami_sanitize INTERFACE -Wno-tsan)
  endif()
endif()
