// NVML's accounting of single processes, and their names. Foreign processes are left out, and pids are the
// container's. Where nobody told us the host's pids, there is nothing to tell.
#include "libvgpu/core/proc_self.h"
#include "libvgpu/core/process.h"
#include "libvgpu/export.h"
#include "libvgpu/nvml/driver.h"
#include "libvgpu/nvml/host_list.h"

namespace hami::vgpu {
namespace {

// A list of bare pids, so that it can be looked through like the others.
struct Pid {
  unsigned pid;
};
static_assert(sizeof(Pid) == sizeof(unsigned));

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetAccountingPids(nvmlDevice_t device, unsigned* count, unsigned* pids) {
  if (mode() != Mode::on || count == nullptr) {
    return nvml<&NvmlDriver::nvmlDeviceGetAccountingPids>(device, count, pids);
  }
  HostList<Pid> list;
  const nvmlReturn_t status = list.fill([=](Pid* out, unsigned* there) {
    return nvml<&NvmlDriver::nvmlDeviceGetAccountingPids>(device, there, &out->pid);
  });
  if (status != NVML_SUCCESS) return status;
  list.keep_ours();
  return hand_over(list, reinterpret_cast<Pid*>(pids), count);
}

HAMI_EXPORT nvmlReturn_t nvmlDeviceGetAccountingStats(nvmlDevice_t device, unsigned pid,
                                                      nvmlAccountingStats_t* stats) {
  if (mode() != Mode::on) return nvml<&NvmlDriver::nvmlDeviceGetAccountingStats>(device, pid, stats);
  const std::uint32_t host_pid = g_process.account.host_of_pid(pid);
  if (host_pid != 0) return nvml<&NvmlDriver::nvmlDeviceGetAccountingStats>(device, host_pid, stats);
  // Nobody has pid 0: the driver says whether it can tell of anybody at all.
  nvmlAccountingStats_t nobody = {};
  const nvmlReturn_t status =
      nvml<&NvmlDriver::nvmlDeviceGetAccountingStats>(device, 0U, stats == nullptr ? nullptr : &nobody);
  return status == NVML_SUCCESS ? NVML_ERROR_NOT_FOUND : status;
}

HAMI_EXPORT nvmlReturn_t nvmlSystemGetProcessName(unsigned pid, char* name, unsigned length) {
  if (mode() != Mode::on || name == nullptr || length == 0) {
    return nvml<&NvmlDriver::nvmlSystemGetProcessName>(pid, name, length);
  }
  const ErrnoGuard keep_errno;
  if (!g_process.account.has_process(pid) || !read_command(pid, name, length)) return NVML_ERROR_NOT_FOUND;
  return NVML_SUCCESS;
}
