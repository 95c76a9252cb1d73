// What a container asks for: schedulers' allocations, resource-name annotations, HAMI_RESOURCES and vendor
// variables → Request.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvgpu/abi/slice.h"
#include "oci-config/base/result.h"
#include "oci-config/base/units.h"
#include "oci-config/view.h"
#include "runtime-shim/request/policy.h"
#include "runtime-shim/schedulers/match.h"
#include "vendors/recipe.h"

namespace hami::shim {

// A value with the place it was written at ("annotation 'nvidia.com/gpumem'"), for messages.
template <typename T>
struct Stated {
  T value{};
  std::string origin;
  friend bool operator==(const Stated&, const Stated&) = default;
};

using Names = std::vector<std::string>;

// Which devices are meant, when a request names them.
struct Selector {
  enum class Kind {
    none,  // driver files without a device
    all,
    named,
  };
  Kind kind = Kind::all;
  Names names;  // named: indexes, uuids or aliases as they were written
  friend bool operator==(const Selector&, const Selector&) = default;
};

// What a scheduler wrote about the Pod, and what its device plugin left in the container. Which group is the
// container's is decided when the node's devices are known: see scheduled.h.
struct Scheduled {
  std::string origin;         // "annotation 'hami.io/vgpu-devices-allocated'"
  std::string key;            // of that annotation
  bool per_container = true;  // else one group is the whole Pod's, each of its containers has it
  std::vector<schedulers::Group> groups;
  std::vector<schedulers::Evidence> evidence;  // one per layer; not empty
  friend bool operator==(const Scheduled&, const Scheduled&) = default;
};

// One device with its amounts, as a scheduler decided.
struct Given {
  std::string device;           // index, uuid or alias
  std::optional<Bytes> memory;  // nullopt: all of it
  Percent cores;                // 0: no limit
  friend bool operator==(const Given&, const Given&) = default;
};

// The decision about one vendor's devices, when it is not ours to make.
struct Decided {
  std::vector<Given> devices;
  bool binding = true;   // false: a device plugin's word alone, which must fit beside the node's leases
  std::string selector;  // what the vendor's selector variable says afterwards; empty: the recipe's word
  friend bool operator==(const Decided&, const Decided&) = default;
};

struct PodDecision;

// Which devices of one model are allowed, and which are not.
struct ModelLists {
  std::optional<Stated<Names>> use_uuid;
  std::optional<Stated<Names>> nouse_uuid;
  friend bool operator==(const ModelLists&, const ModelLists&) = default;
};

// What is asked of one vendor. An absent value was not mentioned anywhere.
struct VendorRequest {
  std::string vendor;  // name of the recipe
  std::optional<Scheduled> scheduled;
  std::optional<Decided> decided;  // from `scheduled`; then no other member says which devices
  bool by_engine = false;          // an engine has given `selector`: it is recorded, and nothing is added
  Names beside{};                  // uuids of devices that an engine gave besides what is asked for here
  std::optional<Stated<std::uint32_t>> count;
  std::optional<Stated<Selector>> selector;
  std::optional<Stated<Bytes>> memory;  // per device
  std::optional<Stated<Percent>>
      memory_percent;                    // per device, of its memory; `memory` counts when both are there
  std::optional<Stated<Percent>> cores;  // per device
  std::optional<Stated<std::uint32_t>> size;         // of one of the vendor's templates
  std::optional<Stated<std::uint32_t>> core_parts;   // per device, where its compute has numbered parts
  std::optional<Stated<std::string>> model;          // only devices of exactly this model
  std::map<std::uint32_t, Stated<Bytes>> memory_of;  // for the container's i-th device
  std::map<std::uint32_t, Stated<Percent>> cores_of;
  std::optional<Stated<std::vector<vendors::Mode>>> modes;  // one of these, the first that can be served
  std::optional<Stated<std::int32_t>> priority;
  std::optional<Stated<abi::CorePolicy>> core_policy;
  std::optional<Stated<bool>> oversubscribe;
  std::optional<Stated<bool>> oom_killer;
  std::optional<Stated<std::uint32_t>> memory_wait;  // seconds that a request waits for a full card
  std::optional<Stated<bool>> uncontrolled;          // the container asks to be left without control
  std::optional<Stated<Names>> use_uuid;             // only these devices
  std::optional<Stated<Names>> nouse_uuid;           // none of these
  std::map<std::string, ModelLists> lists_of;        // the same about devices of a model
  std::optional<Stated<Names>> use_type;  // only models that contain one of these texts, in any case
  std::optional<Stated<Names>> nouse_type;
  std::optional<Stated<bool>> numa_bind;  // several devices must be of one NUMA node
  std::string capabilities;               // as written in the vendor's variable; empty: the recipe's default
  friend bool operator==(const VendorRequest&, const VendorRequest&) = default;

  // A memory or cores limit of any kind is stated.
  [[nodiscard]] bool has_limit() const;
  // "annotation 'nvidia.com/gpu'": the place that decides how many devices; empty when nothing is asked for.
  [[nodiscard]] std::string origin() const;
};

// A device that a specification of CDI describes, and no recipe.
struct CdiName {
  std::string name;     // "vendor.com/class=device"
  std::string origin;   // "annotation 'hami.io/cdi-devices'"
  bool engine = false;  // asked of the engine, which may have given it already
  friend bool operator==(const CdiName&, const CdiName&) = default;
};

struct Request {
  std::vector<VendorRequest> vendors;  // in the order of the recipes
  std::vector<CdiName> cdi;
  std::optional<Stated<Placement>> placement;
  bool exclusive = false;  // no other container on the same devices, whatever the amounts
  // Variables of images that would ask a vendor's own runtime for devices this container was not given, and
  // what they say instead.
  std::map<std::string, std::string> silenced;
  friend bool operator==(const Request&, const Request&) = default;
};

// Texts of which every bundle with a request has at least one: a bundle without any of them is handed on
// before it is parsed. Compiled in, so that no recipe has to be read for that.
[[nodiscard]] const std::vector<std::string_view>& request_needles();

// False when no annotation, variable or mount of the container can be a request, whatever the recipes say.
[[nodiscard]] bool may_request(const oci::ContainerView& container, const Policy& policy);

// Whether a variable, or a mount that marks a device, can be one, whoever set it.
[[nodiscard]] bool shows_variables(const oci::ContainerView& container);

// nullopt: the container asks for nothing, is a Pod's sandbox, or asks only by variables where policy does
// not let variables ask. A request without vendors only silences variables. Fails with invalid_request on a
// value that cannot be understood, and when two sources disagree; the message names key and value, or both
// sources. `warnings`, unless null, gets lines about what was overlooked because policy is lenient.
[[nodiscard]] Result<std::optional<Request>> parse_request(const oci::ContainerView& container,
                                                           const std::vector<vendors::Recipe>& recipes,
                                                           const Policy& policy,
                                                           std::vector<std::string>* warnings = nullptr);

// The same for a caller who has read the decisions of the container's Pod; what is wrong with them is said in
// its turn.
[[nodiscard]] Result<std::optional<Request>> parse_request(const oci::ContainerView& container,
                                                           const std::vector<vendors::Recipe>& recipes,
                                                           const Policy& policy,
                                                           Result<std::vector<PodDecision>> decisions);

}  // namespace hami::shim
