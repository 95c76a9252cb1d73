// A Pod's annotations, decoded and encoded again.
#pragma once

#include <map>
#include <string>

#include "oci-config/base/result.h"

namespace hami::shim {

// Every annotation that names devices, in the spelling of who writes it: lists of HAMi and Volcano without
// padding, Koordinator's, GPU-Manager's, and what vendors' plugins have beside them. Decoding the result
// gives what decoding `annotations` gives. Others are as they were. Fails with invalid_request like
// read_decisions on one that cannot be decoded.
[[nodiscard]] Result<std::map<std::string, std::string>> rewrite_annotations(
    const std::map<std::string, std::string>& annotations);

}  // namespace hami::shim
