// Requests by a vendor's own variables, as the vendor's runtime and HAMi-core understand them.
#pragma once

#include "oci-config/base/result.h"
#include "oci-config/view.h"
#include "runtime-shim/request/request.h"

namespace hami::shim {

// Which devices the vendor's selector variable (or its mount markers) names. Unset, empty and "void" name
// none.
[[nodiscard]] Result<> read_selector(const oci::ContainerView& container, const vendors::Recipe& recipe,
                                     VendorRequest& out);

// Modes: CUDA_TASK_PRIORITY, GPU_CORE_UTILIZATION_POLICY, CUDA_OVERSUBSCRIBE and so on.
[[nodiscard]] Result<> read_mode_variables(const oci::ContainerView& container, const vendors::Recipe& recipe,
                                           VendorRequest& out);

// Limits and modes: CUDA_DEVICE_MEMORY_LIMIT[_i], CUDA_DEVICE_SM_LIMIT[_i], and the above. A limit of 0 is no
// limit, as in HAMi-core.
[[nodiscard]] Result<> read_limit_variables(const oci::ContainerView& container,
                                            const vendors::Recipe& recipe, VendorRequest& out);

}  // namespace hami::shim
