#include "tests/simdriver/state/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

// The kernel has no driver behind the numbers, so a node that may be opened answers ENXIO; one that the
// device cgroup or its mode forbids answers EPERM or EACCES.
bool can_open(std::uint32_t minor) {
  char path[4200];
  snprintf(path, sizeof path, "%s/dev/nvidia%u", root_prefix(), minor);
  const int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) {
    close(fd);
    return true;
  }
  return errno == ENXIO || errno == ENODEV;
}

}  // namespace

int present_devices(const State& state, std::uint32_t (&out)[kMaxDevices]) {
  int count = 0;
  for (std::uint32_t i = 0; i < state.device_count; ++i) {
    if (state.options.check_nodes == 0 || can_open(state.devices[i].minor)) out[count++] = i;
  }
  return count;
}

}  // namespace hami::sim
