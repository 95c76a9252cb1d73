// What the containers of the system tests run: device memory through the CUDA driver API, found with dlopen.
//
//   client alloc MIB...    one allocation each, kept; one line each with the driver's answer
//   client fill MIB        pieces of this size until the driver refuses; prints how many mebibytes it got
//   client hold MIB        prints "held" and keeps the memory until it is killed
//   client press PROCESSES THREADS MIB    each thread allocates and frees pieces of up to MIB until it is
//   killed
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using Result = int;  // CUresult
constexpr Result kSuccess = 0;
constexpr Result kOutOfMemory = 2;
constexpr std::size_t kMiB = 1024UL * 1024UL;

// The few functions we need, with the types of the driver API.
struct Driver {
  Result (*init)(unsigned);
  Result (*get_device)(int*, int);
  Result (*retain_context)(void**, int);
  Result (*set_context)(void*);
  Result (*allocate)(std::uint64_t*, std::size_t);
  Result (*release)(std::uint64_t);
  Result (*error_name)(Result, const char**);
};

template <typename Function>
void find(void* library, const char* name, Function& out) {
  out = reinterpret_cast<Function>(::dlsym(library, name));
  if (out != nullptr) return;
  std::fprintf(stderr, "client: libcuda.so.1 has no %s\n", name);
  std::exit(3);
}

Driver load() {
  void* library = ::dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "client: %s\n", ::dlerror());
    std::exit(3);
  }
  Driver driver{};
  find(library, "cuInit", driver.init);
  find(library, "cuDeviceGet", driver.get_device);
  find(library, "cuDevicePrimaryCtxRetain", driver.retain_context);
  find(library, "cuCtxSetCurrent", driver.set_context);
  find(library, "cuMemAlloc_v2", driver.allocate);
  find(library, "cuMemFree_v2", driver.release);
  find(library, "cuGetErrorName", driver.error_name);
  return driver;
}

const char* name_of(const Driver& driver, Result result) {
  const char* name = nullptr;
  return driver.error_name(result, &name) == kSuccess && name != nullptr ? name : "unknown";
}

void expect_success(const Driver& driver, Result result, const char* what) {
  if (result == kSuccess) return;
  std::fprintf(stderr, "client: %s: %s\n", what, name_of(driver, result));
  std::exit(4);
}

// The primary context of device 0; to be made current in every thread.
void* open_context(const Driver& driver) {
  int device = 0;
  void* context = nullptr;
  expect_success(driver, driver.init(0), "cuInit");
  expect_success(driver, driver.get_device(&device, 0), "cuDeviceGet");
  expect_success(driver, driver.retain_context(&context, device), "cuDevicePrimaryCtxRetain");
  expect_success(driver, driver.set_context(context), "cuCtxSetCurrent");
  return context;
}

int alloc(const Driver& driver, const std::vector<std::size_t>& sizes) {
  open_context(driver);
  for (const std::size_t mib : sizes) {
    std::uint64_t address = 0;
    std::printf("%zu MiB: %s\n", mib, name_of(driver, driver.allocate(&address, mib * kMiB)));
  }
  return 0;
}

int fill(const Driver& driver, std::size_t mib) {
  open_context(driver);
  std::size_t got = 0;
  std::uint64_t address = 0;
  Result result = kSuccess;
  while ((result = driver.allocate(&address, mib * kMiB)) == kSuccess) got += mib;
  std::printf("%zu MiB, then %s\n", got, name_of(driver, result));
  return 0;
}

int hold(const Driver& driver, std::size_t mib) {
  open_context(driver);
  std::uint64_t address = 0;
  expect_success(driver, driver.allocate(&address, mib * kMiB), "cuMemAlloc");
  std::puts("held");
  std::fflush(stdout);
  while (true) ::pause();
}

// Allocates and frees for ever; any answer but success and out of memory ends the process.
void press_thread(const Driver& driver, void* context, std::size_t most_mib, unsigned seed) {
  expect_success(driver, driver.set_context(context), "cuCtxSetCurrent");
  std::minstd_rand random(seed);
  std::vector<std::uint64_t> held;
  while (true) {
    std::uint64_t address = 0;
    const std::size_t bytes = (1 + random() % most_mib) * kMiB - random() % 4096;
    const Result result = driver.allocate(&address, bytes);
    if (result == kSuccess) held.push_back(address);
    if (result != kSuccess && result != kOutOfMemory) expect_success(driver, result, "cuMemAlloc");
    if (result == kOutOfMemory || random() % 4 == 0) {
      if (held.empty()) continue;
      expect_success(driver, driver.release(held.back()), "cuMemFree");
      held.pop_back();
    }
  }
}

void press_process(std::size_t threads, std::size_t most_mib, unsigned seed) {
  const Driver driver = load();
  void* context = open_context(driver);
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back(press_thread, std::cref(driver), context, most_mib,
                         seed * 1000 + static_cast<unsigned>(i));
  }
  for (std::thread& thread : running) thread.join();
}

int press(std::size_t processes, std::size_t threads, std::size_t most_mib) {
  for (std::size_t i = 0; i < processes; ++i) {
    if (::fork() == 0) press_process(threads, most_mib, static_cast<unsigned>(i) + 1);
  }
  int status = 0;
  ::wait(&status);
  std::fprintf(stderr, "client: a process ended with %d\n", status);
  return 5;
}

int usage() {
  std::fputs("usage: client alloc MIB... | fill MIB | hold MIB | press PROCESSES THREADS MIB\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return usage();
  const std::string command = argv[1];
  std::vector<std::size_t> numbers;
  for (int i = 2; i < argc; ++i) numbers.push_back(std::strtoul(argv[i], nullptr, 10));

  if (command == "alloc") return alloc(load(), numbers);
  if (command == "fill") return fill(load(), numbers[0]);
  if (command == "hold") return hold(load(), numbers[0]);
  if (command == "press" && numbers.size() == 3) return press(numbers[0], numbers[1], numbers[2]);
  return usage();
}
