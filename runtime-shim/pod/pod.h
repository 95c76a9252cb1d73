// Which Pod a container belongs to, as its engine says.
#pragma once

#include <string>

#include "oci-config/view.h"

namespace hami::shim {

// Parts that the engine does not tell are empty.
struct Pod {
  std::string uid;
  std::string name_space;
  std::string container;   // the container's name in its Pod
  std::string sandbox_id;  // the Pod's sandbox, a container of the same engine
  friend bool operator==(const Pod&, const Pod&) = default;
};

// Source: containerd pkg/cri/annotations; CRI-O pkg/annotations; dockershim labels.
[[nodiscard]] Pod pod_of(const oci::ContainerView& container);

}  // namespace hami::shim
