// A program that finds the driver by the ways that depend on who asks, and says which library it found.
//   vgpu-chain PLUGIN; prints one line per way: "WAY: FILE of the function"
#include <dlfcn.h>

#include <cstddef>
#include <cstdio>
#include <cstring>

namespace {

constexpr const char* kFunction = "cuMemAlloc_v2";

void say(const char* way, const void* address) {
  Dl_info where = {};
  const char* file = "nothing";
  if (address != nullptr && dladdr(address, &where) != 0) {
    const char* slash = std::strrchr(where.dli_fname, '/');
    file = slash != nullptr ? slash + 1 : where.dli_fname;
  }
  std::printf("%s: %.*s\n", way, static_cast<int>(std::strcspn(file, ".")), file);
}

template <typename Function>
Function find(void* handle, const char* symbol) {
  return reinterpret_cast<Function>(dlsym(handle, symbol));
}

void walk(void* handle) {
  char letters[16] = "";
  const auto function = find<void (*)(char*)>(handle, "chain_walk");
  if (function != nullptr) function(letters);
  std::printf("walk: %s\n", letters);
}

void next_of(const char* who, void* handle) {
  char way[64];
  std::snprintf(way, sizeof way, "next of %s", who);
  say(way, find<void* (*)(const char*)>(handle, "chain_next")(kFunction));
}

// A plugin that is linked to the driver and wants its own libraries first.
void plugin(const char* path) {
  void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  if (handle == nullptr) {
    std::printf("%s\n", dlerror());
    return;
  }
  say("plugin", find<void* (*)()>(handle, "chain_bound")());
  say("plugin's own", dlsym(handle, "cuMemFree_v2"));
  next_of("plugin", handle);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (driver == nullptr) return 1;
  walk(RTLD_DEFAULT);
  walk(RTLD_DEFAULT);
  say("default", dlsym(RTLD_DEFAULT, kFunction));
  say("handle", dlsym(driver, kFunction));
  say("next of main", dlsym(RTLD_NEXT, kFunction));
  next_of("first", RTLD_DEFAULT);
  void* last = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD);
  if (last != nullptr) next_of("last", last);
  plugin(argv[2]);
  void* other = dlmopen(LM_ID_NEWLM, "libcuda.so.1", RTLD_NOW);
  if (other != nullptr) say("another name space", dlsym(other, kFunction));
  return 0;
}
