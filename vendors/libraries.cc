#include "vendors/libraries.h"

#include <algorithm>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::vendors {

namespace {

// The version in a file's name, when it is <name>.so.<version>.
std::optional<std::string_view> version_in(std::string_view file, std::string_view name) {
  if (!file.starts_with(name) || !file.substr(name.size()).starts_with(".so.")) return std::nullopt;
  return file.substr(name.size() + 4);
}

std::optional<Library> accept(std::optional<HostFile> file, const LibraryIndex::Wanted& wanted) {
  if (!file || !S_ISREG(file->info.st_mode) || !is_trusted(file->info)) return std::nullopt;
  const auto version = version_in(files::base_name(file->path), wanted.name);
  if (!version || (!wanted.version.empty() && *version != wanted.version)) return std::nullopt;
  Library library;
  library.version = *version;
  library.file = std::move(*file);
  return library;
}

void add_name(Library& library, const std::string& name) {
  if (name == files::base_name(library.file.path)) return;
  if (std::find(library.names.begin(), library.names.end(), name) == library.names.end())
    library.names.push_back(name);
}

}  // namespace

LibraryIndex::LibraryIndex(const HostDir& root, std::vector<std::string> directories,
                           std::vector<std::string> directories32, Abi native)
    : root_(&root),
      directories_(std::move(directories)),
      directories32_(std::move(directories32)),
      native_(native) {
  const auto bytes = root.read("/etc/ld.so.cache", kMaxLdCacheBytes);
  auto cache = bytes ? parse_ld_cache(*bytes) : tl::unexpected<Error>(bytes.error());
  if (cache) {
    cache_ = std::move(*cache);
  } else {
    finding_ = cache.error().line();
  }
}

std::optional<Library> LibraryIndex::find(const Wanted& wanted) const {
  if (wanted.subdirectory.empty()) {
    if (auto library = in_cache(wanted)) return library;
  }
  return in_directories(wanted);
}

std::optional<Library> LibraryIndex::in_cache(const Wanted& wanted) const {
  const Abi abi = wanted.compat32 ? Abi::i386 : native_;
  std::optional<Library> found;
  for (const auto& entry : cache_) {
    if (entry.abi != abi || !version_in(entry.name, wanted.name)) continue;
    auto library = accept(root_->find(entry.path), wanted);
    if (!library || (found && found->file.path != library->file.path)) continue;
    if (!found) found = std::move(library);
    add_name(*found, entry.name);
  }
  return found;
}

std::optional<Library> LibraryIndex::in_directories(const Wanted& wanted) const {
  for (const auto& base : wanted.compat32 ? directories32_ : directories_) {
    const std::string directory =
        wanted.subdirectory.empty() ? base : text::cat({base, "/", wanted.subdirectory});
    if (!wanted.version.empty()) {
      const std::string path = text::cat({directory, "/", wanted.name, ".so.", wanted.version});
      if (!root_->find(path)) continue;
    }
    std::optional<Library> found;
    for (const auto& name : root_->list(directory)) {
      if (!version_in(name, wanted.name)) continue;
      auto library = accept(root_->find(text::cat({directory, "/", name})), wanted);
      if (!library || (found && found->file.path != library->file.path)) continue;
      if (!found) found = std::move(library);
      add_name(*found, name);
    }
    if (found) return found;
  }
  return std::nullopt;
}

std::optional<HostFile> LibraryIndex::find_plain(std::string_view name) const {
  for (const auto& directory : directories_) {
    auto file = root_->find(text::cat({directory, "/", name}));
    if (file && S_ISREG(file->info.st_mode) && is_trusted(file->info)) return file;
  }
  return std::nullopt;
}

Abi abi_of_machine(std::string_view machine) {
  if (machine == "x86_64") return Abi::x86_64;
  if (machine == "aarch64") return Abi::aarch64;
  return Abi::other;
}

}  // namespace hami::vendors
