// Every kind of device memory takes from the simulated card what the real one would, and gives it back when
// it ends.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "tests/fake/driver_api.h"

namespace hami::fake {
namespace {

constexpr std::uint64_t kCard = 4096 * kMiB;
constexpr const char* kConfig = "cuda_version = 13.0\n[gpu]\nmemory_mib = 4096\n[gpu]\nmemory_mib = 4096\n";

class DriverKinds : public ::testing::Test {
 protected:
  // What has no memory but its context must leave a whole card.
  void in_driver(const std::function<void()>& body) {
    EXPECT_EQ(node_.in_child([&] {
      start_driver();
      body();
      EXPECT_EQ(free_memory(), kCard);
    }),
              0);
    EXPECT_EQ(node_.stat("device", "used"), 0U);
  }

  SimNode node_{kConfig};
};

CUmemAllocationProp on_device(CUdevice device) {
  CUmemAllocationProp prop{};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  prop.requestedHandleTypes = 1;
  return prop;
}

CUmemGenericAllocationHandle make_physical(std::uint64_t size, CUdevice device = 0) {
  CUmemGenericAllocationHandle handle = 0;
  const CUmemAllocationProp prop = on_device(device);
  EXPECT_CU(CU(cuMemCreate)(&handle, size, &prop, 0));
  return handle;
}

TEST_F(DriverKinds, PhysicalMemoryLivesUntilHandleAndMappingsAreGone) {
  in_driver([] {
    CUdeviceptr range = 0;
    const auto handle = make_physical(64 * kMiB);
    EXPECT_EQ(free_memory(), kCard - 64 * kMiB);
    EXPECT_CU(CU(cuMemAddressReserve)(&range, 128 * kMiB, 0, 0, 0));
    EXPECT_CU(CU(cuMemMap)(range, 64 * kMiB, 0, handle, 0));
    EXPECT_EQ(CU(cuMemMap)(range + 32 * kMiB, 32 * kMiB, 0, handle, 0), CUDA_ERROR_INVALID_VALUE);
    EXPECT_CU(CU(cuMemMap)(range + 64 * kMiB, 32 * kMiB, 32 * kMiB, handle, 0));

    EXPECT_CU(CU(cuMemRelease)(handle));
    EXPECT_EQ(free_memory(), kCard - 64 * kMiB);
    EXPECT_EQ(CU(cuMemAddressFree)(range, 128 * kMiB), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(CU(cuMemUnmap)(range, 32 * kMiB), CUDA_ERROR_INVALID_VALUE) << "half a mapping";
    EXPECT_CU(CU(cuMemUnmap)(range, 96 * kMiB));
    EXPECT_EQ(free_memory(), kCard);
    EXPECT_CU(CU(cuMemAddressFree)(range, 128 * kMiB));
  });
}

TEST_F(DriverKinds, ARetainedHandleKeepsItsMemory) {
  in_driver([] {
    CUdeviceptr range = 0;
    CUmemGenericAllocationHandle again = 0;
    const auto handle = make_physical(2 * kMiB);
    EXPECT_CU(CU(cuMemAddressReserve)(&range, 2 * kMiB, 0, 0, 0));
    EXPECT_CU(CU(cuMemMap)(range, 2 * kMiB, 0, handle, 0));
    EXPECT_CU(CU(cuMemRetainAllocationHandle)(&again, reinterpret_cast<void*>(range)));
    EXPECT_EQ(again, handle);

    EXPECT_CU(CU(cuMemUnmap)(range, 2 * kMiB));
    EXPECT_CU(CU(cuMemRelease)(handle));
    EXPECT_EQ(free_memory(), kCard - 2 * kMiB);
    EXPECT_CU(CU(cuMemRelease)(handle));
    EXPECT_EQ(CU(cuMemRelease)(handle), CUDA_ERROR_INVALID_VALUE);
  });
}

TEST_F(DriverKinds, PhysicalMemoryIsTakenWhereItsLocationSays) {
  in_driver([] {
    CUmemAllocationProp prop = on_device(0);
    CUmemGenericAllocationHandle host = 0;
    const auto second = make_physical(64 * kMiB, 1);
    EXPECT_EQ(free_memory(), kCard);
    prop.location = {CU_MEM_LOCATION_TYPE_HOST, 0};
    EXPECT_CU(CU(cuMemCreate)(&host, 64 * kMiB, &prop, 0));
    EXPECT_EQ(free_memory(), kCard);
    prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, 9};
    EXPECT_EQ(CU(cuMemCreate)(&host, 64 * kMiB, &prop, 0), CUDA_ERROR_INVALID_DEVICE);
    EXPECT_CU(CU(cuMemRelease)(second));
  });
}

TEST_F(DriverKinds, AMulticastObjectKeepsWhatIsBoundToIt) {
  in_driver([] {
    CUmulticastObjectProp prop{};
    prop.numDevices = 2;
    prop.size = 64 * kMiB;
    CUmemGenericAllocationHandle object = 0;
    EXPECT_CU(CU(cuMulticastCreate)(&object, &prop));
    const auto first = make_physical(64 * kMiB);
    const auto second = make_physical(32 * kMiB);
    EXPECT_CU(CU(cuMulticastAddDevice)(object, 0));
    EXPECT_EQ(CU(cuMulticastBindMem)(object, 0, first, 0, 64 * kMiB, 0), CUDA_ERROR_NOT_PERMITTED)
        << "a device is missing";
    EXPECT_CU(CU(cuMulticastAddDevice)(object, 1));
    EXPECT_CU(CU(cuMulticastBindMem)(object, 0, first, 0, 32 * kMiB, 0));
    EXPECT_CU(CU(cuMulticastBindMem)(object, 32 * kMiB, second, 0, 32 * kMiB, 0));
    EXPECT_CU(CU(cuMemRelease)(first));
    EXPECT_CU(CU(cuMemRelease)(second));
    EXPECT_EQ(free_memory(), kCard - 96 * kMiB);

    EXPECT_EQ(CU(cuMulticastUnbind)(object, 1, 0, 32 * kMiB), CUDA_ERROR_INVALID_VALUE);
    EXPECT_CU(CU(cuMulticastUnbind)(object, 0, 0, 32 * kMiB));
    EXPECT_EQ(free_memory(), kCard - 32 * kMiB);
    EXPECT_CU(CU(cuMemRelease)(object));
    EXPECT_EQ(free_memory(), kCard) << "the object's end unbinds the rest";
  });
}

TEST_F(DriverKinds, APoolGrowsInStepsAndGivesBackWhenTheHostWaits) {
  in_driver([] {
    CUdeviceptr address = 0;
    EXPECT_CU(CU(cuMemAllocAsync)(&address, kMiB, nullptr));
    EXPECT_EQ(free_memory(), kCard - 32 * kMiB);
    EXPECT_CU(CU(cuMemFreeAsync)(address, nullptr));
    EXPECT_EQ(free_memory(), kCard - 32 * kMiB);
    EXPECT_CU(CU(cuStreamSynchronize)(nullptr));
  });
}

TEST_F(DriverKinds, APoolKeepsWhatItsThresholdAllowsUntilItIsTrimmed) {
  in_driver([] {
    CUmemoryPool pool = nullptr;
    CUdeviceptr address = 0;
    std::uint64_t threshold = ~std::uint64_t{0};
    std::uint64_t level = 0;
    EXPECT_CU(CU(cuDeviceGetDefaultMemPool)(&pool, 0));
    EXPECT_CU(CU(cuMemPoolSetAttribute)(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold));
    EXPECT_CU(CU(cuMemAllocFromPoolAsync)(&address, 100 * kMiB, pool, nullptr));
    EXPECT_CU(CU(cuMemFree_v2)(address)) << "the plain free takes it too";
    EXPECT_CU(CU(cuCtxSynchronize)());
    EXPECT_CU(CU(cuMemPoolGetAttribute)(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &level));
    EXPECT_EQ(level, 128 * kMiB);
    EXPECT_EQ(free_memory(), kCard - 128 * kMiB);
    EXPECT_CU(CU(cuMemPoolTrimTo)(pool, 64 * kMiB));
    EXPECT_EQ(free_memory(), kCard - 64 * kMiB);
    EXPECT_CU(CU(cuMemPoolTrimTo)(pool, 0));
  });
}

TEST_F(DriverKinds, ADestroyedPoolEndsWithItsLastAllocation) {
  in_driver([] {
    CUmemPoolProps props{};
    props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    props.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    props.maxSize = 64 * kMiB;
    CUmemoryPool pool = nullptr;
    CUdeviceptr address = 0;
    CUdeviceptr more = 0;
    EXPECT_CU(CU(cuMemPoolCreate)(&pool, &props));
    EXPECT_CU(CU(cuMemAllocFromPoolAsync)(&address, 64 * kMiB, pool, nullptr));
    EXPECT_EQ(CU(cuMemAllocFromPoolAsync)(&more, 1, pool, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
    EXPECT_CU(CU(cuMemPoolDestroy)(pool));
    EXPECT_EQ(free_memory(), kCard - 64 * kMiB);
    EXPECT_CU(CU(cuMemFreeAsync)(address, nullptr));
  });
}

TEST_F(DriverKinds, ArraysTakeWhatTheirRequirementsSay) {
  in_driver([] {
    CUDA_ARRAY3D_DESCRIPTOR volume{};
    volume.Width = 1000;
    volume.Height = 100;
    volume.Depth = 10;
    volume.Format = static_cast<CUarray_format>(0x20);  // float
    volume.NumChannels = 4;
    CUarray array = nullptr;
    CUmipmappedArray mipmaps = nullptr;
    CUDA_ARRAY_MEMORY_REQUIREMENTS needs{};
    EXPECT_CU(CU(cuArray3DCreate_v2)(&array, &volume));
    EXPECT_CU(CU(cuArrayGetMemoryRequirements)(&needs, array, 0));
    EXPECT_EQ(needs.size, 16 * kMiB);
    EXPECT_EQ(free_memory(), kCard - needs.size);
    EXPECT_CU(CU(cuMipmappedArrayCreate)(&mipmaps, &volume, 4));
    EXPECT_CU(CU(cuMipmappedArrayGetMemoryRequirements)(&needs, mipmaps, 0));
    EXPECT_EQ(free_memory(), kCard - 16 * kMiB - needs.size);
    EXPECT_CU(CU(cuMipmappedArrayDestroy)(mipmaps));
    EXPECT_CU(CU(cuArrayDestroy)(array));
    volume.Flags = CUDA_ARRAY3D_SPARSE;
    EXPECT_CU(CU(cuArray3DCreate_v2)(&array, &volume));
    EXPECT_EQ(free_memory(), kCard) << "a sparse array owns none";
  });
}

TEST_F(DriverKinds, GraphMemoryIsTakenAtLaunchAndKeptUntilItIsTrimmed) {
  in_driver([] {
    CUgraph graph = nullptr;
    CUgraphNode node = nullptr;
    CUgraphExec exec = nullptr;
    CUDA_MEM_ALLOC_NODE_PARAMS memory{};
    memory.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    memory.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    memory.bytesize = 10 * kMiB;
    EXPECT_CU(CU(cuGraphCreate)(&graph, 0));
    EXPECT_CU(CU(cuGraphAddMemAllocNode)(&node, graph, nullptr, 0, &memory));
    EXPECT_CU(CU(cuGraphInstantiateWithFlags)(&exec, graph, 0));
    EXPECT_EQ(free_memory(), kCard);

    EXPECT_CU(CU(cuGraphLaunch)(exec, nullptr));
    EXPECT_EQ(free_memory(), kCard - 10 * kMiB);
    EXPECT_EQ(CU(cuGraphLaunch)(exec, nullptr), CUDA_ERROR_INVALID_VALUE) << "its allocation still lives";
    EXPECT_CU(CU(cuMemFreeAsync)(memory.dptr, nullptr));
    EXPECT_CU(CU(cuGraphLaunch)(exec, nullptr));
    EXPECT_CU(CU(cuMemFree_v2)(memory.dptr));
    EXPECT_EQ(free_memory(), kCard - 10 * kMiB);
    EXPECT_CU(CU(cuDeviceGraphMemTrim)(0));
  });
}

TEST_F(DriverKinds, CapturedAllocationsBecomeNodes) {
  in_driver([] {
    CUstream stream = nullptr;
    CUgraph graph = nullptr;
    CUgraphExec exec = nullptr;
    CUdeviceptr address = 0;
    std::size_t nodes = 0;
    const CUfunction function = kernel("k_1_1");
    EXPECT_CU(CU(cuStreamCreate)(&stream, 1));
    EXPECT_CU(CU(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    EXPECT_CU(CU(cuMemAllocAsync)(&address, 10 * kMiB, stream));
    EXPECT_CU(launch(function, 1, stream));
    EXPECT_CU(CU(cuMemFreeAsync)(address, stream));
    EXPECT_CU(CU(cuStreamEndCapture)(stream, &graph));
    EXPECT_CU(CU(cuGraphGetNodes)(graph, nullptr, &nodes));
    EXPECT_EQ(nodes, 3U);
    EXPECT_EQ(free_memory(), kCard - 2 * kMiB) << "the module's code alone";
    EXPECT_CU(CU(cuGraphInstantiateWithFlags)(&exec, graph, 0));
    EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
    EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
    EXPECT_CU(CU(cuDeviceGraphMemTrim)(0));
    EXPECT_CU(CU(cuDevicePrimaryCtxReset_v2)(0));
    start_driver();
  });
}

TEST_F(DriverKinds, WhatMustNotHappenInACaptureBreaksIt) {
  in_driver([] {
    CUstream stream = nullptr;
    CUgraph graph = nullptr;
    CUdeviceptr address = 0;
    CUstreamCaptureMode relaxed = CU_STREAM_CAPTURE_MODE_RELAXED;
    EXPECT_CU(CU(cuStreamCreate)(&stream, 1));
    EXPECT_CU(CU(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    EXPECT_CU(CU(cuThreadExchangeStreamCaptureMode)(&relaxed));
    EXPECT_CU(CU(cuMemAlloc_v2)(&address, kMiB));
    EXPECT_CU(CU(cuMemFree_v2)(address));
    EXPECT_CU(CU(cuThreadExchangeStreamCaptureMode)(&relaxed));
    EXPECT_EQ(CU(cuMemAlloc_v2)(&address, kMiB), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(CU(cuStreamEndCapture)(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(graph, nullptr);
    EXPECT_CU(CU(cuStreamSynchronize)(stream));
  });
}

TEST_F(DriverKinds, AContextTakesAndGivesBackWhatWasMadeInIt) {
  SimNode node("context_mib = 300\n[gpu]\nmemory_mib = 4096\n");
  EXPECT_EQ(node.in_child([] {
    start_driver();
    CUcontext second = nullptr;
    CUdeviceptr address = 0;
    CUmodule module = nullptr;
    EXPECT_EQ(free_memory(), kCard - 300 * kMiB);
    EXPECT_CU(CU(cuCtxCreate_v2)(&second, 0, 0));
    EXPECT_CU(CU(cuMemAlloc_v2)(&address, 100 * kMiB));
    EXPECT_CU(CU(cuModuleLoadData)(&module, "SIMGPU 52428800"));
    EXPECT_CU(CU(cuCtxSetLimit)(CU_LIMIT_MALLOC_HEAP_SIZE, 108 * kMiB));
    EXPECT_EQ(free_memory(), kCard - (600 + 100 + 52 + 100) * kMiB);
    EXPECT_CU(CU(cuCtxDestroy_v2)(second));
    EXPECT_EQ(CU(cuMemFree_v2)(address), CUDA_ERROR_INVALID_VALUE);
    EXPECT_EQ(free_memory(), kCard - 300 * kMiB);
    EXPECT_CU(CU(cuDevicePrimaryCtxRelease_v2)(0));
    EXPECT_EQ(CU(cuMemAlloc_v2)(&address, kMiB), CUDA_ERROR_CONTEXT_IS_DESTROYED);
  }),
            0);
  EXPECT_EQ(node.stat("device", "used"), 0U);
}

TEST_F(DriverKinds, DataSurvivesARoundTrip) {
  in_driver([] {
    CUdeviceptr address = 0;
    char text[8] = "";
    EXPECT_CU(CU(cuMemAlloc_v2)(&address, 1000));
    EXPECT_CU(CU(cuMemcpyHtoD_v2)(address + 100, "simgpu", 7));
    EXPECT_CU(CU(cuMemcpyDtoH_v2)(text, address + 100, 7));
    EXPECT_STREQ(text, "simgpu");
    EXPECT_EQ(CU(cuMemcpyHtoD_v2)(address + 998, "simgpu", 7), CUDA_ERROR_INVALID_VALUE);
    EXPECT_CU(CU(cuMemFree_v2)(address));
    EXPECT_EQ(CU(cuMemcpyDtoH_v2)(text, address, 1), CUDA_ERROR_INVALID_VALUE);
  });
}

// The handle travels through a pipe to a process that did not share anything else with the exporter.
TEST_F(DriverKinds, MemoryOfAnotherProcessIsOpenedWithoutACharge) {
  int pipe_fds[2];
  int done_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  ASSERT_EQ(pipe(done_fds), 0);
  const pid_t importer = fork();
  if (importer == 0) {
    CUipcMemHandle handle{};
    const int status = node_.in_child([&] {
      ASSERT_EQ(read(pipe_fds[0], &handle, sizeof handle), static_cast<ssize_t>(sizeof handle));
      start_driver();
      CUdeviceptr address = 0;
      EXPECT_CU(CU(cuIpcOpenMemHandle_v2)(&address, handle, 1));
      EXPECT_EQ(free_memory(), kCard - 100 * kMiB);
      EXPECT_EQ(CU(cuMemFree_v2)(address), CUDA_ERROR_INVALID_VALUE);
      EXPECT_CU(CU(cuIpcCloseMemHandle)(address));
    });
    _exit(write(done_fds[1], "x", 1) == 1 ? status : 1);
  }
  in_driver([&] {
    CUdeviceptr address = 0;
    CUdeviceptr own = 0;
    CUipcMemHandle handle{};
    char done = 0;
    EXPECT_CU(CU(cuMemAlloc_v2)(&address, 100 * kMiB));
    EXPECT_CU(CU(cuIpcGetMemHandle)(&handle, address));
    EXPECT_EQ(CU(cuIpcOpenMemHandle_v2)(&own, handle, 1), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(write(pipe_fds[1], &handle, sizeof handle), static_cast<ssize_t>(sizeof handle));
    EXPECT_EQ(read(done_fds[0], &done, 1), 1);
    EXPECT_CU(CU(cuMemFree_v2)(address));
  });
  int status = 0;
  waitpid(importer, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace hami::fake
