#include "tests/simdriver/cuda/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <initializer_list>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/state/accounts.h"
#include "tests/simdriver/state/nodes.h"
#include "tests/simdriver/state/shared.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

struct Driver {
  bool initialised;
  bool forked;
  State* state;
  std::uint32_t slot;
  std::uint32_t visible[kMaxDevices];
  int visible_count;
};

Driver driver;
pthread_mutex_t init_mutex = PTHREAD_MUTEX_INITIALIZER;

void forget_in_child() {
  driver.forked = driver.initialised || driver.forked;
  __atomic_store_n(&driver.initialised, false, __ATOMIC_RELEASE);
  pthread_mutex_init(&init_mutex, nullptr);
  attach_after_fork();
  forget_uses();
}

// One item of CUDA_VISIBLE_DEVICES: a number among the devices there are, or a prefix of a UUID. -1 ends the
// list.
int match_item(const char* item, const std::uint32_t* present, int count) {
  if (strncmp(item, "GPU-", 4) == 0 || strncmp(item, "MIG-", 4) == 0) {
    for (int i = 0; i < count; ++i) {
      if (strncmp(driver.state->devices[present[i]].uuid, item, strlen(item)) == 0) return i;
    }
    return -1;
  }
  char* end = nullptr;
  const long index = strtol(item, &end, 10);
  return end != item && index >= 0 && index < count ? static_cast<int>(index) : -1;
}

bool is_listed(std::uint32_t index) {
  for (int i = 0; i < driver.visible_count; ++i) {
    if (driver.visible[i] == index) return true;
  }
  return false;
}

bool is_instance(std::uint32_t index) { return driver.state->devices[index].instance_of != 0; }

// A divided card is its instances. Whole cards come first, since a process that uses an instance sees no more
// than that.
int usable(const std::uint32_t* present, int count, std::uint32_t* out) {
  int used = 0;
  for (const bool instances : {false, true}) {
    for (int i = 0; i < count; ++i) {
      if (driver.state->devices[present[i]].divided == 0 && is_instance(present[i]) == instances)
        out[used++] = present[i];
    }
  }
  return used;
}

// Behind an instance nothing is visible, and no instance behind a card.
void keep_to_one_instance() {
  for (int i = 0; i < driver.visible_count; ++i) {
    if (is_instance(driver.visible[i])) driver.visible_count = i == 0 ? 1 : i;
  }
}

void choose_visible(const std::uint32_t* present, int count) {
  driver.visible_count = 0;
  const char* wanted = getenv("CUDA_VISIBLE_DEVICES");
  if (wanted == nullptr) {
    memcpy(driver.visible, present, static_cast<std::size_t>(count) * sizeof *present);
    driver.visible_count = count;
    return;
  }
  char* copy = strdup(wanted);
  char* save = nullptr;
  for (char* item = strtok_r(copy, ",", &save); item != nullptr; item = strtok_r(nullptr, ",", &save)) {
    const int at = match_item(item, present, count);
    if (at < 0) break;
    if (is_listed(present[at])) {  // named twice: the real driver shows none
      driver.visible_count = 0;
      break;
    }
    driver.visible[driver.visible_count++] = present[at];
  }
  free(copy);
}

CUresult initialise_locked() {
  if (driver.initialised) return CUDA_SUCCESS;
  if (driver.forked) return CUDA_ERROR_NOT_INITIALIZED;
  driver.state = attach();
  if (driver.state == nullptr) return CUDA_ERROR_NO_DEVICE;
  std::uint32_t present[kMaxDevices];
  std::uint32_t whole[kMaxDevices];
  choose_visible(whole, usable(present, present_devices(*driver.state, present), whole));
  keep_to_one_instance();
  if (driver.visible_count == 0) return CUDA_ERROR_NO_DEVICE;
  {
    const Guard guard(*driver.state);
    const int slot = register_process(*driver.state);
    if (slot < 0) return CUDA_ERROR_OPERATING_SYSTEM;
    driver.slot = static_cast<std::uint32_t>(slot);
  }
  pthread_atfork(nullptr, nullptr, forget_in_child);
  __atomic_store_n(&driver.initialised, true, __ATOMIC_RELEASE);
  return CUDA_SUCCESS;
}

}  // namespace

void SpinLock::lock() {
  for (int spins = 0; __atomic_exchange_n(&word_, 1, __ATOMIC_ACQUIRE) != 0; ++spins) {
    if (spins > 100) sched_yield();
  }
}

bool is_initialised() { return __atomic_load_n(&driver.initialised, __ATOMIC_ACQUIRE); }

CUresult initialise() {
  pthread_mutex_lock(&init_mutex);
  const CUresult result = initialise_locked();
  pthread_mutex_unlock(&init_mutex);
  return result;
}

State& state() { return *driver.state; }
std::uint32_t slot() { return driver.slot; }
int visible_devices() { return driver.visible_count; }
bool is_device(CUdevice device) { return device >= 0 && device < driver.visible_count; }
std::uint32_t state_index(CUdevice device) { return driver.visible[device]; }
CUdevice ordinal_of(std::uint32_t index) {
  for (CUdevice ordinal = 0; is_device(ordinal); ++ordinal) {
    if (state_index(ordinal) == index) return ordinal;
  }
  return -1;
}
Device& device_of(CUdevice device) { return driver.state->devices[state_index(device)]; }

}  // namespace hami::sim

extern "C" CUresult cuInit(unsigned flags) {
  SIM_CALL(cuInit);
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  return hami::sim::initialise();
}
