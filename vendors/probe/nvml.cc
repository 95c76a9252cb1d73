#include "vendors/probe/nvml.h"

#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

#include "oci-config/base/text.h"
#include "vendors/probe_answer.h"

namespace hami::probe {

namespace {

// Types and limits as in NVIDIA's NVML API reference.
using Device = void*;
using Code = int;
constexpr Code kSuccess = 0;
constexpr unsigned kMaxLinks = 18;

struct PciInfo {
  std::array<char, 16> bus_id_legacy;
  unsigned domain;
  unsigned bus;
  unsigned device;
  unsigned pci_device_id;
  unsigned pci_subsystem_id;
  std::array<char, 32> bus_id;
};

struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

struct Nvml {
  Code (*init)() = nullptr;
  Code (*shutdown)() = nullptr;
  const char* (*error_string)(Code) = nullptr;
  Code (*count)(unsigned*) = nullptr;
  Code (*by_index)(unsigned, Device*) = nullptr;
  Code (*uuid)(Device, char*, unsigned) = nullptr;
  Code (*name)(Device, char*, unsigned) = nullptr;
  Code (*pci)(Device, PciInfo*) = nullptr;
  Code (*memory)(Device, Memory*) = nullptr;
  // Not in every library of this shape.
  Code (*minor)(Device, unsigned*) = nullptr;
  Code (*mig_mode)(Device, unsigned* current, unsigned* pending) = nullptr;
  Code (*mig_count)(Device, unsigned*) = nullptr;
  Code (*mig_by_index)(Device, unsigned, Device*) = nullptr;
  Code (*gpu_instance)(Device, unsigned*) = nullptr;
  Code (*compute_instance)(Device, unsigned*) = nullptr;

  bool knows_mig() const {
    return mig_mode != nullptr && mig_count != nullptr && mig_by_index != nullptr &&
           gpu_instance != nullptr && compute_instance != nullptr;
  }
  Code (*link_state)(Device, unsigned, unsigned*) = nullptr;
  Code (*link_end)(Device, unsigned, PciInfo*) = nullptr;
};

template <typename F>
Result<> bind(void* library, const char* name, F& function) {
  void* symbol = ::dlsym(library, name);
  if (symbol == nullptr) return fail(Errc::io, text::cat({"the library has no ", name}));
  function = reinterpret_cast<F>(symbol);
  return {};
}

Result<Nvml> load(const std::string& path) {
  // Not closed: unloading runs the vendor's destructors for nothing, the process ends anyway.
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return fail(Errc::io, text::cat({"load ", text::quote(path), ": ", why != nullptr ? why : "unknown"}));
  }
  Nvml nvml;
  HAMI_CHECK(bind(library, "nvmlInit_v2", nvml.init));
  HAMI_CHECK(bind(library, "nvmlShutdown", nvml.shutdown));
  HAMI_CHECK(bind(library, "nvmlErrorString", nvml.error_string));
  HAMI_CHECK(bind(library, "nvmlDeviceGetCount_v2", nvml.count));
  HAMI_CHECK(bind(library, "nvmlDeviceGetHandleByIndex_v2", nvml.by_index));
  HAMI_CHECK(bind(library, "nvmlDeviceGetUUID", nvml.uuid));
  HAMI_CHECK(bind(library, "nvmlDeviceGetName", nvml.name));
  if (!bind(library, "nvmlDeviceGetPciInfo_v3", nvml.pci))
    HAMI_CHECK(bind(library, "nvmlDeviceGetPciInfo_v2", nvml.pci));
  HAMI_CHECK(bind(library, "nvmlDeviceGetMemoryInfo", nvml.memory));
  static_cast<void>(bind(library, "nvmlDeviceGetMinorNumber", nvml.minor));
  static_cast<void>(bind(library, "nvmlDeviceGetMigMode", nvml.mig_mode));
  static_cast<void>(bind(library, "nvmlDeviceGetMaxMigDeviceCount", nvml.mig_count));
  static_cast<void>(bind(library, "nvmlDeviceGetMigDeviceHandleByIndex", nvml.mig_by_index));
  static_cast<void>(bind(library, "nvmlDeviceGetGpuInstanceId", nvml.gpu_instance));
  static_cast<void>(bind(library, "nvmlDeviceGetComputeInstanceId", nvml.compute_instance));
  static_cast<void>(bind(library, "nvmlDeviceGetNvLinkState", nvml.link_state));
  static_cast<void>(bind(library, "nvmlDeviceGetNvLinkRemotePciInfo_v2", nvml.link_end));
  return nvml;
}

std::string bdf(const PciInfo& pci) {
  char text[32];
  std::snprintf(text, sizeof text, "%04x:%02x:%02x.0", pci.domain, pci.bus & 0xffU, pci.device & 0xffU);
  return text;
}

// The live MIG instances. Their places have gaps: one that was destroyed leaves its number free.
std::vector<vendors::ProbedPart> parts_of(const Nvml& nvml, Device device) {
  std::vector<vendors::ProbedPart> parts;
  unsigned current = 0;
  unsigned pending = 0;
  unsigned count = 0;
  if (!nvml.knows_mig() || nvml.mig_mode(device, &current, &pending) != kSuccess || current == 0 ||
      nvml.mig_count(device, &count) != kSuccess)
    return parts;
  for (unsigned i = 0; i < count; ++i) {
    Device instance = nullptr;
    vendors::ProbedPart part;
    std::array<char, 128> text{};
    if (nvml.mig_by_index(device, i, &instance) != kSuccess ||
        nvml.gpu_instance(instance, &part.first) != kSuccess ||
        nvml.compute_instance(instance, &part.second) != kSuccess ||
        nvml.uuid(instance, text.data(), text.size() - 1) != kSuccess)
      continue;
    part.uuid = text.data();
    Memory memory{};
    if (nvml.memory(instance, &memory) == kSuccess) part.memory.value = memory.total;
    parts.push_back(std::move(part));
  }
  return parts;
}

// The other ends of the active NVLinks.
std::vector<std::string> links_of(const Nvml& nvml, Device device) {
  std::vector<std::string> ends;
  if (nvml.link_state == nullptr || nvml.link_end == nullptr) return ends;
  for (unsigned link = 0; link < kMaxLinks; ++link) {
    unsigned active = 0;
    if (nvml.link_state(device, link, &active) != kSuccess) break;
    PciInfo end{};
    if (active != 0 && nvml.link_end(device, link, &end) == kSuccess) ends.push_back(bdf(end));
  }
  return ends;
}

vendors::ProbedDevice describe(const Nvml& nvml, Device device) {
  vendors::ProbedDevice result;
  std::array<char, 128> text{};
  if (nvml.uuid(device, text.data(), text.size() - 1) == kSuccess) result.uuid = text.data();
  text = {};
  if (nvml.name(device, text.data(), text.size() - 1) == kSuccess) result.model = text.data();
  PciInfo pci{};
  if (nvml.pci(device, &pci) == kSuccess) result.bdf = bdf(pci);
  result.links = links_of(nvml, device);
  unsigned number = 0;
  if (nvml.minor != nullptr && nvml.minor(device, &number) == kSuccess) result.number = number;
  Memory memory{};
  if (nvml.memory(device, &memory) == kSuccess) result.memory.value = memory.total;
  result.parts = parts_of(nvml, device);
  return result;
}

}  // namespace

Result<std::string> ask_nvml(const std::string& path) {
  HAMI_TRY(const Nvml nvml, load(path));
  const auto failed = [&](std::string_view what, Code code) {
    const char* why = nvml.error_string(code);
    return fail(Errc::io, text::cat({what, ": ", why != nullptr ? why : "unknown"}));
  };
  if (const Code code = nvml.init(); code != kSuccess) return failed("start the library", code);
  unsigned count = 0;
  if (const Code code = nvml.count(&count); code != kSuccess) return failed("count devices", code);
  vendors::ProbeAnswer answer;
  for (unsigned i = 0; i < count; ++i) {
    Device device = nullptr;
    if (nvml.by_index(i, &device) == kSuccess) answer.devices.push_back(describe(nvml, device));
  }
  nvml.shutdown();
  return vendors::to_json(answer);
}

}  // namespace hami::probe
