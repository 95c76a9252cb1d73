// A process of random driver calls.
//   vgpu-random BOARD SEAT SEED THREADS ROUNDS OPERATIONS
// Does so many operations per thread and round. After each round, and once before the first, it waits on the
// board with its model written there. Its memory is still held when it ends.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "tests/fake/property/board.h"
#include "tests/fake/property/worker.h"

namespace {

using namespace hami::property;
using hami::coverage::Cuda;

constexpr const char* kDoors[] = {"dlsym", "linked", "procaddr"};
Cuda doors[3];

struct Arguments {
  Board* board;
  unsigned seat;
  std::uint64_t seed;
  unsigned threads;
  unsigned rounds;
  unsigned operations;
};

Board* map_board(const char* path) {
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  void* memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return memory == MAP_FAILED ? nullptr : static_cast<Board*>(memory);
}

bool start(Shared& shared) {
  for (unsigned i = 0; i < 3; ++i) {
    if (!hami::coverage::open_door(kDoors[i], doors[i])) return false;
  }
  const Cuda& cuda = doors[0];
  CUmemPoolProps props = {};
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  props.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  std::uint64_t keep = 16 * kMiB;
  if (cuda.cuInit(0) != CUDA_SUCCESS || cuda.cuDeviceGet(&shared.device, 0) != CUDA_SUCCESS ||
      cuda.cuDevicePrimaryCtxRetain(&shared.context, shared.device) != CUDA_SUCCESS ||
      cuda.cuCtxSetCurrent(shared.context) != CUDA_SUCCESS ||
      cuda.cuMemPoolCreate(&shared.pool, &props) != CUDA_SUCCESS ||
      cuda.cuMemPoolSetAttribute(shared.pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &keep) != CUDA_SUCCESS) {
    return false;
  }
  // What a process costs whatever it does is there before the first look.
  CUdeviceptr pointer = 0;
  return cuda.cuMemAlloc_v2(&pointer, 512) == CUDA_SUCCESS && cuda.cuMemFree_v2(pointer) == CUDA_SUCCESS;
}

std::uint64_t reserved(CUmemoryPool pool) {
  std::uint64_t bytes = 0;
  doors[0].cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &bytes);
  return bytes;
}

// Everything that was queued is done and counted; then two meetings: one after which all are quiet, and one
// for the test to look.
void meet(const Arguments& arguments, Shared& shared, std::uint32_t& round, std::uint64_t done) {
  const Cuda& cuda = doors[0];
  Seat& seat = arguments.board->seats[arguments.seat];
  std::size_t free_bytes = 0;
  std::size_t total = 0;
  CUmemoryPool of_device = nullptr;
  cuda.cuCtxSynchronize();
  cuda.cuMemGetInfo_v2(&free_bytes, &total);
  arrive(*arguments.board, round++);
  cuda.cuMemGetInfo_v2(&free_bytes, &total);
  cuda.cuDeviceGetDefaultMemPool(&of_device, shared.device);
  seat.free.store(free_bytes);
  seat.stock.store(reserved(of_device) + reserved(shared.pool));
  seat.model.store(shared.model.load());
  seat.refused.store(shared.refused.load());
  seat.wrong.store(shared.wrong.load());
  seat.done.store(done);
  arrive(*arguments.board, round++);
}

void run(const Arguments& arguments, Shared& shared) {
  std::barrier gate(static_cast<std::ptrdiff_t>(arguments.threads) + 1);
  std::vector<std::thread> threads;
  for (unsigned index = 0; index < arguments.threads; ++index) {
    threads.emplace_back([&, index] {
      const Cuda& cuda = doors[index % 3];
      cuda.cuCtxSetCurrent(shared.context);
      Worker worker(shared, cuda, arguments.seed * 1000 + arguments.seat * 64 + index + 1);
      for (unsigned round = 0; round < arguments.rounds; ++round) {
        gate.arrive_and_wait();
        for (unsigned i = 0; i < arguments.operations; ++i) worker.step();
        gate.arrive_and_wait();
      }
    });
  }
  std::uint32_t meeting = 0;
  meet(arguments, shared, meeting, 0);
  for (unsigned round = 1; round <= arguments.rounds; ++round) {
    gate.arrive_and_wait();
    gate.arrive_and_wait();
    meet(arguments, shared, meeting, std::uint64_t{round} * arguments.operations * arguments.threads);
  }
  for (std::thread& thread : threads) thread.join();
}

unsigned small(const char* text) { return static_cast<unsigned>(std::strtoul(text, nullptr, 10)); }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const Arguments arguments = {map_board(argv[1]), small(argv[2]), std::strtoull(argv[3], nullptr, 10),
                               small(argv[4]),     small(argv[5]), small(argv[6])};
  static Shared shared;
  shared.is_alone = arguments.threads == 1 && arguments.operations == 1;
  if (arguments.board == nullptr || !start(shared)) {
    std::fprintf(stderr, "vgpu-random: cannot start\n");
    return 1;
  }
  run(arguments, shared);
  std::fflush(stderr);
  ::_exit(0);  // without giving anything back
}
