#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simdriver/smi/screens.h"

namespace hami::smi {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr unsigned kMaxFields = 64;
constexpr unsigned kMaxProcesses = 1024;

struct Value {
  char text[128];
};

struct Query {
  const Nvml& nvml;
  nvmlDevice_t device;
  unsigned devices;                     // in the selection
  const nvmlProcessInfo_v2_t* process;  // null for fields of a device
};

void put_text(Value& out, const char* text) { snprintf(out.text, sizeof out.text, "%s", text); }
void put_number(Value& out, std::uint64_t number) {
  snprintf(out.text, sizeof out.text, "%llu", static_cast<unsigned long long>(number));
}
void put_unavailable(Value& out) { put_text(out, "[N/A]"); }

template <std::uint64_t nvmlMemory_v2_t::*member>
void memory(const Query& query, Value& out) {
  nvmlMemory_v2_t bytes{};
  memory_of(query.nvml, query.device, bytes) ? put_number(out, bytes.*member / kMiB) : put_unavailable(out);
}

template <nvmlReturn_t (*Nvml::*function)(nvmlDevice_t, char*, unsigned)>
void text(const Query& query, Value& out) {
  char buffer[96];
  put_text(out, ask_text(query.nvml.*function, query.device, buffer));
}

template <nvmlReturn_t (*Nvml::*function)(nvmlDevice_t, unsigned*)>
void number(const Query& query, Value& out) {
  put_number(out, ask(query.nvml.*function, query.device, 0U));
}

template <nvmlReturn_t (*Nvml::*function)(nvmlDevice_t, unsigned*)>
void watts(const Query& query, Value& out) {
  snprintf(out.text, sizeof out.text, "%.2f", ask(query.nvml.*function, query.device, 0U) / 1000.0);
}

void driver_version(const Query& query, Value& out) {
  char version[80] = "N/A";
  query.nvml.driver_version(version, sizeof version);
  put_text(out, version);
}

void bus_id(const Query& query, Value& out) {
  nvmlPciInfo_t pci{};
  query.nvml.pci(query.device, &pci);
  put_text(out, pci.busId);
}

void temperature(const Query& query, Value& out) {
  unsigned celsius = 0;
  query.nvml.temperature(query.device, 0, &celsius);
  put_number(out, celsius);
}

template <unsigned nvmlUtilization_t::*member>
void utilization(const Query& query, Value& out) {
  put_number(out, ask(query.nvml.utilization, query.device, nvmlUtilization_t{}).*member);
}

void compute_capability(const Query& query, Value& out) {
  int major = 0;
  int minor = 0;
  query.nvml.compute_capability(query.device, &major, &minor);
  snprintf(out.text, sizeof out.text, "%d.%d", major, minor);
}

void device_count(const Query& query, Value& out) { put_number(out, query.devices); }
void performance(const Query& query, Value& out) {
  snprintf(out.text, sizeof out.text, "P%d", ask(query.nvml.performance, query.device, 0));
}
void persistence(const Query& query, Value& out) {
  put_text(out, ask(query.nvml.persistence, query.device, 0) != 0 ? "Enabled" : "Disabled");
}
void compute_mode(const Query& query, Value& out) {
  put_text(out, ask(query.nvml.compute_mode, query.device, 0) == 0 ? "Default" : "Exclusive_Process");
}
void pid(const Query& query, Value& out) { put_number(out, query.process->pid); }
void process_name(const Query& query, Value& out) {
  if (query.nvml.process_name(query.process->pid, out.text, sizeof out.text) != NVML_SUCCESS) {
    put_text(out, "[Not Found]");
  }
}
void process_memory(const Query& query, Value& out) {
  query.process->usedGpuMemory != NVML_VALUE_NOT_AVAILABLE
      ? put_number(out, query.process->usedGpuMemory / kMiB)
      : put_unavailable(out);
}

struct Field {
  const char* name;
  const char* unit;  // null: none
  void (*read)(const Query&, Value&);
};

constexpr Field kGpuFields[] = {
    {"index", nullptr, number<&Nvml::index>},
    {"name", nullptr, text<&Nvml::name>},
    {"gpu_name", nullptr, text<&Nvml::name>},
    {"uuid", nullptr, text<&Nvml::uuid>},
    {"gpu_uuid", nullptr, text<&Nvml::uuid>},
    {"serial", nullptr, text<&Nvml::serial>},
    {"gpu_serial", nullptr, text<&Nvml::serial>},
    {"count", nullptr, device_count},
    {"driver_version", nullptr, driver_version},
    {"pci.bus_id", nullptr, bus_id},
    {"gpu_bus_id", nullptr, bus_id},
    {"compute_cap", nullptr, compute_capability},
    {"compute_mode", nullptr, compute_mode},
    {"persistence_mode", nullptr, persistence},
    {"pstate", nullptr, performance},
    {"memory.total", "MiB", memory<&nvmlMemory_v2_t::total>},
    {"memory.used", "MiB", memory<&nvmlMemory_v2_t::used>},
    {"memory.free", "MiB", memory<&nvmlMemory_v2_t::free>},
    {"memory.reserved", "MiB", memory<&nvmlMemory_v2_t::reserved>},
    {"utilization.gpu", "%", utilization<&nvmlUtilization_t::gpu>},
    {"utilization.memory", "%", utilization<&nvmlUtilization_t::memory>},
    {"temperature.gpu", nullptr, temperature},
    {"power.draw", "W", watts<&Nvml::power>},
    {"power.limit", "W", watts<&Nvml::power_limit>},
};

constexpr Field kAppFields[] = {
    {"pid", nullptr, pid},
    {"name", nullptr, process_name},
    {"process_name", nullptr, process_name},
    {"used_memory", "MiB", process_memory},
    {"used_gpu_memory", "MiB", process_memory},
    {"gpu_uuid", nullptr, text<&Nvml::uuid>},
    {"gpu_name", nullptr, text<&Nvml::name>},
    {"gpu_bus_id", nullptr, bus_id},
};

struct Chosen {
  const Field* fields[kMaxFields];
  unsigned count = 0;
};

template <std::size_t N>
bool choose(const Field (&known)[N], const char* list, Chosen& out) {
  char* copy = strdup(list);
  char* save = nullptr;
  bool good = true;
  for (char* name = strtok_r(copy, ", ", &save); good && name != nullptr;
       name = strtok_r(nullptr, ", ", &save)) {
    const Field* found = nullptr;
    for (const Field& field : known) {
      if (strcmp(field.name, name) == 0) found = &field;
    }
    good = found != nullptr && out.count < kMaxFields;
    if (good) {
      out.fields[out.count++] = found;
    } else {
      printf("Field \"%s\" is not a valid field to query.\n\n", name);
    }
  }
  free(copy);
  return good;
}

void print_names(const Chosen& chosen) {
  for (unsigned i = 0; i < chosen.count; ++i) {
    printf("%s%s", i > 0 ? ", " : "", chosen.fields[i]->name);
    if (chosen.fields[i]->unit != nullptr) printf(" [%s]", chosen.fields[i]->unit);
  }
  printf("\n");
}

void print_values(const Chosen& chosen, const Query& query, CsvFormat format) {
  for (unsigned i = 0; i < chosen.count; ++i) {
    Value value{};
    chosen.fields[i]->read(query, value);
    const bool unit = format.units && chosen.fields[i]->unit != nullptr && value.text[0] != '[';
    printf("%s%s%s%s", i > 0 ? ", " : "", value.text, unit ? " " : "", unit ? chosen.fields[i]->unit : "");
  }
  printf("\n");
}

}  // namespace

bool print_gpu_fields(const Nvml& nvml, const Selection& selection, const char* fields, CsvFormat format) {
  Chosen chosen;
  if (!choose(kGpuFields, fields, chosen)) return false;
  if (format.header) print_names(chosen);
  for (unsigned i = 0; i < selection.count; ++i) {
    print_values(chosen, {nvml, selection.devices[i], selection.count, nullptr}, format);
  }
  return true;
}

bool print_app_fields(const Nvml& nvml, const Selection& selection, const char* fields, CsvFormat format) {
  Chosen chosen;
  if (!choose(kAppFields, fields, chosen)) return false;
  if (format.header) print_names(chosen);
  static nvmlProcessInfo_v2_t processes[kMaxProcesses];
  for (unsigned i = 0; i < selection.count; ++i) {
    unsigned count = kMaxProcesses;
    if (nvml.compute_processes(selection.devices[i], &count, processes) != NVML_SUCCESS) continue;
    for (unsigned k = 0; k < count; ++k) {
      print_values(chosen, {nvml, selection.devices[i], selection.count, &processes[k]}, format);
    }
  }
  return true;
}

void print_details(const Nvml& nvml, const Selection& selection) {
  printf("\n==============NVSMI LOG==============\n\n");
  for (unsigned i = 0; i < selection.count; ++i) {
    const Query query{nvml, selection.devices[i], selection.count, nullptr};
    Value value{};
    const auto line = [&](const char* label, void (*read)(const Query&, Value&), const char* unit) {
      read(query, value);
      printf("    %-38s: %s%s%s\n", label, value.text, *unit != 0 ? " " : "", unit);
    };
    bus_id(query, value);
    printf("GPU %s\n", value.text);
    line("Product Name", text<&Nvml::name>, "");
    line("Serial Number", text<&Nvml::serial>, "");
    line("GPU UUID", text<&Nvml::uuid>, "");
    line("Minor Number", number<&Nvml::minor>, "");
    printf("    FB Memory Usage\n");
    line("    Total", memory<&nvmlMemory_v2_t::total>, "MiB");
    line("    Reserved", memory<&nvmlMemory_v2_t::reserved>, "MiB");
    line("    Used", memory<&nvmlMemory_v2_t::used>, "MiB");
    line("    Free", memory<&nvmlMemory_v2_t::free>, "MiB");
    printf("    Utilization\n");
    line("    Gpu", utilization<&nvmlUtilization_t::gpu>, "%");
    line("    Memory", utilization<&nvmlUtilization_t::memory>, "%");
    printf("\n");
  }
}

}  // namespace hami::smi
