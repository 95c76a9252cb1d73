// Work in a forked child: what changes namespaces or gives up rights must not do so to the hook itself.
#pragma once

#include <functional>

#include "oci-config/base/result.h"

namespace hami::hook {

// Runs `body` in a child process and waits. The child is killed when the hook dies and after `seconds`. Its
// error, when it returns one, becomes the result; a child that replaced itself by another program succeeds
// when that exits with 0. Fails with io on any other end. The caller must be single-threaded.
[[nodiscard]] Result<> run_in_child(const std::function<Result<>()>& body, int seconds);

}  // namespace hami::hook
