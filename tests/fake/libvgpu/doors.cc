// A program that reaches the driver through one of the loader's less usual doors, and says whose function it
// found behind it. A program of its own and a library of no libraries but the C library: it is also compiled
// with a sanitizer, and runs where there is no driver.
//   vgpu-doors forms DIRECTORY   the driver's file by all its names, and again after it was closed
//   vgpu-doors versioned         dlvsym
//   vgpu-doors loader            dlsym itself, as others hand it out
//   vgpu-doors absent            what a program sees of a driver that is not there
//   vgpu-doors alloc MIB         takes memory: "MIB: STATUS"
#include <dlfcn.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>

namespace {

constexpr const char* kFunction = "cuMemAlloc_v2";
constexpr const char* kVersion = "ANY_1.0";
#if defined(__x86_64__)
constexpr const char* kFloor = "GLIBC_2.2.5";
#else
constexpr const char* kFloor = "GLIBC_2.17";
#endif

using Lookup = void* (*)(void*, const char*);

void say(const std::string& way, const void* address) {
  Dl_info where = {};
  const char* file = "nothing";
  if (address != nullptr && dladdr(address, &where) != 0) {
    const char* slash = std::strrchr(where.dli_fname, '/');
    file = slash != nullptr ? slash + 1 : where.dli_fname;
  }
  std::printf("%s: %.*s\n", way.c_str(), static_cast<int>(std::strcspn(file, ".")), file);
}

void* open_driver(int flags = RTLD_NOW) {
  void* driver = dlopen("libcuda.so.1", flags);
  if (driver == nullptr) std::exit(2);
  return driver;
}

void forms(const std::string& directory) {
  for (const std::string& name : {std::string("libcuda.so.1"), std::string("libcuda.so"),
                                  directory + "/libcuda.so.1", directory + "/libcuda.so"}) {
    for (const char* time : {"", " again"}) {
      void* driver = dlopen(name.c_str(), RTLD_LAZY);
      const char* slash = std::strrchr(name.c_str(), '/');
      say((slash != nullptr ? slash : name.c_str()) + std::string(time),
          driver != nullptr ? dlsym(driver, kFunction) : nullptr);
      if (driver != nullptr) dlclose(driver);
    }
  }
}

void versioned() {
  void* driver = open_driver(RTLD_NOW | RTLD_GLOBAL);
  say("handle", dlvsym(driver, kFunction, kVersion));
  say("default", dlvsym(RTLD_DEFAULT, kFunction, kVersion));
  say("not there", dlvsym(driver, "cuNoSuchFunction", kVersion));
  say("of the C library", dlvsym(RTLD_DEFAULT, "puts", kFloor));
  say("next", dlvsym(RTLD_NEXT, kFunction, kVersion));
}

void look_with(const char* way, void* lookup) {
  void* found = nullptr;
  if (lookup != nullptr) found = reinterpret_cast<Lookup>(lookup)(open_driver(), kFunction);
  say(way, found);
}

void loader() {
  void* c_library = dlopen("libc.so.6", RTLD_NOW);
  look_with("next", dlsym(RTLD_NEXT, "dlsym"));
  look_with("next of a version", dlvsym(RTLD_NEXT, "dlsym", kFloor));
  look_with("of the C library", dlsym(c_library, "dlsym"));
  look_with("of the C library and a version", dlvsym(c_library, "dlsym", kFloor));
  look_with("default", dlsym(RTLD_DEFAULT, "dlsym"));
}

// The same words as without us, and no function.
void absent() {
  std::printf("dlopen: %s\n", dlopen("libcuda.so.1", RTLD_NOW) == nullptr ? dlerror() : "there");
  for (const char* symbol : {"cuInit", kFunction, "cuGetProcAddress_v2", "nvmlInit_v2", "nvmlShutdown"}) {
    void* found = dlsym(RTLD_DEFAULT, symbol);
    const char* error = dlerror();
    std::printf("%s: %s, %s\n", symbol, found == nullptr ? "nothing" : "there",
                error != nullptr && std::strstr(error, "undefined symbol") != nullptr ? "undefined" : "-");
  }
}

template <typename Function>
Function find(void* library, const char* symbol) {
  return reinterpret_cast<Function>(dlsym(library, symbol));
}

void allocate(const char* mib) {
  void* driver = open_driver(RTLD_NOW | RTLD_LOCAL);
  void* context = nullptr;
  unsigned long long address = 0;
  find<int (*)(unsigned)>(driver, "cuInit")(0);
  find<int (*)(void**, int)>(driver, "cuDevicePrimaryCtxRetain")(&context, 0);
  find<int (*)(void*)>(driver, "cuCtxSetCurrent")(context);
  const auto alloc = find<int (*)(unsigned long long*, std::size_t)>(driver, kFunction);
  std::printf("%s: %d\n", mib, alloc(&address, std::strtoull(mib, nullptr, 10) << 20U));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string way = argc > 1 ? argv[1] : "";
  if (way == "forms" && argc == 3) return forms(argv[2]), 0;
  if (way == "versioned") return versioned(), 0;
  if (way == "loader") return loader(), 0;
  if (way == "absent") return absent(), 0;
  if (way == "alloc" && argc == 3) return allocate(argv[2]), 0;
  return 2;
}
