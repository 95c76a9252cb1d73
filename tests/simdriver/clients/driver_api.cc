#include "tests/simdriver/clients/driver_api.h"

#include <dlfcn.h>
#include <stdio.h>

// A client that is not linked to the driver still starts, as the users of dlopen do.
#ifdef HAMI_LINKED_TO_DRIVER
#define HAMI_WEAK
#else
#define HAMI_WEAK __attribute__((weak))
#endif

extern "C" {
#define HAMI_DECLARE(member, symbol, base, version, result, params) HAMI_WEAK result symbol params;
HAMI_CLIENT_FUNCTIONS(HAMI_DECLARE)
#undef HAMI_DECLARE
}

namespace hami::client {
namespace {

using GetProcAddress = CUresult (*)(const char*, void**, int, std::uint64_t, CUdriverProcAddressQueryResult*);

bool missing(const char* what) {
  fprintf(stderr, "cudacli: cannot find %s\n", what);
  return false;
}

void* open_library() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) fprintf(stderr, "cudacli: %s\n", dlerror());
  return library;
}

bool use_linked(DriverApi& out) {
#define HAMI_LINKED(member, symbol, base, version, result, params) out.member = &symbol;
  HAMI_CLIENT_FUNCTIONS(HAMI_LINKED)
#undef HAMI_LINKED
  return out.init != nullptr || missing("the driver: this client is not linked to it");
}

bool use_dlsym(DriverApi& out) {
  void* library = open_library();
  if (library == nullptr) return false;
#define HAMI_DLSYM(member, symbol, base, version, result, params)               \
  out.member = reinterpret_cast<decltype(out.member)>(dlsym(library, #symbol)); \
  if (out.member == nullptr) return missing(#symbol);
  HAMI_CLIENT_FUNCTIONS(HAMI_DLSYM)
#undef HAMI_DLSYM
  return true;
}

bool use_procaddr(DriverApi& out) {
  void* library = open_library();
  if (library == nullptr) return false;
  auto query = reinterpret_cast<GetProcAddress>(dlsym(library, "cuGetProcAddress_v2"));
  if (query == nullptr) return missing("cuGetProcAddress_v2");
  void* found = nullptr;
  CUdriverProcAddressQueryResult status{};
#define HAMI_PROCADDR(member, symbol, base, version, result, params)                                        \
  if (query(#base, &found, version, 0, &status) != CUDA_SUCCESS || found == nullptr) return missing(#base); \
  out.member = reinterpret_cast<decltype(out.member)>(found);
  HAMI_CLIENT_FUNCTIONS(HAMI_PROCADDR)
#undef HAMI_PROCADDR
  return true;
}

}  // namespace

bool open_driver(Door door, DriverApi& out) {
  switch (door) {
    case Door::linked:
      return use_linked(out);
    case Door::dlsym:
      return use_dlsym(out);
    case Door::procaddr:
      return use_procaddr(out);
  }
  return false;
}

}  // namespace hami::client
