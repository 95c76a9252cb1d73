// Whose files we believe.
#pragma once

#include <sys/types.h>

namespace hami::files {

// True for root, for our own user, and in a user namespace also for the users that it does not map: root of
// the host is one of them there, and nobody inside can make a file that belongs to one. Source:
// user_namespaces(7), "Unmapped user and group IDs".
[[nodiscard]] bool is_trusted_owner(uid_t owner);

}  // namespace hami::files
