// Source 1 of a request: what a scheduler decided for the Pod of a container.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "runtime-shim/request/request.h"

namespace hami::shim {

// Before the name of a resource in the key of what the kubelet recorded.
inline constexpr std::string_view kRecorded = "kubelet ";

// One vendor's devices in a Pod.
struct PodDecision {
  std::string vendor;  // name of the recipe
  // Of the annotation, "claim <uid>" of a resource claim, or "kubelet <resource>" of the kubelet's record.
  std::string key;
  bool per_container = true;              // see Scheduled
  std::vector<schedulers::Group> groups;  // none: the scheduler left the amounts to variables
  bool yields = false;                    // to what the container asks for by resource names
  friend bool operator==(const PodDecision&, const PodDecision&) = default;
};

// Decisions of HAMi, Volcano, Koordinator, GPU-Manager and KAI in the annotations of a Pod's container, and
// of the drivers of resource claims in what they left there; none outside Pods. Fails with invalid_request on
// a value that cannot be understood, naming key, position and text; where policy is lenient such an
// annotation counts as absent and `warnings`, unless null, says so. Fails as well when two schedulers decided
// differently, or an annotation of the vendor's plugin names other devices than the scheduler's list, naming
// both.
[[nodiscard]] Result<std::vector<PodDecision>> read_decisions(const oci::ContainerView& container,
                                                              const Policy& policy,
                                                              std::vector<std::string>* warnings = nullptr);

// The one about this recipe's vendor that fits what the container shows, else the first about the vendor: a
// scheduler has several lists where it has one for each chip. Null: there is none.
[[nodiscard]] const PodDecision* decision_for(const std::vector<PodDecision>& decisions,
                                              const oci::ContainerView& container,
                                              const vendors::Recipe& recipe);

// False for a container of the Pod to which no device plugin gave anything: a sidecar.
[[nodiscard]] bool concerns(const PodDecision& decision, const oci::ContainerView& container,
                            const vendors::Recipe& recipe);

// Takes the decision into the request, which holds what resource names say. Fails with invalid_request when
// the two disagree in number, memory or cores.
[[nodiscard]] Result<> take_decision(const PodDecision& decision, const oci::ContainerView& container,
                                     const vendors::Recipe& recipe, const Policy& policy,
                                     VendorRequest& request);

// Adds what keeps the vendor's own runtime from acting on an image's default.
void silence(const oci::ContainerView& container, const vendors::Recipe& recipe,
             std::map<std::string, std::string>& variables);

}  // namespace hami::shim
