// A management library of two devices, the second one in MIG mode, as far as hami-probe asks it.
// FAKE_NVML_CRASH makes another one that crashes.
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct PciInfo {
  char bus_id_legacy[16];
  unsigned domain;
  unsigned bus;
  unsigned device;
  unsigned pci_device_id;
  unsigned pci_subsystem_id;
  char bus_id[32];
};

struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

int devices[2] = {0, 1};
int instances[2] = {10, 50};  // ten times the GPU instance
int number(void* device) { return *static_cast<int*>(device); }

}  // namespace

extern "C" {
int nvmlInit_v2() {
#ifdef FAKE_NVML_CRASH
  std::abort();
#endif
  return 0;
}
int nvmlShutdown() { return 0; }
const char* nvmlErrorString(int) { return "fake error"; }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &devices[index];
  return 0;
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned size) {
  const char* kind = number(device) < 2 ? "GPU" : "MIG";
  return std::snprintf(text, size, "%s-%08d", kind, number(device)) > 0 ? 0 : 1;
}
int nvmlDeviceGetName(void*, char* text, unsigned size) {
  return std::snprintf(text, size, "Fake \"GPU\"") > 0 ? 0 : 1;
}
int nvmlDeviceGetPciInfo_v3(void* device, PciInfo* info) {
  std::memset(info, 0, sizeof *info);
  info->domain = 1;
  info->bus = 0x3bU + static_cast<unsigned>(number(device));
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, Memory* memory) {
  if (number(device) >= 2) {
    memory->total = 5100273664ULL;
    return 0;
  }
  if (number(device) == 1) return 3;  // not supported, as on cards that share the host's memory
  memory->total = 85899345920ULL;
  return 0;
}
int nvmlDeviceGetMigMode(void* device, unsigned* current, unsigned* pending) {
  *current = *pending = number(device) == 1 ? 1 : 0;
  return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(void*, unsigned* count) {
  *count = 7;
  return 0;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void*, unsigned index, void** instance) {
  if (index != 0 && index != 3) return 6;  // not found: nothing is in that place
  *instance = &instances[index == 0 ? 0 : 1];
  return 0;
}
int nvmlDeviceGetGpuInstanceId(void* instance, unsigned* id) {
  *id = static_cast<unsigned>(number(instance)) / 10;
  return 0;
}
int nvmlDeviceGetComputeInstanceId(void*, unsigned* id) {
  *id = 0;
  return 0;
}
// Both cards have one link to each other; the first has a second one that is down.
int nvmlDeviceGetNvLinkState(void* device, unsigned link, unsigned* active) {
  if (link > (number(device) == 0 ? 1U : 0U)) return 2;  // invalid argument: no such link
  *active = link == 0 ? 1 : 0;
  return 0;
}
int nvmlDeviceGetNvLinkRemotePciInfo_v2(void* device, unsigned, PciInfo* info) {
  int other = 1 - number(device);
  return nvmlDeviceGetPciInfo_v3(&other, info);
}
}
