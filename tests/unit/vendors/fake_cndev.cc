// A device management library of Cambricon's shape: two cards, whose sMLU instances are files beside it.
#include <dlfcn.h>

#include <cstdio>
#include <string>

extern "C" {

int cndevInit(int) { return 0; }

int cndevGetDeviceHandleByIndex(int index, int* handle) {
  *handle = index + 100;
  return index < 2 ? 0 : 3;
}

int cndevCreateSMluProfileInfo(const void* set, int* profile, int handle) {
  struct Set {
    int version;
    unsigned quota;
    unsigned long memory;
  };
  const auto* asked = static_cast<const Set*>(set);
  if (handle < 100 || asked->version != 6 || asked->quota > 100 || asked->memory == 0) return 8;
  *profile = 5;
  return 0;
}

int cndevDestroySMluProfileInfo(int, int) { return 0; }

namespace {

std::string instance_file(int slot, int number) {
  Dl_info self{};
  ::dladdr(reinterpret_cast<void*>(&cndevInit), &self);
  const std::string path = self.dli_fname;
  return path.substr(0, path.rfind('/')) + "/cap_dev" + std::to_string(slot) + "_mi" + std::to_string(number);
}

}  // namespace

int cndevCreateSMluInstanceByProfileId(int* instance, unsigned profile, int handle, const char*) {
  if (profile != 5) return 8;
  for (int number = 1; number < 16; ++number) {
    std::FILE* file = std::fopen(instance_file(handle - 100, number).c_str(), "wx");
    if (file == nullptr) continue;
    std::fclose(file);
    *instance = number << 8 | (handle - 100);
    return 0;
  }
  return 12;
}

int cndevDestroySMluInstanceByHandle(int instance) {
  return std::remove(instance_file(instance & 0xff, instance >> 8).c_str()) == 0 ? 0 : 9;
}
}
