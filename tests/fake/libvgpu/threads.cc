// Two threads that launch on stream 0, each by the variant that cuGetProcAddress gives for FLAGS: 1 for the
// legacy default stream, 2 for one of each thread. Says how long the card needs, on its virtual clock.
//   vgpu-threads FLAGS
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "libvgpu/cuda/types.h"

namespace {

using Find = CUresult (*)(const char*, void**, int, std::uint64_t, CUdriverProcAddressQueryResult*);

Find g_find = nullptr;
std::uint64_t g_flags = 0;

template <typename Function>
Function find(const char* symbol, int version = 7000) {
  void* address = nullptr;
  if (g_find(symbol, &address, version, g_flags, nullptr) != CUDA_SUCCESS || address == nullptr) {
    std::fprintf(stderr, "no %s\n", symbol);
    std::exit(1);
  }
  return reinterpret_cast<Function>(address);
}

using Launch = CUresult (*)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                            CUstream, void**, void**);

}  // namespace

int main(int argc, char** argv) {
  void* driver = dlopen("libcuda.so.1", RTLD_NOW);
  if (argc != 2 || driver == nullptr) return 2;
  g_flags = static_cast<std::uint64_t>(std::atoi(argv[1]));
  g_find = reinterpret_cast<Find>(dlsym(driver, "cuGetProcAddress_v2"));
  const auto clock = reinterpret_cast<std::uint64_t (*)(std::uint64_t)>(dlsym(driver, "sim_advance_clock"));
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  CUfunction kernel = nullptr;
  find<CUresult (*)(unsigned)>("cuInit")(0);
  find<CUresult (*)(CUcontext*, CUdevice)>("cuDevicePrimaryCtxRetain")(&context, 0);
  const auto set_current = find<CUresult (*)(CUcontext)>("cuCtxSetCurrent");
  set_current(context);
  find<CUresult (*)(CUmodule*, const void*)>("cuModuleLoadData")(&module, "");
  find<CUresult (*)(CUfunction*, CUmodule, const char*)>("cuModuleGetFunction")(&kernel, module, "k_1000_1");
  const auto launch = find<Launch>("cuLaunchKernel");
  const auto synchronize = find<CUresult (*)(CUstream)>("cuStreamSynchronize");
  int wrong = 0;
  const auto start = [&] {
    wrong += set_current(context) != CUDA_SUCCESS;
    wrong += launch(kernel, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr) != CUDA_SUCCESS;
  };
  start();
  std::thread([&] {
    start();
    wrong += synchronize(nullptr) != CUDA_SUCCESS;
  }).join();
  wrong += synchronize(nullptr) != CUDA_SUCCESS;
  std::printf("%d wrong, %llu us\n", wrong, static_cast<unsigned long long>(clock(0) / 1000));
  return 0;
}
