// Where the kernel starts hami-runtime: first the short way, then, if it did not become the low-level runtime, the C
// library's own entry with everything as the kernel left it.
        .text
        .globl  hami_start
        .type   hami_start, %function
hami_start:
        hint    #34                     // bti c
        mov     x29, #0                 // the outermost frame
        mov     x30, #0
        mov     x19, x0                 // what _start registers with atexit
        mov     x0, sp                  // argc, argv, environment
        bl      hami_early
        mov     x0, x19
        mov     x29, #0
        mov     x30, #0
        b       _start
        .size   hami_start, . - hami_start

        .section .note.GNU-stack, "", %progbits
