// The command line of hami-hook.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::hook {

enum class Verb {
  prestart,  // the createContainer work from outside: the state's pid names the container's mount namespace
  create_runtime,  // the same; runtimes call both stages alike
  create_container,
  release,    // end of the lease with this key
  poststop,   // end of the lease of the container in the state
  precreate,  // config.json in, config.json out
  refuse,     // fails with a reason
};

struct Options {
  Verb verb = Verb::create_container;
  std::string plan;       // host path of the plan
  std::string root;       // host path of the root file system; empty: the state says it
  std::string key;        // which lease
  std::string state_dir;  // which ledger
  std::string reason;     // refuse: the whole sentence
  friend bool operator==(const Options&, const Options&) = default;
};

// `arguments` without the program's name. Every option that the verb has, but --root, is needed, once; paths
// are absolute. Fails with invalid_config on anything else.
[[nodiscard]] Result<Options> parse_options(const std::vector<std::string>& arguments);

}  // namespace hami::hook
