// The kubelet's own record of which device plugin answered what for which container. Not a stable interface:
// used only where the node's configuration names the file, and only to confirm what a container shows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/schedulers/allocate_answer.h"

namespace hami::schedulers {

struct CheckpointEntry {
  std::string pod;  // uid
  std::string container;
  std::string resource;              // "nvidia.com/gpu"
  std::vector<std::string> devices;  // the kubelet's ids, of every NUMA node
  AllocateAnswer answer;
  friend bool operator==(const CheckpointEntry&, const CheckpointEntry&) = default;
};

// The entries of one container, in the order of the file. Ids are read in the form of Kubernetes before 1.20
// (a list) and since (lists by NUMA node); entries of other containers are not looked at. Fails with
// invalid_request on a file of another shape, naming the entry.
[[nodiscard]] Result<std::vector<CheckpointEntry>> read_checkpoint(std::string_view json,
                                                                   std::string_view pod,
                                                                   std::string_view container);

// What read_checkpoint reads, in the form since Kubernetes 1.20.
[[nodiscard]] std::string encode_checkpoint(const std::vector<CheckpointEntry>& entries);

}  // namespace hami::schedulers
