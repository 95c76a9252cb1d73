#include "oci-config/base/owner.h"

#include <unistd.h>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::files {

namespace {

constexpr std::size_t kMaxProcBytes = 4096;

// The user that stat(2) shows for one that the user namespace does not map, or root when it maps all users.
uid_t unmapped_user() {
  const auto map = read("/proc/self/uid_map", kMaxProcBytes);
  const auto overflow = read("/proc/sys/kernel/overflowuid", kMaxProcBytes);
  if (!map || !overflow) return 0;
  if (map->find("4294967295") != std::string::npos) return 0;  // the initial namespace: everybody is mapped
  const auto number = text::parse_u64(text::trim(*overflow));
  return number ? static_cast<uid_t>(*number) : 0;
}

}  // namespace

bool is_trusted_owner(uid_t owner) { return owner == 0 || owner == ::geteuid() || owner == unmapped_user(); }

}  // namespace hami::files
