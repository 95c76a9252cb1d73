// dlsym, dlvsym, dlopen and dlmopen. The real ones find out who asks from their return address, so RTLD_NEXT only works when we jump
// to them with the program's return address still on the stack; a call from C++ would make us the asker.
        .text

// void* dlsym(void* handle, const char* symbol)
        .globl  dlsym
        .type   dlsym, @function
        .p2align 4
dlsym:
        .cfi_startproc
        endbr64
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        subq    $8, %rsp                        // the stack stays aligned to 16 bytes
        .cfi_adjust_cfa_offset 8
        movq    24(%rsp), %rdx                  // who asks
        call    hami_find_hook                  // struct Answer in rax:rdx
        movq    %rdx, %r11
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        testq   %r11, %r11                      // decided?
        jne     1f
        jmp     *hami_real_dlsym(%rip)
1:      ret
        .cfi_endproc
        .size   dlsym, .-dlsym

// void* dlvsym(void* handle, const char* symbol, const char* version)
        .globl  dlvsym
        .type   dlvsym, @function
        .p2align 4
dlvsym:
        .cfi_startproc
        endbr64
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        pushq   %rdx
        .cfi_adjust_cfa_offset 8
        movq    24(%rsp), %rcx
        call    hami_find_hook_versioned
        movq    %rdx, %r11
        popq    %rdx
        .cfi_adjust_cfa_offset -8
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        testq   %r11, %r11
        jne     1f
        jmp     *hami_real_dlvsym(%rip)
1:      ret
        .cfi_endproc
        .size   dlvsym, .-dlvsym

// void* dlopen(const char* file, int flags). The real one searches the directories that its caller names.
        .globl  dlopen
        .type   dlopen, @function
        .p2align 4
dlopen:
        .cfi_startproc
        endbr64
        pushq   %rdi
        .cfi_adjust_cfa_offset 8
        movl    %esi, %edi
        call    hami_flags_to_open              // the flags in eax
        movl    %eax, %esi
        popq    %rdi
        .cfi_adjust_cfa_offset -8
        jmp     *hami_real_dlopen(%rip)
        .cfi_endproc
        .size   dlopen, .-dlopen

// void* dlmopen(Lmid_t name_space, const char* file, int flags)
        .globl  dlmopen
        .type   dlmopen, @function
        .p2align 4
dlmopen:
        .cfi_startproc
        endbr64
        pushq   %rsi
        .cfi_adjust_cfa_offset 8
        movl    %edx, %esi
        call    hami_name_space_to_open         // struct HamiOpening in rax:rdx
        popq    %rsi
        .cfi_adjust_cfa_offset -8
        movabsq $0x8000000000000000, %r11       // LONG_MIN
        cmpq    %r11, %rax
        je      1f
        movq    %rax, %rdi
        jmp     *hami_real_dlmopen(%rip)
1:      xorl    %eax, %eax
        ret
        .cfi_endproc
        .size   dlmopen, .-dlmopen

        .section .note.GNU-stack, "", @progbits
        .section .note.gnu.property, "a"        // this file is fit for indirect branch tracking and shadow stacks
        .p2align 3
        .long   4, 16, 5
        .asciz  "GNU"
        .long   0xc0000002, 4, 3, 0
