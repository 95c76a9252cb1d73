// A program that takes memory in the many ways of the CUDA driver and says after each step what is free.
//   vgpu-exercise SCENARIO; prints one line per step: "NAME: RESULT, free N MiB"
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "tests/fake/libvgpu/exercise.h"

namespace hami::exercise {

Cuda cuda;
CUdevice device;

namespace {

const char* given = "";

void find_functions() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(1);
  }
#define HAMI_FN(symbol, since, result, params, args) \
  cuda.symbol = reinterpret_cast<result(*) params>(dlsym(library, #symbol));
#define HAMI_FN_DRIVER HAMI_FN
#include "libvgpu/cuda/functions.def"
#define HAMI_FN_DRIVER(symbol, since, result, params, args) \
  cuda.symbol = reinterpret_cast<result(*) params>(dlsym(library, #symbol));
#include "libvgpu/cuda/passthrough.def"
}

}  // namespace

void step(const char* name, CUresult status) {
  std::size_t free_bytes = 0;
  std::size_t total = 0;
  const CUresult known = cuda.cuMemGetInfo_v2(&free_bytes, &total);
  std::printf("%s: %d", name, static_cast<int>(status));
  if (known == CUDA_SUCCESS) std::printf(", free %zu MiB", free_bytes / kMiB);
  std::printf("\n");
  std::fflush(stdout);
}

std::size_t free_bytes() {
  std::size_t free = 0;
  std::size_t total = 0;
  cuda.cuMemGetInfo_v2(&free, &total);
  return free;
}

CUcontext create() {
  CUcontext context = nullptr;
  cuda.cuCtxCreate_v2(&context, 0, device);
  return context;
}

CUmemAllocationProp memory_at(CUmemLocationType type) {
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location = {type, type == CU_MEM_LOCATION_TYPE_DEVICE ? device : 0};
  return prop;
}

void elsewhere(const char* scenario, const char* value) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "vgpu-exercise", scenario, value, nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  step("the other ends", status == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

const char* argument() { return given; }

DescriptorText::DescriptorText(int fd) : text() {
  fcntl(fd, F_SETFD, 0);
  std::snprintf(text, sizeof text, "%d", fd);
}

namespace {

void contexts() {
  CUdeviceptr a = 0;
  CUdeviceptr b = 0;
  CUcontext primary = nullptr;
  cuda.cuDevicePrimaryCtxRetain(&primary, device);
  cuda.cuCtxSetCurrent(primary);
  step("primary alloc", cuda.cuMemAlloc_v2(&a, 100 * kMiB));
  CUcontext own = create();
  step("own alloc", cuda.cuMemAlloc_v2(&b, 200 * kMiB));
  step("own alloc", cuda.cuMemAlloc_v2(&b, 200 * kMiB));
  cuda.cuCtxDestroy_v2(own);
  cuda.cuCtxSetCurrent(primary);
  step("own destroyed", CUDA_SUCCESS);
  cuda.cuDevicePrimaryCtxRetain(&primary, device);
  step("released once", cuda.cuDevicePrimaryCtxRelease_v2(device));
  cuda.cuDevicePrimaryCtxReset_v2(device);
  cuda.cuDevicePrimaryCtxRetain(&primary, device);
  cuda.cuCtxSetCurrent(primary);
  step("reset", CUDA_SUCCESS);
  step("alloc again", cuda.cuMemAlloc_v2(&a, 300 * kMiB));
  step("free of a stranger", cuda.cuMemFree_v2(b));
  cuda.cuDevicePrimaryCtxRelease_v2(device);
  cuda.cuDevicePrimaryCtxRelease_v2(device);
  own = create();
  step("released for good", CUDA_SUCCESS);
}

void virtual_memory() {
  create();
  const CUmemAllocationProp prop = memory_at(CU_MEM_LOCATION_TYPE_DEVICE);
  CUmemGenericAllocationHandle handle = 0;
  CUmemGenericAllocationHandle other = 0;
  step("create", cuda.cuMemCreate(&handle, 600 * kMiB, &prop, 0));
  step("create too much", cuda.cuMemCreate(&other, 600 * kMiB, &prop, 0));
  step("release", cuda.cuMemRelease(handle));
  const CUmemAllocationProp host = memory_at(CU_MEM_LOCATION_TYPE_HOST);
  const CUresult status = cuda.cuMemCreate(&other, 1200 * kMiB, &host, 0);
  if (status == CUDA_SUCCESS) cuda.cuMemRelease(other);
  step("host memory", CUDA_SUCCESS);
}

// What was handed out may live on with others, so it stays charged until the process ends.
void exported() {
  create();
  constexpr CUmemAllocationHandleType kDescriptor{1};
  CUmemAllocationProp prop = memory_at(CU_MEM_LOCATION_TYPE_DEVICE);
  prop.requestedHandleTypes = kDescriptor;
  CUmemGenericAllocationHandle handle = 0;
  int fd = -1;
  step("create", cuda.cuMemCreate(&handle, 600 * kMiB, &prop, 0));
  step("export for Windows", cuda.cuMemExportToShareableHandle(&fd, handle, CUmemAllocationHandleType{2}, 0));
  step("release", cuda.cuMemRelease(handle));
  step("create", cuda.cuMemCreate(&handle, 600 * kMiB, &prop, 0));
  step("bind to no multicast object", cuda.cuMulticastBindMem(0, 0, handle, 0, 600 * kMiB, 0));
  step("release", cuda.cuMemRelease(handle));
  step("create", cuda.cuMemCreate(&handle, 600 * kMiB, &prop, 0));
  step("export", cuda.cuMemExportToShareableHandle(&fd, handle, kDescriptor, 0));
  step("export again", cuda.cuMemExportToShareableHandle(&fd, handle, kDescriptor, 0));
  step("release", cuda.cuMemRelease(handle));
  step("create too much", cuda.cuMemCreate(&handle, 600 * kMiB, &prop, 0));
}

// Tiles of sparse arrays keep the memory of their handle, and so does its charge.
void sparse() {
  create();
  const CUmemAllocationProp prop = memory_at(CU_MEM_LOCATION_TYPE_DEVICE);
  CUmemGenericAllocationHandle handle = 0;
  step("create", cuda.cuMemCreate(&handle, 600 * kMiB, &prop, 0));
  CUarrayMapInfo tiles = {};
  tiles.memOperationType = 1;
  tiles.memHandle = handle;
  step("map to no array", cuda.cuMemMapArrayAsync(&tiles, 1, nullptr));
  step("release", cuda.cuMemRelease(handle));
  step("create", cuda.cuMemCreate(&handle, 600 * kMiB, &prop, 0));
  tiles.resource = 1;
  tiles.memHandle = handle;
  step("map", cuda.cuMemMapArrayAsync(&tiles, 1, nullptr));
  step("release", cuda.cuMemRelease(handle));
  step("create too much", cuda.cuMemCreate(&handle, 600 * kMiB, &prop, 0));
}

// Memory of one process that another one uses is charged once, to who made it.
void ipc() {
  create();
  CUdeviceptr a = 0;
  CUipcMemHandle handle = {};
  step("alloc", cuda.cuMemAlloc_v2(&a, 600 * kMiB));
  step("handle", cuda.cuIpcGetMemHandle(&handle, a));
  char text[2 * sizeof handle + 1] = "";
  for (std::size_t i = 0; i < sizeof handle; ++i)
    std::snprintf(text + 2 * i, 3, "%02x", reinterpret_cast<const unsigned char*>(&handle)[i]);
  elsewhere("ipc-open", text);
  step("free", cuda.cuMemFree_v2(a));
}

void ipc_open() {
  create();
  CUdeviceptr a = 0;
  CUdeviceptr b = 0;
  CUipcMemHandle handle = {};
  for (std::size_t i = 0; i < sizeof handle; ++i) {
    const char digits[] = {given[2 * i], given[2 * i + 1], '\0'};
    reinterpret_cast<unsigned char*>(&handle)[i] =
        static_cast<unsigned char>(std::strtoul(digits, nullptr, 16));
  }
  step("other opens", cuda.cuIpcOpenMemHandle_v2(&a, handle, 1));
  step("other alloc too much", cuda.cuMemAlloc_v2(&b, 600 * kMiB));
  step("other alloc", cuda.cuMemAlloc_v2(&b, 300 * kMiB));
  step("other frees what is not its own", cuda.cuMemFree_v2(a));
  step("other frees its own", cuda.cuMemFree_v2(b));
  step("other closes", cuda.cuIpcCloseMemHandle(a));
}

// The same through a descriptor.
void shared() {
  create();
  CUmemAllocationProp prop = memory_at(CU_MEM_LOCATION_TYPE_DEVICE);
  prop.requestedHandleTypes = 1;
  CUmemGenericAllocationHandle handle = 0;
  int fd = -1;
  step("create", cuda.cuMemCreate(&handle, 600 * kMiB, &prop, 0));
  step("export", cuda.cuMemExportToShareableHandle(&fd, handle, CUmemAllocationHandleType{1}, 0));
  elsewhere("shared-import", DescriptorText(fd).text);
}

void shared_import() {
  create();
  CUmemGenericAllocationHandle handle = 0;
  void* descriptor = reinterpret_cast<void*>(std::strtol(given, nullptr, 10));
  step("other imports",
       cuda.cuMemImportFromShareableHandle(&handle, descriptor, CUmemAllocationHandleType{1}));
  CUdeviceptr a = 0;
  step("other reserves", cuda.cuMemAddressReserve(&a, 600 * kMiB, 0, 0, 0));
  step("other maps", cuda.cuMemMap(a, 600 * kMiB, 0, handle, 0));
  step("other releases", cuda.cuMemRelease(handle));
  step("other unmaps", cuda.cuMemUnmap(a, 600 * kMiB));
}

void arrays() {
  create();
  CUDA_ARRAY_DESCRIPTOR plane = {8192, 8192, CUarray_format{0x20}, 1};  // 256 MiB of floats
  CUarray made[4] = {};
  for (CUarray& array : made) step("array", cuda.cuArrayCreate_v2(&array, &plane));
  for (CUarray& array : made) {
    if (array != nullptr) cuda.cuArrayDestroy(array);
  }
  step("destroyed", CUDA_SUCCESS);
  CUDA_ARRAY3D_DESCRIPTOR volume = {4096, 4096, 0, CUarray_format{0x20}, 4, 0};
  CUmipmappedArray mipmap = nullptr;
  const CUresult status = cuda.cuMipmappedArrayCreate(&mipmap, &volume, 3);
  step("mipmap", status);
  if (status == CUDA_SUCCESS) step("mipmap destroyed", cuda.cuMipmappedArrayDestroy(mipmap));
}

void streams() {
  create();
  CUdeviceptr a = 0;
  CUdeviceptr b = 0;
  step("async", cuda.cuMemAllocAsync(&a, 600 * kMiB, nullptr));
  step("async too much", cuda.cuMemAllocAsync(&b, 600 * kMiB, nullptr));
  step("async per thread too much", cuda.cuMemAllocAsync_ptsz(&b, 600 * kMiB, nullptr));
  step("async free", cuda.cuMemFreeAsync(a, nullptr));
  step("synchronised", cuda.cuCtxSynchronize());
  step("all", cuda.cuMemAlloc_v2(&a, 1000 * kMiB));
}

void external() {
  create();
  CUDA_EXTERNAL_MEMORY_HANDLE_DESC desc = {};
  desc.type = 1;
  desc.size = 400 * kMiB;
  CUexternalMemory memory = nullptr;
  step("import", cuda.cuImportExternalMemory(&memory, &desc));
  step("destroy", cuda.cuDestroyExternalMemory(memory));
  desc.size = 1200 * kMiB;
  step("import too much", cuda.cuImportExternalMemory(&memory, &desc));
}

constexpr Scenario kScenarios[] = {
    {"contexts", contexts}, {"vmm", virtual_memory}, {"exported", exported}, {"sparse", sparse},
    {"ipc", ipc},           {"ipc-open", ipc_open},  {"shared", shared},     {"shared-import", shared_import},
    {"arrays", arrays},     {"streams", streams},    {"external", external}, {}};

bool run(const Scenario* scenarios, const char* name) {
  for (; scenarios->name != nullptr; ++scenarios) {
    if (std::strcmp(scenarios->name, name) == 0) return scenarios->run(), true;
  }
  return false;
}

}  // namespace
}  // namespace hami::exercise

using namespace hami::exercise;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  if (argc == 3) given = argv[2];
  find_functions();
  if (cuda.cuInit(0) != CUDA_SUCCESS || cuda.cuDeviceGet(&device, 0) != CUDA_SUCCESS) return 1;
  for (const Scenario* scenarios :
       {kScenarios, kPoolScenarios, kGraphScenarios, kFreeScenarios, kMulticastScenarios}) {
    if (run(scenarios, argv[1])) return 0;
  }
  return 2;
}
