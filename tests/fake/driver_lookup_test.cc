// cuGetProcAddress of the simulated driver follows the rules of the real one.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <iterator>

#include "libvgpu/cuda/types.h"
#include "tests/fake/sim_node.h"

namespace hami::fake {
namespace {

struct Query {
  const char* base;
  int version;
  std::uint64_t flags;
  const char* expected;  // exported symbol; null: not found
};

constexpr std::uint64_t kPerThread = 2;

constexpr Query kQueries[] = {
    {"cuMemAlloc", 2000, 0, "cuMemAlloc"},
    {"cuMemAlloc", 3010, 0, "cuMemAlloc"},
    {"cuMemAlloc", 3020, 0, "cuMemAlloc_v2"},
    {"cuMemAlloc", 13000, kPerThread, "cuMemAlloc_v2"},
    {"cuCtxCreate", 3020, 0, "cuCtxCreate_v2"},
    {"cuCtxCreate", 11040, 0, "cuCtxCreate_v3"},
    {"cuCtxCreate", 13000, 0, "cuCtxCreate_v4"},
    {"cuLaunchKernel", 4000, 0, "cuLaunchKernel"},
    {"cuLaunchKernel", 7000, kPerThread, "cuLaunchKernel_ptsz"},
    {"cuLaunchKernel", 4000, kPerThread, "cuLaunchKernel"},
    {"cuMemcpyHtoD", 7000, kPerThread, "cuMemcpyHtoD_v2_ptds"},
    {"cuMemPrefetchAsync", 8000, kPerThread, "cuMemPrefetchAsync_ptsz"},
    {"cuMemPrefetchAsync", 12020, kPerThread, "cuMemPrefetchAsync_v2_ptsz"},
    {"cuGetProcAddress", 11030, 0, "cuGetProcAddress"},
    {"cuGetProcAddress", 12000, 0, "cuGetProcAddress_v2"},
    {"cuMemAlloc", 1000, 0, nullptr},
    {"cuMemAlloc_v2", 13000, 0, nullptr},
    {"cuNoSuchFunction", 13000, 0, nullptr},
    {"", 0, 0, nullptr},
};

using Newer = CUresult (*)(const char*, void**, int, std::uint64_t, CUdriverProcAddressQueryResult*);
using Older = CUresult (*)(const char*, void**, int, std::uint64_t);

void* open_driver() { return dlopen(sim_file("libcuda.so.1").c_str(), RTLD_NOW); }

void check_queries() {
  void* library = open_driver();
  ASSERT_NE(library, nullptr) << dlerror();
  const auto newer = reinterpret_cast<Newer>(dlsym(library, "cuGetProcAddress_v2"));
  const auto older = reinterpret_cast<Older>(dlsym(library, "cuGetProcAddress"));
  for (const Query& query : kQueries) {
    void* expected = query.expected != nullptr ? dlsym(library, query.expected) : nullptr;
    void* found = &found;
    CUdriverProcAddressQueryResult status{};
    EXPECT_EQ(newer(query.base, &found, query.version, query.flags, &status), CUDA_SUCCESS) << query.base;
    EXPECT_EQ(found, expected) << query.base << " " << query.version << " " << query.flags;
    EXPECT_EQ(status == CU_GET_PROC_ADDRESS_SUCCESS, expected != nullptr) << query.base;
    EXPECT_EQ(older(query.base, &found, query.version, query.flags),
              expected != nullptr ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND)
        << query.base;
  }
}

TEST(DriverLookup, GivesTheNewestVariantThatTheCallerKnows) {
  const SimNode node("cuda_version = 13.0\n");

  EXPECT_EQ(node.in_child(check_queries), 0);
}

void check_old_driver() {
  void* library = open_driver();
  ASSERT_NE(library, nullptr);
  const auto query = reinterpret_cast<Newer>(dlsym(library, "cuGetProcAddress_v2"));
  void* found = nullptr;
  CUdriverProcAddressQueryResult status{};
  EXPECT_EQ(query("cuMemAlloc", &found, 13000, 0, &status), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(query("cuCtxSynchronize", &found, 12040, 0, &status), CUDA_SUCCESS);
  EXPECT_EQ(found, dlsym(library, "cuCtxSynchronize"));
}

TEST(DriverLookup, RefusesAVersionThatTheDriverDoesNotHave) {
  const SimNode node("cuda_version = 12.4\n");

  EXPECT_EQ(node.in_child(check_old_driver), 0);
}

constexpr const char* kNames[] = {
#define SIM_FN(symbol, since, result, params, args) #symbol,
#include "tests/simdriver/cuda/all_functions.def"
};

void check_exports() {
  void* library = open_driver();
  ASSERT_NE(library, nullptr);
  for (const char* name : kNames) EXPECT_NE(dlsym(library, name), nullptr) << name;
  const auto start = reinterpret_cast<CUresult (*)()>(dlsym(library, "cuProfilerStart"));
  const auto counter = reinterpret_cast<std::uint64_t (*)()>(dlsym(library, "sim_unmodelled_calls"));
  EXPECT_EQ(start(), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(counter(), 1U);
}

TEST(DriverLookup, ExportsEveryNameOfTheTableAndRefusesWhatIsNotModelled) {
  const SimNode node;

  EXPECT_EQ(std::size(kNames), 637U);
  EXPECT_EQ(node.in_child(check_exports), 0);
}

}  // namespace
}  // namespace hami::fake
