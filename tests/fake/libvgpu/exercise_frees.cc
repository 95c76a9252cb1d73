// Every kind of pointer into every function that frees: the driver judges, and the account follows it.
#include <cstdint>
#include <cstdio>

#include "tests/fake/libvgpu/exercise.h"

namespace hami::exercise {
namespace {

constexpr std::size_t kSize = 2 * kMiB;

struct Kind {
  const char* name;
  std::uint64_t (*take)();  // 0: could not
  void (*give)(std::uint64_t);
};

std::uint64_t take_linear() {
  CUdeviceptr a = 0;
  return cuda.cuMemAlloc_v2(&a, kSize) == CUDA_SUCCESS ? a : 0;
}
void give_linear(std::uint64_t a) { cuda.cuMemFree_v2(a); }

std::uint64_t take_low() {
  CUdeviceptr32 a = 0;
  return cuda.cuMemAlloc(&a, unsigned{kSize}) == CUDA_SUCCESS ? a : 0;
}
void give_low(std::uint64_t a) { cuda.cuMemFree(static_cast<CUdeviceptr32>(a)); }

std::uint64_t take_managed() {
  CUdeviceptr a = 0;
  return cuda.cuMemAllocManaged(&a, kSize, 1) == CUDA_SUCCESS ? a : 0;
}

std::uint64_t take_pitch() {
  CUdeviceptr a = 0;
  std::size_t pitch = 0;
  return cuda.cuMemAllocPitch_v2(&a, &pitch, 1024, 2048, 4) == CUDA_SUCCESS ? a : 0;
}

std::uint64_t take_pooled() {
  CUdeviceptr a = 0;
  return cuda.cuMemAllocAsync(&a, kSize, nullptr) == CUDA_SUCCESS ? a : 0;
}
void give_pooled(std::uint64_t a) { cuda.cuMemFreeAsync(a, nullptr); }

std::uint64_t take_host() {
  void* memory = nullptr;
  return cuda.cuMemHostAlloc(&memory, kSize, 0) == CUDA_SUCCESS ? reinterpret_cast<std::uintptr_t>(memory)
                                                                : 0;
}
void give_host(std::uint64_t a) { cuda.cuMemFreeHost(reinterpret_cast<void*>(a)); }

std::uint64_t take_handle() {
  const CUmemAllocationProp prop = memory_at(CU_MEM_LOCATION_TYPE_DEVICE);
  CUmemGenericAllocationHandle handle = 0;
  return cuda.cuMemCreate(&handle, kSize, &prop, 0) == CUDA_SUCCESS ? handle : 0;
}
void give_handle(std::uint64_t handle) { cuda.cuMemRelease(handle); }

// A mapping whose handle is released already.
std::uint64_t take_mapped() {
  const std::uint64_t handle = take_handle();
  CUdeviceptr a = 0;
  cuda.cuMemAddressReserve(&a, kSize, 0, 0, 0);
  const CUresult status = cuda.cuMemMap(a, kSize, 0, handle, 0);
  cuda.cuMemRelease(handle);
  return status == CUDA_SUCCESS ? a : 0;
}
void give_mapped(std::uint64_t a) {
  cuda.cuMemUnmap(a, kSize);
  cuda.cuMemAddressFree(a, kSize);
}

// The middle of an allocation.
std::uint64_t take_middle() { return take_linear() + kSize / 2; }
void give_middle(std::uint64_t a) { give_linear(a - kSize / 2); }

std::uint64_t take_freed() {
  const std::uint64_t a = take_linear();
  give_linear(a);
  return a;
}
std::uint64_t take_nonsense() { return 0x123456789000; }
void give_nothing(std::uint64_t) {}

constexpr Kind kKinds[] = {{"linear", take_linear, give_linear},     {"low", take_low, give_low},
                           {"managed", take_managed, give_linear},   {"pitch", take_pitch, give_linear},
                           {"pooled", take_pooled, give_pooled},     {"host", take_host, give_host},
                           {"handle", take_handle, give_handle},     {"mapped", take_mapped, give_mapped},
                           {"middle", take_middle, give_middle},     {"freed", take_freed, give_nothing},
                           {"nonsense", take_nonsense, give_nothing}};

struct Free {
  const char* name;
  CUresult (*call)(std::uint64_t);
};

constexpr Free kFrees[] = {
    {"cuMemFree_v2", [](std::uint64_t a) { return cuda.cuMemFree_v2(a); }},
    {"cuMemFree", [](std::uint64_t a) { return cuda.cuMemFree(static_cast<CUdeviceptr32>(a)); }},
    {"cuMemFreeAsync", [](std::uint64_t a) { return cuda.cuMemFreeAsync(a, nullptr); }},
    {"cuMemFreeAsync_ptsz", [](std::uint64_t a) { return cuda.cuMemFreeAsync_ptsz(a, nullptr); }},
    {"cuMemFreeHost", [](std::uint64_t a) { return cuda.cuMemFreeHost(reinterpret_cast<void*>(a)); }},
    {"cuIpcCloseMemHandle", [](std::uint64_t a) { return cuda.cuIpcCloseMemHandle(a); }},
    {"cuMemRelease", [](std::uint64_t a) { return cuda.cuMemRelease(a); }},
    {"cuMemUnmap", [](std::uint64_t a) { return cuda.cuMemUnmap(a, kSize); }},
    {"cuMemAddressFree", [](std::uint64_t a) { return cuda.cuMemAddressFree(a, kSize); }}};

// "KIND FUNCTION: STATUS", and what is not as it was before. What the right function finds to free afterwards
// was there.
void try_free(const Kind& kind, const Free& free) {
  const std::size_t before = free_bytes();
  const std::uint64_t taken = kind.take();
  const CUresult status = free.call(taken);
  std::printf("%s %s: %d", kind.name, free.name, static_cast<int>(status));
  kind.give(taken);
  cuda.cuCtxSynchronize();
  const std::size_t after = free_bytes();
  std::printf(after == before ? "\n" : ", %lld KiB are missing\n",
              static_cast<long long>(before - after) / 1024);
}

void every_free() {
  create();
  give_low(take_low());  // the block of low addresses stays
  for (const Kind& kind : kKinds) {
    for (const Free& free : kFrees) try_free(kind, free);
  }
  CUdeviceptr all = 0;
  step("all", cuda.cuMemAlloc_v2(&all, 1000 * kMiB));
}

}  // namespace

const Scenario kFreeScenarios[] = {{"every-free", every_free}, {nullptr, nullptr}};

}  // namespace hami::exercise
