// What a device plugin left in a container, told apart from what its image and its Pod set.
#pragma once

#include <vector>

#include "oci-config/view.h"
#include "runtime-shim/schedulers/match.h"
#include "vendors/inventory.h"
#include "vendors/recipe.h"

namespace hami::shim {

// Engines that keep every occurrence of a variable have the image's first, then the device plugin's, then
// the Pod's: one evidence for each layer that names a device or an amount, in that order. Empty: the
// container shows nothing of this vendor. A selector of "all", "none" or "void" is an image's default and
// shows nothing; so do the device nodes of a privileged container, which has all of them.
[[nodiscard]] std::vector<schedulers::Evidence> evidence_of(const oci::ContainerView& container,
                                                            const vendors::Recipe& recipe);

// The devices of which the container has the nodes, by uuid, where nothing else names its devices.
[[nodiscard]] schedulers::Evidence with_named_nodes(schedulers::Evidence evidence,
                                                    const vendors::Recipe& recipe,
                                                    const vendors::Inventory& inventory);

// True when what the container shows names devices as a device plugin does: by names that no image has, not
// by numbers.
[[nodiscard]] bool names_devices_by_uuid(const oci::ContainerView& container, const vendors::Recipe& recipe);

// True when the container has a selector variable of this vendor that its vendor's runtime would act on.
[[nodiscard]] bool has_active_selector(const oci::ContainerView& container, const vendors::Recipe& recipe);

}  // namespace hami::shim
