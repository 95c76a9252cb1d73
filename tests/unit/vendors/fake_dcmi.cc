// A device management library of Huawei's shape: one card with two devices, of which one has no physical id.
#include <cstring>

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
}
