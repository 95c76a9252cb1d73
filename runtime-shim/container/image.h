// What must be known about a container's image before a slice is put into it. The image is hostile: it is
// only read, through descriptors that cannot leave its root.
#pragma once

#include <string>

#include "oci-config/base/result.h"

namespace hami::shim {

struct Image {
  bool has_glibc = false;  // the loader that obeys /etc/ld.so.preload is there, for this machine's programs
  bool debian_layout = true;  // libraries belong in /usr/lib/<triplet>, else in /usr/lib64
  std::string preload;        // the image's own /etc/ld.so.preload; empty when it has none
};

inline constexpr std::size_t kMaxPreloadBytes = 64U << 10U;

// `rootfs`: absolute path on the host. Fails with not_found or io when it cannot be opened, with
// invalid_request when the image's preload file is not a text of at most kMaxPreloadBytes.
[[nodiscard]] Result<Image> inspect_image(const std::string& rootfs);

}  // namespace hami::shim
