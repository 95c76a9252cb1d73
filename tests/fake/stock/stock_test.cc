// Memory that does not come from cuMemAlloc, held to 256 MiB: this program is linked to libvgpu.so, which
// finds a driver of a few lines. The card's own count is the truth.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "libvgpu/cuda/types.h"
#include "tests/fake/stock/fake_cuda.h"

extern "C" {
#define HAMI_FN(symbol, since, result, params, args) result symbol params;
#include "libvgpu/cuda/functions.def"
}

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kLimit = 256 * kMiB;

class Stock : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    page_ = "/tmp/hami_stock_test." + std::to_string(::getpid());
    ::setenv("CUDA_DEVICE_MEMORY_SHARED_CACHE", page_.c_str(), 1);
    ::setenv("CUDA_DEVICE_MEMORY_LIMIT", "256m", 1);
  }
  static void TearDownTestSuite() { ::unlink(page_.c_str()); }

  Stock() {
    // The first call makes the library find the driver.
    free_bytes();
    void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
    card_ = driver == nullptr ? nullptr : reinterpret_cast<FakeCard* (*)()>(::dlsym(driver, "fake_card"))();
  }
  void SetUp() override { ASSERT_NE(card_, nullptr); }
  ~Stock() override {
    if (card_ == nullptr) return;
    EXPECT_LE(card_->peak, kLimit) << "held more than the limit at some instant";
  }

  static std::uint64_t free_bytes() {
    std::size_t free = 0;
    std::size_t total = 0;
    EXPECT_EQ(cuMemGetInfo_v2(&free, &total), CUDA_SUCCESS);
    return free;
  }
  // What is charged is what the card has lost.
  void expect_exact() { EXPECT_EQ(free_bytes(), kLimit - card_->used); }

  static CUmemAllocationProp on(CUmemLocationType type) {
    CUmemAllocationProp prop = {};
    prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    prop.location = {type, 0};
    return prop;
  }

  FakeCard* card_ = nullptr;

 private:
  static inline std::string page_;
};

TEST_F(Stock, PoolIsChargedForWhatItReserves) {
  CUdeviceptr ptr = 0;
  ASSERT_EQ(cuMemAllocAsync(&ptr, 10 * kMiB, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(card_->used, 32 * kMiB);
  expect_exact();

  ASSERT_EQ(cuMemFreeAsync(ptr, nullptr), CUDA_SUCCESS);
  expect_exact();

  ASSERT_EQ(cuMemAllocAsync(&ptr, kMiB, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(cuMemFree_v2(ptr), CUDA_SUCCESS) << "stream-ordered memory may be freed like any other";
  EXPECT_EQ(card_->used, 0U);
  expect_exact();
}

TEST_F(Stock, PoolIsRefusedBeyondTheLimitAndServesAgainAfterAFree) {
  std::vector<CUdeviceptr> held;
  CUdeviceptr ptr = 0;
  while (cuMemAllocAsync(&ptr, 24 * kMiB, nullptr) == CUDA_SUCCESS) held.push_back(ptr);

  EXPECT_GE(held.size(), 9U);
  EXPECT_LE(held.size(), 10U);
  EXPECT_EQ(cuMemAllocAsync(&ptr, 24 * kMiB, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
  ASSERT_EQ(cuMemFreeAsync(held.back(), nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuMemAllocAsync(&ptr, 24 * kMiB, nullptr), CUDA_SUCCESS);
  expect_exact();
}

TEST_F(Stock, UnusedStockIsGivenUpForOtherRequests) {
  CUdeviceptr ptr = 0;
  ASSERT_EQ(cuMemAllocAsync(&ptr, 200 * kMiB, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(cuMemFreeAsync(ptr, nullptr), CUDA_SUCCESS);
  ASSERT_GE(card_->used, 200 * kMiB) << "the pool keeps what was freed";

  EXPECT_EQ(cuMemAlloc_v2(&ptr, 200 * kMiB), CUDA_SUCCESS);
  expect_exact();
}

TEST_F(Stock, OfADriverThatTakesWhatItNeedsIsHadToTheLastBlock) {
  CUdeviceptr linear = 0;
  CUdeviceptr ptr = 0;
  card_->chunk = 2 * kMiB;
  ASSERT_EQ(cuMemAllocAsync(&ptr, 8 * kMiB, nullptr), CUDA_SUCCESS) << "shows that it takes no more";
  ASSERT_EQ(cuMemAlloc_v2(&linear, 232 * kMiB), CUDA_SUCCESS);

  EXPECT_EQ(cuMemAllocAsync(&ptr, 8 * kMiB, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuMemAllocAsync(&ptr, 8 * kMiB, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuMemAllocAsync(&ptr, 2 * kMiB, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
  expect_exact();
}

TEST_F(Stock, DestroyedPoolIsChargedUntilItsLastAllocationIsGone) {
  CUmemPoolProps props = {};
  props.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  CUmemoryPool pool = nullptr;
  CUdeviceptr ptr = 0;
  ASSERT_EQ(cuMemPoolCreate(&pool, &props), CUDA_SUCCESS);
  ASSERT_EQ(cuMemAllocFromPoolAsync(&ptr, 64 * kMiB, pool, nullptr), CUDA_SUCCESS);
  ASSERT_EQ(cuMemPoolDestroy(pool), CUDA_SUCCESS);

  EXPECT_EQ(free_bytes(), kLimit - 64 * kMiB);
  ASSERT_EQ(cuMemFreeAsync(ptr, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(free_bytes(), kLimit);
}

TEST_F(Stock, PoolOfHostMemoryIsFree) {
  CUmemPoolProps props = {};
  props.location = {CU_MEM_LOCATION_TYPE_HOST, 0};
  CUmemoryPool pool = nullptr;
  CUdeviceptr ptr = 0;
  ASSERT_EQ(cuMemPoolCreate(&pool, &props), CUDA_SUCCESS);

  EXPECT_EQ(cuMemAllocFromPoolAsync(&ptr, 4096 * kMiB, pool, nullptr), CUDA_SUCCESS);
  expect_exact();
}

TEST_F(Stock, ThreadsOnOnePoolNeverPassTheLimit) {
  card_->chunk = 2 * kMiB;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 200; ++round) {
        CUdeviceptr ptr = 0;
        if (cuMemAllocAsync(&ptr, 40 * kMiB, nullptr) != CUDA_SUCCESS) continue;
        EXPECT_EQ(cuMemFreeAsync(ptr, nullptr), CUDA_SUCCESS);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  ASSERT_EQ(cuDeviceGraphMemTrim(0), CUDA_SUCCESS);
  expect_exact();
}

TEST_F(Stock, HandleIsChargedUntilHandleAndMappingsAreGone) {
  const CUmemAllocationProp prop = on(CU_MEM_LOCATION_TYPE_DEVICE);
  CUmemGenericAllocationHandle handle = 0;
  CUmemGenericAllocationHandle other = 0;
  ASSERT_EQ(cuMemCreate(&handle, 200 * kMiB, &prop, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuMemCreate(&other, 58 * kMiB, &prop, 0), CUDA_ERROR_OUT_OF_MEMORY);
  ASSERT_EQ(cuMemMap(0x1000'0000, 200 * kMiB, 0, handle, 0), CUDA_SUCCESS);

  card_->refuse = 1;
  EXPECT_EQ(cuMemRelease(handle), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(cuMemRelease(handle), CUDA_SUCCESS);
  expect_exact();
  EXPECT_EQ(free_bytes(), 56 * kMiB);

  card_->refuse = 1;
  EXPECT_EQ(cuMemUnmap(0x1000'0000, 200 * kMiB), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(free_bytes(), 56 * kMiB);
  ASSERT_EQ(cuMemUnmap(0x1000'0000, 200 * kMiB), CUDA_SUCCESS);
  EXPECT_EQ(card_->used, 0U);
  EXPECT_EQ(free_bytes(), kLimit);
}

TEST_F(Stock, HandleOfHostMemoryIsFree) {
  const CUmemAllocationProp prop = on(CU_MEM_LOCATION_TYPE_HOST);
  CUmemGenericAllocationHandle handle = 0;

  EXPECT_EQ(cuMemCreate(&handle, 4096 * kMiB, &prop, 0), CUDA_SUCCESS);
  EXPECT_EQ(free_bytes(), kLimit);
  EXPECT_EQ(cuMemRelease(handle), CUDA_SUCCESS);
}

TEST_F(Stock, ArrayIsChargedForWhatTheDriverSaysItNeeds) {
  const CUDA_ARRAY_DESCRIPTOR descriptor = {1024, 1024, static_cast<CUarray_format>(0x20),
                                            4};  // 16 MiB of texels
  CUarray array = nullptr;
  ASSERT_EQ(cuArrayCreate_v2(&array, &descriptor), CUDA_SUCCESS);
  EXPECT_EQ(card_->used, 20 * kMiB);
  expect_exact();

  ASSERT_EQ(cuArrayDestroy(array), CUDA_SUCCESS);
  EXPECT_EQ(free_bytes(), kLimit);
}

TEST_F(Stock, ArraysAreRefusedBeyondTheLimit) {
  const CUDA_ARRAY_DESCRIPTOR descriptor = {4096, 8192, static_cast<CUarray_format>(0x20), 4};
  CUarray array = nullptr;

  EXPECT_EQ(cuArrayCreate_v2(&array, &descriptor), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(free_bytes(), kLimit);
}

TEST_F(Stock, GraphMemoryIsChargedAtLaunchAndGivenBackByTrimming) {
  CUdeviceptr ptr = 0;
  CUgraphExec exec = nullptr;
  card_->capturing = 1;
  ASSERT_EQ(cuMemAllocAsync(&ptr, 100 * kMiB, nullptr), CUDA_SUCCESS);
  card_->capturing = 0;
  EXPECT_EQ(free_bytes(), kLimit) << "a node is no memory yet";
  ASSERT_EQ(cuGraphInstantiateWithFlags(&exec, nullptr, 0), CUDA_SUCCESS);

  ASSERT_EQ(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS);
  expect_exact();
  EXPECT_EQ(free_bytes(), kLimit - 128 * kMiB);
  ASSERT_EQ(cuGraphLaunch(exec, nullptr), CUDA_SUCCESS) << "from stock";

  ASSERT_EQ(cuDeviceGraphMemTrim(0), CUDA_SUCCESS);
  EXPECT_EQ(free_bytes(), kLimit);
}

TEST_F(Stock, GraphThatNeedsMoreThanTheLimitIsNotLaunched) {
  CUdeviceptr ptr = 0;
  CUgraphExec exec = nullptr;
  card_->capturing = 1;
  ASSERT_EQ(cuMemAllocAsync(&ptr, 300 * kMiB, nullptr), CUDA_SUCCESS);
  card_->capturing = 0;
  ASSERT_EQ(cuGraphInstantiateWithFlags(&exec, nullptr, 0), CUDA_SUCCESS);

  EXPECT_EQ(cuGraphLaunch(exec, nullptr), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(free_bytes(), kLimit);
}

}  // namespace
