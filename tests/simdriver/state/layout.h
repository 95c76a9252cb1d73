// The simulated GPUs of a node: one file, mapped by every process that uses them.
//
// Plain data with fixed offsets, because processes of several containers (and C libraries) share it.
// Everything that is not `const after creation` changes under `mutex` only.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>

namespace hami::sim {

inline constexpr std::uint64_t kStateMagic = 0x315550474d495348ULL;  // "HSIMGPU1"
inline constexpr std::uint32_t kStateVersion = 3;
inline constexpr std::uint32_t kMaxDevices = 16;
inline constexpr std::uint32_t kMaxProcesses = 4096;
inline constexpr std::uint32_t kMaxContainers = 512;
inline constexpr std::uint32_t kMaxShared = 4096;

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;

// What the driver hands out in, see cuda/heap.cc.
inline constexpr std::uint64_t kSmallGranule = 512;
inline constexpr std::uint64_t kBlock = 2 * kMiB;

// How the simulation behaves. Constant after creation.
struct Options {
  char driver_version[32];
  std::uint32_t cuda_version;  // 12040 is CUDA 12.4
  // A device exists for a process only if its node <prefix>/dev/nvidia<minor> is there and the device cgroup
  // lets it be opened, as for the real driver.
  std::uint32_t check_nodes;
  // Every allocation is recorded here at once, not only whole blocks; for tests that look at peaks. Costs a
  // lock a call.
  std::uint32_t exact;
  std::uint32_t process_list;   // 0: NVML lists no process, as in some virtual machines
  std::uint32_t memory_info;    // 0: NVML memory queries answer NOT_SUPPORTED (unified memory)
  std::uint32_t utilization;    // 0: NVML process utilisation answers NOT_FOUND
  std::uint32_t virtual_clock;  // 1: time passes only by sim_advance_clock()
  std::uint32_t pid_offset;     // NVML shows pid + this: emulates a PID namespace without one
  // 0: NVML memory queries do not look for dead processes first, which takes system calls; for measurements.
  std::uint32_t reap_on_query;
  std::uint64_t sample_period_ns;  // NVML utilisation: how long one sample is
};

inline constexpr std::uint32_t kMaxActive = 64;

// A process whose work keeps a card busy until a time of the simulated clock.
struct Active {
  std::uint32_t slot;
  std::uint32_t reserved;
  std::uint64_t until_ns;
};

// One card. Constant after creation, but for the counters at the end.
struct Device {
  char name[96];
  char uuid[48];    // "GPU-8-4-4-4-12"
  char bus_id[16];  // "0000:3b:00.0"
  char serial[32];
  std::uint32_t minor;
  std::uint32_t multiprocessors;
  std::uint32_t threads_per_multiprocessor;
  std::uint32_t compute_major, compute_minor;
  std::int32_t numa_node;
  std::uint32_t integrated;  // memory shared with the host (Jetson, GB10)
  std::uint32_t compute_mode;
  std::uint32_t pci_device_id;
  std::uint32_t power_limit_mw;
  std::uint64_t total_bytes;     // as NVML shows it
  std::uint64_t reserved_bytes;  // of the total, never given to anyone
  std::uint64_t context_bytes;   // what each context takes
  std::uint32_t lost;            // 1: fallen off the bus
  std::uint32_t divided;         // how many MIG instances follow it; its own memory is theirs
  std::uint32_t instance_of;     // of a MIG instance: its card's index in State::devices, + 1; 0: a card
  std::uint32_t instance;        // number among the instances of the card

  std::uint64_t used;           // physical bytes, all processes
  std::uint64_t peak;           // highest `used` ever
  std::uint64_t granted;        // bytes of allocations, rounded to the driver's granule
  std::uint64_t busy_total_ns;  // time in which something ran, summed over processes
  Active active[kMaxActive];    // processes with work on the card
};

// Who uses how much of one device.
struct Share {
  std::uint64_t physical;  // bytes taken from the card: blocks, contexts
  std::uint64_t granted;   // bytes of allocations, rounded to the driver's granule; never more than physical
  std::uint64_t context;   // of physical: contexts
  std::uint32_t contexts;  // how many
  std::uint32_t reserved;
  std::uint64_t peak_physical;
  std::uint64_t peak_granted;
  std::uint64_t busy_ns;  // device time used
};

// Processes that share a mount namespace, which is what containers differ in.
struct Container {
  std::uint64_t key;  // inode of the mount namespace; 0: free
  char name[64];
  std::uint32_t live;  // processes
  std::uint32_t ever;  // processes so far
  Share share[kMaxDevices];
};

inline constexpr std::uint32_t kBusySamples = 8;

// Device time one process used in one sample period.
struct BusySample {
  std::uint64_t period;  // number of the period since the clock's zero
  std::uint64_t busy_ns;
};

struct Process {
  std::uint32_t used;       // 0: free slot
  std::uint32_t pid;        // in its own PID namespace
  std::uint32_t host_pid;   // in the PID namespace of the state's creator; 0: not known yet
  std::uint32_t container;  // index
  std::uint64_t start_time;
  std::uint64_t pid_namespace;  // inode
  char name[128];               // path of the executable
  Share share[kMaxDevices];
  BusySample busy[kMaxDevices][kBusySamples];
};

// Device memory that other processes can open by its token. It lives until the last of its users is gone and
// no file descriptor carries it any more.
struct Shared {
  std::uint64_t token;      // 0: free
  std::uint64_t size;       // bytes that a process maps
  std::uint64_t bytes;      // what it takes from the card, in the share of its owner
  std::uint32_t device;     // index in State::devices
  std::uint32_t owner;      // process slot; kNobody: only descriptors keep it, and `container` has its bytes
  std::uint32_t container;  // of the owner, or of the last one
  std::uint32_t on_host;    // 1: no card's memory
  std::uint64_t users[kMaxProcesses / 64];  // a bit for each process slot
};

inline constexpr std::uint32_t kNobody = 0xffffffffU;

struct State {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t size;  // sizeof(State)
  std::uint32_t device_count;
  std::uint32_t reserved;
  std::uint64_t creator_pid_namespace;
  Options options;
  Device devices[kMaxDevices];

  pthread_mutex_t mutex;       // robust, shared between processes
  std::uint32_t high_process;  // slots from here on were never used
  std::uint32_t high_shared;
  std::uint64_t next_token;
  std::uint64_t last_reap_ns;
  std::uint64_t virtual_ns;
  Container containers[kMaxContainers];
  Process processes[kMaxProcesses];
  Shared shared[kMaxShared];
};

// Record locks on the state file say who lives: process slot i holds byte kLockBase + i. Beyond the end of
// the file.
inline constexpr std::int64_t kLockBase = 1LL << 40;

}  // namespace hami::sim
