// The annotations that vendors' plugins read beside a scheduler's list, held against that list.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/schedulers/records.h"

namespace hami::shim {

struct Companion {
  std::string key;
  std::string vendor;                // name of the recipe
  std::string list;                  // key of the list it goes with; "": any of the vendor's
  std::vector<std::string> devices;  // uuids, or numbers of cards
  enum class Names {
    some,  // of the list's devices
    all,   // of the list's devices, and perhaps another vendor's
  };
  Names names = Names::some;
  std::vector<schedulers::Group> groups;  // what it says where there is no list; empty: too little
};

// What the annotation `key` says; nullopt when it is none of them. Fails with invalid_request, naming key,
// place and text.
[[nodiscard]] Result<std::optional<Companion>> read_companion(
    const std::map<std::string, std::string>& annotations, const std::string& key);

// The same annotation decoded and encoded again: the spelling of its plugin. nullopt and failures as above.
[[nodiscard]] Result<std::optional<std::string>> rewrite_companion(
    const std::map<std::string, std::string>& annotations, const std::string& key);

// True when no device of the one is missing in the other.
[[nodiscard]] bool agrees(const Companion& companion, const std::vector<schedulers::Group>& groups);

}  // namespace hami::shim
