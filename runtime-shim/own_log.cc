#include "runtime-shim/own_log.h"

#include <fcntl.h>
#include <unistd.h>

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"

namespace hami::shim {

void append_log(const std::string& path, std::string_view level, std::string_view message) {
  if (path.empty()) return;
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640));
  const std::string line = json_log_line(text::cat({"hami-runtime: ", message}), level);
  if (fd) (void)!::write(fd.get(), line.data(), line.size());
}

}  // namespace hami::shim
