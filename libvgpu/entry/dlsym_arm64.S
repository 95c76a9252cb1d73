// dlsym, dlvsym, dlopen and dlmopen; see dlsym_amd64.S. The program's return address stays in the link register for the jump.
        .text

// void* dlsym(void* handle, const char* symbol)
        .globl  dlsym
        .type   dlsym, %function
        .p2align 4
dlsym:
        .cfi_startproc
        hint    34                              // bti c
        stp     x29, x30, [sp, #-32]!
        .cfi_def_cfa_offset 32
        .cfi_offset 29, -32
        .cfi_offset 30, -24
        stp     x0, x1, [sp, #16]
        mov     x2, x30                         // who asks
        bl      hami_find_hook                  // struct Answer in x0:x1
        mov     x17, x0
        mov     x16, x1                         // decided?
        ldp     x0, x1, [sp, #16]
        ldp     x29, x30, [sp], #32
        .cfi_restore 29
        .cfi_restore 30
        .cfi_def_cfa_offset 0
        cbnz    x16, 1f
        adrp    x16, hami_real_dlsym
        ldr     x16, [x16, #:lo12:hami_real_dlsym]
        br      x16
1:      mov     x0, x17
        ret
        .cfi_endproc
        .size   dlsym, .-dlsym

// void* dlvsym(void* handle, const char* symbol, const char* version)
        .globl  dlvsym
        .type   dlvsym, %function
        .p2align 4
dlvsym:
        .cfi_startproc
        hint    34
        stp     x29, x30, [sp, #-48]!
        .cfi_def_cfa_offset 48
        .cfi_offset 29, -48
        .cfi_offset 30, -40
        stp     x0, x1, [sp, #16]
        str     x2, [sp, #32]
        mov     x3, x30
        bl      hami_find_hook_versioned
        mov     x17, x0
        mov     x16, x1                         // decided?
        ldp     x0, x1, [sp, #16]
        ldr     x2, [sp, #32]
        ldp     x29, x30, [sp], #48
        .cfi_restore 29
        .cfi_restore 30
        .cfi_def_cfa_offset 0
        cbnz    x16, 1f
        adrp    x16, hami_real_dlvsym
        ldr     x16, [x16, #:lo12:hami_real_dlvsym]
        br      x16
1:      mov     x0, x17
        ret
        .cfi_endproc
        .size   dlvsym, .-dlvsym

// void* dlopen(const char* file, int flags)
        .globl  dlopen
        .type   dlopen, %function
        .p2align 4
dlopen:
        .cfi_startproc
        hint    34
        stp     x29, x30, [sp, #-32]!
        .cfi_def_cfa_offset 32
        .cfi_offset 29, -32
        .cfi_offset 30, -24
        str     x0, [sp, #16]
        mov     w0, w1
        bl      hami_flags_to_open              // the flags in w0
        mov     w1, w0
        ldr     x0, [sp, #16]
        ldp     x29, x30, [sp], #32
        .cfi_restore 29
        .cfi_restore 30
        .cfi_def_cfa_offset 0
        adrp    x16, hami_real_dlopen
        ldr     x16, [x16, #:lo12:hami_real_dlopen]
        br      x16
        .cfi_endproc
        .size   dlopen, .-dlopen

// void* dlmopen(Lmid_t name_space, const char* file, int flags)
        .globl  dlmopen
        .type   dlmopen, %function
        .p2align 4
dlmopen:
        .cfi_startproc
        hint    34
        stp     x29, x30, [sp, #-32]!
        .cfi_def_cfa_offset 32
        .cfi_offset 29, -32
        .cfi_offset 30, -24
        str     x1, [sp, #16]
        mov     w1, w2
        bl      hami_name_space_to_open         // struct HamiOpening in x0:x1
        mov     w2, w1
        ldr     x1, [sp, #16]
        ldp     x29, x30, [sp], #32
        .cfi_restore 29
        .cfi_restore 30
        .cfi_def_cfa_offset 0
        mov     x16, #0x8000000000000000        // LONG_MIN
        cmp     x0, x16
        b.eq    1f
        adrp    x16, hami_real_dlmopen
        ldr     x16, [x16, #:lo12:hami_real_dlmopen]
        br      x16
1:      mov     x0, #0
        ret
        .cfi_endproc
        .size   dlmopen, .-dlmopen

        .section .note.GNU-stack, "", %progbits
