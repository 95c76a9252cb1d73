// Finds the driver's libraries: through the loader's cache of the driver root, then in the recipe's
// directories.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "vendors/host_dir.h"
#include "vendors/ld_cache.h"

namespace hami::vendors {

// A library's file and the names that lead to it ("libcuda.so.1"), without its own.
struct Library {
  HostFile file;
  std::string version;  // what follows ".so." in its name
  std::vector<std::string> names;
};

class LibraryIndex {
 public:
  // A cache that is missing or damaged leaves the directories; `finding()` then says so.
  LibraryIndex(const HostDir& root, std::vector<std::string> directories,
               std::vector<std::string> directories32, Abi native);

  struct Wanted {
    std::string_view name;          // "libcuda"
    std::string_view version;       // "" for any
    std::string_view subdirectory;  // of the library directories
    bool compat32 = false;
  };

  // The regular file <name>.so.<version>. Nothing when there is none or others than root can change it.
  [[nodiscard]] std::optional<Library> find(const Wanted& wanted) const;

  // The regular file of exactly this name in one of the directories, for libraries without a version.
  [[nodiscard]] std::optional<HostFile> find_plain(std::string_view name) const;

  [[nodiscard]] const std::string& finding() const { return finding_; }

 private:
  std::optional<Library> in_cache(const Wanted& wanted) const;
  std::optional<Library> in_directories(const Wanted& wanted) const;

  const HostDir* root_;
  std::vector<std::string> directories_;
  std::vector<std::string> directories32_;
  Abi native_;
  std::vector<CachedLibrary> cache_;
  std::string finding_;
};

// ABI of programs on this machine, from uname's word ("x86_64").
[[nodiscard]] Abi abi_of_machine(std::string_view machine);

}  // namespace hami::vendors
