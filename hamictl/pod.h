// `hamictl pod`: what the annotations of a Pod say about its devices.
#pragma once

#include <string>

#include "oci-config/base/result.h"

namespace hami::hamictl {

// Files are the JSON of a Pod, or an object with its annotations; "-" is the standard input. Both fail with
// io on a file that cannot be read, and with invalid_request, naming key, place and text, on annotations that
// the runtime would refuse.

// One line for each device that a scheduler gave to a container of the Pod, or JSON lines with `json`.
[[nodiscard]] Result<std::string> show_pod(const std::string& file, bool json);

// The annotations, decoded and encoded again, as a JSON object.
[[nodiscard]] Result<std::string> rewrite_pod(const std::string& file);

}  // namespace hami::hamictl
