// The node as one recipe sees it: its roots, its variables, its libraries. Inner header of discovery and
// render.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "vendors/discovery.h"
#include "vendors/host_dir.h"
#include "vendors/libraries.h"
#include "vendors/recipe.h"
#include "vendors/variables.h"

namespace hami::vendors {

inline constexpr std::size_t kMaxHostText = 256U << 10U;  // of a file in /proc or /sys

// Small text files, each read once: several variables of a device come from one file.
class TextFiles {
 public:
  // Null when it cannot be read.
  [[nodiscard]] const std::string* read(const std::string& path);

 private:
  std::map<std::string, std::optional<std::string>> texts_;
};

// Directories of the recipe's roots and of proc and sys, by name. A root that the caller names is taken as it
// is. Fails with not_found, naming the candidates and what was looked for in them.
[[nodiscard]] Result<std::map<std::string, std::string>> resolve_roots(const Recipe& recipe,
                                                                       const HostRoots& roots);

// root.<name> for all of them, and host.arch, host.triplet, host.kernel.
[[nodiscard]] Variables node_variables(const std::map<std::string, std::string>& roots);

// Index over the driver root. `driver` must outlive it.
[[nodiscard]] Result<LibraryIndex> library_index(const Recipe& recipe, const HostDir& driver,
                                                 const Variables& variables);

// Is `directory` (of /sys/bus/pci/devices) a function the filter means.
[[nodiscard]] bool is_pci_function(const PciFilter& wanted, const std::string& directory, TextFiles& texts);

// Does the vendor's hardware or driver seem to be here.
[[nodiscard]] Result<bool> is_detected(const Predicate& predicate, const Variables& variables);

// What the predicate looks for, in words.
[[nodiscard]] std::string describe(const Predicate& predicate);

// The variable's value by the first reading that gives one; nothing when none does.
[[nodiscard]] Result<std::optional<std::string>> read_variable(const Variable& variable,
                                                               const Variables& known,
                                                               const LibraryIndex& libraries,
                                                               TextFiles& texts);

// Majors of the character drivers in /proc/devices, by name; one name may have several.
[[nodiscard]] std::multimap<std::string, std::uint32_t> character_majors(std::string_view proc_devices);

}  // namespace hami::vendors
