// The annotations of a Pod as tools hand them on: JSON of the Pod, or of the annotations alone.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "oci-config/base/result.h"

namespace hami::schedulers {

using Annotations = std::map<std::string, std::string>;

inline constexpr std::size_t kMaxPod = 4U << 20U;  // bytes

// "metadata.annotations" of a Pod ("kubectl get pod NAME -o json"), or else the object itself, whose members
// are texts. A Pod without annotations has none. Fails with invalid_request, naming the place, on anything
// else and on more than kMaxPod bytes.
[[nodiscard]] Result<Annotations> parse_annotations(std::string_view json);

// An object of texts on one line each, sorted by key, with a line's end.
[[nodiscard]] std::string encode_annotations(const Annotations& annotations);

}  // namespace hami::schedulers
