#include "vendors/probe/dcmi.h"

#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <vector>

#include "oci-config/base/text.h"
#include "vendors/probe_answer.h"

namespace hami::probe {

namespace {

// Types and limits as in Huawei's DCMI API reference. Structures have room behind them: later versions of the
// library have longer ones.
constexpr int kMaxCards = 64;
constexpr int kVirtualDie = 1;

struct ChipInfo {
  std::array<char, 32> type;
  std::array<char, 32> name;
  std::array<char, 32> version;
  unsigned cores;
  std::array<char, 256> room;
};

struct HbmInfo {
  unsigned long long total_mib;
  unsigned frequency;
  unsigned long long used_mib;
  int temperature;
  unsigned bandwidth;
  std::array<char, 256> room;
};

struct MemoryInfo {
  unsigned long long total_mib;
  unsigned long long free_mib;
  std::array<char, 256> room;
};

struct DieId {
  std::array<unsigned, 5> words;
  std::array<char, 64> room;
};

constexpr unsigned kAnyGroup = UINT32_MAX;

struct VnpuSize {
  unsigned number;
  unsigned group;
  std::array<char, 32> name;
  std::array<char, 64> reserved;
};

struct VnpuMade {
  unsigned number;
  unsigned pci_bus;
  unsigned pci_device;
  unsigned pci_function;
  unsigned group;
  std::array<char, 256> room;
};

struct Dcmi {
  int (*init)() = nullptr;
  int (*cards)(int*, int*, int) = nullptr;
  int (*devices)(int, int*) = nullptr;
  int (*logic_id)(int*, int, int) = nullptr;
  int (*physical_id)(unsigned, unsigned*) = nullptr;
  int (*chip)(int, int, ChipInfo*) = nullptr;
  // Not in every version of the library.
  int (*hbm)(int, int, HbmInfo*) = nullptr;
  int (*memory)(int, int, MemoryInfo*) = nullptr;
  int (*die)(int, int, int, DieId*) = nullptr;
  int (*create)(int, int, VnpuSize*, VnpuMade*) = nullptr;
  int (*destroy)(int, int, unsigned) = nullptr;
};

template <typename F>
bool find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(::dlsym(library, name));
  return function != nullptr;
}

Result<Dcmi> load(const std::string& path) {
  // Not closed: unloading runs the vendor's destructors for nothing, the process ends anyway.
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return fail(Errc::io, text::cat({"load ", text::quote(path), ": ", why != nullptr ? why : "unknown"}));
  }
  Dcmi dcmi;
  const bool complete = find(library, "dcmi_init", dcmi.init) &&
                        find(library, "dcmi_get_card_list", dcmi.cards) &&
                        find(library, "dcmi_get_device_num_in_card", dcmi.devices) &&
                        find(library, "dcmi_get_device_logic_id", dcmi.logic_id) &&
                        find(library, "dcmi_get_device_phyid_from_logicid", dcmi.physical_id) &&
                        find(library, "dcmi_get_device_chip_info", dcmi.chip);
  if (!complete) return fail(Errc::io, text::cat({text::quote(path), " is no DCMI library"}));
  find(library, "dcmi_get_device_hbm_info", dcmi.hbm);
  find(library, "dcmi_get_device_memory_info_v3", dcmi.memory);
  find(library, "dcmi_get_device_die_v2", dcmi.die);
  find(library, "dcmi_create_vdevice", dcmi.create);
  find(library, "dcmi_set_destroy_vdevice", dcmi.destroy);
  return dcmi;
}

std::uint64_t memory_mib(const Dcmi& dcmi, int card, int device) {
  HbmInfo hbm{};
  if (dcmi.hbm != nullptr && dcmi.hbm(card, device, &hbm) == 0 && hbm.total_mib != 0) return hbm.total_mib;
  MemoryInfo memory{};
  if (dcmi.memory != nullptr && dcmi.memory(card, device, &memory) == 0) return memory.total_mib;
  return 0;
}

std::string identity(const Dcmi& dcmi, int card, int device) {
  DieId die{};
  if (dcmi.die == nullptr || dcmi.die(card, device, kVirtualDie, &die) != 0) return {};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%08X-%08X-%08X-%08X-%08X", die.words[0], die.words[1],
                die.words[2], die.words[3], die.words[4]);
  return text.data();
}

// The number of the device's node; nothing when it has none.
std::optional<unsigned> physical_id(const Dcmi& dcmi, int card, int device) {
  int logic = 0;
  unsigned physical = 0;
  if (dcmi.logic_id(&logic, card, device) != 0 || logic < 0 ||
      dcmi.physical_id(static_cast<unsigned>(logic), &physical) != 0)
    return std::nullopt;
  return physical;
}

// A device without a physical id has no node and is left out.
void add_device(const Dcmi& dcmi, int card, int device, vendors::ProbeAnswer& answer) {
  const auto physical = physical_id(dcmi, card, device);
  if (!physical) return;
  vendors::ProbedDevice result;
  result.number = *physical;
  result.uuid = identity(dcmi, card, device);
  ChipInfo chip{};
  if (dcmi.chip(card, device, &chip) == 0) {
    chip.name.back() = '\0';
    result.model = chip.name.data();
  }
  result.memory = Bytes::mib(memory_mib(dcmi, card, device));
  answer.devices.push_back(std::move(result));
}

// How the library addresses a device.
struct Address {
  int card = 0;
  int device = 0;
};

Result<std::vector<Address>> addresses(const Dcmi& dcmi) {
  if (dcmi.init() != 0) return fail(Errc::io, "start the library");
  std::array<int, kMaxCards> cards{};
  int count = 0;
  if (dcmi.cards(&count, cards.data(), kMaxCards) != 0) return fail(Errc::io, "list cards");
  std::vector<Address> out;
  for (int i = 0; i < count && i < kMaxCards; ++i) {
    const int card = cards[static_cast<std::size_t>(i)];
    int devices = 0;
    if (dcmi.devices(card, &devices) != 0) continue;
    for (int device = 0; device < devices && device < 16; ++device) out.push_back({card, device});
  }
  return out;
}

Result<Address> address_of(const Dcmi& dcmi, std::uint32_t physical) {
  if (dcmi.create == nullptr || dcmi.destroy == nullptr) return fail(Errc::io, "the library knows no vNPUs");
  HAMI_TRY(const auto all, addresses(dcmi));
  for (const Address& address : all) {
    if (physical_id(dcmi, address.card, address.device) == physical) return address;
  }
  return fail(Errc::not_found, text::cat({"no device has the physical id ", text::number(physical)}));
}

tl::unexpected<Error> refused(std::string_view doing, int code) {
  return fail(Errc::io, text::cat({doing, ": the library answers ", std::to_string(code)}));
}

}  // namespace

Result<std::string> ask_dcmi(const std::string& path) {
  HAMI_TRY(const Dcmi dcmi, load(path));
  HAMI_TRY(const auto all, addresses(dcmi));
  vendors::ProbeAnswer answer;
  for (const Address& address : all) add_device(dcmi, address.card, address.device, answer);
  return vendors::to_json(answer);
}

Result<> create_vnpu(const std::string& path, std::uint32_t physical, const std::string& size,
                     std::uint32_t number) {
  HAMI_TRY(const Dcmi dcmi, load(path));
  HAMI_TRY(const Address address, address_of(dcmi, physical));
  VnpuSize asked{number, kAnyGroup, {}, {}};
  if (size.size() >= asked.name.size()) return fail(Errc::invalid_config, "the template's name is too long");
  size.copy(asked.name.data(), size.size());
  VnpuMade made{};
  if (const int code = dcmi.create(address.card, address.device, &asked, &made); code != 0)
    return refused("make a vNPU", code);
  if (made.number == number) return {};
  // It must not stay under a number that nobody wrote down.
  static_cast<void>(dcmi.destroy(address.card, address.device, made.number));
  return fail(Errc::io, text::cat({"make a vNPU: asked for number ", text::number(number), ", got ",
                                   text::number(made.number)}));
}

Result<> destroy_vnpu(const std::string& path, std::uint32_t physical, std::uint32_t number) {
  HAMI_TRY(const Dcmi dcmi, load(path));
  HAMI_TRY(const Address address, address_of(dcmi, physical));
  const int code = dcmi.destroy(address.card, address.device, number);
  return code == 0 ? Result<>{} : refused("destroy a vNPU", code);
}

}  // namespace hami::probe
