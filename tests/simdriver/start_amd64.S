// Where a program begins, in place of the C library's crt1.o, which needs glibc 2.34. The programs here have no
// constructors, so none are passed on.
        .symver __libc_start_main, __libc_start_main@GLIBC_2.2.5
        .text
        .globl  _start
        .type   _start, @function
_start:
        xorl    %ebp, %ebp
        movq    %rdx, %r9               // what the loader wants called at exit
        popq    %rsi                    // argc
        movq    %rsp, %rdx              // argv
        andq    $-16, %rsp
        pushq   %rax
        pushq   %rsp                    // end of the stack
        xorl    %r8d, %r8d              // no finalisers
        xorl    %ecx, %ecx              // no constructors
        leaq    main(%rip), %rdi
        call    *__libc_start_main@GOTPCREL(%rip)
        hlt
        .size   _start, . - _start
        .section .note.GNU-stack, "", @progbits
