// Scenarios of stream-ordered memory.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "tests/fake/libvgpu/exercise.h"

namespace hami::exercise {
namespace {

CUmemoryPool default_pool() {
  CUmemoryPool pool = nullptr;
  cuda.cuDeviceGetDefaultMemPool(&pool, device);
  return pool;
}

CUmemoryPool make_pool(int ordinal, unsigned handle_types = 0) {
  CUmemPoolProps props = {};
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  props.handleTypes = static_cast<CUmemAllocationHandleType>(handle_types);
  props.location = {CU_MEM_LOCATION_TYPE_DEVICE, ordinal};
  CUmemoryPool pool = nullptr;
  cuda.cuMemPoolCreate(&pool, &props);
  return pool;
}

CUstream make_stream() {
  CUstream stream = nullptr;
  cuda.cuStreamCreate(&stream, 1);
  return stream;
}

// What a pool keeps: nothing beyond the next wait by default, everything with a threshold, until it is
// trimmed.
void thresholds() {
  create();
  CUdeviceptr a = 0;
  step("alloc", cuda.cuMemAllocAsync(&a, 96 * kMiB, nullptr));
  step("free", cuda.cuMemFreeAsync(a, nullptr));
  step("wait", cuda.cuStreamSynchronize(nullptr));
  std::uint64_t threshold = ~std::uint64_t{0};
  step("threshold",
       cuda.cuMemPoolSetAttribute(default_pool(), CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold));
  step("alloc", cuda.cuMemAllocAsync(&a, 96 * kMiB, nullptr));
  step("free", cuda.cuMemFreeAsync(a, nullptr));
  step("wait", cuda.cuStreamSynchronize(nullptr));
  step("trim to 32", cuda.cuMemPoolTrimTo(default_pool(), 32 * kMiB));
  step("trim", cuda.cuMemPoolTrimTo(default_pool(), 0));
}

// Two pools of one device; the one that is destroyed lives on with its allocation.
void two_pools() {
  create();
  CUmemoryPool first = make_pool(device);
  CUmemoryPool second = make_pool(device);
  CUdeviceptr a = 0;
  CUdeviceptr b = 0;
  CUdeviceptr c = 0;
  step("first", cuda.cuMemAllocFromPoolAsync(&a, 320 * kMiB, first, nullptr));
  step("second", cuda.cuMemAllocFromPoolAsync(&b, 320 * kMiB, second, nullptr));
  step("second too much", cuda.cuMemAllocFromPoolAsync(&c, 512 * kMiB, second, nullptr));
  step("first destroyed", cuda.cuMemPoolDestroy(first));
  step("first destroyed again", cuda.cuMemPoolDestroy(first));
  step("its memory freed", cuda.cuMemFreeAsync(a, nullptr));
  step("second freed", cuda.cuMemFree_v2(b));
  step("wait", cuda.cuCtxSynchronize());
  step("second destroyed", cuda.cuMemPoolDestroy(second));
}

// Memory of one stream is freed on another, and by another thread.
void strangers() {
  CUcontext context = create();
  CUstream one = make_stream();
  CUstream other = make_stream();
  CUdeviceptr a = 0;
  CUdeviceptr b = 0;
  step("alloc", cuda.cuMemAllocAsync(&a, 320 * kMiB, one));
  step("alloc", cuda.cuMemAllocAsync_ptsz(&b, 320 * kMiB, nullptr));
  step("freed elsewhere", cuda.cuMemFreeAsync(a, other));
  CUresult status = CUDA_ERROR_UNKNOWN;
  std::thread([&] {
    cuda.cuCtxSetCurrent(context);
    status = cuda.cuMemFreeAsync_ptsz(b, nullptr);
  }).join();
  step("freed by a thread", status);
  step("freed twice", cuda.cuMemFreeAsync(b, one));
  step("wait", cuda.cuCtxSynchronize());
  step("all", cuda.cuMemAlloc_v2(&a, 1000 * kMiB));
}

// An allocation in a capture is a node: nothing is taken before its graph runs.
void captured() {
  create();
  CUstream stream = make_stream();
  CUgraph graph = nullptr;
  CUgraphExec exec = nullptr;
  CUdeviceptr a = 0;
  step("capture", cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  const CUresult taken = cuda.cuMemAllocAsync(&a, 320 * kMiB, stream);
  const CUresult given = cuda.cuMemFreeAsync(a, stream);
  step("end of capture", cuda.cuStreamEndCapture(stream, &graph));
  step("alloc in it", taken);
  step("free in it", given);
  step("instantiate", cuda.cuGraphInstantiateWithFlags(&exec, graph, 0));
  step("launch", cuda.cuGraphLaunch(exec, stream));
  step("launch again", cuda.cuGraphLaunch(exec, stream));
  step("wait", cuda.cuStreamSynchronize(stream));
  step("destroy", cuda.cuGraphExecDestroy(exec));
  step("trim", cuda.cuDeviceGraphMemTrim(device));
}

// A pool of the second device, used from a context of the first: the second one's limit holds.
void two_devices() {
  create();
  CUmemoryPool pool = make_pool(1);
  CUdeviceptr a = 0;
  step("second device too much", cuda.cuMemAllocFromPoolAsync(&a, 640 * kMiB, pool, nullptr));
  step("second device", cuda.cuMemAllocFromPoolAsync(&a, 320 * kMiB, pool, nullptr));
  CUcontext context = nullptr;
  cuda.cuCtxCreate_v2(&context, 0, 1);
  step("seen there", CUDA_SUCCESS);
  step("freed", cuda.cuMemFree_v2(a));
  step("wait", cuda.cuCtxSynchronize());
  step("destroyed", cuda.cuMemPoolDestroy(pool));
}

// What another process imports it is not charged for, and it lives on when the exporter has destroyed the
// pool.
void exported_pool() {
  create();
  CUmemoryPool pool = make_pool(device, 1);
  CUdeviceptr a = 0;
  CUmemPoolPtrExportData data = {};
  int fd = -1;
  step("alloc", cuda.cuMemAllocFromPoolAsync(&a, 320 * kMiB, pool, nullptr));
  step("export", cuda.cuMemPoolExportToShareableHandle(&fd, pool, CUmemAllocationHandleType{1}, 0));
  step("export pointer", cuda.cuMemPoolExportPointer(&data, a));
  step("destroyed", cuda.cuMemPoolDestroy(pool));
  std::string text = DescriptorText(fd).text;
  for (const unsigned char byte : data.reserved) text += "," + std::to_string(unsigned{byte});
  elsewhere("pool-import", text.c_str());
  step("freed", cuda.cuMemFreeAsync(a, nullptr));
}

void import_pool() {
  create();
  CUmemoryPool pool = nullptr;
  CUdeviceptr a = 0;
  CUdeviceptr b = 0;
  char* rest = nullptr;
  void* descriptor = reinterpret_cast<void*>(std::strtol(argument(), &rest, 10));
  CUmemPoolPtrExportData data = {};
  for (unsigned char& byte : data.reserved)
    byte = static_cast<unsigned char>(std::strtoul(rest + 1, &rest, 10));
  step("other imports",
       cuda.cuMemPoolImportFromShareableHandle(&pool, descriptor, CUmemAllocationHandleType{1}, 0));
  step("other imports a pointer", cuda.cuMemPoolImportPointer(&a, pool, &data));
  step("other allocs too much", cuda.cuMemAlloc_v2(&b, 800 * kMiB));
  step("other frees", cuda.cuMemFreeAsync(a, nullptr));
  step("other destroys", cuda.cuMemPoolDestroy(pool));
}

}  // namespace

const Scenario kPoolScenarios[] = {{"pool-thresholds", thresholds}, {"pool-two", two_pools},
                                   {"pool-strangers", strangers},   {"pool-captured", captured},
                                   {"pool-devices", two_devices},   {"pool-exported", exported_pool},
                                   {"pool-import", import_pool},    {nullptr, nullptr}};

}  // namespace hami::exercise
