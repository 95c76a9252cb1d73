// A program that makes the driver take memory that no function names.
//   vgpu-overhead SCENARIO; prints one line per step: "NAME: RESULT, charged N KiB, card N KiB", the card's
//   count being that of the simulated driver
#include <dlfcn.h>
#include <elf.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "libvgpu/cuda/types.h"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;

struct Cuda {
#define HAMI_FN(symbol, since, result, params, args) result(*symbol) params;
#define HAMI_FN_DRIVER(symbol, since, result, params, args) result(*symbol) params;
#include "libvgpu/cuda/functions.def"
  CUresult (*cuGetExportTable)(const void** table, const CUuuid* id);
  std::uint64_t (*sim_used_bytes)(int device);
};
Cuda cuda;
CUdevice device;

template <typename Function>
void find(void* library, const char* symbol, Function& out) {
  out = reinterpret_cast<Function>(dlsym(library, symbol));
}

void find_functions() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(1);
  }
#define HAMI_FN(symbol, since, result, params, args) find(library, #symbol, cuda.symbol);
#define HAMI_FN_DRIVER HAMI_FN
#include "libvgpu/cuda/functions.def"
  find(library, "cuGetExportTable", cuda.cuGetExportTable);
  find(library, "sim_used_bytes", cuda.sim_used_bytes);
}

void step(const char* name, CUresult status) {
  std::size_t free_bytes = 0;
  std::size_t total = 0;
  const CUresult known = cuda.cuMemGetInfo_v2(&free_bytes, &total);
  std::printf("%s: %d", name, static_cast<int>(status));
  if (known == CUDA_SUCCESS) std::printf(", charged %zu KiB", (total - free_bytes) / 1024);
  std::printf(", card %llu KiB\n", static_cast<unsigned long long>(cuda.sim_used_bytes(device) / 1024));
  std::fflush(stdout);
}

void created() {
  CUcontext made[4] = {};
  step("first", cuda.cuCtxCreate(&made[0], 0, device));
  step("second", cuda.cuCtxCreate_v2(&made[1], 0, device));
  step("third", cuda.cuCtxCreate_v3(&made[2], nullptr, 0, 0, device));
  const CUresult fourth = cuda.cuCtxCreate_v4(&made[3], nullptr, 0, device);
  step("fourth", fourth);
  if (fourth == CUDA_SUCCESS) cuda.cuCtxDestroy_v2(made[3]);
  step("fourth destroyed", CUDA_SUCCESS);
  cuda.cuCtxDestroy_v2(made[2]);
  cuda.cuCtxDestroy(made[1]);
  cuda.cuCtxSetCurrent(made[0]);
  step("two more destroyed", CUDA_SUCCESS);
}

void primary() {
  CUcontext context = nullptr;
  const CUresult status = cuda.cuDevicePrimaryCtxRetain(&context, device);
  cuda.cuCtxSetCurrent(context);
  step("retained", status);
  step("retained again", cuda.cuDevicePrimaryCtxRetain(&context, device));
  step("released once", cuda.cuDevicePrimaryCtxRelease_v2(device));
  CUcontext own = nullptr;
  step("own", cuda.cuCtxCreate_v2(&own, 0, device));
  cuda.cuDevicePrimaryCtxRelease_v2(device);
  step("released for good", CUDA_SUCCESS);
  cuda.cuDevicePrimaryCtxRetain(&context, device);
  step("retained once more", CUDA_SUCCESS);
  cuda.cuDevicePrimaryCtxReset_v2(device);
  step("reset", CUDA_SUCCESS);
}

// As NVIDIA's run time makes the primary context: past every function with a name.
void adopted() {
  constexpr CUuuid kRuntimeTable = {
      {0x6b, 0xd5, 0xfb, 0x6c, 0x5b, 0xf4, 0xe7, 0x4a, 0x89, 0x87, 0xd9, 0x39, 0x12, 0xfd, 0x9d, 0xf9}};
  struct Entries {
    std::size_t size;
    void* unknown;
    CUresult (*primary_context)(CUcontext*, CUdevice);
  };
  const void* table = nullptr;
  CUcontext context = nullptr;
  CUdeviceptr pointer = 0;
  CUresult status = cuda.cuGetExportTable(&table, &kRuntimeTable);
  if (status == CUDA_SUCCESS) status = static_cast<const Entries*>(table)->primary_context(&context, device);
  cuda.cuCtxSetCurrent(context);
  step("through the table", status);
  step("alloc", cuda.cuMemAlloc_v2(&pointer, 64 * kMiB));
  cuda.cuDevicePrimaryCtxRelease_v2(device);
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("another in its place", CUDA_SUCCESS);
}

void green() {
  CUcontext context = nullptr;
  CUgreenCtx made = nullptr;
  cuda.cuDevicePrimaryCtxRetain(&context, device);
  cuda.cuCtxSetCurrent(context);
  step("primary", CUDA_SUCCESS);
  step("green", cuda.cuGreenCtxCreate(&made, nullptr, device, 1));
  CUcontext alias = nullptr;
  step("name", cuda.cuCtxFromGreenCtx(&alias, made));
  cuda.cuCtxSetCurrent(alias);
  CUdeviceptr pointer = 0;
  step("alloc in it", cuda.cuMemAlloc_v2(&pointer, 64 * kMiB));
  CUgreenCtx more = nullptr;
  step("another", cuda.cuGreenCtxCreate(&more, nullptr, device, 1));
  cuda.cuCtxSetCurrent(context);
  step("destroyed", cuda.cuGreenCtxDestroy(made));
  step("destroyed again", cuda.cuGreenCtxDestroy(made));
  step("free", cuda.cuMemFree_v2(pointer));
  step("other destroyed", cuda.cuGreenCtxDestroy(more));
}

// A green context makes the primary one, and takes it along.
void green_alone() {
  CUcontext own = nullptr;
  CUcontext alias = nullptr;
  CUcontext primary = nullptr;
  CUgreenCtx made = nullptr;
  CUdeviceptr pointer = 0;
  cuda.cuCtxCreate_v2(&own, 0, device);
  step("another context", CUDA_SUCCESS);
  step("green", cuda.cuGreenCtxCreate(&made, nullptr, device, 1));
  cuda.cuCtxFromGreenCtx(&alias, made);
  cuda.cuCtxSetCurrent(alias);
  step("alloc in it", cuda.cuMemAlloc_v2(&pointer, 64 * kMiB));
  cuda.cuCtxSetCurrent(own);
  step("destroyed", cuda.cuGreenCtxDestroy(made));
  cuda.cuDevicePrimaryCtxRetain(&primary, device);
  cuda.cuCtxSetCurrent(primary);
  step("primary", CUDA_SUCCESS);
  step("green again", cuda.cuGreenCtxCreate(&made, nullptr, device, 1));
  cuda.cuCtxFromGreenCtx(&alias, made);
  cuda.cuCtxSetCurrent(alias);
  step("alloc in that", cuda.cuMemAlloc_v2(&pointer, 64 * kMiB));
  cuda.cuCtxSetCurrent(own);
  cuda.cuDevicePrimaryCtxRelease_v2(device);
  step("released", CUDA_SUCCESS);
  step("destroyed for good", cuda.cuGreenCtxDestroy(made));
}

void limits() {
  CUcontext context = nullptr;
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("context", CUDA_SUCCESS);
  step("stack", cuda.cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 2048));
  step("printf", cuda.cuCtxSetLimit(CU_LIMIT_PRINTF_FIFO_SIZE, 33 * kMiB));
  step("heap", cuda.cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, 64 * kMiB));
  step("too much heap", cuda.cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, 4096 * kMiB));
  step("less stack", cuda.cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 1536));
  step("small heap", cuda.cuCtxSetLimit(CU_LIMIT_MALLOC_HEAP_SIZE, 8 * kMiB));
  cuda.cuCtxDestroy_v2(context);
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("another context", CUDA_SUCCESS);
}

void modules() {
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  CUmodule large = nullptr;
  CUlibrary library = nullptr;
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("context", CUDA_SUCCESS);
  step("module", cuda.cuModuleLoadData(&module, "SIMGPU 104857600"));
  step("module too large", cuda.cuModuleLoadDataEx(&large, "SIMGPU 2147483648", 0, nullptr, nullptr));
  step("library",
       cuda.cuLibraryLoadData(&library, "SIMGPU 52428800", nullptr, nullptr, 0, nullptr, nullptr, 0));
  step("module unloaded", cuda.cuModuleUnload(module));
  step("library unloaded", cuda.cuLibraryUnload(library));
  step("fat binary", cuda.cuModuleLoadFatBinary(&module, "SIMGPU 1048576"));
  cuda.cuCtxDestroy_v2(context);
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("another context", CUDA_SUCCESS);
}

// What an image tells of its variables is known before it is loaded.
void told() {
  constexpr const char* kPtx = ".version 8.4\n.target sm_80\n.global .b8 table[%zu];\n";
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  char image[128];
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("context", CUDA_SUCCESS);
  std::snprintf(image, sizeof image, kPtx, 2048 * kMiB);
  step("too large", cuda.cuModuleLoadData(&module, image));
  std::snprintf(image, sizeof image, kPtx, 64 * kMiB);
  step("module", cuda.cuModuleLoadData(&module, image));
  const char* path = std::getenv("MODULE_FILE");
  std::FILE* file = std::fopen(path, "w");
  std::fprintf(file, kPtx, 2048 * kMiB);
  std::fclose(file);
  step("file too large", cuda.cuModuleLoad(&module, path));
}

// A cubin with so much code, which the driver loads at once.
void code() {
  struct {
    Elf64_Ehdr header = {};
    Elf64_Shdr sections[2] = {};
  } image;
  std::memcpy(image.header.e_ident, ELFMAG, SELFMAG);
  image.header.e_ident[EI_CLASS] = ELFCLASS64;
  image.header.e_machine = 190;
  image.header.e_shoff = sizeof image.header;
  image.header.e_shentsize = sizeof image.sections[0];
  image.header.e_shnum = 2;
  image.sections[1].sh_type = SHT_PROGBITS;
  image.sections[1].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
  CUcontext context = nullptr;
  CUmodule module = nullptr;
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("context", CUDA_SUCCESS);
  image.sections[1].sh_size = 1300 * kMiB;
  step("too much code", cuda.cuModuleLoadData(&module, &image));
  image.sections[1].sh_size = 1199 * kMiB;
  step("as much as fits", cuda.cuModuleLoadData(&module, &image));
}

// The last of the memory, and a green context, which needs some.
void green_at_the_limit() {
  CUcontext context = nullptr;
  CUgreenCtx green = nullptr;
  CUgreenCtx second = nullptr;
  CUdeviceptr pointer = 0;
  cuda.cuDevicePrimaryCtxRetain(&context, device);
  cuda.cuCtxSetCurrent(context);
  step("all but 4 MiB", cuda.cuMemAlloc_v2(&pointer, 1196 * kMiB));
  step("no room", cuda.cuGreenCtxCreate(&green, nullptr, device, 1));
  cuda.cuMemFree_v2(pointer);
  step("first", cuda.cuGreenCtxCreate(&green, nullptr, device, 1));
  step("all but 12 MiB", cuda.cuMemAlloc_v2(&pointer, 1180 * kMiB));
  step("second", cuda.cuGreenCtxCreate(&second, nullptr, device, 1));
  step("no room for a third", cuda.cuGreenCtxCreate(&green, nullptr, device, 1));
}

// Threads that need no context take what there is, while the first context of the container is made.
void crowded() {
  CUmemGenericAllocationHandle handle = 0;
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  std::atomic<bool> is_made{false};
  std::thread taker([&] {
    usleep(20'000);
    while (!is_made.load()) cuda.cuMemCreate(&handle, 20 * kMiB, &prop, 0);
  });
  CUcontext context = nullptr;
  const CUresult status = cuda.cuCtxCreate_v2(&context, 0, device);
  usleep(50'000);
  is_made.store(true);
  taker.join();
  if (status == CUDA_SUCCESS) step("context", status);
}

// The last memory through a pool, which grows by 32 MiB.
void last_by_pool() {
  CUcontext context = nullptr;
  CUdeviceptr pointer = 0;
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("all but 20 MiB", cuda.cuMemAlloc_v2(&pointer, 1180 * kMiB));
  step("from a pool", cuda.cuMemAllocAsync(&pointer, 4 * kMiB, nullptr));
  step("by itself", cuda.cuMemAlloc_v2(&pointer, 20 * kMiB));
}

// Small allocations share blocks; what counts is the block.
void small() {
  constexpr std::size_t kMany = 5000;
  static CUdeviceptr pieces[kMany];
  CUcontext context = nullptr;
  CUdeviceptr pointer = 0;
  CUdeviceptr managed = 0;
  std::size_t pitch = 0;
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("one byte", cuda.cuMemAlloc_v2(&pointer, 1));
  for (CUdeviceptr& piece : pieces) cuda.cuMemAlloc_v2(&piece, 512);
  step("many", CUDA_SUCCESS);
  for (std::size_t i = 0; i < kMany; i += 2) cuda.cuMemFree_v2(pieces[i]);
  step("half of them freed", CUDA_SUCCESS);
  for (std::size_t i = 1; i < kMany; i += 2) cuda.cuMemFree_v2(pieces[i]);
  step("all of them freed", CUDA_SUCCESS);
  step("pitch", cuda.cuMemAllocPitch_v2(&pieces[0], &pitch, 100, 10, 4));
  step("managed", cuda.cuMemAllocManaged(&managed, 100'000, 1));
  step("below a block", cuda.cuMemAlloc_v2(&pieces[1], kMiB + kMiB / 2));
  step("above a block", cuda.cuMemAlloc_v2(&pieces[2], 2 * kMiB + 1));
  cuda.cuCtxDestroy_v2(context);
  cuda.cuCtxCreate_v2(&context, 0, device);
  step("context with small pieces destroyed", CUDA_SUCCESS);
}

// A block is taken only where there is room for one.
void full() {
  CUcontext context = nullptr;
  CUdeviceptr pointer = 0;
  cuda.cuCtxCreate_v2(&context, 0, device);
  CUdeviceptr large = 0;
  step("all but a block", cuda.cuMemAlloc_v2(&large, 1198 * kMiB));
  step("small", cuda.cuMemAlloc_v2(&pointer, 512));
  step("one of another size", cuda.cuMemAlloc_v2(&pointer, 512 * 1024));
}

// What the driver takes behind everybody's back shows when NVML is asked again.
void late() {
  CUcontext context = nullptr;
  cuda.cuCtxCreate_v2(&context, 0, device);
  const auto limit = reinterpret_cast<CUresult (*)(CUlimit, std::size_t)>(
      dlsym(dlopen("libcuda.so.1", RTLD_NOW), "sim_set_limit"));
  limit(CU_LIMIT_MALLOC_HEAP_SIZE, 128 * kMiB);
  usleep(1'100'000);
  step("after a second", CUDA_SUCCESS);
  limit(CU_LIMIT_MALLOC_HEAP_SIZE, 8 * kMiB);
  usleep(1'100'000);
  step("after another", CUDA_SUCCESS);
}

struct Scenario {
  const char* name;
  void (*run)();
};
constexpr Scenario kScenarios[] = {{"created", created},
                                   {"primary", primary},
                                   {"adopted", adopted},
                                   {"green", green},
                                   {"green_alone", green_alone},
                                   {"limits", limits},
                                   {"modules", modules},
                                   {"code", code},
                                   {"green_at_the_limit", green_at_the_limit},
                                   {"late", late},
                                   {"told", told},
                                   {"crowded", crowded},
                                   {"last_by_pool", last_by_pool},
                                   {"small", small},
                                   {"full", full}};

}  // namespace

int main(int argc, char** argv) {
  find_functions();
  if (cuda.cuInit(0) != CUDA_SUCCESS || cuda.cuDeviceGet(&device, 0) != CUDA_SUCCESS) return 1;
  for (const Scenario& scenario : kScenarios) {
    if (argc == 2 && std::strcmp(argv[1], scenario.name) == 0) return scenario.run(), 0;
  }
  return 2;
}
