#include "tests/simdriver/cuda/hooks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/driver.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {

bool instrumented = false;

namespace {

// What one function does besides its work. A count-down reaches 0 in the call that it is for.
struct Plan {
  std::atomic<std::uint64_t> calls;
  std::atomic<int> fail_in;
  std::atomic<int> code;
  std::atomic<int> kill_in;
  std::atomic<int> kill_after_in;
  std::atomic<unsigned> delay_us;
};

Plan plans[kFunctionCount];
std::atomic<std::uint64_t> unmodelled;

Plan* plan_of(const char* function) {
  const int index = find_function(function);
  if (index < 0) return nullptr;
  instrumented = true;
  return &plans[index];
}

Plan& plan_of(Fn function) { return plans[static_cast<std::size_t>(function)]; }

// True for the one call that the count-down was for.
bool count_down(std::atomic<int>& counter) {
  if (counter.load(std::memory_order_relaxed) <= 0) return false;
  return counter.fetch_sub(1) == 1;
}

void sleep_us(unsigned microseconds) {
  timespec rest{microseconds / 1000000, static_cast<long>(microseconds % 1000000) * 1000};
  while (nanosleep(&rest, &rest) != 0) {
  }
}

struct Fault {
  char verb[16];
  char function[96];
  unsigned n = 1;
  int value = 0;
};

// "fail:cuMemAlloc_v2@3=2"
bool parse_fault(const char* text, Fault& out) {
  int used = 0;
  if (sscanf(text, "%15[a-z-]:%95[A-Za-z0-9_]%n", out.verb, out.function, &used) != 2) return false;
  text += used;
  if (*text == '@') {
    char* end = nullptr;
    out.n = static_cast<unsigned>(strtoul(text + 1, &end, 10));
    text = end;
  }
  if (*text == '=') {
    char* end = nullptr;
    out.value = static_cast<int>(strtol(text + 1, &end, 10));
    text = end;
  }
  return *text == 0;
}

bool apply(const Fault& fault) {
  if (strcmp(fault.verb, "fail") == 0) return sim_fail_at(fault.function, fault.n, fault.value) == 0;
  if (strcmp(fault.verb, "delay") == 0)
    return sim_delay(fault.function, static_cast<unsigned>(fault.value)) == 0;
  if (strcmp(fault.verb, "kill") == 0) return sim_kill_at(fault.function, fault.n) == 0;
  if (strcmp(fault.verb, "kill-after") == 0) return sim_kill_after(fault.function, fault.n) == 0;
  return false;
}

void apply_faults(const char* list) {
  char* copy = strdup(list);
  char* save = nullptr;
  for (char* item = strtok_r(copy, ",", &save); item != nullptr; item = strtok_r(nullptr, ",", &save)) {
    Fault fault;
    if (!parse_fault(item, fault) || !apply(fault)) {
      fprintf(stderr, "simulated driver: SIMGPU_FAULTS: not understood: '%s'\n", item);
      abort();  // a test that believes in a fault which is not there proves nothing
    }
  }
  free(copy);
}

__attribute__((constructor)) void read_environment() {
  if (const char* faults = getenv("SIMGPU_FAULTS")) apply_faults(faults);
  if (getenv("SIMGPU_COUNTS") != nullptr) instrumented = true;
}

__attribute__((destructor)) void write_counts() {
  const char* path = getenv("SIMGPU_COUNTS");
  FILE* file = path != nullptr ? fopen(path, "ae") : nullptr;
  if (file == nullptr) return;
  for (std::size_t i = 0; i < kFunctionCount; ++i) {
    const std::uint64_t calls = plans[i].calls.load();
    if (calls > 0) fprintf(file, "%s %llu\n", kFunctions[i].symbol, static_cast<unsigned long long>(calls));
  }
  fclose(file);
}

}  // namespace

CUresult enter(Fn function) {
  Plan& plan = plan_of(function);
  plan.calls.fetch_add(1, std::memory_order_relaxed);
  if (const unsigned delay = plan.delay_us.load(std::memory_order_relaxed)) sleep_us(delay);
  if (count_down(plan.kill_in)) kill(getpid(), SIGKILL);
  if (count_down(plan.fail_in)) return static_cast<CUresult>(plan.code.load());
  return CUDA_SUCCESS;
}

void leave(Fn function) {
  if (count_down(plan_of(function).kill_after_in)) kill(getpid(), SIGKILL);
}

CUresult not_modelled(Fn function) {
  unmodelled.fetch_add(1, std::memory_order_relaxed);
  const CUresult code = enter(function);
  return code != CUDA_SUCCESS ? code : CUDA_ERROR_NOT_SUPPORTED;
}

}  // namespace hami::sim

extern "C" {

int sim_fail_at(const char* function, unsigned n, int code) {
  auto* plan = hami::sim::plan_of(function);
  if (plan == nullptr) return -1;
  plan->code = code;
  plan->fail_in = static_cast<int>(n);
  return 0;
}

int sim_fail_next(const char* function, int code) { return sim_fail_at(function, 1, code); }

int sim_delay(const char* function, unsigned microseconds) {
  auto* plan = hami::sim::plan_of(function);
  if (plan == nullptr) return -1;
  plan->delay_us = microseconds;
  return 0;
}

int sim_kill_at(const char* function, unsigned n) {
  auto* plan = hami::sim::plan_of(function);
  if (plan == nullptr) return -1;
  plan->kill_in = static_cast<int>(n);
  return 0;
}

int sim_kill_after(const char* function, unsigned n) {
  auto* plan = hami::sim::plan_of(function);
  if (plan == nullptr) return -1;
  plan->kill_after_in = static_cast<int>(n);
  return 0;
}

std::uint64_t sim_calls(const char* function) {
  auto* plan = hami::sim::plan_of(function);
  return plan != nullptr ? plan->calls.load() : 0;
}

std::uint64_t sim_unmodelled_calls() { return hami::sim::unmodelled.load(); }

void sim_reset() {
  for (auto& plan : hami::sim::plans) {
    plan.calls = 0;
    plan.fail_in = plan.kill_in = plan.kill_after_in = 0;
    plan.delay_us = 0;
  }
  hami::sim::unmodelled = 0;
}

int sim_context_bytes(int device, std::uint64_t bytes) {
  hami::sim::State* state = hami::sim::attach();
  if (state == nullptr || device < 0 || static_cast<unsigned>(device) >= state->device_count) return -1;
  const hami::sim::Guard guard(*state);
  state->devices[hami::sim::state_index(device)].context_bytes = bytes;
  return 0;
}

std::uint64_t sim_used_bytes(int device) {
  if (!hami::sim::is_device(device)) return 0;
  const hami::sim::Guard guard(hami::sim::state());
  return hami::sim::state().devices[hami::sim::state_index(device)].used;
}

CUresult sim_set_limit(CUlimit limit, std::size_t value) { return cuCtxSetLimit(limit, value); }

std::uint64_t sim_advance_clock(std::uint64_t nanoseconds) {
  hami::sim::State* state = hami::sim::attach();
  if (state == nullptr) return 0;
  return __atomic_add_fetch(&state->virtual_ns, nanoseconds, __ATOMIC_ACQ_REL);
}
}
