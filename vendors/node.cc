#include "vendors/node.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/values.h"

namespace hami::vendors {

namespace {

bool holds_a_probe(const std::string& directory, const std::vector<std::string>& probe) {
  const auto root = HostDir::open(directory);
  if (!root) return false;
  return probe.empty() || std::any_of(probe.begin(), probe.end(),
                                      [&](const std::string& path) { return root->find("/" + path); });
}

Result<std::string> resolve_root(const std::string& name, const Root& root,
                                 const std::map<std::string, std::string>& known) {
  std::vector<std::string> tried;
  for (const auto& candidate : root.candidates) {
    const auto driver = known.find("driver");
    std::string path = candidate == "${root.driver}" && driver != known.end() ? driver->second : candidate;
    if (holds_a_probe(path, root.probe)) return path;
    tried.push_back(std::move(path));
  }
  if (root.optional) return tried.back();
  for (std::string& path : tried) path = text::quote(path);
  return fail(Errc::not_found,
              text::cat({"find the root '", name, "': none of ", text::join(tried, ", "), " has ",
                         root.probe.empty() ? "a directory there" : text::join(root.probe, " or ")}));
}

bool begins_with_one_of(std::string_view text, const std::vector<std::string>& prefixes) {
  return prefixes.empty() || std::any_of(prefixes.begin(), prefixes.end(),
                                         [&](const std::string& prefix) { return text.starts_with(prefix); });
}

// Last component of what a symbolic link points at; empty when there is none.
std::string link_name(const std::string& path) {
  std::string target(4096, '\0');
  const auto length = ::readlink(path.c_str(), target.data(), target.size());
  if (length <= 0) return {};
  target.resize(static_cast<std::size_t>(length));
  return std::string(files::base_name(target));
}

bool has_pci_device(const PciFilter& wanted, const std::string& sys) {
  const std::string directory = sys + "/bus/pci/devices";
  const auto root = HostDir::open(directory);
  if (!root) return false;
  TextFiles texts;
  const auto names = root->list("/");
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return is_pci_function(wanted, text::cat({directory, "/", name}), texts);
  });
}

Result<std::optional<std::string>> read_one(const Reading& reading, ValueType type, const Variables& known,
                                            const LibraryIndex& libraries, TextFiles& texts) {
  if (!reading.value.empty()) {
    const auto value = expand(reading.value, known);
    return value ? typed_value(type, *value) : std::nullopt;  // one that needs an absent field gives nothing
  }
  if (!reading.link.empty()) {
    HAMI_TRY(const auto path, expand(reading.link, known));
    const std::string name = link_name(path);
    return name.empty() ? std::nullopt : typed_value(type, name);
  }
  for (const auto& name : reading.library_version) {
    const auto library = libraries.find({name, "", "", false});
    if (library && typed_value(type, library->version)) return library->version;
  }
  if (!reading.directory.empty()) {
    HAMI_TRY(const auto path, expand(reading.directory, known));
    const auto dir = HostDir::open(path);
    if (!dir) return std::nullopt;
    for (const auto& name : dir->list("/")) {
      if (name.starts_with(reading.prefix)) return typed_value(type, name.substr(reading.prefix.size()));
    }
  }
  if (reading.file.empty()) return std::nullopt;
  HAMI_TRY(const auto path, expand(reading.file, known));
  const std::string* content = texts.read(path);
  if (content == nullptr) return std::nullopt;
  std::optional<std::string_view> part = *content;
  if (!reading.key.empty()) part = value_of_key(*content, reading.key);
  if (part && !reading.after.empty()) part = text_after(*part, reading.after);
  return part ? typed_value(type, *part) : std::nullopt;
}

}  // namespace

const std::string* TextFiles::read(const std::string& path) {
  auto found = texts_.find(path);
  if (found == texts_.end()) {
    auto content = files::read(path, kMaxHostText);
    found = texts_.emplace(path, content ? std::optional(std::move(*content)) : std::nullopt).first;
  }
  return found->second ? &*found->second : nullptr;
}

Result<std::map<std::string, std::string>> resolve_roots(const Recipe& recipe, const HostRoots& roots) {
  std::map<std::string, std::string> found{{"proc", roots.proc}, {"sys", roots.sys}};
  const auto resolve = [&](const std::string& name, const std::string& given) -> Result<> {
    const auto described = recipe.roots.find(name);
    if (!given.empty()) {
      found[name] = given;
    } else if (described == recipe.roots.end()) {
      found[name] = "/";
    } else {
      HAMI_TRY(found[name], resolve_root(name, described->second, found));
    }
    return {};
  };
  HAMI_CHECK(resolve("driver", roots.driver));
  HAMI_CHECK(resolve("dev", roots.dev == "/" ? "" : roots.dev));
  for (const auto& [name, root] : recipe.roots) {
    if (!found.contains(name)) HAMI_CHECK(resolve(name, ""));
  }
  return found;
}

Variables node_variables(const std::map<std::string, std::string>& roots) {
  Variables variables;
  // Templates continue with '/', so "/" itself is written as nothing.
  for (const auto& [name, path] : roots) variables["root." + name] = path == "/" ? "" : path;
  utsname machine{};
  if (::uname(&machine) == 0) {
    variables["host.arch"] = machine.machine;
    variables["host.triplet"] = text::cat({machine.machine, "-linux-gnu"});
    variables["host.kernel"] = machine.release;
  }
  return variables;
}

Result<LibraryIndex> library_index(const Recipe& recipe, const HostDir& driver, const Variables& variables) {
  const auto expanded = [&](const std::vector<std::string>& templates) -> Result<std::vector<std::string>> {
    std::vector<std::string> paths;
    for (const auto& text : templates) {
      HAMI_TRY(auto path, expand(text, variables));
      paths.push_back(std::move(path));
    }
    return paths;
  };
  HAMI_TRY(auto directories, expanded(recipe.search.libraries));
  HAMI_TRY(auto directories32, expanded(recipe.search.libraries32));
  const auto arch = variables.find("host.arch");
  return LibraryIndex(driver, std::move(directories), std::move(directories32),
                      abi_of_machine(arch == variables.end() ? "" : arch->second));
}

bool is_pci_function(const PciFilter& wanted, const std::string& directory, TextFiles& texts) {
  const auto value = [&](const char* name) {
    const std::string* content = texts.read(text::cat({directory, "/", name}));
    return content == nullptr ? std::string_view{} : text::trim(*content);
  };
  if (value("vendor") != wanted.vendor) return false;
  if (!begins_with_one_of(value("class"), wanted.classes)) return false;
  if (!wanted.devices.empty() &&
      std::find(wanted.devices.begin(), wanted.devices.end(), value("device")) == wanted.devices.end())
    return false;
  if (!wanted.attribute.empty() && std::find(wanted.values.begin(), wanted.values.end(),
                                             value(wanted.attribute.c_str())) == wanted.values.end())
    return false;
  return wanted.drivers.empty() || std::find(wanted.drivers.begin(), wanted.drivers.end(),
                                             link_name(directory + "/driver")) != wanted.drivers.end();
}

Result<bool> is_detected(const Predicate& predicate, const Variables& variables) {
  switch (predicate.kind) {
    case Predicate::Kind::all:
      for (const auto& child : predicate.children) {
        HAMI_TRY(const bool here, is_detected(child, variables));
        if (!here) return false;
      }
      return true;
    case Predicate::Kind::any:
    case Predicate::Kind::negate:
      for (const auto& child : predicate.children) {
        HAMI_TRY(const bool here, is_detected(child, variables));
        if (here) return predicate.kind == Predicate::Kind::any;
      }
      return predicate.kind == Predicate::Kind::negate;
    case Predicate::Kind::pci:
      return has_pci_device(predicate.pci, variables.at("root.sys"));
    case Predicate::Kind::proc_devices: {
      const auto text = files::read(variables.at("root.proc") + "/devices", kMaxHostText);
      if (!text) return false;
      const auto majors = character_majors(*text);
      return std::any_of(predicate.names.begin(), predicate.names.end(),
                         [&](const std::string& name) { return majors.contains(name); });
    }
    case Predicate::Kind::path: {
      HAMI_TRY(const auto path, expand(predicate.path, variables));
      struct stat info {};
      return ::stat(path.c_str(), &info) == 0;
    }
  }
  return false;
}

std::string describe(const Predicate& predicate) {
  const auto children = [&](std::string_view word) {
    std::vector<std::string> parts;
    parts.reserve(predicate.children.size());
    for (const auto& child : predicate.children) parts.push_back(describe(child));
    return text::join(parts, word);
  };
  switch (predicate.kind) {
    case Predicate::Kind::all:
      return children(" and ");
    case Predicate::Kind::any:
      return children(" or ");
    case Predicate::Kind::negate:
      return "not " + children(" or ");
    case Predicate::Kind::pci:
      return text::cat({"a PCI device of vendor ", predicate.pci.vendor});
    case Predicate::Kind::proc_devices:
      return text::cat({"the driver ", text::join(predicate.names, " or "), " in /proc/devices"});
    case Predicate::Kind::path:
      return predicate.path;
  }
  return {};
}

Result<std::optional<std::string>> read_variable(const Variable& variable, const Variables& known,
                                                 const LibraryIndex& libraries, TextFiles& texts) {
  for (const auto& reading : variable.from) {
    HAMI_TRY(auto value, read_one(reading, variable.type, known, libraries, texts));
    if (!value) continue;
    const auto other = variable.map.find(*value);
    return other == variable.map.end() ? value : std::optional(other->second);
  }
  return std::nullopt;
}

std::multimap<std::string, std::uint32_t> character_majors(std::string_view proc_devices) {
  std::multimap<std::string, std::uint32_t> majors;
  bool character = false;
  for (const auto raw : text::split(proc_devices, '\n')) {
    const auto line = text::trim(raw);
    if (line.ends_with(":")) {
      character = line.starts_with("Character");
      continue;
    }
    const auto blank = line.find(' ');
    if (!character || blank == std::string_view::npos) continue;
    const auto major = text::parse_u64(line.substr(0, blank));
    if (major && *major < 4096)
      majors.emplace(text::trim(line.substr(blank)), static_cast<std::uint32_t>(*major));
  }
  return majors;
}

}  // namespace hami::vendors
