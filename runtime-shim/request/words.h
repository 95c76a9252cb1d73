// Requests by resource names: annotations, and the pairs of HAMI_RESOURCES.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"
#include "runtime-shim/request/request.h"
#include "runtime-shim/request/values.h"

namespace hami::shim {

inline constexpr const char* kResourcesVariable = "HAMI_RESOURCES";
inline constexpr const char* kPlacementKey = "hami.io/gpu-scheduler-policy";
inline constexpr const char* kMemoryWaitKey = "hami.io/memory-wait";

// Names and values of one source.
class Words {
 public:
  // The container's annotations; "<name>.container.<its name in the Pod>" counts before "<name>".
  [[nodiscard]] static Words of_annotations(const oci::ContainerView& container);

  // "nvidia.com/gpu=1,nvidia.com/gpumem=3000". Fails with invalid_request on a pair without '=' and on a name
  // that stands there twice with different values.
  [[nodiscard]] static Result<Words> of_variable(std::string_view value);

  [[nodiscard]] std::optional<Word> find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, std::string>& values() const { return values_; }

 private:
  std::map<std::string, std::string> values_;
  std::string kind_;  // "annotation" or "variable HAMI_RESOURCES:": begins an origin
  std::string suffix_;
};

// Takes what the words say about this vendor into the request.
[[nodiscard]] Result<> read_resources(const Words& words, const vendors::Recipe& recipe, const Policy& policy,
                                      VendorRequest& out);

// Takes the placement policy; HAMi's list form ("binpack,numa") is accepted.
[[nodiscard]] Result<> read_placement(const Words& words, Request& out);

// Every name of a recipe that a request can use.
[[nodiscard]] std::set<std::string> resource_names(const vendors::Recipe& recipe);

}  // namespace hami::shim
