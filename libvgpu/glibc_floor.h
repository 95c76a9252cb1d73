// Included before everything else in libvgpu: binds functions of glibc that got a newer default version to
// the one that every glibc since 2.17 has. tests/abi checks that nothing newer slips in.
#pragma once

// The C library's functions that we use are older than glibc 2.17, or bound here. A new one is bound like
// this:
//   __asm__(".symver name,name@GLIBC_2.2.5");     x86-64; aarch64 begins with 2.17
#if defined(__x86_64__)
__asm__(".symver memcpy,memcpy@GLIBC_2.2.5");
#endif
