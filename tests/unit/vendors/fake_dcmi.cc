// A device management library of Huawei's shape: one card with two devices, of which one has no physical id.
#include <cstring>
#include <string>

#include "tests/unit/vendors/fake_driver_node.h"

extern "C" {

int dcmi_init() { return 0; }

int dcmi_get_card_list(int* count, int* list, int) {
  *count = 1;
  list[0] = 7;
  return 0;
}

int dcmi_get_device_num_in_card(int card, int* count) {
  *count = card == 7 ? 2 : 0;
  return 0;
}

int dcmi_get_device_logic_id(int* logic, int, int device) {
  *logic = device;
  return 0;
}

int dcmi_get_device_phyid_from_logicid(unsigned logic, unsigned* physical) {
  *physical = 12;
  return logic == 0 ? 0 : -1;
}

int dcmi_get_device_chip_info(int, int, char* info) {
  std::memcpy(info + 32, "910B3", 6);
  return 0;
}

int dcmi_get_device_hbm_info(int, int, unsigned long long* info) {
  info[0] = 65536;
  return 0;
}

int dcmi_get_device_die_v2(int, int, int type, unsigned* words) {
  for (unsigned i = 0; i < 5; ++i) words[i] = type == 1 ? 0xA0 + i : 0;
  return 0;
}

namespace {

hami::vendors::fake::NodePlace place() {
  return hami::vendors::fake::node_place(reinterpret_cast<void*>(&dcmi_init));
}

std::string vnpu(unsigned number) { return "vdavinci" + std::to_string(number); }

}  // namespace

// Numbers, then the template's name.
int dcmi_create_vdevice(int card, int device, const unsigned* asked, unsigned* made) {
  const std::string size = reinterpret_cast<const char*>(asked + 2);
  if (card != 7 || device != 0 || asked[1] != 0xffffffffU || size.rfind("vir", 0) != 0) return -8255;
  made[0] = size == "vir_other" ? asked[0] + 1 : asked[0];
  return hami::vendors::fake::make_node(place(), vnpu(made[0]), made[0]) ? 0 : -8257;
}

int dcmi_set_destroy_vdevice(int card, int device, unsigned number) {
  if (card != 7 || device != 0) return -8255;
  return hami::vendors::fake::remove_node(place(), vnpu(number)) ? 0 : -8258;
}
}
