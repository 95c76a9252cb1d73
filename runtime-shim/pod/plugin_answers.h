// What device plugins answered the kubelet for a container, in the place of what the container shows.
#pragma once

#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/view.h"
#include "runtime-shim/pod/decision.h"
#include "runtime-shim/schedulers/checkpoint.h"
#include "vendors/recipe.h"

namespace hami::shim {

// The answers for one container in the kubelet's checkpoint, which must be root's; none when the file does
// not exist. Fails with invalid_request on a file that is no checkpoint: its shape differs from one release
// of Kubernetes to another.
[[nodiscard]] Result<std::vector<schedulers::CheckpointEntry>> read_answers(const std::string& path,
                                                                            const std::string& pod,
                                                                            const std::string& container);

// The container with the answers' variables in the place of all others of those names, and with the mounts,
// device nodes and CDI names of the answers. For reading the request only: nothing of it goes into a bundle.
[[nodiscard]] oci::ContainerView with_answers(oci::ContainerView view,
                                              const std::vector<schedulers::CheckpointEntry>& answers);

// Adds what plugins decided where no scheduler did: of vendors that `decisions` lacks, the devices that
// answers name by a variable or by marks, with the limits beside them. A device without limits is whole,
// unless the kubelet's id for it is one of several ("GPU-a::1": a time slice, or a client of MPS). What an
// answer names by CDI, or gives as nodes alone, the engine gives.
void add_plugins_decisions(const std::vector<schedulers::CheckpointEntry>& answers,
                           const std::vector<vendors::Recipe>& recipes, std::vector<PodDecision>& decisions);

}  // namespace hami::shim
