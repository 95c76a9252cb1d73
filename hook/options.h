// The command line of hami-hook.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::hook {

enum class Verb { create_container, release };

struct Options {
  Verb verb = Verb::create_container;
  std::string plan;       // create-container: host path of the plan
  std::string root;       // create-container: host path of the root file system; empty: the state says it
  std::string key;        // release: which lease
  std::string state_dir;  // release: which ledger
  friend bool operator==(const Options&, const Options&) = default;
};

// `arguments` without the program's name. Every option of the verb but --root is needed, once; paths are
// absolute. Fails with invalid_config on anything else.
[[nodiscard]] Result<Options> parse_options(const std::vector<std::string>& arguments);

}  // namespace hami::hook
