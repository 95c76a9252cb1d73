// gpu-memory SCENARIO: takes memory in one of the driver's ways, up to the last byte of the slice, and says
// of each promise whether it held. See run for the scenarios; gpu-judge compares with NVML at each "at" line.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tests/gpu/cuda.h"

namespace hami::gpu {
namespace {

constexpr std::size_t kLeast = 512;       // bytes that the driver rounds every request up to
constexpr std::size_t kGrain = 2 * kMiB;  // and what it takes from the card at once
constexpr std::size_t kPart = 64 * kMiB;
constexpr std::size_t kOwn = 32 * kMiB;  // what the driver may keep for itself once it did something
constexpr int kAnswer = 3;               // the descriptor on which a second process tells of its memory
CUdevice device = 0;

CUmemAllocationProp on_device() {
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  return prop;
}

void wait_for_device() { must(cuda.cuCtxSynchronize(), "cuCtxSynchronize"); }

class Linear {
 public:
  ~Linear() { clear(); }
  bool take(std::size_t bytes) {
    CUdeviceptr address = 0;
    last_ = cuda.cuMemAlloc_v2(&address, bytes);
    if (last_ == CUDA_SUCCESS) pieces_.push_back(address);
    return last_ == CUDA_SUCCESS;
  }
  // The biggest, which came first.
  void give_back_one() {
    must(cuda.cuMemFree_v2(pieces_.front()), "cuMemFree");
    pieces_.erase(pieces_.begin());
  }
  void clear() {
    for (const CUdeviceptr piece : pieces_) must(cuda.cuMemFree_v2(piece), "cuMemFree");
    pieces_.clear();
  }
  CUresult last() const { return last_; }

 private:
  std::vector<CUdeviceptr> pieces_;
  CUresult last_ = CUDA_SUCCESS;
};

void linear() {
  Linear memory;
  checkpoint("start");
  const std::size_t used = used_bytes();
  take_all(kLeast, [&](std::size_t bytes) { return memory.take(bytes); });
  expect(memory.last() == CUDA_ERROR_OUT_OF_MEMORY, "one more is refused with CUDA_ERROR_OUT_OF_MEMORY");
  expect(free_bytes() < kGrain, "no block is left when that is refused");
  checkpoint("full");
  memory.give_back_one();
  expect(memory.take(kGrain), "what was freed is granted again");
  memory.clear();
  expect(used_bytes() <= used + kOwn, "all of it comes back");
  checkpoint("empty");
}

struct Mapping {
  CUmemGenericAllocationHandle handle = 0;
  CUdeviceptr address = 0;
};

Mapping map(std::size_t bytes) {
  const CUmemAllocationProp prop = on_device();
  Mapping made;
  must(cuda.cuMemCreate(&made.handle, bytes, &prop, 0), "cuMemCreate");
  must(cuda.cuMemAddressReserve(&made.address, bytes, 0, 0, 0), "cuMemAddressReserve");
  must(cuda.cuMemMap(made.address, bytes, 0, made.handle, 0), "cuMemMap");
  const CUmemAccessDesc access = {prop.location, 3};  // reading and writing
  must(cuda.cuMemSetAccess(made.address, bytes, &access, 1), "cuMemSetAccess");
  return made;
}

void vmm() {
  const CUmemAllocationProp prop = on_device();
  std::size_t grain = 0;
  must(cuda.cuMemGetAllocationGranularity(&grain, &prop, CUmemAllocationGranularity_flags{}), "granularity");
  const std::size_t before = used_bytes();
  const Mapping mapping = map(kPart);
  must(cuda.cuMemsetD8_v2(mapping.address, 1, kPart), "cuMemsetD8");
  must(cuda.cuMemRelease(mapping.handle), "cuMemRelease");
  expect(used_bytes() >= before + kPart, "a mapping keeps its memory when the handle is released");
  checkpoint("mapped");
  std::vector<CUmemGenericAllocationHandle> handles;
  CUresult last = CUDA_SUCCESS;
  take_all(grain, [&](std::size_t bytes) {
    CUmemGenericAllocationHandle handle = 0;
    last = cuda.cuMemCreate(&handle, bytes, &prop, 0);
    if (last == CUDA_SUCCESS) handles.push_back(handle);
    return last == CUDA_SUCCESS;
  });
  expect(last == CUDA_ERROR_OUT_OF_MEMORY, "one more handle is refused with CUDA_ERROR_OUT_OF_MEMORY");
  expect(free_bytes() < grain, "no grain is left when that is refused");
  checkpoint("full");
  must(cuda.cuMemUnmap(mapping.address, kPart), "cuMemUnmap");
  expect(free_bytes() >= kPart, "the last mapping gives the memory back");
  for (const auto handle : handles) must(cuda.cuMemRelease(handle), "cuMemRelease");
  expect(used_bytes() <= before + kOwn, "all of it comes back");
  checkpoint("empty");
}

void pools() {
  CUmemoryPool pool = nullptr;
  CUstream stream = nullptr;
  must(cuda.cuDeviceGetDefaultMemPool(&pool, device), "cuDeviceGetDefaultMemPool");
  must(cuda.cuStreamCreate(&stream, 1), "cuStreamCreate");
  std::uint64_t keep = ~std::uint64_t{0};
  must(cuda.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &keep), "threshold");
  const std::size_t before = used_bytes();
  std::vector<CUdeviceptr> pieces;
  CUresult last = CUDA_SUCCESS;
  const std::size_t taken = take_all(kGrain, [&](std::size_t bytes) {
    CUdeviceptr address = 0;
    last = cuda.cuMemAllocAsync(&address, bytes, stream);
    if (last == CUDA_SUCCESS) pieces.push_back(address);
    return last == CUDA_SUCCESS;
  });
  must(cuda.cuStreamSynchronize(stream), "cuStreamSynchronize");
  expect(last == CUDA_ERROR_OUT_OF_MEMORY, "one more is refused with CUDA_ERROR_OUT_OF_MEMORY");
  expect(used_bytes() >= before + taken, "what the pool gave is charged");
  checkpoint("full");
  for (const CUdeviceptr piece : pieces) must(cuda.cuMemFreeAsync(piece, stream), "cuMemFreeAsync");
  must(cuda.cuStreamSynchronize(stream), "cuStreamSynchronize");
  expect(used_bytes() >= before + taken, "a pool that keeps its memory is charged for it");
  checkpoint("kept");
  must(cuda.cuMemPoolTrimTo(pool, 0), "cuMemPoolTrimTo");
  expect(used_bytes() <= before + kOwn, "trimming gives it back");
  checkpoint("trimmed");
}

struct Allocating {
  CUgraph graph = nullptr;
  CUgraphExec exec = nullptr;
};

Allocating graph_of(std::size_t bytes) {
  Allocating made;
  CUDA_MEM_ALLOC_NODE_PARAMS memory = {};
  memory.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  memory.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  memory.bytesize = bytes;
  CUgraphNode begin = nullptr;
  CUgraphNode end = nullptr;
  must(cuda.cuGraphCreate(&made.graph, 0), "cuGraphCreate");
  must(cuda.cuGraphAddMemAllocNode(&begin, made.graph, nullptr, 0, &memory), "cuGraphAddMemAllocNode");
  must(cuda.cuGraphAddMemFreeNode(&end, made.graph, &begin, 1, memory.dptr), "cuGraphAddMemFreeNode");
  must(cuda.cuGraphInstantiateWithFlags(&made.exec, made.graph, 0), "cuGraphInstantiate");
  return made;
}

void graphs() {
  const std::size_t before = used_bytes();
  const std::size_t room = free_bytes() / kGrain * kGrain;
  const Allocating fits = graph_of(kPart);
  must(cuda.cuGraphLaunch(fits.exec, nullptr), "cuGraphLaunch");
  wait_for_device();
  expect(used_bytes() >= before + kPart, "the device keeps a graph's memory, which is charged");
  checkpoint("launched");
  must(cuda.cuGraphLaunch(fits.exec, nullptr), "cuGraphLaunch again");
  wait_for_device();
  expect(used_bytes() < before + 2 * kPart, "a second launch uses it again");
  must(cuda.cuGraphExecDestroy(fits.exec), "cuGraphExecDestroy");
  must(cuda.cuGraphDestroy(fits.graph), "cuGraphDestroy");
  must(cuda.cuDeviceGraphMemTrim(device), "cuDeviceGraphMemTrim");
  expect(used_bytes() < before + kPart, "trimming gives it back");
  const Allocating too_large = graph_of(room + kPart);
  expect(cuda.cuGraphLaunch(too_large.exec, nullptr) == CUDA_ERROR_OUT_OF_MEMORY,
         "a graph that needs more than the slice has is refused with CUDA_ERROR_OUT_OF_MEMORY");
  checkpoint("refused");
}

void contexts() {
  constexpr std::size_t kMost = 4;
  const std::size_t before = used_bytes();
  std::vector<CUcontext> made;
  CUresult last = CUDA_SUCCESS;
  while (made.size() < kMost) {
    CUcontext context = nullptr;
    last = cuda.cuCtxCreate_v2(&context, 0, device);
    if (last != CUDA_SUCCESS) break;
    made.push_back(context);
    checkpoint("context");
  }
  expect(last == CUDA_SUCCESS || last == CUDA_ERROR_OUT_OF_MEMORY,
         "contexts are made until the slice is full");
  Linear memory;
  take_all(kGrain, [&](std::size_t bytes) { return memory.take(bytes); });
  checkpoint("full");
  memory.clear();
  for (const CUcontext context : made) must(cuda.cuCtxDestroy_v2(context), "cuCtxDestroy");
  CUcontext primary = nullptr;
  must(cuda.cuDevicePrimaryCtxRetain(&primary, device), "cuDevicePrimaryCtxRetain");
  must(cuda.cuCtxSetCurrent(primary), "cuCtxSetCurrent");
  expect(used_bytes() <= before + kOwn, "contexts that are gone cost nothing");
  checkpoint("empty");
}

// The other one of two processes: takes what it can, up to half of the slice, and holds it until its input
// ends.
void half() {
  Linear memory;
  CUdeviceptr ours = 0;
  CUipcMemHandle name = {};
  must(cuda.cuMemAlloc_v2(&ours, kPart), "cuMemAlloc");
  must(cuda.cuIpcGetMemHandle(&name, ours), "cuIpcGetMemHandle");
  std::size_t left = (used_bytes() + free_bytes()) / 2;
  take_all(kGrain, [&](std::size_t bytes) {
    if (bytes > left || !memory.take(bytes)) return false;
    left -= bytes;
    return true;
  });
  if (write(kAnswer, &name, sizeof name) != sizeof name) std::exit(1);
  char word = 0;
  while (read(STDIN_FILENO, &word, 1) > 0) {
  }
}

struct Other {
  pid_t pid = 0;
  int input = -1;
  CUipcMemHandle memory = {};
};

Other start_half() {
  int input[2];
  int answer[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0) std::exit(1);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&files, answer[1], kAnswer);
  char name[] = "gpu-memory";
  char scenario[] = "half";
  char* argv[] = {name, scenario, nullptr};
  Other other;
  const int failed = posix_spawn(&other.pid, "/proc/self/exe", &files, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&files);
  close(input[0]);
  close(answer[1]);
  expect(failed == 0, "a second process starts");
  other.input = input[1];
  const bool is_told = read(answer[0], &other.memory, sizeof other.memory) == sizeof other.memory;
  expect(is_told, "it takes half of the slice");
  close(answer[0]);
  return other;
}

void sharing() {
  const std::size_t before = used_bytes();
  const Other other = start_half();
  expect(used_bytes() > before + kPart, "what another process takes is seen here");
  const std::size_t used = used_bytes();
  CUdeviceptr theirs = 0;
  must(cuda.cuIpcOpenMemHandle_v2(&theirs, other.memory, 1), "cuIpcOpenMemHandle");
  expect(used_bytes() < used + kPart, "memory of both is counted once");
  Linear memory;
  const std::size_t taken = take_all(kLeast, [&](std::size_t bytes) { return memory.take(bytes); });
  expect(memory.last() == CUDA_ERROR_OUT_OF_MEMORY, "both together are refused at the limit");
  checkpoint("full");
  must(cuda.cuIpcCloseMemHandle(theirs), "cuIpcCloseMemHandle");
  close(other.input);
  int status = 0;
  waitpid(other.pid, &status, 0);
  expect(status == 0, "the second process ends");
  expect(memory.take(kPart), "what it had can be had");
  // The dead are swept out some ten times a second, by whoever asks.
  for (int round = 0; round < 500 && used_bytes() > before + taken + kPart + kOwn; ++round) usleep(10'000);
  checkpoint("alone");
}

struct Scenario {
  const char* name;
  void (*run)();
};
constexpr Scenario kScenarios[] = {{"linear", linear}, {"vmm", vmm},           {"pools", pools},
                                   {"graphs", graphs}, {"contexts", contexts}, {"sharing", sharing},
                                   {"half", half}};

}  // namespace
}  // namespace hami::gpu

int main(int argc, char** argv) {
  using namespace hami::gpu;
  for (const Scenario& scenario : kScenarios) {
    if (argc != 2 || std::strcmp(argv[1], scenario.name) != 0) continue;
    device = start();
    scenario.run();
    return exit_status();
  }
  std::fprintf(stderr, "usage: gpu-memory linear|vmm|pools|graphs|contexts|sharing\n");
  return 2;
}
