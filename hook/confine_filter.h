// System call allow-lists. Only confine.cc needs this.
#pragma once

#include "hook/confine.h"

namespace hami::hook {

// Loads the filter of a profile; no_new_privs must be set. Filters add up: a child's is met by its parent's
// too.
[[nodiscard]] Result<> load_filter(Profile profile);

}  // namespace hami::hook
