// Symbol look-up by the program: which of its questions get one of our functions as the answer.
#pragma once

// Shared with the assembly entry of dlsym, dlvsym, dlopen and dlmopen.
extern "C" {

// Returned in two registers. Not decided: the entry jumps to the real function, which then sees the program
// as its caller and reports failure in its own words.
struct HamiAnswer {
  void* address;
  unsigned long decided;
};

// caller: where the answer is returned to; RTLD_NEXT means what lies behind that object.
HamiAnswer hami_find_hook(void* handle, const char* symbol, const void* caller) noexcept;
HamiAnswer hami_find_hook_versioned(void* handle, const char* symbol, const char* version,
                                    const void* caller) noexcept;

// The flags to open an object with: where limits hold, its calls of the driver must find us first.
int hami_flags_to_open(int flags) noexcept;

// Where and how to open an object. A new name space is one in which a copy of this library lies already;
// LONG_MIN when there is none: then nothing may be opened.
struct HamiOpening {
  long name_space;
  long flags;
};
HamiOpening hami_name_space_to_open(long name_space, int flags) noexcept;

// The functions behind ours in the order of loaded objects; found by the first question.
extern void* hami_real_dlsym;
extern void* hami_real_dlvsym;
extern void* hami_real_dlopen;
extern void* hami_real_dlmopen;
}

namespace hami::vgpu {

// The loader's functions that we call ourselves. They are looked up in the loaded objects and not linked:
// before glibc 2.34 they live in libdl, which this library must not bring into every process.
void* real_dlopen(const char* path, int flags) noexcept;

// The file of the object that contains `address`.
bool real_dladdr(const void* address, const char** path) noexcept;

// The real dlsym. Not for RTLD_NEXT, whose answer depends on who calls.
void* real_dlsym(void* handle, const char* symbol) noexcept;

// What a program gets for `symbol`, which the loader found at `address`; not decided when it is none of our
// business.
HamiAnswer replace_found(const char* symbol, void* address) noexcept;

}  // namespace hami::vgpu
