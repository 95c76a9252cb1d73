#include "tests/simdriver/state/store.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/simdriver/state/accounts.h"
#include "tests/simdriver/state/config.h"

namespace hami::sim {
namespace {

constexpr std::size_t kMaxPath = 4096;

pthread_mutex_t attach_mutex = PTHREAD_MUTEX_INITIALIZER;
State* mapped = nullptr;
int mapped_fd = -1;

void find_prefix(char (&out)[kMaxPath]) {
  out[0] = 0;
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&root_prefix), &info) == 0 || info.dli_fname == nullptr) return;
  const char* name = info.dli_fname;
  const char* last = nullptr;
  for (const char* at = strstr(name, "/usr/lib"); at != nullptr; at = strstr(at + 1, "/usr/lib")) last = at;
  if (last == nullptr) return;
  const auto length = static_cast<std::size_t>(last - name);
  if (length >= kMaxPath) return;
  memcpy(out, name, length);
  out[length] = 0;
}

bool initialise_mutex(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int status = pthread_mutex_init(&mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return status == 0;
}

bool describe(char* error, std::size_t size, const char* what, const char* path) {
  snprintf(error, size, "cannot %s '%s': %s", what, path, strerror(errno));
  return false;
}

bool fill(int fd, const State& parsed) {
  if (fchmod(fd, 0666) != 0 || ftruncate(fd, sizeof(State)) != 0) return false;
  void* memory = mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return false;
  auto* state = static_cast<State*>(memory);
  state->version = kStateVersion;
  state->size = sizeof(State);
  state->device_count = parsed.device_count;
  state->options = parsed.options;
  memcpy(state->devices, parsed.devices, sizeof state->devices);
  state->creator_pid_namespace = namespace_inode("pid");
  state->next_token = 1;
  const bool good = initialise_mutex(state->mutex);
  state->magic = kStateMagic;
  munmap(memory, sizeof(State));
  return good;
}

// A missing state is made by the first process that needs it; of two at once the later file wins and both are
// whole.
void create_from_environment(const char* path) {
  const char* config = getenv("SIMGPU_CONFIG");
  if (config == nullptr || access(path, F_OK) == 0) return;
  char error[256];
  auto* parsed = static_cast<State*>(
      mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (parsed == MAP_FAILED) return;
  if (!read_config(config, *parsed, error, sizeof error) ||
      !create_state(path, *parsed, error, sizeof error)) {
    fprintf(stderr, "simulated driver: %s\n", error);
  }
  munmap(parsed, sizeof(State));
}

void map_state() {
  create_from_environment(state_path());
  const int fd = open(state_path(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* memory = mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return;
  auto* state = static_cast<State*>(memory);
  if (state->magic != kStateMagic || state->version != kStateVersion || state->size != sizeof(State)) {
    fprintf(stderr, "simulated driver: '%s' is of another version; make it anew with simgpu-init\n",
            state_path());
    munmap(memory, sizeof(State));
    return;
  }
  mapped = state;
  mapped_fd = fd;
}

}  // namespace

const char* root_prefix() {
  static char prefix[kMaxPath];
  static bool known = false;  // two threads compute the same
  if (!known) {
    find_prefix(prefix);
    known = true;
  }
  return prefix;
}

const char* state_path() {
  if (const char* named = getenv("SIMGPU_STATE")) return named;
  static char path[kMaxPath + 32];
  if (path[0] == 0) snprintf(path, sizeof path, "%s/var/lib/simgpu/state", root_prefix());
  return path;
}

bool create_state(const char* path, const State& parsed, char* error, std::size_t error_size) {
  char temporary[kMaxPath];
  snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
  const int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) return describe(error, error_size, "create", temporary);
  const bool good = fill(fd, parsed) && rename(temporary, path) == 0;
  if (!good) {
    describe(error, error_size, "create", path);
    unlink(temporary);
  }
  close(fd);
  return good;
}

State* attach() {
  State* state = __atomic_load_n(&mapped, __ATOMIC_ACQUIRE);
  if (state != nullptr) return state;
  pthread_mutex_lock(&attach_mutex);
  if (mapped == nullptr) map_state();
  state = mapped;
  pthread_mutex_unlock(&attach_mutex);
  return state;
}

int state_fd() { return mapped_fd; }

void attach_after_fork() { pthread_mutex_init(&attach_mutex, nullptr); }

Guard::Guard(State& state) : state_(state) {
  int status = EBUSY;
  for (int spin = 0; spin < 200 && status == EBUSY; ++spin) status = pthread_mutex_trylock(&state_.mutex);
  if (status == EBUSY) status = pthread_mutex_lock(&state_.mutex);
  if (status != EOWNERDEAD) return;
  recompute(state_);
  pthread_mutex_consistent(&state_.mutex);
}

Guard::~Guard() { pthread_mutex_unlock(&state_.mutex); }

std::uint64_t now_ns(const State& state) {
  if (state.options.virtual_clock != 0) return __atomic_load_n(&state.virtual_ns, __ATOMIC_ACQUIRE);
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000U + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t namespace_inode(const char* name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/ns/%s", name);
  char link[64];  // "mnt:[4026531840]"
  const ssize_t size = readlink(path, link, sizeof link - 1);
  if (size <= 0) return 0;
  link[size] = 0;
  const char* number = strchr(link, '[');
  return number != nullptr ? strtoull(number + 1, nullptr, 10) : 0;
}

}  // namespace hami::sim
