#include "vendors/probe/dcmi.h"

#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <cstdio>

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

// A device without a physical id has no node and is left out.
void add_device(const Dcmi& dcmi, int card, int device, vendors::ProbeAnswer& answer) {
  int logic = 0;
  unsigned physical = 0;
  if (dcmi.logic_id(&logic, card, device) != 0 || logic < 0 ||
      dcmi.physical_id(static_cast<unsigned>(logic), &physical) != 0)
    return;
  vendors::ProbedDevice result;
  result.number = physical;
  result.uuid = identity(dcmi, card, device);
  ChipInfo chip{};
  if (dcmi.chip(card, device, &chip) == 0) {
    chip.name.back() = '\0';
    result.model = chip.name.data();
  }
  result.memory = Bytes::mib(memory_mib(dcmi, card, device));
  answer.devices.push_back(std::move(result));
}

}  // namespace

Result<std::string> ask_dcmi(const std::string& path) {
  HAMI_TRY(const Dcmi dcmi, load(path));
  if (dcmi.init() != 0) return fail(Errc::io, "start the library");
  std::array<int, kMaxCards> cards{};
  int count = 0;
  if (dcmi.cards(&count, cards.data(), kMaxCards) != 0) return fail(Errc::io, "list cards");
  vendors::ProbeAnswer answer;
  for (int i = 0; i < count && i < kMaxCards; ++i) {
    const int card = cards[static_cast<std::size_t>(i)];
    int devices = 0;
    if (dcmi.devices(card, &devices) != 0) continue;
    for (int device = 0; device < devices && device < 16; ++device) add_device(dcmi, card, device, answer);
  }
  return vendors::to_json(answer);
}

}  // namespace hami::probe
