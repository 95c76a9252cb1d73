#include "runtime-shim/config.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "oci-config/edits.h"

namespace hami::shim {

namespace {

// Takes a value into the config; the answer is empty, or says what was expected instead.
using Take = std::string_view (*)(Config&, const toml::node&);

struct Key {
  std::string_view section;
  std::string_view name;
  Take take;
};

std::string_view take_text(const toml::node& node, std::string& into) {
  const auto value = node.value_exact<std::string>();
  if (!value || value->find('\0') != std::string::npos) return "a text";
  into = *value;
  return {};
}

std::string_view take_path(const toml::node& node, std::string& into) {
  std::string path;
  if (!take_text(node, path).empty() || path.empty() || path.front() != '/') return "an absolute path";
  into = std::move(path);
  return {};
}

// An absolute path, or "" for none.
std::string_view take_optional_path(const toml::node& node, std::string& into) {
  if (node.value_exact<std::string>() == "") {
    into.clear();
    return {};
  }
  return take_path(node, into).empty() ? "" : "an absolute path, or an empty text";
}

bool is_program(std::string_view text) {
  return !text.empty() && (text.front() == '/' || text.find('/') == std::string_view::npos) &&
         text.find('\0') == std::string_view::npos;
}

// One text, or a list with at least one.
template <typename Accept>
std::string_view take_list(const toml::node& node, std::vector<std::string>& into, Accept accept,
                           std::string_view expected) {
  std::vector<std::string> values;
  if (const auto one = node.value_exact<std::string>()) {
    values.push_back(*one);
  } else if (const toml::array* list = node.as_array()) {
    for (const toml::node& item : *list) {
      const auto value = item.value_exact<std::string>();
      if (!value) return expected;
      values.push_back(*value);
    }
  }
  if (values.empty()) return expected;
  for (const std::string& value : values) {
    if (!accept(std::string_view(value))) return expected;
  }
  into = std::move(values);
  return {};
}

std::string_view take_number(const toml::node& node, std::uint32_t least, std::uint32_t most,
                             std::uint32_t& into) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < least || *value > most) return "a whole number in its range";
  into = static_cast<std::uint32_t>(*value);
  return {};
}

std::string_view take_scaling(const toml::node& node, Scaling& into) {
  const auto value = node.value<double>();  // 2 and 2.0 alike
  if (!value || !std::isfinite(*value) || *value < 0.1 || *value > 100) return "a number from 0.1 to 100";
  into.thousandths = static_cast<std::uint32_t>(std::lround(*value * 1000));
  return {};
}

template <typename Enum>
struct Word {
  std::string_view text;
  Enum value;
};

template <typename Enum, std::size_t N>
std::string_view take_word(const toml::node& node, const Word<Enum> (&words)[N], std::string_view expected,
                           Enum& into) {
  const auto text = node.value_exact<std::string>();
  for (const Word<Enum>& word : words) {
    if (text != word.text) continue;
    into = word.value;
    return {};
  }
  return expected;
}

// One mode or a list of them, each once.
std::string_view take_modes(const toml::node& node, std::vector<vendors::Mode>& into) {
  constexpr std::string_view kExpected = "a list of \"hami-core\", \"mig\", \"mps\" and \"none\"";
  std::vector<std::string> names;
  const auto is_mode = [](std::string_view name) { return vendors::mode_of(name).has_value(); };
  if (!take_list(node, names, is_mode, kExpected).empty()) return kExpected;
  into.clear();
  for (const std::string& name : names) {
    const vendors::Mode mode = *vendors::mode_of(name);
    if (std::find(into.begin(), into.end(), mode) == into.end()) into.push_back(mode);
  }
  return {};
}

// Names of system calls, or none.
std::string_view take_syscalls(const toml::node& node, std::vector<std::string>& into) {
  if (const toml::array* list = node.as_array(); list != nullptr && list->empty()) {
    into.clear();
    return {};
  }
  return take_list(node, into, oci::is_syscall_name, "a list of names of system calls");
}

constexpr Word<EnvRequests> kEnvRequests[] = {{"always", EnvRequests::always},
                                              {"outside-kubernetes", EnvRequests::outside_kubernetes},
                                              {"device-plugins", EnvRequests::device_plugins},
                                              {"privileged", EnvRequests::privileged},
                                              {"never", EnvRequests::never}};
constexpr Word<Unenforced> kUnenforced[] = {{"refuse", Unenforced::refuse}, {"allow", Unenforced::allow}};
constexpr Word<PrivilegedParts> kPrivilegedParts[] = {{"allow", PrivilegedParts::allow},
                                                      {"refuse", PrivilegedParts::refuse}};
constexpr Word<VendorVariables> kVendorVariables[] = {{"exclusive", VendorVariables::exclusive},
                                                      {"shared", VendorVariables::shared}};
constexpr Word<EngineDevices> kEngineDevicesWords[] = {{"count", EngineDevices::count},
                                                       {"ignore", EngineDevices::ignore}};
constexpr Word<Placement> kPlacements[] = {
    {"binpack", Placement::binpack}, {"spread", Placement::spread}, {"numa", Placement::numa}};

constexpr std::uint32_t kMaxMemoryMib = 1U << 30U;
constexpr std::string_view kNamespaces = "namespaces";

constexpr Key kKeys[] = {
    {"runtime", "low_level",
     [](Config& c, const toml::node& n) {
       return take_list(n, c.low_level, is_program, "names of programs or absolute paths");
     }},
    {"runtime", "log", [](Config& c, const toml::node& n) { return take_optional_path(n, c.log); }},
    {"roots", "driver", [](Config& c, const toml::node& n) { return take_optional_path(n, c.roots.driver); }},
    {"roots", "dev", [](Config& c, const toml::node& n) { return take_path(n, c.roots.dev); }},
    {"roots", "proc", [](Config& c, const toml::node& n) { return take_path(n, c.roots.proc); }},
    {"roots", "sys", [](Config& c, const toml::node& n) { return take_path(n, c.roots.sys); }},
    {"roots", "state", [](Config& c, const toml::node& n) { return take_path(n, c.roots.state_dir); }},
    {"paths", "hook", [](Config& c, const toml::node& n) { return take_path(n, c.paths.hook); }},
    {"paths", "libvgpu", [](Config& c, const toml::node& n) { return take_path(n, c.paths.libvgpu); }},
    {"paths", "probe", [](Config& c, const toml::node& n) { return take_path(n, c.roots.probe_program); }},
    {"recipes", "dirs",
     [](Config& c, const toml::node& n) {
       return take_list(
           n, c.recipe_dirs, [](std::string_view dir) { return !dir.empty() && dir.front() == '/'; },
           "absolute paths");
     }},
    {"recipes", "cdi_dirs",
     [](Config& c, const toml::node& n) {
       return take_list(
           n, c.cdi_dirs, [](std::string_view dir) { return !dir.empty() && dir.front() == '/'; },
           "absolute paths");
     }},
    {"kubernetes", "device_checkpoint",
     [](Config& c, const toml::node& n) { return take_optional_path(n, c.kubelet_checkpoint); }},
    {"kubernetes", "volcano_memory_factor",
     [](Config& c, const toml::node& n) {
       return take_number(n, 1, 1U << 20U, c.policy.volcano_memory_factor);
     }},
    {"policy", "env_requests",
     [](Config& c, const toml::node& n) {
       return take_word(n, kEnvRequests,
                        "\"always\", \"outside-kubernetes\", \"device-plugins\", \"privileged\" or \"never\"",
                        c.policy.env_requests);
     }},
    {"policy", "unenforced",
     [](Config& c, const toml::node& n) {
       return take_word(n, kUnenforced, "\"refuse\" or \"allow\"", c.policy.unenforced);
     }},
    {"policy", "privileged_parts",
     [](Config& c, const toml::node& n) {
       return take_word(n, kPrivilegedParts, "\"allow\" or \"refuse\"", c.policy.privileged_parts);
     }},
    {"policy", "vendor_variables",
     [](Config& c, const toml::node& n) {
       return take_word(n, kVendorVariables, "\"exclusive\" or \"shared\"", c.policy.vendor_variables);
     }},
    {"policy", "engine_devices",
     [](Config& c, const toml::node& n) {
       return take_word(n, kEngineDevicesWords, "\"count\" or \"ignore\"", c.policy.engine_devices);
     }},
    {"policy", "scheduler",
     [](Config& c, const toml::node& n) {
       return take_word(n, kPlacements, "\"binpack\", \"spread\" or \"numa\"", c.policy.placement);
     }},
    {"policy", "allowed_modes",
     [](Config& c, const toml::node& n) { return take_modes(n, c.policy.allowed_modes); }},
    {"policy", "syscalls",
     [](Config& c, const toml::node& n) { return take_syscalls(n, c.policy.syscalls); }},
    {"policy", "lenient",
     [](Config& c, const toml::node& n) {
       const auto value = n.value_exact<bool>();
       c.policy.lenient = value.value_or(false);
       return std::string_view(value ? "" : "true or false");
     }},
    {"policy", "card_boards",
     [](Config& c, const toml::node& n) {
       const auto value = n.value_exact<bool>();
       c.policy.card_boards = value.value_or(true);
       return std::string_view(value ? "" : "true or false");
     }},
    {"policy", "share_floor",
     [](Config& c, const toml::node& n) { return take_number(n, 1, 100, c.policy.share_floor.value); }},
    {"policy", "memory_wait",
     [](Config& c, const toml::node& n) { return take_number(n, 0, 3600, c.policy.memory_wait); }},
    {"policy", "memory_scaling",
     [](Config& c, const toml::node& n) { return take_scaling(n, c.policy.memory_scaling); }},
    {"policy", "core_scaling",
     [](Config& c, const toml::node& n) { return take_scaling(n, c.policy.core_scaling); }},
    {"policy", "split_count",
     [](Config& c, const toml::node& n) { return take_number(n, 1, 100000, c.policy.split_count); }},
    {"policy", "default_count",
     [](Config& c, const toml::node& n) { return take_number(n, 0, 64, c.policy.default_count); }},
    {"policy", "default_memory",
     [](Config& c, const toml::node& n) {
       std::uint32_t mib = 0;
       const auto expected = take_number(n, 0, kMaxMemoryMib, mib);
       if (expected.empty()) c.policy.default_memory = Bytes::mib(mib);
       return expected;
     }},
    {"policy", "default_cores",
     [](Config& c, const toml::node& n) { return take_number(n, 0, 100, c.policy.default_cores.value); }},
};

// A bound of a namespace; the answer is as Take's.
std::string_view take_bound(Ceiling& ceiling, std::string_view name, const toml::node& node) {
  std::uint32_t number = 0;
  const auto expected = take_number(node, 0, kMaxMemoryMib, number);
  if (!expected.empty()) return expected;
  if (name == "count") ceiling.count = number;
  if (name == "memory") ceiling.memory = Bytes::mib(number);
  if (name == "cores") ceiling.cores = Percent{number};
  return {};
}

class Decoder {
 public:
  explicit Decoder(std::string_view file_name) : file_name_(file_name) {}

  Result<Config> decode(const toml::table& root) {
    for (const auto& [name, node] : root) {
      const toml::table* section = node.as_table();
      if (name.str() == kNamespaces) {
        HAMI_CHECK(namespaces(node));
        continue;
      }
      if (!is_section(name.str())) return bad(name.str(), node, "is not a section of this file");
      if (section == nullptr) return bad(name.str(), node, "must be a section");
      for (const auto& [key, value] : *section) HAMI_CHECK(take(name.str(), key.str(), value));
    }
    return std::move(config_);
  }

 private:
  static bool is_section(std::string_view name) {
    for (const Key& key : kKeys) {
      if (key.section == name) return true;
    }
    return false;
  }

  // [namespaces.<name>]: count, memory and cores.
  Result<> namespaces(const toml::node& node) {
    const toml::table* all = node.as_table();
    if (all == nullptr) return bad(kNamespaces, node, "must be a section");
    for (const auto& [name, member] : *all) {
      const std::string section = text::cat({kNamespaces, ".", name.str()});
      const toml::table* bounds = member.as_table();
      if (bounds == nullptr || name.str().empty())
        return bad(section, member, "must be a section with a name");
      Ceiling ceiling;
      for (const auto& [key, value] : *bounds) {
        const std::string full = text::cat({section, ".", key.str()});
        if (key.str() != "count" && key.str() != "memory" && key.str() != "cores")
          return bad(full, value, "is not a key of this file");
        const auto expected = take_bound(ceiling, key.str(), value);
        if (!expected.empty()) return bad(full, value, text::cat({"must be ", expected}));
      }
      config_.policy.namespaces[std::string(name.str())] = ceiling;
    }
    return {};
  }

  Result<> take(std::string_view section, std::string_view name, const toml::node& value) {
    const std::string full = text::cat({section, ".", name});
    for (const Key& key : kKeys) {
      if (key.section != section || key.name != name) continue;
      const std::string_view expected = key.take(config_, value);
      if (!expected.empty()) return bad(full, value, text::cat({"must be ", expected}));
      return {};
    }
    return bad(full, value, "is not a key of this file");
  }

  [[nodiscard]] tl::unexpected<Error> bad(std::string_view key, const toml::node& node,
                                          std::string_view what) const {
    return fail(Errc::invalid_config,
                text::cat({"configuration ", text::quote(file_name_), ": line ",
                           text::number(node.source().begin.line), ": ", text::quote(key), " ", what}),
                "correct the file");
  }

  std::string_view file_name_;
  Config config_;
};

}  // namespace

Result<Config> parse_config(std::string_view toml, std::string_view file_name) {
  const toml::parse_result parsed = toml::parse(toml, file_name);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return fail(Errc::invalid_config,
                text::cat({"configuration ", text::quote(file_name), ": line ",
                           text::number(error.source().begin.line), ": ", error.description()}),
                "correct the file");
  }
  return Decoder(file_name).decode(parsed.table());
}

Result<Config> load_config(const std::string& path) {
  const auto text = files::read_trusted(path, kMaxConfigBytes, files::Trust::root_owned);
  if (text) return parse_config(*text, path);
  if (text.error().code == Errc::not_found) return Config{};
  return fail(Error(text.error()).within("configuration"));
}

std::string config_path() {
  const char* named = std::getenv(kConfigVariable);
  return named != nullptr && *named != '\0' ? named : kConfigPath;
}

}  // namespace hami::shim
