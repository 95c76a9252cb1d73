// Calls every function that libvgpu.so replaces with arguments that no program means, each in a process of
// its own, and says what came back. The same with and without libvgpu.so in front of the driver.
//   vgpu-nulls cuda   before cuInit, without a context, and with one
//   vgpu-nulls nvml   before nvmlInit, without a device, and with one
// One line per call: "WHEN ARGUMENTS SYMBOL: STATUS, took N KiB" or "... signal N".
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <type_traits>

#include "libvgpu/cuda/types.h"
#include "libvgpu/nvml/types.h"

namespace {

void* library;
nvmlDevice_t nvml_device;

template <typename Function>
Function find(const char* symbol) {
  return reinterpret_cast<Function>(dlsym(library, symbol));
}

enum class Arguments { zero, sizes };

// What a parameter of type T is called with. Sizes are 2 MiB, numbers 1, everything else is null.
template <typename T>
T made(Arguments arguments) {
  if constexpr (std::is_same_v<T, nvmlDevice_t>) {
    return nvml_device;
  } else if constexpr (std::is_unsigned_v<T>) {
    if (arguments == Arguments::sizes) return static_cast<T>(sizeof(T) == 8 ? std::uint64_t{2} << 20U : 1);
    return T{};
  } else {
    return T{};
  }
}

template <typename Result, typename... Parameters>
int call(Result (*function)(Parameters...), [[maybe_unused]] Arguments arguments) {
  return static_cast<int>(function(made<Parameters>(arguments)...));
}

std::size_t free_bytes() {
  std::size_t free = 0;
  std::size_t total = 0;
  find<CUresult (*)(std::size_t*, std::size_t*)>("cuMemGetInfo_v2")(&free, &total);
  return free;
}

void start_cuda(bool with_context) {
  CUcontext context = nullptr;
  find<CUresult (*)(unsigned)>("cuInit")(0);
  if (!with_context) return;
  find<CUresult (*)(CUcontext*, CUdevice)>("cuDevicePrimaryCtxRetain")(&context, 0);
  find<CUresult (*)(CUcontext)>("cuCtxSetCurrent")(context);
}

void start_nvml(bool with_device) {
  find<nvmlReturn_t (*)()>("nvmlInit_v2")();
  if (with_device)
    find<nvmlReturn_t (*)(unsigned, nvmlDevice_t*)>("nvmlDeviceGetHandleByIndex_v2")(0, &nvml_device);
}

// Runs `body` in a process of its own and tells how it ended when it did not return.
template <typename Body>
void alone(Body body) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    body();
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) std::printf("signal %d\n", WTERMSIG(status));
}

constexpr const char* kArgumentNames[] = {"zero", "sizes"};

void start(bool is_cuda, const char* when) {
  if (std::strcmp(when, "early") == 0) return;
  const bool is_ready = std::strcmp(when, "ready") == 0;
  is_cuda ? start_cuda(is_ready) : start_nvml(is_ready);
}

// Memory that a call which failed has taken all the same shows as bytes that are free no longer.
template <typename Function>
void try_once(const char* symbol, bool is_cuda, const char* when, Arguments arguments) {
  start(is_cuda, when);
  auto* function = find<Function*>(symbol);
  if (function == nullptr) {
    std::printf("missing\n");
    return;
  }
  const bool is_counted = is_cuda && std::strcmp(when, "ready") == 0;
  const std::size_t before = is_counted ? free_bytes() : 0;
  const int status = call(function, arguments);
  const std::size_t after = is_counted && status != 0 ? free_bytes() : before;
  std::printf("%d, took %lld KiB\n", status, static_cast<long long>(before - after) / 1024);
}

template <typename Function>
void try_all_ways(const char* symbol, bool is_cuda, Function*) {
  for (const char* when : {"early", "bare", "ready"}) {
    for (const Arguments arguments : {Arguments::zero, Arguments::sizes}) {
      std::printf("%s %s %s: ", when, kArgumentNames[static_cast<int>(arguments)], symbol);
      alone([=] { try_once<Function>(symbol, is_cuda, when, arguments); });
    }
  }
}

void try_all_cuda() {
#define HAMI_FN(symbol, since, result, params, args) \
  try_all_ways(#symbol, true, static_cast<std::add_pointer_t<result params>>(nullptr));
#include "libvgpu/cuda/functions.def"
}

void try_all_nvml() {
#define HAMI_FN(symbol, since, result, params, args) \
  try_all_ways(#symbol, false, static_cast<std::add_pointer_t<result params>>(nullptr));
#include "libvgpu/nvml/functions.def"
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const bool is_cuda = std::strcmp(argv[1], "cuda") == 0;
  library = dlopen(is_cuda ? "libcuda.so.1" : "libnvidia-ml.so.1", RTLD_NOW);
  if (library == nullptr) return 2;
  is_cuda ? try_all_cuda() : try_all_nvml();
  return 0;
}
