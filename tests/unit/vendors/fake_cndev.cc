// A device management library of Cambricon's shape: two cards, whose sMLU instances are files beside it.
#include <string>

#include "tests/unit/vendors/fake_driver_node.h"

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

hami::vendors::fake::NodePlace place() {
  return hami::vendors::fake::node_place(reinterpret_cast<void*>(&cndevInit));
}

std::string instance_name(int slot, int number) {
  return "cap_dev" + std::to_string(slot) + "_mi" + std::to_string(number);
}

}  // namespace

int cndevCreateSMluInstanceByProfileId(int* instance, unsigned profile, int handle, const char*) {
  if (profile != 5) return 8;
  for (int number = 1; number < 16; ++number) {
    const auto minor = static_cast<unsigned>(16 * (handle - 100) + number);
    if (!hami::vendors::fake::make_node(place(), instance_name(handle - 100, number), minor)) continue;
    *instance = number << 8 | (handle - 100);
    return 0;
  }
  return 12;
}

int cndevDestroySMluInstanceByHandle(int instance) {
  return hami::vendors::fake::remove_node(place(), instance_name(instance & 0xff, instance >> 8)) ? 0 : 9;
}
}
