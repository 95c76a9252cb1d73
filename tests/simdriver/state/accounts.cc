#include "tests/simdriver/state/accounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <initializer_list>

#include "tests/simdriver/state/shared.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kReapPeriodNs = 20000000;

std::uint64_t larger(std::uint64_t a, std::uint64_t b) { return a > b ? a : b; }

void add(Share& share, Amount amount) {
  share.physical += amount.physical;
  share.granted += amount.granted;
  share.peak_physical = larger(share.peak_physical, share.physical);
  share.peak_granted = larger(share.peak_granted, share.granted);
}

void subtract(Share& share, Amount amount) {
  share.physical -= amount.physical;
  share.granted -= amount.granted;
}

// The process's own share first: it is the truth from which recompute() makes the sums.
void add_everywhere(State& state, std::uint32_t slot, std::uint32_t index, Amount amount) {
  Process& process = state.processes[slot];
  Device& device = state.devices[index];
  add(process.share[index], amount);
  add(state.containers[process.container].share[index], amount);
  device.used += amount.physical;
  device.granted += amount.granted;
  device.peak = larger(device.peak, device.used);
}

bool is_self(int self, std::uint32_t slot) { return self >= 0 && static_cast<std::uint32_t>(self) == slot; }

std::uint64_t start_time_of(std::uint32_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%u/stat", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[1024];
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  if (size <= 0) return 0;
  text[size] = 0;
  const char* at = strrchr(text, ')');  // field 2 may hold anything
  // One that nobody has waited for yet holds no memory any more.
  if (at != nullptr && (strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0)) return 0;
  for (int field = 2; at != nullptr && field < 22; ++field) at = strchr(at + 1, ' ');
  return at != nullptr ? strtoull(at + 1, nullptr, 10) : 0;
}

struct flock lock_of(std::uint32_t slot, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = kLockBase + slot;
  lock.l_len = 1;
  return lock;
}

// A process that closed all its descriptors lost its lock but lives: where its PID means something to us, ask
// that too.
bool lives_without_lock(const Process& process, std::uint64_t our_namespace) {
  return process.pid_namespace == our_namespace && our_namespace != 0 && process.start_time != 0 &&
         start_time_of(process.pid) == process.start_time;
}

std::uint32_t find_container(State& state, std::uint64_t key) {
  std::uint32_t spare = kMaxContainers;
  for (std::uint32_t i = 0; i < kMaxContainers; ++i) {
    if (state.containers[i].key == key) return i;
    const bool better =
        state.containers[i].key == 0 || (spare == kMaxContainers && state.containers[i].live == 0);
    if (better && (spare == kMaxContainers || state.containers[spare].key != 0)) spare = i;
  }
  if (spare == kMaxContainers) return kMaxContainers - 1;
  state.containers[spare] = {};
  state.containers[spare].key = key;
  return spare;
}

void name_container(Container& container) {
  if (container.name[0] != 0) return;
  if (gethostname(container.name, sizeof container.name - 1) != 0) container.name[0] = 0;
}

}  // namespace

bool take(State& state, std::uint32_t slot, std::uint32_t index, Amount amount) {
  if (free_bytes(state.devices[index]) < amount.physical) collect_dead(state, static_cast<int>(slot));
  if (free_bytes(state.devices[index]) < amount.physical) return false;
  add_everywhere(state, slot, index, amount);
  return true;
}

void give(State& state, std::uint32_t slot, std::uint32_t index, Amount amount) {
  Process& process = state.processes[slot];
  subtract(process.share[index], amount);
  subtract(state.containers[process.container].share[index], amount);
  state.devices[index].used -= amount.physical;
  state.devices[index].granted -= amount.granted;
}

void add_bytes(State& state, std::uint32_t slot, std::uint32_t device, std::uint64_t bytes) {
  add_everywhere(state, slot, device, {bytes, bytes});
}

void add_ownerless(State& state, const Shared& entry) {
  add(state.containers[entry.container].share[entry.device], {entry.bytes, entry.bytes});
  state.devices[entry.device].used += entry.bytes;
  state.devices[entry.device].granted += entry.bytes;
}

void remove_ownerless(State& state, const Shared& entry) {
  subtract(state.containers[entry.container].share[entry.device], {entry.bytes, entry.bytes});
  state.devices[entry.device].used -= entry.bytes;
  state.devices[entry.device].granted -= entry.bytes;
}

void count_context(State& state, std::uint32_t slot, std::uint32_t index, int change, std::uint64_t bytes) {
  Process& process = state.processes[slot];
  for (Share* share : {&process.share[index], &state.containers[process.container].share[index]}) {
    share->contexts += static_cast<std::uint32_t>(change);
    share->context += change > 0 ? bytes : -bytes;
  }
}

std::uint64_t free_bytes(const Device& device) {
  const std::uint64_t capacity = device.total_bytes - device.reserved_bytes;
  return device.used < capacity ? capacity - device.used : 0;
}

int register_process(State& state) {
  collect_dead(state, -1);
  std::uint32_t slot = 0;
  while (slot < kMaxProcesses && state.processes[slot].used != 0) ++slot;
  if (slot == kMaxProcesses) return -1;
  struct flock lock = lock_of(slot, F_WRLCK);
  if (fcntl(state_fd(), F_SETLK, &lock) != 0) return -1;

  Process& process = state.processes[slot];
  process = {};
  process.pid = static_cast<std::uint32_t>(getpid());
  process.start_time = start_time_of(process.pid);
  process.pid_namespace = namespace_inode("pid");
  if (process.pid_namespace == state.creator_pid_namespace) process.host_pid = process.pid;
  const ssize_t size = readlink("/proc/self/exe", process.name, sizeof process.name - 1);
  if (size < 0) process.name[0] = 0;
  process.container = find_container(state, namespace_inode("mnt"));
  Container& container = state.containers[process.container];
  name_container(container);
  ++container.live;
  ++container.ever;
  if (slot >= state.high_process) state.high_process = slot + 1;
  process.used = 1;
  return static_cast<int>(slot);
}

void unregister_process(State& state, std::uint32_t slot) {
  Process& process = state.processes[slot];
  Container& container = state.containers[process.container];
  for (std::uint32_t i = 0; i < state.device_count; ++i) {
    const Share& share = process.share[i];
    container.share[i].contexts -= share.contexts;
    container.share[i].context -= share.context;
    give(state, slot, i, {share.physical, share.granted});
  }
  --container.live;
  process.used = 0;
  unuse_all(state, slot);
}

void collect_dead(State& state, int self) {
  const std::uint64_t our_namespace = namespace_inode("pid");
  for (std::uint32_t slot = 0; slot < state.high_process; ++slot) {
    Process& process = state.processes[slot];
    if (process.used == 0 || is_self(self, slot)) continue;
    // Our own lock never conflicts with us, so an own slot must not get here: `self` or the same pid.
    struct flock lock = lock_of(slot, F_WRLCK);
    if (fcntl(state_fd(), F_GETLK, &lock) != 0) continue;
    if (lock.l_type != F_UNLCK) {
      if (our_namespace == state.creator_pid_namespace && lock.l_pid > 0) {
        process.host_pid = static_cast<std::uint32_t>(lock.l_pid);
      }
      continue;
    }
    if (!lives_without_lock(process, our_namespace)) unregister_process(state, slot);
  }
  collect_shared(state);
  state.last_reap_ns = now_ns(state);
}

void collect_dead_lazily(State& state, int self) {
  const std::uint64_t now = now_ns(state);
  if (now - state.last_reap_ns > kReapPeriodNs) collect_dead(state, self);
}

void recompute(State& state) {
  for (std::uint32_t i = 0; i < state.device_count; ++i) {
    Device& device = state.devices[i];
    device.used = device.granted = 0;
    for (Container& container : state.containers) {
      Share& share = container.share[i];
      share.physical = share.granted = share.context = 0;
      share.contexts = 0;
    }
  }
  for (Container& container : state.containers) container.live = 0;
  for (std::uint32_t slot = 0; slot < state.high_process; ++slot) {
    Process& process = state.processes[slot];
    if (process.used == 0) continue;
    Container& container = state.containers[process.container];
    ++container.live;
    for (std::uint32_t i = 0; i < state.device_count; ++i) {
      const Share& from = process.share[i];
      Share& to = container.share[i];
      add(to, {from.physical, from.granted});
      to.contexts += from.contexts;
      to.context += from.context;
      state.devices[i].used += from.physical;
      state.devices[i].granted += from.granted;
    }
  }
  for (std::uint32_t i = 0; i < state.high_shared; ++i) {
    const Shared& entry = state.shared[i];
    if (entry.token != 0 && entry.owner == kNobody && entry.on_host == 0) add_ownerless(state, entry);
  }
}

std::uint32_t shown_pid(const State& state, const Process& process) {
  return (process.host_pid != 0 ? process.host_pid : process.pid) + state.options.pid_offset;
}

}  // namespace hami::sim
