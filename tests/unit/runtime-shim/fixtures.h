// A node with NVIDIA-like devices, and containers that ask for them, for the tests of the core.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "oci-config/base/text.h"
#include "oci-config/view.h"
#include "runtime-shim/allocation.h"
#include "runtime-shim/pod/scheduled.h"
#include "vendors/recipe.h"

namespace hami::shim::testing {

inline vendors::Recipe recipe() {
  vendors::Recipe recipe;
  recipe.metadata.name = "nvidia";
  recipe.request.env = {"NVIDIA_VISIBLE_DEVICES"};
  recipe.request.mount_marker = "/var/run/nvidia-container-devices";
  recipe.request.tokens = {vendors::Token::all, vendors::Token::none, vendors::Token::void_,
                           vendors::Token::index, vendors::Token::uuid};
  recipe.capabilities.env = "NVIDIA_DRIVER_CAPABILITIES";
  recipe.resources.count = {"nvidia.com/gpu"};
  recipe.resources.memory.names = {"nvidia.com/gpumem"};
  recipe.resources.memory_percentage = {"nvidia.com/gpumem-percentage"};
  recipe.resources.cores.names = {"nvidia.com/gpucores"};
  recipe.resources.priority = {"nvidia.com/priority"};
  recipe.resources.use_uuid = {"nvidia.com/use-gpuuuid"};
  recipe.resources.nouse_uuid = {"nvidia.com/nouse-gpuuuid"};
  recipe.resources.use_type = {"nvidia.com/use-gputype"};
  recipe.resources.nouse_type = {"nvidia.com/nouse-gputype"};
  recipe.resources.numa_bind = {"nvidia.com/numa-bind"};
  recipe.resources.limit_env = {
      "CUDA_DEVICE_MEMORY_LIMIT", "CUDA_DEVICE_SM_LIMIT", "CUDA_TASK_PRIORITY", "GPU_CORE_UTILIZATION_POLICY",
      "CUDA_OVERSUBSCRIBE",       "ACTIVE_OOM_KILLER",    "CUDA_MEMORY_WAIT"};
  recipe.slice.mechanism = vendors::SliceMechanism::preload;
  recipe.slice.disable_env = "CUDA_DISABLE_CONTROL";
  return recipe;
}

// Devices GPU-0, GPU-1, … of one size; NUMA node 0 for the first half, 1 for the second.
inline vendors::Inventory inventory(std::size_t count, Bytes memory = Bytes::mib(40960)) {
  vendors::Inventory inventory;
  inventory.vendor = "nvidia";
  for (std::size_t i = 0; i < count; ++i) {
    vendors::Device device;
    device.vendor = "nvidia";
    device.uuid = text::cat({"GPU-", text::number(i)});
    device.index = static_cast<std::uint32_t>(i);
    device.model = "NVIDIA A100-PCIE-40GB";
    device.memory = memory;
    device.numa_node = i < (count + 1) / 2 ? 0 : 1;
    inventory.devices.push_back(std::move(device));
  }
  return inventory;
}

inline oci::ContainerView annotated(std::map<std::string, std::string> annotations) {
  oci::ContainerView view;
  view.annotations = std::move(annotations);
  view.has_process = true;
  return view;
}

inline oci::ContainerView with_env(std::vector<std::pair<std::string, std::string>> env) {
  oci::ContainerView view;
  view.env = std::move(env);
  view.has_process = true;
  return view;
}

// A Pod's container as containerd describes it.
inline oci::ContainerView in_pod(oci::ContainerView view, const std::string& name) {
  view.annotations["io.kubernetes.cri.container-type"] = "container";
  view.annotations["io.kubernetes.cri.container-name"] = name;
  return view;
}

inline state::Lease lease(std::string key, std::vector<state::Holding> holdings) {
  state::Lease lease;
  lease.key = std::move(key);
  lease.holdings = std::move(holdings);
  return lease;
}

inline state::Holding holding(const std::string& uuid, std::uint64_t mib, std::uint32_t cores,
                              bool exclusive = false) {
  return {"nvidia", uuid, Bytes::mib(mib), Percent{cores}, exclusive};
}

// "<uuid> <MiB or all> <cores>" of each device that a scheduler gave, or the error.
inline std::vector<std::string> given_by(const Result<std::optional<Request>>& request,
                                         const VendorNode& node) {
  if (!request) return {request.error().line()};
  if (!*request || (*request)->vendors.empty()) return {};
  const VendorRequest& vendor = (*request)->vendors[0];
  if (!vendor.scheduled) return {"not scheduled"};
  const auto got = resolve(*vendor.scheduled, node, {});
  if (!got) return {got.error().line()};
  std::vector<std::string> out;
  for (const Given& given : got->decided.devices) {
    out.push_back(
        text::cat({given.device, " ", given.memory ? text::number(given.memory->whole_mib()) : "all", " ",
                   text::number(given.cores.value)}));
  }
  return out;
}

}  // namespace hami::shim::testing
