#include "tests/simdriver/state/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace hami::sim {
namespace {

constexpr std::size_t kMaxText = 64 * kKiB;

struct Parser {
  State& state;
  char* error;
  std::size_t error_size;
  int line = 0;
  Device* device = nullptr;  // of the section we are in; null before the first [gpu]
  Device* card = nullptr;    // the last [gpu]
  std::uint64_t context_bytes = 0;

  bool fail(const char* what, const char* text) const {
    snprintf(error, error_size, "line %d: %s: '%s'", line, what, text);
    return false;
  }
};

void default_device(Device& device, std::uint32_t index, std::uint64_t context_bytes) {
  device = {};
  snprintf(device.name, sizeof device.name, "NVIDIA A100-SXM4-40GB");
  snprintf(device.uuid, sizeof device.uuid, "GPU-5a4d0a8e-7c31-4f6b-9e1d-%012x", 0x1000 + index);
  snprintf(device.bus_id, sizeof device.bus_id, "0000:%02x:00.0",
           static_cast<unsigned>(static_cast<unsigned char>(0x3b + index * 4)));
  snprintf(device.serial, sizeof device.serial, "15609210%05u", index);
  device.minor = index;
  device.multiprocessors = 108;
  device.threads_per_multiprocessor = 2048;
  device.compute_major = 8;
  device.numa_node = 0;
  device.pci_device_id = 0x20b010de;
  device.power_limit_mw = 400000;
  device.total_bytes = 40960 * kMiB;
  device.context_bytes = context_bytes;
}

bool set_number(Parser& parser, const char* text, std::uint64_t max, std::uint64_t& out) {
  char* end = nullptr;
  errno = 0;
  const unsigned long long value = strtoull(text, &end, 0);
  if (end == text || *end != 0 || errno != 0 || text[0] == '-' || value > max) {
    return parser.fail("not a number in range", text);
  }
  out = value;
  return true;
}

// The keys of a section, each with the member it sets.
template <typename Owner>
struct NumberKey {
  const char* name;
  std::uint32_t Owner::*member;
};
template <typename Owner>
struct BytesKey {
  const char* name;
  std::uint64_t Owner::*member;
  std::uint64_t unit;
};

constexpr NumberKey<Options> kOptionNumbers[] = {
    {"check_nodes", &Options::check_nodes},   {"exact", &Options::exact},
    {"process_list", &Options::process_list}, {"memory_info", &Options::memory_info},
    {"utilization", &Options::utilization},   {"virtual_clock", &Options::virtual_clock},
    {"pid_offset", &Options::pid_offset},     {"reap_on_query", &Options::reap_on_query},
};
constexpr BytesKey<Options> kOptionBytes[] = {{"sample_period_ms", &Options::sample_period_ns, 1000000}};
constexpr NumberKey<Device> kDeviceNumbers[] = {
    {"minor", &Device::minor},
    {"multiprocessors", &Device::multiprocessors},
    {"threads_per_multiprocessor", &Device::threads_per_multiprocessor},
    {"compute_major", &Device::compute_major},
    {"compute_minor", &Device::compute_minor},
    {"integrated", &Device::integrated},
    {"compute_mode", &Device::compute_mode},
    {"pci_device_id", &Device::pci_device_id},
    {"power_limit_mw", &Device::power_limit_mw},
    {"lost", &Device::lost},
};
constexpr BytesKey<Device> kDeviceBytes[] = {
    {"memory_mib", &Device::total_bytes, kMiB},      {"memory", &Device::total_bytes, 1},
    {"reserved_mib", &Device::reserved_bytes, kMiB}, {"context_mib", &Device::context_bytes, kMiB},
    {"context", &Device::context_bytes, 1},
};

// Sets the member that `key` names. `found` tells an unknown key from a bad value.
template <typename Owner, std::size_t N, std::size_t M>
bool set_member(Parser& parser, Owner& owner, const NumberKey<Owner> (&numbers)[N],
                const BytesKey<Owner> (&bytes)[M], const char* key, const char* value, bool& found) {
  std::uint64_t number = 0;
  for (const auto& entry : numbers) {
    if (strcmp(entry.name, key) != 0) continue;
    found = true;
    if (!set_number(parser, value, UINT32_MAX, number)) return false;
    owner.*entry.member = static_cast<std::uint32_t>(number);
  }
  for (const auto& entry : bytes) {
    if (strcmp(entry.name, key) != 0) continue;
    found = true;
    if (!set_number(parser, value, UINT64_MAX / entry.unit, number)) return false;
    owner.*entry.member = number * entry.unit;
  }
  return true;
}

template <std::size_t N>
bool set_text(Parser& parser, char (&out)[N], const char* value) {
  if (strlen(value) >= N) return parser.fail("too long", value);
  snprintf(out, N, "%s", value);
  return true;
}

bool set_cuda_version(Parser& parser, const char* value) {
  unsigned major = 0;
  unsigned minor = 0;
  char rest = 0;
  if (sscanf(value, "%2u.%2u%c", &major, &minor, &rest) != 2)
    return parser.fail("not a version like 12.4", value);
  parser.state.options.cuda_version = major * 1000 + minor * 10;
  return true;
}

bool set_option(Parser& parser, const char* key, const char* value) {
  if (strcmp(key, "driver_version") == 0) return set_text(parser, parser.state.options.driver_version, value);
  if (strcmp(key, "cuda_version") == 0) return set_cuda_version(parser, value);
  if (strcmp(key, "context_mib") == 0) {
    if (!set_number(parser, value, UINT32_MAX, parser.context_bytes)) return false;
    parser.context_bytes *= kMiB;
    return true;
  }
  bool found = false;
  if (!set_member(parser, parser.state.options, kOptionNumbers, kOptionBytes, key, value, found))
    return false;
  return found || parser.fail("unknown key", key);
}

bool set_device_key(Parser& parser, const char* key, const char* value) {
  Device& device = *parser.device;
  if (strcmp(key, "name") == 0) return set_text(parser, device.name, value);
  if (strcmp(key, "uuid") == 0) return set_text(parser, device.uuid, value);
  if (strcmp(key, "bus_id") == 0) return set_text(parser, device.bus_id, value);
  if (strcmp(key, "serial") == 0) return set_text(parser, device.serial, value);
  if (strcmp(key, "numa_node") == 0) {
    device.numa_node = atoi(value);
    return true;
  }
  bool found = false;
  if (!set_member(parser, device, kDeviceNumbers, kDeviceBytes, key, value, found)) return false;
  return found || parser.fail("unknown key of a [gpu]", key);
}

bool begin_device(Parser& parser) {
  if (parser.state.device_count == kMaxDevices) return parser.fail("more than 16 cards", "[gpu]");
  parser.device = &parser.state.devices[parser.state.device_count];
  default_device(*parser.device, parser.state.device_count, parser.context_bytes);
  parser.card = parser.device;
  ++parser.state.device_count;
  return true;
}

// A MIG instance of the last card: a seventh of it, if nothing else is said.
bool begin_instance(Parser& parser) {
  if (parser.card == nullptr) return parser.fail("no card before it", "[mig]");
  if (parser.state.device_count == kMaxDevices) return parser.fail("more than 16 devices", "[mig]");
  const std::uint32_t index = parser.state.device_count++;
  Device& instance = parser.state.devices[index];
  instance = *parser.card;
  instance.divided = 0;
  instance.instance_of = static_cast<std::uint32_t>(parser.card - parser.state.devices) + 1;
  instance.instance = parser.card->divided++;
  snprintf(instance.name, sizeof instance.name, "%.70s MIG 1g.5gb", parser.card->name);
  snprintf(instance.uuid, sizeof instance.uuid, "MIG-5a4d0a8e-7c31-4f6b-9e1d-%012x", 0x2000 + index);
  instance.total_bytes = 4864 * kMiB;
  instance.reserved_bytes = 0;
  instance.multiprocessors = 14;
  parser.device = &instance;
  return true;
}

char* trim(char* text) {
  while (*text == ' ' || *text == '\t') ++text;
  char* end = text + strlen(text);
  while (end > text && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) --end;
  *end = 0;
  return text;
}

bool parse_line(Parser& parser, char* text) {
  if (char* comment = strchr(text, '#')) *comment = 0;
  text = trim(text);
  if (*text == 0) return true;
  if (strcmp(text, "[gpu]") == 0) return begin_device(parser);
  if (strcmp(text, "[mig]") == 0) return begin_instance(parser);
  char* equals = strchr(text, '=');
  if (equals == nullptr) return parser.fail("neither [gpu], [mig] nor key = value", text);
  *equals = 0;
  const char* key = trim(text);
  const char* value = trim(equals + 1);
  return parser.device != nullptr ? set_device_key(parser, key, value) : set_option(parser, key, value);
}

bool check_devices(Parser& parser) {
  for (std::uint32_t i = 0; i < parser.state.device_count; ++i) {
    const Device& device = parser.state.devices[i];
    unsigned parts[5];
    const char* kind = device.instance_of != 0 ? "MIG-" : "GPU-";
    if (strncmp(device.uuid, kind, 4) != 0 ||
        sscanf(device.uuid + 4, "%8x-%4x-%4x-%4x-%4x", &parts[0], &parts[1], &parts[2], &parts[3],
               &parts[4]) != 5 ||
        strlen(device.uuid) != 40) {
      return parser.fail("not a GPU-8-4-4-4-12 or, of an instance, MIG-8-4-4-4-12 uuid", device.uuid);
    }
    if (device.reserved_bytes >= device.total_bytes)
      return parser.fail("no memory besides the reserved", device.name);
  }
  return true;
}

}  // namespace

bool parse_config(const char* text, State& state, char* error, std::size_t error_size) {
  Parser parser{state, error, error_size};
  state.device_count = 0;
  state.options = {};
  snprintf(state.options.driver_version, sizeof state.options.driver_version, "550.90.07");
  state.options.cuda_version = 12040;
  state.options.exact = state.options.process_list = state.options.memory_info = 1;
  state.options.utilization = state.options.reap_on_query = 1;
  state.options.sample_period_ns = 167000000;  // 1/6 s

  char* copy = strdup(text);
  if (copy == nullptr) return parser.fail("no memory", "");
  bool good = true;
  char* rest = copy;
  while (good && rest != nullptr) {
    char* line = rest;
    rest = strchr(line, '\n');
    if (rest != nullptr) *rest++ = 0;
    ++parser.line;
    good = parse_line(parser, line);
  }
  free(copy);
  if (good && state.device_count == 0) good = begin_device(parser);
  return good && check_devices(parser);
}

bool read_config(const char* path, State& state, char* error, std::size_t error_size) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    snprintf(error, error_size, "cannot open '%s': %s", path, strerror(errno));
    return false;
  }
  static char text[kMaxText];
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  if (size < 0) {
    snprintf(error, error_size, "cannot read '%s': %s", path, strerror(errno));
    return false;
  }
  text[size] = 0;
  return parse_config(text, state, error, error_size);
}

}  // namespace hami::sim
