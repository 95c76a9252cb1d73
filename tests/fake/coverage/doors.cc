#include "tests/fake/coverage/doors.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <string>

extern "C" {
#define HAMI_FN(symbol, since, result, params, args) result symbol params;
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result symbol params;
#include "libvgpu/cuda/functions.def"
}

namespace hami::coverage {
namespace {

template <typename Function>
void set(Function& out, void* address) {
  static_assert(sizeof out == sizeof address);
  std::memcpy(&out, &address, sizeof address);
}

void* open_library() { return dlopen("libcuda.so.1", RTLD_NOW); }

void find_others(void* library, Cuda& out) {
  set(out.cuGraphCreate, dlsym(library, "cuGraphCreate"));
  set(out.cuGraphDestroy, dlsym(library, "cuGraphDestroy"));
  set(out.cuMemAddressReserve, dlsym(library, "cuMemAddressReserve"));
  set(out.cuMemAddressFree, dlsym(library, "cuMemAddressFree"));
  set(out.sim_fail_next, dlsym(library, "sim_fail_next"));
}

bool cut(std::string& text, const char* end) {
  const std::size_t size = std::strlen(end);
  if (text.size() <= size || text.compare(text.size() - size, size, end) != 0) return false;
  text.resize(text.size() - size);
  return true;
}

// Asks for one variant as a program built for it does: base name, the version that brought it, the stream
// flag.
void* ask(const char* symbol, int since) {
  std::string base = symbol;
  const bool per_thread = cut(base, "_ptsz") || cut(base, "_ptds");
  for (const char* version : {"_v2", "_v3", "_v4"}) cut(base, version);
  void* found = nullptr;
  CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SUCCESS;
  const CUresult result = cuGetProcAddress_v2(base.c_str(), &found, per_thread && since < 7000 ? 7000 : since,
                                              per_thread ? 2 : 0, &status);
  return result == CUDA_SUCCESS ? found : nullptr;
}

bool complete(const char* symbol, const void* address) {
  if (address == nullptr) std::fprintf(stderr, "vgpu-coverage: no %s\n", symbol);
  return address != nullptr;
}

}  // namespace

bool open_door(const char* name, Cuda& out) {
  void* library = open_library();
  if (library == nullptr) {
    std::fprintf(stderr, "vgpu-coverage: %s\n", dlerror());
    return false;
  }
  bool all = true;
  const bool linked = std::strcmp(name, "linked") == 0;
  const bool by_name = std::strcmp(name, "dlsym") == 0;
  if (!linked && !by_name && std::strcmp(name, "procaddr") != 0) return false;
#define HAMI_FN(symbol, since, result, params, args)                                                 \
  {                                                                                                  \
    void* address = linked ? reinterpret_cast<void*>(&::symbol)                                      \
                           : (by_name ? dlsym(library, #symbol) : ask(#symbol, since)); /* NOLINT */ \
    all = complete(#symbol, address) && all;                                                         \
    set(out.symbol, address);                                                                        \
  }
#define HAMI_FN_DRIVER(symbol, since, result, params, args) set(out.symbol, dlsym(library, #symbol));
#include "libvgpu/cuda/functions.def"
  find_others(library, out);
  return all;
}

bool is_ours(const void* address) {
  Dl_info where = {};
  if (dladdr(address, &where) == 0 || where.dli_fname == nullptr) return false;
  const char* slash = std::strrchr(where.dli_fname, '/');
  return std::strcmp(slash == nullptr ? where.dli_fname : slash + 1, "libvgpu.so") == 0;
}

}  // namespace hami::coverage
