// Stands in for libvgpu's doors where its functions are linked into the test itself, so that a sanitizer sees
// them: the test calls them by name, and the driver's come from the loader as they are.
#include <dlfcn.h>

#include <cstring>

#include "libvgpu/entry/family.h"
#include "libvgpu/entry/resolve.h"

namespace hami::vgpu {

// A sanitizer's dlopen looks where its own library would, and not where the program says.
void* real_dlopen(const char* path, int flags) noexcept {
  return ::dlopen(std::strcmp(path, "libcuda.so.1") == 0 ? HAMI_STOCK_DRIVER : path, flags);
}

void* real_dlsym(void* handle, const char* symbol) noexcept { return ::dlsym(handle, symbol); }

bool real_dladdr(const void* address, const char** path) noexcept {
  Dl_info info = {};
  if (::dladdr(address, &info) == 0) return false;
  *path = info.dli_fname;
  return true;
}

HamiAnswer replace_found(const char*, void*) noexcept { return {nullptr, 0}; }

const Process* first_process() noexcept { return nullptr; }

HamiAnswer ask_family(const char*, void*) noexcept { return {nullptr, 0}; }

void forget_in_family(void (*forget)() noexcept) noexcept { forget(); }

}  // namespace hami::vgpu
