// Amounts as Kubernetes writes them.
#pragma once

#include <string_view>

#include "oci-config/base/result.h"
#include "oci-config/base/units.h"

namespace hami {

// A Kubernetes quantity as an amount of memory, parts of a byte rounded up: "8Gi", "8G" (ten to the ninth),
// "1.5Ti", "8e9", "8000k", "512". At most 18 digits. Everything else, an amount below zero too, fails with
// invalid_request. Source: the grammar of resource.Quantity in k8s.io/apimachinery, "Kubernetes API:
// Quantity".
[[nodiscard]] Result<Bytes> parse_quantity(std::string_view value);

}  // namespace hami
