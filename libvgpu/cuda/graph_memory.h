// Memory that graphs allocate: taken from the card when a graph with allocation nodes is launched, and kept
// in the device's graph stock until it is trimmed.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/abi/slice.h"
#include "libvgpu/core/lock.h"
#include "libvgpu/core/word_map.h"
#include "libvgpu/cuda/store.h"
#include "libvgpu/cuda/types.h"

namespace hami::vgpu {

class GraphMemory {
 public:
  // A graph of this process has an allocation node from now on. Before that, launches cost one load.
  void expect() noexcept { expected_.store(true, std::memory_order_relaxed); }
  bool is_expected() const noexcept { return expected_.load(std::memory_order_relaxed); }

  // Notes what a launch of `exec`, made from `graph`, allocates on each device. False when there is no memory
  // for it.
  bool instantiated(CUgraphExec exec, CUgraph graph) noexcept;
  void destroyed(CUgraphExec exec) noexcept;

  // Runs `call`, a launch or an upload of `exec`, with its memory admitted.
  template <typename Call>
  CUresult launch(CUgraphExec exec, Call call) noexcept {
    Costs costs;
    if (!find_costs(exec, costs)) return call();
    return launch_on(costs, 0, call);
  }

  // Brings the charges to what the driver reports now.
  void settle_all(unsigned device) noexcept;

  // In the child of a fork.
  void forget() noexcept;

  // What the allocation nodes of one graph need, by the container's device index.
  struct Costs {
    std::uint64_t bytes[abi::kMaxDevices] = {};
    CUdevice ordinals[abi::kMaxDevices] = {};
    bool impossible = false;  // a device that the container was not given, or a graph too large to look at
  };

 private:
  bool find_costs(CUgraphExec exec, Costs& costs) noexcept;
  Stock stock(unsigned device) noexcept;

  // Each device's stock is locked around the call, in order of the index.
  template <typename Call>
  CUresult launch_on(const Costs& costs, unsigned device, Call call) noexcept {
    while (device < abi::kMaxDevices && costs.bytes[device] == 0) ++device;
    if (device == abi::kMaxDevices) return call();
    Store& store = stores_[device];
    const LockGuard guard(store.lock);
    ordinals_[device].store(costs.ordinals[device] + 1, std::memory_order_relaxed);
    store.device = device;
    const Stock before = stock(device);
    settle(store, before);
    Reservation reservation = reserve_growth(store, missing_bytes(store, before, costs.bytes[device]));
    if (!reservation) return CUDA_ERROR_OUT_OF_MEMORY;
    const CUresult status = launch_on(costs, device + 1, call);
    const Stock after = stock(device);
    if (!settle_growth(store, after, reservation)) settle(store, after);  // it runs: too late to refuse
    return status;
  }

  std::atomic<bool> expected_{false};
  SpinLock lock_;
  WordMap costs_;  // of (exec, device), see name_of() → bytes
  Store stores_[abi::kMaxDevices];
  std::atomic<int> ordinals_[abi::kMaxDevices] = {};  // ordinal + 1 of each index
};

extern constinit GraphMemory g_graph_memory;

}  // namespace hami::vgpu
