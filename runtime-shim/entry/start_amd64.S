// Where the kernel starts hami-runtime: first the short way, then, if it did not become the low-level runtime, the C
// library's own entry with everything as the kernel left it.
        .text
        .globl  hami_start
        .type   hami_start, @function
hami_start:
        endbr64
        xorl    %ebp, %ebp              // the outermost frame
        movq    %rsp, %rdi              // argc, argv, environment: the psABI's initial stack
        pushq   %rdx                    // what _start registers with atexit
        subq    $8, %rsp                // a call needs the stack 16-byte aligned before it
        call    hami_early
        addq    $8, %rsp
        popq    %rdx
        jmp     _start
        .size   hami_start, . - hami_start

        .section .note.GNU-stack, "", @progbits
