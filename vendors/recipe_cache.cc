#include "vendors/recipe_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/recipe_yaml.h"

namespace hami::vendors {

namespace {

// Changes with every change of a type below.
constexpr std::string_view kFormat = "hami recipes 12\n";
constexpr std::size_t kMaxCacheBytes = 16U << 20U;
constexpr std::uint32_t kMaxItems = 100'000;
// A file changed twice within the clock's tick keeps its stamp, so what is this fresh is not kept. Seconds.
constexpr std::int64_t kSettled = 2;

template <typename T>
concept Plain = std::is_arithmetic_v<T> || std::is_enum_v<T>;

class Packer {
 public:
  template <typename... T>
  void operator()(T&... values) {
    (put(values), ...);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  template <Plain T>
  void put(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(const std::string& text) {
    put(static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }
  void put(std::string& text) { put(std::as_const(text)); }
  void put(Bytes& bytes) { put(bytes.value); }
  void put(Percent& percent) { put(percent.value); }
  template <typename T>
  void put(std::vector<T>& list) {
    put(static_cast<std::uint32_t>(list.size()));
    for (auto& item : list) put(item);
  }
  template <typename T>
  void put(std::map<std::string, T>& map) {
    put(static_cast<std::uint32_t>(map.size()));
    for (auto& [key, value] : map) {
      put(key);
      put(value);
    }
  }
  template <typename T>
  void put(std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <typename T>
  requires(!Plain<T>) void put(T& object) { members(*this, object); }

  std::string out_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}
  template <typename... T>
  void operator()(T&... values) {
    (get(values), ...);
  }
  // Everything was there and nothing is left.
  [[nodiscard]] bool is_done() const { return !broken_ && rest_.empty(); }
  [[nodiscard]] bool is_broken() const { return broken_; }
  // How many things follow.
  std::uint32_t count() {
    std::uint32_t value = 0;
    get(value);
    if (value > kMaxItems) broken_ = true;
    return broken_ ? 0 : value;
  }
  // What was put as a text, unread.
  std::string_view skip() {
    std::uint32_t size = 0;
    get(size);
    return cut(size);
  }

 private:
  std::string_view cut(std::size_t size) {
    if (size > rest_.size()) {
      broken_ = true;
      rest_ = {};
      return {};
    }
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  template <Plain T>
  void get(T& value) {
    const auto part = cut(sizeof value);
    if (!broken_) std::memcpy(&value, part.data(), sizeof value);
  }
  void get(bool& value) {
    std::uint8_t byte = 0;
    get(byte);
    value = byte != 0;
  }
  void get(std::string& text) { text = skip(); }
  void get(Bytes& bytes) { get(bytes.value); }
  void get(Percent& percent) { get(percent.value); }
  template <typename T>
  void get(std::vector<T>& list) {
    const std::uint32_t size = count();
    for (std::uint32_t i = 0; i < size && !broken_; ++i) get(list.emplace_back());
  }
  template <typename T>
  void get(std::map<std::string, T>& map) {
    const std::uint32_t size = count();
    for (std::uint32_t i = 0; i < size && !broken_; ++i) {
      std::string key;
      get(key);
      get(map[std::move(key)]);
    }
  }
  template <typename T>
  void get(std::optional<T>& value) {
    bool has = false;
    get(has);
    if (has) get(value.emplace());
  }
  template <typename T>
  void get(T& object) {
    members(*this, object);
  }

  std::string_view rest_;
  bool broken_ = false;
};

// The members of every type of a recipe, in one order for writing and reading.
template <typename A>
void members(A& a, Condition::Operand& v) {
  a(v.is_variable, v.value);
}
template <typename A>
void members(A& a, Condition::Step& v) {
  a(v.op, v.left, v.right);
}
template <typename A>
void members(A& a, Condition& v) {
  a(v.text, v.program);
}
template <typename A>
void members(A& a, Metadata& v) {
  a(v.name, v.vendor, v.device_class, v.revision, v.instead_of);
}
template <typename A>
void members(A& a, Root& v) {
  a(v.candidates, v.probe, v.optional);
}
template <typename A>
void members(A& a, Reading& v) {
  a(v.value, v.file, v.link, v.key, v.after, v.directory, v.prefix, v.library_version);
}
template <typename A>
void members(A& a, Variable& v) {
  a(v.type, v.optional, v.from, v.map);
}
template <typename A>
void members(A& a, PciFilter& v) {
  a(v.vendor, v.classes, v.devices, v.drivers, v.attribute, v.values);
}
template <typename A>
void members(A& a, Predicate& v) {
  a(v.kind, v.children, v.pci, v.names, v.path);
}
template <typename A>
void members(A& a, Listing& v) {
  a(v.path, v.pci);
}
template <typename A>
void members(A& a, InstanceTable& v) {
  a(v.each, v.first, v.second, v.fields, v.uuid, v.aliases);
}
template <typename A>
void members(A& a, LibraryProbe& v) {
  a(v.adapter, v.libraries, v.join);
}
template <typename A>
void members(A& a, DeviceTable& v) {
  a(v.each, v.pci, v.also, v.field, v.field_type, v.fields, v.key, v.number, v.order, v.exclude, v.aliases,
    v.instances, v.probe);
}
template <typename A>
void members(A& a, RequestRules& v) {
  a(v.env, v.mount_marker, v.tokens, v.separator, v.unset, v.max);
}
template <typename A>
void members(A& a, Capabilities& v) {
  a(v.env, v.tokens, v.defaults, v.implies, v.all);
}
template <typename A>
void members(A& a, Gate& v) {
  a(v.env, v.values, v.privileged);
}
template <typename A>
void members(A& a, NodeNumbers& v) {
  a(v.drivers, v.kernel_name, v.minor);
}
template <typename A>
void members(A& a, DeviceNodeRule& v) {
  a(v.path, v.host, v.access, v.verify, v.required, v.hint, v.when);
}
template <typename A>
void members(A& a, MountRule& v) {
  a(v.root, v.host, v.path, v.kind, v.options, v.required, v.hint, v.libraries, v.replaces, v.when);
}
template <typename A>
void members(A& a, LibraryRule& v) {
  a(v.names, v.version, v.subdirectory, v.compat32, v.required, v.when);
}
template <typename A>
void members(A& a, BinaryRule& v) {
  a(v.names, v.required, v.when);
}
template <typename A>
void members(A& a, FirmwareRule& v) {
  a(v.pattern, v.search, v.required, v.when);
}
template <typename A>
void members(A& a, ConfigRule& v) {
  a(v.names, v.search, v.destination, v.when);
}
template <typename A>
void members(A& a, FileListRule& v) {
  a(v.directory, v.names, v.when);
}
template <typename A>
void members(A& a, SymlinkRule& v) {
  a(v.path, v.target, v.library, v.when);
}
template <typename A>
void members(A& a, ProcOverrideRule& v) {
  a(v.path, v.match, v.replace, v.when);
}
template <typename A>
void members(A& a, EnvRule& v) {
  a(v.name, v.value, v.op, v.when);
}
template <typename A>
void members(A& a, FileRule& v) {
  a(v.path, v.lines, v.when);
}
template <typename A>
void members(A& a, RefuseRule& v) {
  a(v.cause, v.hint, v.when);
}
template <typename A>
void members(A& a, Block& v) {
  a(v.id, v.for_each, v.when, v.certainty, v.needs_node, v.device_nodes, v.mounts, v.libraries, v.binaries,
    v.firmware, v.configs, v.file_lists, v.symlinks, v.proc_overrides, v.env, v.files, v.preload, v.syscalls,
    v.refuse);
}
template <typename A>
void members(A& a, SearchPaths& v) {
  a(v.libraries, v.libraries32, v.binaries);
}
template <typename A>
void members(A& a, Neutralize& v) {
  a(v.env, v.unset, v.drop_hooks);
}
template <typename A>
void members(A& a, SliceTemplate& v) {
  a(v.name, v.memory, v.cores, v.models, v.size);
}
template <typename A>
void members(A& a, DriverCall& v) {
  a(v.kind, v.adapter, v.names, v.path, v.arguments);
}
template <typename A>
void members(A& a, SubdeviceRules& v) {
  a(v.list, v.field, v.factor, v.first, v.count, v.create, v.destroy, v.hint);
}
template <typename A>
void members(A& a, SliceRules& v) {
  a(v.mechanism, v.enforced, v.memory_unit, v.rounding, v.memory_tiers, v.templates, v.default_cores,
    v.refuses_cores, v.core_steps, v.core_steps_field, v.max_per_device, v.several, v.equal_sizes,
    v.disable_env, v.kernel_memory, v.subdevice);
}
template <typename A>
void members(A& a, MemoryResource& v) {
  a(v.names, v.unit, v.suffix, v.large_unit, v.large_above);
}
template <typename A>
void members(A& a, CoresResource& v) {
  a(v.names, v.whole, v.parts, v.devices);
}
template <typename A>
void members(A& a, ModelResources& v) {
  a(v.model, v.count, v.memory, v.cores, v.group, v.ring);
}
template <typename A>
void members(A& a, LimitVariables& v) {
  a(v.memory, v.cores, v.priority, v.core_policy, v.oversubscribe, v.oom_killer, v.memory_wait);
}
template <typename A>
void members(A& a, Resources& v) {
  a(v.count, v.memory, v.memory_percentage, v.cores, v.size, v.priority, v.use_uuid, v.nouse_uuid, v.use_type,
    v.nouse_type, v.numa_bind, v.mode, v.models, v.limit_env);
}

// What containers can ask for, and whether the recipe is for this node.
template <typename A>
void request_members(A& a, Recipe& v) {
  a(v.metadata, v.request, v.capabilities, v.neutralize, v.slice, v.modes, v.resources, v.support, v.roots,
    v.detect);
}

// How devices are found and given.
template <typename A>
void other_members(A& a, Recipe& v) {
  a(v.vars, v.search, v.devices, v.gates, v.inject, v.update_ldcache);
}

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

// What makes a file another one. `newest` becomes its time of change when that is later.
std::string identity(const struct stat& info, std::int64_t& newest) {
  newest = std::max({newest, std::int64_t{info.st_ctim.tv_sec}, std::int64_t{info.st_mtim.tv_sec}});
  std::string out;
  for (const auto value :
       {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino),
        static_cast<std::uint64_t>(info.st_size), static_cast<std::uint64_t>(info.st_mtim.tv_sec),
        static_cast<std::uint64_t>(info.st_mtim.tv_nsec), static_cast<std::uint64_t>(info.st_ctim.tv_sec),
        static_cast<std::uint64_t>(info.st_ctim.tv_nsec), static_cast<std::uint64_t>(info.st_uid),
        static_cast<std::uint64_t>(info.st_mode)})
    out += text::cat({" ", text::number(value)});
  return out;
}

struct Stamp {
  std::string text;
  std::int64_t newest = 0;
};

// The files that load_recipes would read, as they are now; nothing when they cannot be looked at.
std::optional<Stamp> stamp_of(const std::vector<std::string>& directories) {
  Stamp stamp;
  for (const auto& directory : directories) {
    stamp.text += directory;
    const std::unique_ptr<DIR, CloseDir> dir(::opendir(directory.c_str()));
    struct stat info {};
    if (!dir) {
      stamp.text += " none\n";
      continue;
    }
    if (::fstat(::dirfd(dir.get()), &info) != 0) return std::nullopt;
    stamp.text += identity(info, stamp.newest) + "\n";
    std::vector<std::string> lines;
    while (const dirent* entry = ::readdir(dir.get())) {
      const std::string_view name = entry->d_name;
      if (!name.ends_with(".yaml") || name.starts_with(".")) continue;
      if (::fstatat(::dirfd(dir.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
      lines.push_back(text::cat({name, identity(info, stamp.newest), "\n"}));
    }
    std::sort(lines.begin(), lines.end());
    for (const auto& line : lines) stamp.text += line;
  }
  return stamp;
}

tl::unexpected<Error> damaged(std::string_view what) {
  return fail(Errc::io, text::cat({"read kept recipes: ", what}));
}

}  // namespace

std::string KeptRecipes::pack(std::vector<Recipe> recipes, std::string_view stamp) {
  Packer packer;
  std::string head(stamp);
  auto count = static_cast<std::uint32_t>(recipes.size());
  packer(head, count);
  for (Recipe& recipe : recipes) {
    request_members(packer, recipe);
    Packer others;
    other_members(others, recipe);
    std::string rest = others.take();
    packer(rest);
  }
  return text::cat({kFormat, packer.take()});
}

Result<KeptRecipes> KeptRecipes::unpack(std::string bytes, std::string_view stamp) {
  if (!bytes.starts_with(kFormat)) return damaged("another format");
  KeptRecipes kept;
  kept.bytes_ = std::move(bytes);
  const std::string_view all = kept.bytes_;
  Unpacker unpacker(all.substr(kFormat.size()));
  std::string kept_for;
  unpacker(kept_for);
  if (kept_for != stamp) return damaged("the files have changed");
  const std::uint32_t count = unpacker.count();
  for (std::uint32_t i = 0; i < count && !unpacker.is_broken(); ++i) {
    request_members(unpacker, kept.recipes_.emplace_back());
    const std::string_view rest = unpacker.skip();
    kept.rests_.push_back({static_cast<std::size_t>(rest.data() - all.data()), rest.size()});
  }
  if (!unpacker.is_done()) return damaged("not what was written");
  return kept;
}

Result<> KeptRecipes::complete_at(std::size_t index) {
  const Rest rest = std::exchange(rests_[index], Rest{});
  if (rest.size == 0) return {};
  Unpacker unpacker(std::string_view(bytes_).substr(rest.begin, rest.size));
  other_members(unpacker, recipes_[index]);
  if (unpacker.is_done()) return {};
  return read_files();
}

Result<> KeptRecipes::read_files() {
  HAMI_TRY(recipes_, load_recipes(directories_));
  rests_.assign(recipes_.size(), Rest{});
  bytes_.clear();
  return {};
}

Result<const Recipe*> KeptRecipes::complete(std::string_view name) {
  const auto named = [&](const Recipe& recipe) { return recipe.metadata.name == name; };
  auto found = std::find_if(recipes_.begin(), recipes_.end(), named);
  if (found == recipes_.end()) return nullptr;
  HAMI_CHECK(complete_at(static_cast<std::size_t>(found - recipes_.begin())));
  found = std::find_if(recipes_.begin(), recipes_.end(), named);  // they may have been read anew
  return found == recipes_.end() ? nullptr : &*found;
}

Result<> KeptRecipes::complete_all() {
  for (std::size_t i = 0; i < recipes_.size(); ++i) HAMI_CHECK(complete_at(i));
  return {};
}

void KeptRecipes::choose_platform(const HostRoots& roots) {
  const auto names = left_out(recipes_, roots);
  for (std::size_t i = recipes_.size(); i-- > 0;) {
    if (!names.contains(recipes_[i].metadata.name)) continue;
    recipes_.erase(recipes_.begin() + static_cast<std::ptrdiff_t>(i));
    rests_.erase(rests_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

Result<KeptRecipes> KeptRecipes::load(const std::vector<std::string>& directories, const std::string& cache) {
  const auto stamp = stamp_of(directories);
  if (stamp) {
    auto bytes = files::read_trusted(cache, kMaxCacheBytes, files::Trust::root_owned);
    auto kept = std::move(bytes).and_then(
        [&](std::string&& kept_bytes) { return unpack(std::move(kept_bytes), stamp->text); });
    if (kept) {
      kept->directories_ = directories;
      return kept;
    }
  }
  KeptRecipes fresh;
  fresh.directories_ = directories;
  HAMI_CHECK(fresh.read_files());
  const bool settled = stamp && stamp->newest + kSettled < std::int64_t{std::time(nullptr)};
  if (settled && files::make_dirs(files::dir_name(cache), 0700))
    static_cast<void>(files::write_atomic(cache, pack(fresh.recipes_, stamp->text), 0600));
  return fresh;
}

}  // namespace hami::vendors
