// A client of the CUDA driver interface, for a real card as well as a simulated one.
//
//   cudacli [OPTIONS] alloc SIZE...   allocates SIZE MiB (or with a suffix: B, K, M, G) each, in order;
//   prints a line for
//                                     every one, then what the driver says is free
//   cudacli [OPTIONS] info            the devices, and the memory of the chosen one
//   cudacli [OPTIONS] churn SIZE N    N times: allocate SIZE, free it again; prints how many were refused
//
// Options: --via linked|dlsym|procaddr (default dlsym), --kind linear|managed|pitch, --device N, --hold
// SECONDS (keeps the memory that long), --free (frees each allocation before the next), --threads N (each
// does the same),
// --strict (exit status 1 when an allocation failed).
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/simdriver/clients/driver_api.h"

namespace {

using namespace hami::client;

constexpr std::size_t kMiB = std::size_t{1} << 20U;
constexpr int kMaxSizes = 1024;
constexpr int kMaxThreads = 256;
constexpr unsigned kManagedGlobal = 1;

enum class MemoryKind { linear, managed, pitch };

struct Options {
  Door door = Door::dlsym;
  MemoryKind kind = MemoryKind::linear;
  int device = 0;
  unsigned hold_seconds = 0;
  bool free_each = false;
  bool strict = false;
  int threads = 1;
  const char* command = nullptr;
  std::size_t sizes[kMaxSizes] = {};
  int size_count = 0;
  long repeats = 1;
};

constinit Options options;
DriverApi driver;
CUcontext context;
int failures;  // atomic

const char* name_of(CUresult result) {
  const char* name = nullptr;
  return driver.error_name(result, &name) == CUDA_SUCCESS && name != nullptr ? name : "not a CUresult";
}

// Prints "WHAT: CUDA_SUCCESS" or "WHAT: NAME (CODE)".
bool report(const char* what, CUresult result) {
  if (result == CUDA_SUCCESS) {
    printf("%s: CUDA_SUCCESS\n", what);
  } else {
    printf("%s: %s (%d)\n", what, name_of(result), static_cast<int>(result));
  }
  fflush(stdout);
  return result == CUDA_SUCCESS;
}

bool check(const char* what, CUresult result) {
  if (result == CUDA_SUCCESS) return true;
  fprintf(stderr, "cudacli: %s: %s (%d)\n", what, name_of(result), static_cast<int>(result));
  return false;
}

CUresult allocate(CUdeviceptr& address, std::size_t bytes) {
  switch (options.kind) {
    case MemoryKind::linear:
      return driver.allocate(&address, bytes);
    case MemoryKind::managed:
      return driver.allocate_managed(&address, bytes, kManagedGlobal);
    case MemoryKind::pitch:
      break;
  }
  std::size_t pitch = 0;
  constexpr std::size_t kWidth = 1024;
  return driver.allocate_pitch(&address, &pitch, kWidth, (bytes + kWidth - 1) / kWidth, 4);
}

const char* function_name() {
  switch (options.kind) {
    case MemoryKind::managed:
      return "cuMemAllocManaged";
    case MemoryKind::pitch:
      return "cuMemAllocPitch";
    case MemoryKind::linear:
      break;
  }
  return "cuMemAlloc";
}

void describe_size(std::size_t bytes, char (&out)[64]) {
  if (bytes % kMiB == 0) {
    snprintf(out, sizeof out, "%s %zu MiB", function_name(), bytes / kMiB);
  } else {
    snprintf(out, sizeof out, "%s %zu B", function_name(), bytes);
  }
}

void print_memory() {
  std::size_t free_bytes = 0;
  std::size_t total = 0;
  if (!check("cuMemGetInfo", driver.memory_info(&free_bytes, &total))) return;
  printf("cuMemGetInfo: free %zu MiB, total %zu MiB\n", free_bytes / kMiB, total / kMiB);
  fflush(stdout);
}

void allocate_all() {
  static thread_local CUdeviceptr held[kMaxSizes];
  int count = 0;
  for (int i = 0; i < options.size_count; ++i) {
    char what[64];
    describe_size(options.sizes[i], what);
    CUdeviceptr address = 0;
    if (!report(what, allocate(address, options.sizes[i]))) {
      __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
    } else if (options.free_each) {
      check("cuMemFree", driver.release(address));
    } else {
      held[count++] = address;
    }
  }
  print_memory();
  if (options.hold_seconds > 0) sleep(options.hold_seconds);
  for (int i = 0; i < count; ++i) check("cuMemFree", driver.release(held[i]));
}

void churn() {
  long refused = 0;
  for (long i = 0; i < options.repeats; ++i) {
    CUdeviceptr address = 0;
    const CUresult result = allocate(address, options.sizes[0]);
    if (result == CUDA_SUCCESS) {
      check("cuMemFree", driver.release(address));
    } else {
      ++refused;
    }
  }
  printf("%ld of %ld refused\n", refused, options.repeats);
  fflush(stdout);
}

void print_devices() {
  int version = 0;
  int count = 0;
  driver.driver_version(&version);
  driver.device_count(&count);
  printf("CUDA %d.%d, %d device%s\n", version / 1000, version % 1000 / 10, count, count == 1 ? "" : "s");
  for (int i = 0; i < count; ++i) {
    CUdevice device = 0;
    char name[128] = "";
    std::size_t total = 0;
    if (!check("cuDeviceGet", driver.device_get(&device, i))) continue;
    driver.device_name(name, sizeof name, device);
    driver.total_memory(&total, device);
    printf("device %d: %s, %zu MiB\n", i, name, total / kMiB);
  }
  print_memory();
}

void* run_command(void*) {
  if (!check("cuCtxSetCurrent", driver.set_current(context))) {
    __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
  } else if (strcmp(options.command, "alloc") == 0) {
    allocate_all();
  } else if (strcmp(options.command, "churn") == 0) {
    churn();
  } else {
    print_devices();
  }
  return nullptr;
}

bool start_driver() {
  if (!open_driver(options.door, driver)) return false;
  CUdevice device = 0;
  return check("cuInit", driver.init(0)) &&
         check("cuDeviceGet", driver.device_get(&device, options.device)) &&
         check("cuDevicePrimaryCtxRetain", driver.retain(&context, device));
}

// "2048" is MiB; "512B", "64K", "2M", "1G" say their unit.
bool parse_size(const char* text, std::size_t& out) {
  char* end = nullptr;
  const unsigned long long number = strtoull(text, &end, 10);
  if (end == text) return false;
  const char unit = *end != 0 ? *end : 'M';
  if (*end != 0 && end[1] != 0) return false;
  constexpr const char* kUnits = "BKMG";
  const char* at = strchr(kUnits, unit);
  if (at == nullptr) return false;
  out = static_cast<std::size_t>(number) << (10U * static_cast<unsigned>(at - kUnits));
  return true;
}

int usage() {
  fprintf(stderr,
          "usage: cudacli [--via linked|dlsym|procaddr] [--kind linear|managed|pitch] [--device N] [--hold "
          "SECONDS]\n"
          "               [--free] [--threads N] [--strict] alloc SIZE... | info | churn SIZE N\n");
  return 2;
}

bool parse_door(const char* text) {
  if (strcmp(text, "linked") == 0) return options.door = Door::linked, true;
  if (strcmp(text, "dlsym") == 0) return options.door = Door::dlsym, true;
  if (strcmp(text, "procaddr") == 0) return options.door = Door::procaddr, true;
  return false;
}

bool parse_kind(const char* text) {
  if (strcmp(text, "linear") == 0) return options.kind = MemoryKind::linear, true;
  if (strcmp(text, "managed") == 0) return options.kind = MemoryKind::managed, true;
  if (strcmp(text, "pitch") == 0) return options.kind = MemoryKind::pitch, true;
  return false;
}

bool parse_option(const char* name, const char* value) {
  if (strcmp(name, "--via") == 0) return parse_door(value);
  if (strcmp(name, "--kind") == 0) return parse_kind(value);
  if (strcmp(name, "--device") == 0) return options.device = atoi(value), true;
  if (strcmp(name, "--hold") == 0) return options.hold_seconds = static_cast<unsigned>(atoi(value)), true;
  if (strcmp(name, "--threads") == 0) {
    options.threads = atoi(value);
    return options.threads >= 1 && options.threads <= kMaxThreads;
  }
  return false;
}

bool parse_operands(int argc, char** argv, int at) {
  if (strcmp(options.command, "info") == 0) return at == argc;
  const bool churns = strcmp(options.command, "churn") == 0;
  if (!churns && strcmp(options.command, "alloc") != 0) return false;
  if (churns) {
    if (at + 2 != argc) return false;
    options.repeats = atol(argv[--argc]);
  }
  for (; at < argc && options.size_count < kMaxSizes; ++at) {
    if (!parse_size(argv[at], options.sizes[options.size_count++])) return false;
  }
  return options.size_count > 0;
}

bool parse(int argc, char** argv) {
  int at = 1;
  for (; at < argc && argv[at][0] == '-'; ++at) {
    if (strcmp(argv[at], "--free") == 0) {
      options.free_each = true;
    } else if (strcmp(argv[at], "--strict") == 0) {
      options.strict = true;
    } else if (at + 1 == argc || !parse_option(argv[at], argv[at + 1])) {
      return false;
    } else {
      ++at;
    }
  }
  if (at == argc) return false;
  options.command = argv[at];
  return parse_operands(argc, argv, at + 1);
}

}  // namespace

int main(int argc, char** argv) {
  if (!parse(argc, argv)) return usage();
  if (!start_driver()) return 1;
  if (options.threads == 1) {
    run_command(nullptr);
  } else {
    pthread_t threads[kMaxThreads];
    for (int i = 0; i < options.threads; ++i) {
      if (pthread_create(&threads[i], nullptr, run_command, nullptr) != 0) return 1;
    }
    for (int i = 0; i < options.threads; ++i) pthread_join(threads[i], nullptr);
  }
  return options.strict && failures > 0 ? 1 : 0;
}
