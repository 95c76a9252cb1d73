#include "runtime-shim/pod/pod.h"

#include <initializer_list>

namespace hami::shim {

namespace {

std::string first_of(const oci::ContainerView& container, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (const auto value = container.annotation(key)) return std::string(*value);
  }
  return {};
}

}  // namespace

Pod pod_of(const oci::ContainerView& container) {
  return {first_of(container, {"io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"}),
          first_of(container, {"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"}),
          first_of(container, {"io.kubernetes.cri.container-name", "io.kubernetes.container.name"}),
          first_of(container, {"io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID",
                               "io.kubernetes.sandbox.id"})};
}

}  // namespace hami::shim
