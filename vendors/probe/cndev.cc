#include "vendors/probe/cndev.h"

#include <dlfcn.h>

#include "oci-config/base/text.h"

namespace hami::probe {

namespace {

// As Cambricon's device plugin calls the library. The layout of the set is inferred from the types that the
// plugin gives its members.
constexpr int kVersion = 6;
constexpr unsigned kSlotBits = 8;  // an instance's handle is <number> << 8 | <slot>

struct SmluSet {
  int version;
  unsigned quota;  // percent
  unsigned long memory;
  unsigned char room[256];  // later versions have more
};

struct Cndev {
  int (*init)(int) = nullptr;
  int (*handle)(int, int*) = nullptr;
  int (*make_profile)(SmluSet*, int*, int) = nullptr;
  int (*drop_profile)(int, int) = nullptr;
  int (*make)(int*, unsigned, int, char*) = nullptr;
  int (*drop)(int) = nullptr;
};

template <typename F>
bool find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(::dlsym(library, name));
  return function != nullptr;
}

Result<Cndev> load(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return fail(Errc::io, text::cat({"load ", text::quote(path), ": ", why != nullptr ? why : "unknown"}));
  }
  Cndev cndev;
  const bool complete = find(library, "cndevInit", cndev.init) &&
                        find(library, "cndevGetDeviceHandleByIndex", cndev.handle) &&
                        find(library, "cndevCreateSMluProfileInfo", cndev.make_profile) &&
                        find(library, "cndevDestroySMluProfileInfo", cndev.drop_profile) &&
                        find(library, "cndevCreateSMluInstanceByProfileId", cndev.make) &&
                        find(library, "cndevDestroySMluInstanceByHandle", cndev.drop);
  if (!complete) return fail(Errc::io, text::cat({text::quote(path), " knows no sMLU instances"}));
  if (cndev.init(0) != 0) return fail(Errc::io, "start the library");
  return cndev;
}

tl::unexpected<Error> refused(std::string_view doing, int code) {
  return fail(Errc::io, text::cat({doing, ": the library answers ", std::to_string(code)}));
}

}  // namespace

Result<std::uint32_t> create_smlu(const std::string& library, std::uint32_t slot, std::uint32_t percent,
                                  std::uint64_t memory) {
  HAMI_TRY(const Cndev cndev, load(library));
  int card = 0;
  if (const int code = cndev.handle(static_cast<int>(slot), &card); code != 0)
    return refused("find the card", code);
  SmluSet set{};
  set.version = kVersion;
  set.quota = percent;
  set.memory = memory;
  int profile = 0;
  if (const int code = cndev.make_profile(&set, &profile, card); code != 0)
    return refused("make an sMLU profile", code);
  int instance = 0;
  char name[] = "";
  if (const int code = cndev.make(&instance, static_cast<unsigned>(profile), card, name); code != 0) {
    static_cast<void>(cndev.drop_profile(profile, card));
    return refused("make an sMLU instance", code);
  }
  return static_cast<std::uint32_t>(instance) >> kSlotBits;
}

Result<> destroy_smlu(const std::string& library, std::uint32_t slot, std::uint32_t number) {
  HAMI_TRY(const Cndev cndev, load(library));
  const int instance = static_cast<int>(number << kSlotBits | slot);
  if (const int code = cndev.drop(instance); code != 0) return refused("destroy the sMLU instance", code);
  return {};
}

}  // namespace hami::probe
