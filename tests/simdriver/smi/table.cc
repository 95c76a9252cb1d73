#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/simdriver/smi/screens.h"

namespace hami::smi {
namespace {

constexpr unsigned kMaxProcesses = 1024;
constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr unsigned kUnknown = 0xffffffffU;

void print_time() {
  const time_t now = time(nullptr);
  tm local{};
  char text[64];
  localtime_r(&now, &local);
  strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &local);
  printf("%s       \n", text);
}

void print_header(const Nvml& nvml) {
  char driver[80] = "N/A";
  int cuda = 0;
  char cuda_text[24] = "N/A";
  if (nvml.driver_version != nullptr) nvml.driver_version(driver, sizeof driver);
  if (nvml.cuda_version != nullptr && nvml.cuda_version(&cuda) == NVML_SUCCESS) {
    snprintf(cuda_text, sizeof cuda_text, "%d.%d", cuda / 1000, cuda % 1000 / 10);
  }
  printf("+-----------------------------------------------------------------------------------------+\n");
  printf("| NVIDIA-SMI %-22s Driver Version: %-14s CUDA Version: %-8s |\n", driver, driver, cuda_text);
  printf("|-----------------------------------------+------------------------+----------------------+\n");
  printf("| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |\n");
  printf("| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |\n");
  printf("|                                         |                        |               MIG M. |\n");
  printf("|=========================================+========================+======================|\n");
}

// A number with its unit, or N/A.
template <std::size_t N>
const char* with_unit(char (&out)[N], unsigned value, const char* unit) {
  if (value == kUnknown) return "N/A";
  snprintf(out, N, "%u%s", value, unit);
  return out;
}

const char* compute_mode_name(int mode) {
  constexpr const char* kNames[] = {"Default", "E. Thread", "Prohibited", "E. Process"};
  return mode >= 0 && mode < 4 ? kNames[mode] : "N/A";
}

const char* on_or_off(int value, const char* on, const char* off) {
  return value < 0 ? "N/A" : value > 0 ? on : off;
}

void print_identity(const Nvml& nvml, nvmlDevice_t device) {
  char name[96];
  char errors[24] = "N/A";
  nvmlPciInfo_t pci{};
  int ecc_now = 0;
  int ecc_later = 0;
  std::uint64_t count = 0;
  if (nvml.pci == nullptr || nvml.pci(device, &pci) != NVML_SUCCESS)
    snprintf(pci.busId, sizeof pci.busId, "N/A");
  const bool ecc = nvml.ecc_mode != nullptr && nvml.ecc_mode(device, &ecc_now, &ecc_later) == NVML_SUCCESS;
  if (ecc && ecc_now == 0) snprintf(errors, sizeof errors, "Off");
  if (ecc && ecc_now == 1 && nvml.ecc_errors != nullptr &&
      nvml.ecc_errors(device, 1, 0, &count) == NVML_SUCCESS) {
    snprintf(errors, sizeof errors, "%llu", static_cast<unsigned long long>(count));
  }
  printf("| %3u  %-28.28s %4s  | %18s %-3s | %20s |\n", ask(nvml.index, device, 0U),
         ask_text(nvml.name, device, name), on_or_off(ask(nvml.persistence, device, -1), "On", "Off"),
         pci.busId, on_or_off(ask(nvml.display_active, device, -1), "On", "Off"), errors);
}

void print_load(const Nvml& nvml, nvmlDevice_t device) {
  char fan[16], celsius[16], draw[16], cap[16], state[16] = "N/A", memory[48] = "N/A", busy[16] = "N/A";
  unsigned degrees = kUnknown;
  if (nvml.temperature != nullptr && nvml.temperature(device, 0, &degrees) != NVML_SUCCESS)
    degrees = kUnknown;
  const int performance = ask(nvml.performance, device, -1);
  if (performance >= 0) snprintf(state, sizeof state, "P%d", performance);
  const unsigned power = ask(nvml.power, device, kUnknown);
  const unsigned limit = ask(nvml.power_limit, device, kUnknown);
  nvmlMemory_v2_t bytes{};
  if (memory_of(nvml, device, bytes)) {
    snprintf(memory, sizeof memory, "%lluMiB / %lluMiB", static_cast<unsigned long long>(bytes.used / kMiB),
             static_cast<unsigned long long>(bytes.total / kMiB));
  }
  nvmlUtilization_t utilization{};
  if (nvml.utilization != nullptr && nvml.utilization(device, &utilization) == NVML_SUCCESS) {
    snprintf(busy, sizeof busy, "%u%%", utilization.gpu);
  }
  printf("| %-4s  %-5s  %-6s %11s / %-5s | %22s | %8s %11s |\n",
         with_unit(fan, ask(nvml.fan, device, kUnknown), "%"), with_unit(celsius, degrees, "C"), state,
         with_unit(draw, power == kUnknown ? power : power / 1000, "W"),
         with_unit(cap, limit == kUnknown ? limit : limit / 1000, "W"), memory, busy,
         compute_mode_name(ask(nvml.compute_mode, device, -1)));
}

void print_mig(const Nvml& nvml, nvmlDevice_t device) {
  unsigned current = 0;
  unsigned pending = 0;
  const bool known = nvml.mig_mode != nullptr && nvml.mig_mode(device, &current, &pending) == NVML_SUCCESS;
  printf("|                                         |                        | %20s |\n", !known ? "N/A"
                                                                                          : current == 1
                                                                                              ? "Enabled"
                                                                                              : "Disabled");
  printf("+-----------------------------------------+------------------------+----------------------+\n");
}

// The end of a long path, as the real table shows it.
const char* shorten(const char* name, char (&out)[48]) {
  constexpr std::size_t kWidth = 40;
  const std::size_t length = strlen(name);
  if (length <= kWidth) {
    snprintf(out, sizeof out, "%s", name);
  } else {
    snprintf(out, sizeof out, "...%s", name + length - (kWidth - 3));
  }
  return out;
}

unsigned print_processes_of(const Nvml& nvml, nvmlDevice_t device) {
  static nvmlProcessInfo_v2_t processes[kMaxProcesses];
  unsigned count = kMaxProcesses;
  if (nvml.compute_processes == nullptr || nvml.compute_processes(device, &count, processes) != NVML_SUCCESS)
    return 0;
  for (unsigned i = 0; i < count; ++i) {
    char name[256] = "[Not Found]";
    char shown[48];
    char used[24] = "N/A";
    if (nvml.process_name != nullptr) nvml.process_name(processes[i].pid, name, sizeof name);
    if (processes[i].usedGpuMemory != NVML_VALUE_NOT_AVAILABLE) {
      snprintf(used, sizeof used, "%lluMiB",
               static_cast<unsigned long long>(processes[i].usedGpuMemory / kMiB));
    }
    printf("| %4u   N/A  N/A %10u      C   %-40s %10s |\n", ask(nvml.index, device, 0U), processes[i].pid,
           shorten(name, shown), used);
  }
  return count;
}

}  // namespace

void print_table(const Nvml& nvml, const Selection& selection) {
  print_time();
  print_header(nvml);
  for (unsigned i = 0; i < selection.count; ++i) {
    print_identity(nvml, selection.devices[i]);
    print_load(nvml, selection.devices[i]);
    print_mig(nvml, selection.devices[i]);
  }
  printf("                                                                                         \n");
  printf("+-----------------------------------------------------------------------------------------+\n");
  printf("| Processes:                                                                              |\n");
  printf("|  GPU   GI   CI        PID   Type   Process name                              GPU Memory |\n");
  printf("|        ID   ID                                                               Usage      |\n");
  printf("|=========================================================================================|\n");
  unsigned processes = 0;
  for (unsigned i = 0; i < selection.count; ++i) processes += print_processes_of(nvml, selection.devices[i]);
  if (processes == 0) {
    printf("|  No running processes found                                                             |\n");
  }
  printf("+-----------------------------------------------------------------------------------------+\n");
}

void print_list(const Nvml& nvml, const Selection& selection) {
  for (unsigned i = 0; i < selection.count; ++i) {
    char name[96];
    char uuid[96];
    printf("GPU %u: %s (UUID: %s)\n", ask(nvml.index, selection.devices[i], i),
           ask_text(nvml.name, selection.devices[i], name), ask_text(nvml.uuid, selection.devices[i], uuid));
  }
}

}  // namespace hami::smi
