#include "libvgpu/entry/resolve.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/driver.h"
#include "libvgpu/cuda/pace.h"
#include "libvgpu/entry/elf_symbols.h"
#include "libvgpu/entry/family.h"
#include "libvgpu/nvml/driver.h"

extern "C" {
constinit void* hami_real_dlsym = nullptr;
constinit void* hami_real_dlvsym = nullptr;
constinit void* hami_real_dlopen = nullptr;
}

namespace hami::vgpu {
namespace {

// A function of the loader behind this library. What lies in front of us and replaces it too, as a sanitizer
// in the program does, comes to us with its own call: that one must not be sent back.
void* find_behind_us(const char* symbol) noexcept {
  void* behind = find_behind(reinterpret_cast<const void*>(&find_in_other_objects), symbol);
  return behind != nullptr ? behind : find_in_other_objects(symbol);
}

// Any number of threads may come here first: they all store the same values.
void find_real() noexcept {
  void* dlvsym_address = find_behind_us("dlvsym");
  void* dlsym_address = find_behind_us("dlsym");
  if (dlsym_address == nullptr) std::abort();  // no C library has this library loaded and no dlsym
  __atomic_store_n(&hami_real_dlopen, find_behind_us("dlopen"), __ATOMIC_RELEASE);
  __atomic_store_n(&hami_real_dlmopen, find_behind_us("dlmopen"), __ATOMIC_RELEASE);
  __atomic_store_n(&hami_real_dlvsym, dlvsym_address, __ATOMIC_RELEASE);
  __atomic_store_n(&hami_real_dlsym, dlsym_address, __ATOMIC_RELEASE);
}

// Only names of functions in our tables go further; everything else costs a few comparisons.
const Library* library_of(const char* symbol) noexcept {
  if (symbol[0] == 'c' && symbol[1] == 'u') return &cuda_library();
  if (symbol[0] == 'n' && symbol[1] == 'v' && symbol[2] == 'm' && symbol[3] == 'l') return &nvml_library();
  return nullptr;
}

constexpr HamiAnswer kUndecided = {nullptr, 0};

// The program must not find a function that its driver lacks. Asking for a name that nobody has leaves the
// message for dlerror().
HamiAnswer missing(const char* symbol) noexcept {
  char name[128] = {};
  const std::size_t length = ::strnlen(symbol, 96);
  std::memcpy(name, symbol, length);
  std::memcpy(name + length, " (driver)", 10);
  real_dlsym(RTLD_DEFAULT, name);
  return HamiAnswer{nullptr, 1};
}

// The loader found `address` for a row of ours. It is replaced when it is the driver's function, in whatever
// way it was reached; a function of the same name in another library is none of our business.
HamiAnswer replace(const Library& library, int index, void* address) noexcept {
  void* hook = library.row(index).hook;
  // Our own export is what the loader finds first in the global scope, with or without a driver behind it.
  const bool is_ours = address == hook;
  if (is_ours && (!library.load() || library.entry_point(index) == nullptr))
    return missing(library.row(index).symbol);
  if (!is_ours && LoadedObject::at(address).path() == nullptr) {
    const HamiAnswer answer = ask_family(library.row(index).symbol, address);
    if (answer.decided != 0) return answer;
  }
  if (!is_ours && !library.load_from(address, index)) return kUndecided;
  if (mode() == Mode::off || is_idle_launch(library.row(index).symbol))
    return HamiAnswer{library.entry_point(index), 1};
  return HamiAnswer{hook, 1};
}

// Index of the row that `symbol` asks for when it is one that we replace; -1 otherwise.
int replaced_row(const char* symbol, const Library*& library) noexcept {
  if (symbol == nullptr) return -1;
  library = library_of(symbol);
  if (library == nullptr) return -1;
  const int index = library->find(symbol);
  return index >= 0 && library->row(index).hook != nullptr ? index : -1;
}

// One of the loader's functions that we replace: the loader's, and ours.
struct LoaderFunction {
  const char* symbol;
  void* const* real;
  void* ours;
};
const LoaderFunction kLoaderFunctions[] = {
    {"dlsym", &hami_real_dlsym, reinterpret_cast<void*>(&::dlsym)},
    {"dlvsym", &hami_real_dlvsym, reinterpret_cast<void*>(&::dlvsym)},
    {"dlopen", &hami_real_dlopen, reinterpret_cast<void*>(&::dlopen)},
    {"dlmopen", &hami_real_dlmopen, reinterpret_cast<void*>(&::dlmopen)}};

// The one that `symbol` names; null for every other name.
const LoaderFunction* find_loader_function(const char* symbol) noexcept {
  if (symbol == nullptr || symbol[0] != 'd' || symbol[1] != 'l') return nullptr;
  for (const LoaderFunction& function : kLoaderFunctions) {
    if (is_same_text(symbol, function.symbol)) return &function;
  }
  return nullptr;
}

bool is_of_c_library(const void* address) noexcept {
  const char* path = LoadedObject::at(address).path();
  return path != nullptr && (is_file_of(path, "libc.so.6") || is_file_of(path, "libdl.so.2"));
}

// A program that asks for the C library's own dlsym would find the driver past us with it. It gets ours,
// which serves it as well. Only who replaces these functions too, behind us, is left with what it asks for:
// our calls end in it.
HamiAnswer answer_loader_function(const LoaderFunction& function, void* address,
                                  const void* caller) noexcept {
  if (address == nullptr || address == function.ours) return HamiAnswer{address, address != nullptr};
  if (address != *function.real && !is_of_c_library(address)) return kUndecided;
  const bool replaces =
      LoadedObject::at(caller).find(function.symbol, symbol_hash(function.symbol)) != nullptr;
  return replaces && !is_before(caller, function.ours) ? kUndecided : HamiAnswer{function.ours, 1};
}

// What RTLD_NEXT finds for `caller`. An object that the program opened may look among its own dependencies,
// which can lie before it: then the driver is found there, and better once too often than past the limit.
void* find_next(const void* caller, const char* symbol) noexcept {
  void* behind = find_behind(caller, symbol);
  return behind != nullptr ? behind : find_in_other_objects(symbol);
}

void prepare() noexcept {
  if (__atomic_load_n(&hami_real_dlsym, __ATOMIC_ACQUIRE) == nullptr) find_real();
}

}  // namespace

HamiAnswer replace_found(const char* symbol, void* address) noexcept {
  const Library* library = nullptr;
  const int index = replaced_row(symbol, library);
  return index < 0 ? kUndecided : replace(*library, index, address);
}

void* real_dlopen(const char* path, int flags) noexcept {
  using Dlopen = void* (*)(const char*, int);
  const auto function = reinterpret_cast<Dlopen>(find_behind_us("dlopen"));
  return function == nullptr ? nullptr : function(path, flags);
}

bool real_dladdr(const void* address, const char** path) noexcept {
  using Dladdr = int (*)(const void*, Dl_info*);
  const auto function = reinterpret_cast<Dladdr>(find_in_other_objects("dladdr"));
  Dl_info where = {};
  if (function == nullptr || function(address, &where) == 0 || where.dli_fname == nullptr) return false;
  *path = where.dli_fname;
  return true;
}

void* real_dlsym(void* handle, const char* symbol) noexcept {
  prepare();
  using Dlsym = void* (*)(void*, const char*);
  return reinterpret_cast<Dlsym>(hami_real_dlsym)(handle, symbol);
}

}  // namespace hami::vgpu

HamiAnswer hami_find_hook(void* handle, const char* symbol, const void* caller) noexcept {
  using namespace hami::vgpu;
  const Library* library = nullptr;
  prepare();
  const LoaderFunction* function = find_loader_function(symbol);
  const int index = function == nullptr ? replaced_row(symbol, library) : -1;
  if (function == nullptr && index < 0) return kUndecided;
  const ErrnoGuard keep_errno;
  void* address = handle == RTLD_NEXT ? find_next(caller, symbol) : real_dlsym(handle, symbol);
  if (function != nullptr) return answer_loader_function(*function, address, caller);
  return address == nullptr ? kUndecided : replace(*library, index, address);
}

HamiAnswer hami_find_hook_versioned(void* handle, const char* symbol, const char* version,
                                    const void* caller) noexcept {
  using namespace hami::vgpu;
  const Library* library = nullptr;
  prepare();
  const LoaderFunction* function = find_loader_function(symbol);
  const int index = function == nullptr ? replaced_row(symbol, library) : -1;
  if (function == nullptr && index < 0) return kUndecided;
  const ErrnoGuard keep_errno;
  // Those in front of us have no versions, the C library has: the loader would pass over them, and us.
  if (function != nullptr && handle == RTLD_NEXT && is_before(caller, function->ours)) {
    return HamiAnswer{function->ours, 1};
  }
  using Dlvsym = void* (*)(void*, const char*, const char*);
  void* address = handle == RTLD_NEXT ? find_next(caller, symbol)
                                      : reinterpret_cast<Dlvsym>(hami_real_dlvsym)(handle, symbol, version);
  if (function != nullptr) return answer_loader_function(*function, address, caller);
  return address == nullptr ? kUndecided : replace(*library, index, address);
}

int hami_flags_to_open(int flags) noexcept {
  using namespace hami::vgpu;
  const ErrnoGuard keep_errno;
  prepare();
  return (flags & RTLD_DEEPBIND) == 0 || mode() == Mode::off ? flags : flags & ~RTLD_DEEPBIND;
}
