// hamictl cdi: this node's devices as CDI specifications, and a look at those that are there.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::hamictl {

struct CdiRequest {
  std::string output;  // directory for the specifications; empty: print them
  std::vector<std::string> directories = {"/etc/cdi", "/run/cdi"};
  std::string version;  // of the specifications; empty: the lowest that can say everything
  std::string plans = "/var/lib/hami/cdi";  // what the hook in a specification does
};

// Specifications of these recipes; without names, of all whose devices are on this node. Writes
// <output>/hami-<recipe>.json, and <output>/hami-any-<class>.json with the same devices as the kind
// hami.io/<class> where one recipe alone has devices of the class. Fails with not_found when there is none.
[[nodiscard]] Result<std::string> generate_cdi(const std::vector<std::string>& recipes,
                                               const CdiRequest& request);

// The names a container can ask with, one a line. Files that are not valid are lines too.
[[nodiscard]] Result<std::string> list_cdi(const CdiRequest& request);

// Problems of every specification, or of the given files. Fails with invalid_config when there is one.
[[nodiscard]] Result<std::string> check_cdi(const std::vector<std::string>& names, const CdiRequest& request);

}  // namespace hami::hamictl
