// What a container asks for: resource-name annotations, HAMI_RESOURCES and vendor variables → Request.
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
#include "runtime-shim/policy.h"
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

// What is asked of one vendor. An absent value was not mentioned anywhere.
struct VendorRequest {
  std::string vendor;  // name of the recipe
  std::optional<Stated<std::uint32_t>> count;
  std::optional<Stated<Selector>> selector;
  std::optional<Stated<Bytes>> memory;  // per device
  std::optional<Stated<Percent>>
      memory_percent;                    // per device, of its memory; `memory` counts when both are there
  std::optional<Stated<Percent>> cores;  // per device
  std::optional<Stated<std::uint32_t>> core_parts;   // per device, where its compute has numbered parts
  std::optional<Stated<std::string>> model;          // only devices of exactly this model
  std::map<std::uint32_t, Stated<Bytes>> memory_of;  // for the container's i-th device
  std::map<std::uint32_t, Stated<Percent>> cores_of;
  std::optional<Stated<std::int32_t>> priority;
  std::optional<Stated<abi::CorePolicy>> core_policy;
  std::optional<Stated<bool>> oversubscribe;
  std::optional<Stated<bool>> oom_killer;
  std::optional<Stated<bool>> uncontrolled;  // the container asks to be left without control
  std::optional<Stated<Names>> use_uuid;     // only these devices
  std::optional<Stated<Names>> nouse_uuid;   // none of these
  std::optional<Stated<Names>> use_type;     // only models that contain one of these texts, in any case
  std::optional<Stated<Names>> nouse_type;
  std::string capabilities;  // as written in the vendor's variable; empty: the recipe's default
  friend bool operator==(const VendorRequest&, const VendorRequest&) = default;

  // A memory or cores limit of any kind is stated.
  [[nodiscard]] bool has_limit() const;
  // "annotation 'nvidia.com/gpu'": the place that decides how many devices; empty when nothing is asked for.
  [[nodiscard]] std::string origin() const;
};

struct Request {
  std::vector<VendorRequest> vendors;  // in the order of the recipes
  std::optional<Stated<Placement>> placement;
  bool exclusive = false;  // no other container on the same devices, whatever the amounts
  friend bool operator==(const Request&, const Request&) = default;
};

// Texts of which every bundle with a request has at least one: a bundle without any of them is handed on
// before it is parsed. Compiled in, so that no recipe has to be read for that.
[[nodiscard]] const std::vector<std::string_view>& request_needles();

// False when no annotation, variable or mount of the container can be a request, whatever the recipes say.
[[nodiscard]] bool may_request(const oci::ContainerView& container, const Policy& policy);

// nullopt: the container asks for nothing, is a Pod's sandbox, or asks only by variables where policy does
// not let variables ask. Fails with invalid_request on a value that cannot be understood, and when two
// sources disagree; the message names key and value, or both sources.
[[nodiscard]] Result<std::optional<Request>> parse_request(const oci::ContainerView& container,
                                                           const std::vector<vendors::Recipe>& recipes,
                                                           const Policy& policy);

}  // namespace hami::shim
