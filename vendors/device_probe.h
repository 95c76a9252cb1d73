// Asks a vendor's library about its devices, through hami-probe, and keeps the answer below the state
// directory.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "vendors/discovery.h"
#include "vendors/libraries.h"
#include "vendors/probe_answer.h"
#include "vendors/recipe.h"

namespace hami::vendors {

inline constexpr int kProbeTimeoutMs = 10'000;

// The devices the library knows; empty when the recipe asks none or the node has no such library.
//
// `facts` describes the node as far as it is known without the library (driver version, the devices' files).
// The kept answer counts only for the same facts, boot, probe program and library file; anything else, a
// damaged file too, is asked anew. A cache that cannot be written is no error: the next call asks again.
[[nodiscard]] Result<std::vector<ProbedDevice>> probe_devices(const Recipe& recipe, const HostRoots& roots,
                                                              const LibraryIndex& libraries,
                                                              const std::string& facts);

}  // namespace hami::vendors
