// One of several libraries in front of the driver. Each defines chain_walk() and asks for the next one's.
// HAMI_LETTER tells them apart; 'd' is linked to the driver and has a function that is called like one of it.
#include <dlfcn.h>

#include <cstddef>
#include <cstring>

extern "C" int cuMemAlloc_v2(unsigned long long* ptr, std::size_t bytes);

namespace {

using Walk = void (*)(char* out);

void append(char* out, char letter) {
  const std::size_t length = std::strlen(out);
  out[length] = letter;
  out[length + 1] = '\0';
}

Walk next_walk() { return reinterpret_cast<Walk>(dlsym(RTLD_NEXT, "chain_walk")); }

// Asked before main(), while the other libraries may not be ready.
Walk g_asked_early = nullptr;
__attribute__((constructor)) void ask_early() { g_asked_early = next_walk(); }

}  // namespace

// Appends the letter of this library and those of the ones behind it.
extern "C" __attribute__((visibility("default"))) void chain_walk(char* out) {
  append(out, HAMI_LETTER);
  const Walk next = next_walk();
  if (next != nullptr) next(out);
  if (next != g_asked_early) append(out, '!');
}

// What lies behind this library.
extern "C" __attribute__((visibility("default"))) void* chain_next(const char* symbol) {
  return dlsym(RTLD_NEXT, symbol);
}

#ifdef HAMI_LINKED
extern "C" __attribute__((visibility("default"))) void* chain_bound() {
  return reinterpret_cast<void*>(&cuMemAlloc_v2);
}
extern "C" __attribute__((visibility("default"))) int cuMemFree_v2(unsigned long long) { return 1234; }
#endif
