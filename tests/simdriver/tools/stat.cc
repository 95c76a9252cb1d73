// simgpu-stat [STATE]: what the simulated cards hold now, and the peaks. One record a line, "kind key=value
// …":
//   node driver_version=… cuda_version=12040
//   device index=0 uuid=… bus_id=… minor=… total=… used=… granted=… peak=… name=…
//   container index=… key=… live=… device=0 used=… granted=… peak_used=… peak_granted=… name=…
//   process pid=… host_pid=… container=… device=0 used=… granted=… context=… contexts=… name=…
// All amounts in bytes. Processes that have died are collected first.
#include <stdio.h>
#include <stdlib.h>

#include "tests/simdriver/state/accounts.h"
#include "tests/simdriver/state/store.h"

namespace {

using namespace hami::sim;

unsigned long long number(std::uint64_t value) { return value; }

bool touched(const Share& share) {
  return share.physical != 0 || share.contexts != 0 || share.peak_physical != 0 || share.peak_granted != 0;
}

void print_devices(const State& state) {
  printf("node driver_version=%s cuda_version=%u\n", state.options.driver_version,
         state.options.cuda_version);
  for (std::uint32_t i = 0; i < state.device_count; ++i) {
    const Device& device = state.devices[i];
    printf(
        "device index=%u uuid=%s bus_id=%s minor=%u numa_node=%d pci_device=%04x total=%llu used=%llu "
        "granted=%llu "
        "peak=%llu busy_ns=%llu name=%s\n",
        i, device.uuid, device.bus_id, device.minor, device.numa_node, device.pci_device_id >> 16U,
        number(device.total_bytes), number(device.used), number(device.granted), number(device.peak),
        number(device.busy_total_ns), device.name);
  }
}

void print_containers(const State& state) {
  for (std::uint32_t c = 0; c < kMaxContainers; ++c) {
    const Container& container = state.containers[c];
    for (std::uint32_t i = 0; container.key != 0 && i < state.device_count; ++i) {
      const Share& share = container.share[i];
      if (!touched(share)) continue;
      printf(
          "container index=%u key=%llu live=%u device=%u used=%llu granted=%llu peak_used=%llu "
          "peak_granted=%llu name=%s\n",
          c, number(container.key), container.live, i, number(share.physical), number(share.granted),
          number(share.peak_physical), number(share.peak_granted), container.name);
    }
  }
}

void print_processes(const State& state) {
  for (std::uint32_t slot = 0; slot < state.high_process; ++slot) {
    const Process& process = state.processes[slot];
    for (std::uint32_t i = 0; process.used != 0 && i < state.device_count; ++i) {
      const Share& share = process.share[i];
      if (!touched(share)) continue;
      printf(
          "process pid=%u host_pid=%u container=%u device=%u used=%llu granted=%llu context=%llu contexts=%u "
          "busy_ns=%llu name=%s\n",
          process.pid, process.host_pid, process.container, i, number(share.physical), number(share.granted),
          number(share.context), share.contexts, number(share.busy_ns), process.name);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2) {
    fprintf(stderr, "usage: simgpu-stat [STATE]\n");
    return 2;
  }
  if (argc == 2) setenv("SIMGPU_STATE", argv[1], 1);
  State* state = attach();
  if (state == nullptr) {
    fprintf(stderr, "simgpu-stat: no state at '%s'\n", state_path());
    return 1;
  }
  const Guard guard(*state);
  collect_dead(*state, -1);
  print_devices(*state);
  print_containers(*state);
  print_processes(*state);
  return 0;
}
