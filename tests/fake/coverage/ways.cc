#include "tests/fake/coverage/ways.h"

#include <cstring>

namespace hami::coverage {

Cuda via;
Cuda cuda;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20U;
constexpr auto kFloat = CUarray_format{0x20};

CUdevice device;
CUcontext home;

// What the last take() took.
CUdeviceptr pointer;
CUdeviceptr32 short_pointer;
CUarray array;
CUmipmappedArray mipmap;
CUmemGenericAllocationHandle handle;
CUexternalMemory external;
CUmemoryPool pool;
CUgraph graph;
CUgraphExec exec;
CUcontext context;

CUmemAllocationProp on_device() {
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  return prop;
}

CUmemPoolProps pool_on_device() {
  CUmemPoolProps props = {};
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  props.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  return props;
}

CUresult trim_default_pool() {
  CUmemoryPool of_device = nullptr;
  cuda.cuCtxSynchronize();
  cuda.cuDeviceGetDefaultMemPool(&of_device, device);
  return cuda.cuMemPoolTrimTo(of_device, 0);
}

// Frees with `status` of the call that queued the free.
CUresult after_free(CUresult status) {
  trim_default_pool();
  return status;
}

CUresult take_linear(std::size_t mib) { return cuda.cuMemAlloc_v2(&pointer, mib * kMiB); }
CUresult give_linear() { return cuda.cuMemFree_v2(pointer); }
CUresult take_short(std::size_t mib) {
  return cuda.cuMemAlloc(&short_pointer, static_cast<unsigned>(mib * kMiB));
}
CUresult give_short() { return cuda.cuMemFree(short_pointer); }
CUresult take_handle(std::size_t mib) {
  const CUmemAllocationProp prop = on_device();
  return cuda.cuMemCreate(&handle, mib * kMiB, &prop, 0);
}
CUresult give_handle() { return cuda.cuMemRelease(handle); }
CUresult give_array() { return cuda.cuArrayDestroy(array); }
CUresult give_mipmap() { return cuda.cuMipmappedArrayDestroy(mipmap); }
CUresult give_external() { return cuda.cuDestroyExternalMemory(external); }
CUresult take_async(std::size_t mib) { return cuda.cuMemAllocAsync(&pointer, mib * kMiB, nullptr); }
CUresult give_async() { return after_free(cuda.cuMemFreeAsync(pointer, nullptr)); }

// 1 MiB each: rows of 64 KiB, or layers of 512 x 512 floats.
CUDA_ARRAY_DESCRIPTOR plane(std::size_t mib) { return {16384, mib * 16, kFloat, 1}; }
CUDA_ARRAY3D_DESCRIPTOR volume(std::size_t mib) { return {512, 512, mib, kFloat, 1, 0}; }
CUresult take_array(std::size_t mib) {
  const CUDA_ARRAY_DESCRIPTOR shape = plane(mib);
  return cuda.cuArrayCreate_v2(&array, &shape);
}
CUresult take_mipmap(std::size_t mib) {
  const CUDA_ARRAY3D_DESCRIPTOR shape = volume(mib);
  return cuda.cuMipmappedArrayCreate(&mipmap, &shape, 1);
}
CUDA_EXTERNAL_MEMORY_HANDLE_DESC foreign(std::size_t mib) {
  CUDA_EXTERNAL_MEMORY_HANDLE_DESC desc = {};
  desc.type = 1;
  desc.size = mib * kMiB;
  return desc;
}
CUresult take_external(std::size_t mib) {
  const CUDA_EXTERNAL_MEMORY_HANDLE_DESC desc = foreign(mib);
  return cuda.cuImportExternalMemory(&external, &desc);
}

// A pool of its own with one allocation.
CUresult make_pool() {
  const CUmemPoolProps props = pool_on_device();
  return cuda.cuMemPoolCreate(&pool, &props);
}
CUresult take_from_pool(std::size_t mib,
                        CUresult (*from)(CUdeviceptr*, std::size_t, CUmemoryPool, CUstream)) {
  const CUresult made = make_pool();
  if (made != CUDA_SUCCESS) return made;
  const CUresult status = from(&pointer, mib * kMiB, pool, nullptr);
  if (status != CUDA_SUCCESS) cuda.cuMemPoolDestroy(pool);
  return status;
}
CUresult give_to_pool() {
  cuda.cuMemFreeAsync(pointer, nullptr);
  cuda.cuCtxSynchronize();
  return cuda.cuMemPoolDestroy(pool);
}
// A pool that keeps what is freed into it.
CUresult take_stock(std::size_t mib) {
  const CUresult status = take_from_pool(mib, cuda.cuMemAllocFromPoolAsync);
  if (status != CUDA_SUCCESS) return status;
  std::uint64_t everything = ~std::uint64_t{0};
  cuda.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &everything);
  cuda.cuMemFreeAsync(pointer, nullptr);
  return cuda.cuCtxSynchronize();
}

// A graph that allocates, and its executable form.
CUresult make_graph(std::size_t mib) {
  cuda.cuGraphCreate(&graph, 0);
  CUDA_MEM_ALLOC_NODE_PARAMS params = {};
  params.poolProps = pool_on_device();
  params.bytesize = mib * kMiB;
  CUgraphNode node = nullptr;
  cuda.cuGraphAddMemAllocNode(&node, graph, nullptr, 0, &params);
  pointer = params.dptr;
  return cuda.cuGraphInstantiateWithFlags(&exec, graph, 0);
}
CUresult take_graph(std::size_t mib, CUresult (*run)(CUgraphExec, CUstream)) {
  const CUresult made = make_graph(mib);
  const CUresult status = made == CUDA_SUCCESS ? run(exec, nullptr) : made;
  if (status != CUDA_SUCCESS) {
    cuda.cuGraphExecDestroy(exec);
    cuda.cuGraphDestroy(graph);
  }
  return status;
}
CUresult end_graph() {
  cuda.cuCtxSynchronize();
  const CUresult status = cuda.cuGraphExecDestroy(exec);
  cuda.cuGraphDestroy(graph);
  cuda.cuDeviceGraphMemTrim(device);
  return status;
}
CUresult give_graph() {
  cuda.cuMemFree_v2(pointer);  // outlives the launch, as the driver's documentation says
  return end_graph();
}

// A context with one allocation in it.
CUresult take_in_context(std::size_t mib) {
  const CUresult made = cuda.cuCtxCreate_v2(&context, 0, device);
  return made == CUDA_SUCCESS ? take_linear(mib) : made;
}
CUresult back_home(CUresult status) {
  cuda.cuCtxSetCurrent(home);
  return status;
}
CUresult take_in_primary(std::size_t mib) {
  cuda.cuDevicePrimaryCtxRetain(&context, device);
  cuda.cuCtxSetCurrent(context);
  return take_linear(mib);
}
CUresult reset_primary(CUresult (*reset)(CUdevice)) {
  const CUresult status = reset(device);
  cuda.cuDevicePrimaryCtxRelease_v2(device);
  return back_home(status);
}

// A handle that only a mapping keeps alive.
CUresult take_mapping(std::size_t mib) {
  const CUresult status = take_handle(mib);
  if (status != CUDA_SUCCESS) return status;
  cuda.cuMemAddressReserve(&pointer, 64 * kMiB, 0, 0, 0);
  cuda.cuMemMap(pointer, 64 * kMiB, 0, handle, 0);
  return cuda.cuMemRelease(handle);
}

constexpr Part kTakes = Part::takes;
constexpr Part kGives = Part::gives;

const Way kWays[] = {
    {"cuArray3DCreate", kTakes,
     [](std::size_t mib) {
       const CUDA_ARRAY3D_DESCRIPTOR_v1 shape = {512, 512, static_cast<unsigned>(mib), kFloat, 1, 0};
       return via.cuArray3DCreate(&array, &shape);
     },
     give_array},
    {"cuArray3DCreate_v2", kTakes,
     [](std::size_t mib) {
       const CUDA_ARRAY3D_DESCRIPTOR shape = volume(mib);
       return via.cuArray3DCreate_v2(&array, &shape);
     },
     give_array},
    {"cuArrayCreate", kTakes,
     [](std::size_t mib) {
       const CUDA_ARRAY_DESCRIPTOR_v1 shape = {16384, static_cast<unsigned>(mib * 16), kFloat, 1};
       return via.cuArrayCreate(&array, &shape);
     },
     give_array},
    {"cuArrayCreate_v2", kTakes,
     [](std::size_t mib) {
       const CUDA_ARRAY_DESCRIPTOR shape = plane(mib);
       return via.cuArrayCreate_v2(&array, &shape);
     },
     give_array},
    {"cuArrayDestroy", kGives, take_array, [] { return via.cuArrayDestroy(array); }},
    {"cuCtxDestroy", kGives, take_in_context, [] { return back_home(via.cuCtxDestroy(context)); }},
    {"cuCtxDestroy_v2", kGives, take_in_context, [] { return back_home(via.cuCtxDestroy_v2(context)); }},
    {"cuCtxDetach", kGives, take_in_context, [] { return back_home(via.cuCtxDetach(context)); }},
    {"cuDestroyExternalMemory", kGives, take_external, [] { return via.cuDestroyExternalMemory(external); }},
    {"cuDeviceGraphMemTrim", kGives, [](std::size_t mib) { return take_graph(mib, cuda.cuGraphLaunch); },
     [] {
       cuda.cuMemFree_v2(pointer);
       cuda.cuCtxSynchronize();
       cuda.cuGraphExecDestroy(exec);
       cuda.cuGraphDestroy(graph);
       return via.cuDeviceGraphMemTrim(device);
     }},
    {"cuDevicePrimaryCtxRelease", kGives, take_in_primary,
     [] { return back_home(via.cuDevicePrimaryCtxRelease(device)); }},
    {"cuDevicePrimaryCtxRelease_v2", kGives, take_in_primary,
     [] { return back_home(via.cuDevicePrimaryCtxRelease_v2(device)); }},
    {"cuDevicePrimaryCtxReset", kGives, take_in_primary,
     [] { return reset_primary(via.cuDevicePrimaryCtxReset); }},
    {"cuDevicePrimaryCtxReset_v2", kGives, take_in_primary,
     [] { return reset_primary(via.cuDevicePrimaryCtxReset_v2); }},
    {"cuGraphLaunch", kTakes, [](std::size_t mib) { return take_graph(mib, via.cuGraphLaunch); }, give_graph},
    {"cuGraphLaunch_ptsz", kTakes, [](std::size_t mib) { return take_graph(mib, via.cuGraphLaunch_ptsz); },
     give_graph},
    {"cuGraphUpload", kTakes, [](std::size_t mib) { return take_graph(mib, via.cuGraphUpload); }, end_graph},
    {"cuGraphUpload_ptsz", kTakes, [](std::size_t mib) { return take_graph(mib, via.cuGraphUpload_ptsz); },
     end_graph},
    {"cuImportExternalMemory", kTakes,
     [](std::size_t mib) {
       const CUDA_EXTERNAL_MEMORY_HANDLE_DESC desc = foreign(mib);
       return via.cuImportExternalMemory(&external, &desc);
     },
     give_external},
    {"cuMemAlloc", kTakes,
     [](std::size_t mib) { return via.cuMemAlloc(&short_pointer, static_cast<unsigned>(mib * kMiB)); },
     give_short},
    {"cuMemAllocAsync", kTakes,
     [](std::size_t mib) { return via.cuMemAllocAsync(&pointer, mib * kMiB, nullptr); }, give_async},
    {"cuMemAllocAsync_ptsz", kTakes,
     [](std::size_t mib) { return via.cuMemAllocAsync_ptsz(&pointer, mib * kMiB, nullptr); }, give_async},
    {"cuMemAllocFromPoolAsync", kTakes,
     [](std::size_t mib) { return take_from_pool(mib, via.cuMemAllocFromPoolAsync); }, give_to_pool},
    {"cuMemAllocFromPoolAsync_ptsz", kTakes,
     [](std::size_t mib) { return take_from_pool(mib, via.cuMemAllocFromPoolAsync_ptsz); }, give_to_pool},
    {"cuMemAllocManaged", kTakes,
     [](std::size_t mib) { return via.cuMemAllocManaged(&pointer, mib * kMiB, 1); }, give_linear},
    {"cuMemAllocPitch", kTakes,
     [](std::size_t mib) {
       unsigned pitch = 0;
       return via.cuMemAllocPitch(&short_pointer, &pitch, 65536, static_cast<unsigned>(mib * 16), 4);
     },
     give_short},
    {"cuMemAllocPitch_v2", kTakes,
     [](std::size_t mib) {
       std::size_t pitch = 0;
       return via.cuMemAllocPitch_v2(&pointer, &pitch, 65536, mib * 16, 4);
     },
     give_linear},
    {"cuMemAlloc_v2", kTakes, [](std::size_t mib) { return via.cuMemAlloc_v2(&pointer, mib * kMiB); },
     give_linear},
    {"cuMemCreate", kTakes,
     [](std::size_t mib) {
       const CUmemAllocationProp prop = on_device();
       return via.cuMemCreate(&handle, mib * kMiB, &prop, 0);
     },
     give_handle},
    {"cuMemFree", kGives, take_short, [] { return via.cuMemFree(short_pointer); }},
    {"cuMemFreeAsync", kGives, take_async, [] { return after_free(via.cuMemFreeAsync(pointer, nullptr)); }},
    {"cuMemFreeAsync_ptsz", kGives, take_async,
     [] { return after_free(via.cuMemFreeAsync_ptsz(pointer, nullptr)); }},
    {"cuMemFree_v2", kGives, take_linear, [] { return via.cuMemFree_v2(pointer); }},
    {"cuMemPoolDestroy", kGives, take_stock, [] { return via.cuMemPoolDestroy(pool); }},
    {"cuMemPoolTrimTo", kGives, take_stock,
     [] {
       const CUresult status = via.cuMemPoolTrimTo(pool, 0);
       std::size_t free_bytes = 0;
       std::size_t total = 0;
       cuda.cuMemGetInfo_v2(&free_bytes, &total);
       const bool is_empty = free_bytes == total;
       cuda.cuMemPoolDestroy(pool);
       return is_empty ? status : CUDA_ERROR_UNKNOWN;
     }},
    {"cuMemRelease", kGives, take_handle, [] { return via.cuMemRelease(handle); }},
    {"cuMemUnmap", kGives, take_mapping,
     [] {
       const CUresult status = via.cuMemUnmap(pointer, 64 * kMiB);
       cuda.cuMemAddressFree(pointer, 64 * kMiB);
       return status;
     }},
    {"cuMipmappedArrayCreate", kTakes,
     [](std::size_t mib) {
       const CUDA_ARRAY3D_DESCRIPTOR shape = volume(mib);
       return via.cuMipmappedArrayCreate(&mipmap, &shape, 1);
     },
     give_mipmap},
    {"cuMipmappedArrayDestroy", kGives, take_mipmap, [] { return via.cuMipmappedArrayDestroy(mipmap); }},
};

}  // namespace

CUresult start() {
  cuda.cuInit(0);
  cuda.cuDeviceGet(&device, 0);
  return cuda.cuCtxCreate_v2(&home, 0, device);
}

const Way* find_way(const char* symbol) {
  for (const Way& way : kWays) {
    if (std::strcmp(way.symbol, symbol) == 0) return &way;
  }
  return nullptr;
}

}  // namespace hami::coverage
