// A program that asks NVML about one device, and one that keeps it busy.
//   vgpu-nvml show [INDEX]   what NVML says: one line per question
//   vgpu-nvml busy MS UNTIL  work of MS milliseconds on the first card, then lets the simulated clock go on
//   to
//                            UNTIL milliseconds, prints "done" and waits
//   vgpu-nvml hold COUNT     COUNT processes with a context each; prints "done" and waits
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "libvgpu/cuda/types.h"
#include "libvgpu/nvml/types.h"

namespace {

void* library;

template <typename Function>
Function find(const char* symbol) {
  return reinterpret_cast<Function>(dlsym(library, symbol));
}

void open_library(const char* name) {
  library = dlopen(name, RTLD_NOW);
  if (library == nullptr) std::exit(2);
}

// The functions as a program finds them: through dlsym.
#define HAMI_FN(symbol, since, result, params, args) result(*symbol) params;
#define HAMI_FN_DRIVER HAMI_FN
struct Nvml {
#include "libvgpu/nvml/functions.def"
};
Nvml nvml;

void find_nvml() {
  open_library("libnvidia-ml.so.1");
#define HAMI_FN(symbol, since, result, params, args) nvml.symbol = find<result(*) params>(#symbol);
#define HAMI_FN_DRIVER HAMI_FN
#include "libvgpu/nvml/functions.def"
}

constexpr unsigned kRoom = 1024;

void show_memory(nvmlDevice_t device) {
  nvmlMemory_t memory = {};
  const nvmlReturn_t status = nvml.nvmlDeviceGetMemoryInfo(device, &memory);
  std::printf("memory: %d, %llu MiB of %llu MiB\n", static_cast<int>(status),
              static_cast<unsigned long long>(memory.used >> 20U),
              static_cast<unsigned long long>(memory.total >> 20U));
}

void show_utilization(nvmlDevice_t device) {
  nvmlUtilization_t rates = {};
  const nvmlReturn_t status = nvml.nvmlDeviceGetUtilizationRates(device, &rates);
  std::printf("rates: %d, %u %%\n", static_cast<int>(status), rates.gpu);
  int type = -1;
  unsigned count = 0;
  const nvmlReturn_t asked =
      nvml.nvmlDeviceGetSamples(device, NVML_GPU_UTILIZATION_SAMPLES, 0, &type, &count, nullptr);
  std::vector<nvmlSample_t> samples(count + 1);
  count = static_cast<unsigned>(samples.size());
  const nvmlReturn_t told =
      nvml.nvmlDeviceGetSamples(device, NVML_GPU_UTILIZATION_SAMPLES, 0, &type, &count, samples.data());
  std::printf("samples: %d, %d, %u, last %llu %%\n", static_cast<int>(asked), static_cast<int>(told), count,
              static_cast<unsigned long long>(told == NVML_SUCCESS ? samples[count - 1].value : 0));
}

void show_processes(nvmlDevice_t device) {
  std::vector<nvmlProcessUtilizationSample_t> samples(kRoom);
  unsigned count = 0;
  const nvmlReturn_t asked = nvml.nvmlDeviceGetProcessUtilization(device, nullptr, &count, 0);
  const unsigned there = count;
  count = kRoom;
  const nvmlReturn_t told = nvml.nvmlDeviceGetProcessUtilization(device, samples.data(), &count, 0);
  std::printf("process utilization: %d, %d, %u of %u", static_cast<int>(asked), static_cast<int>(told), count,
              there);
  for (unsigned i = 0; told == NVML_SUCCESS && i < count; ++i)
    std::printf(", pid %u %u %%", samples[i].pid, samples[i].smUtil);
  std::vector<nvmlProcessInfo_v2_t> processes(kRoom);
  count = kRoom;
  const nvmlReturn_t listed = nvml.nvmlDeviceGetComputeRunningProcesses_v3(device, &count, processes.data());
  std::printf("\ncompute processes: %d, %u\n", static_cast<int>(listed), count);
  count = kRoom;
  const nvmlReturn_t drawn = nvml.nvmlDeviceGetGraphicsRunningProcesses_v3(device, &count, processes.data());
  std::printf("graphics processes: %d, %u\n", static_cast<int>(drawn), count);
}

// `instance`: one more than the number of a MIG instance of the card; 0: the card.
void show(unsigned index, unsigned instance) {
  find_nvml();
  nvmlDevice_t device = nullptr;
  nvml.nvmlInit_v2();
  nvml.nvmlDeviceGetHandleByIndex_v2(index, &device);
  if (instance != 0) {
    const nvmlDevice_t card = device;
    const nvmlReturn_t status = nvml.nvmlDeviceGetMigDeviceHandleByIndex(card, instance - 1, &device);
    unsigned is_instance = 0;
    nvml.nvmlDeviceIsMigDeviceHandle(device, &is_instance);
    std::printf("instance: %d, %u\n", static_cast<int>(status), is_instance);
  }
  show_memory(device);
  show_utilization(device);
  show_processes(device);
}

void wait_for_the_end() {
  std::puts("done");
  std::fflush(stdout);
  for (;;) pause();
}

void start_cuda() {
  open_library("libcuda.so.1");
  CUcontext context = nullptr;
  if (find<CUresult (*)(unsigned)>("cuInit")(0) != CUDA_SUCCESS) std::exit(1);
  if (find<CUresult (*)(CUcontext*, CUdevice)>("cuDevicePrimaryCtxRetain")(&context, 0) != CUDA_SUCCESS)
    std::exit(1);
  find<CUresult (*)(CUcontext)>("cuCtxSetCurrent")(context);
}

// The kernel fills the card: 100 blocks where there is room for as many.
void keep_busy(unsigned milliseconds, unsigned until) {
  start_cuda();
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  find<CUresult (*)(CUmodule*, const void*)>("cuModuleLoadData")(&module, "image");
  find<CUresult (*)(CUfunction*, CUmodule, const char*)>("cuModuleGetFunction")(&function, module,
                                                                                "k_1000_100");
  using Launch = CUresult (*)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                              unsigned, CUstream, void**, void**);
  find<Launch>("cuLaunchKernel")(function, milliseconds * 100, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr);
  find<CUresult (*)()>("cuCtxSynchronize")();
  const auto advance = find<std::uint64_t (*)(std::uint64_t)>("sim_advance_clock");
  const std::uint64_t wanted = std::uint64_t{until} * 1000000;
  const std::uint64_t now = advance(0);
  if (now < wanted) advance(wanted - now);
  wait_for_the_end();
}

void hold(unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    int ready[2];
    if (pipe(ready) != 0) std::exit(1);
    if (fork() == 0) {
      start_cuda();
      if (write(ready[1], "x", 1) != 1) _exit(1);
      for (;;) pause();
    }
    char byte = 0;
    if (read(ready[0], &byte, 1) != 1) std::exit(1);
    close(ready[0]);
    close(ready[1]);
  }
  wait_for_the_end();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string way = argc > 1 ? argv[1] : "";
  const auto number = [&](int index) {
    return argc > index ? static_cast<unsigned>(std::strtoul(argv[index], nullptr, 10)) : 0U;
  };
  if (way == "show") return show(number(2), number(3)), 0;
  if (way == "busy") return keep_busy(number(2), number(3)), 0;
  if (way == "hold") return hold(number(2)), 0;
  return 2;
}
