// What happens to the account when a program calls the functions that libvgpu.so replaces.
//   vgpu-coverage linked|dlsym|procaddr   one line per function: "SYMBOL WHAT...", WHAT being what was seen
//   vgpu-coverage leave                   takes memory in every way that a test can and ends without giving
//   it back
// A limit of 1000 MiB must be set and nobody else be using the device. Exit status 1, with a line that says
// why, when a call that the driver fails leaves something charged.
#include <cstdio>
#include <cstring>

#include "tests/fake/coverage/ways.h"

namespace {

using namespace hami::coverage;

constexpr std::size_t kMiB = std::size_t{1} << 20U;
constexpr std::size_t kLimit = 1000;
constexpr std::size_t kPiece = 64;
constexpr std::size_t kTooMuch = 1100;

bool failed = false;

std::size_t free_bytes() {
  std::size_t free = 0;
  std::size_t total = 0;
  cuda.cuMemGetInfo_v2(&free, &total);
  return free;
}

// The driver fails the call: nothing stays charged.
void expect_nothing_after_failure(const Way& way) {
  if (cuda.sim_fail_next == nullptr) return;
  const std::size_t before = free_bytes();
  cuda.sim_fail_next(way.symbol, CUDA_ERROR_UNKNOWN);
  const CUresult status = way.take(kPiece);
  if (status == CUDA_ERROR_UNKNOWN && free_bytes() == before) return;
  std::fprintf(stderr, "%s: status %d after a failure of the driver, %zu bytes charged\n", way.symbol,
               static_cast<int>(status), before - free_bytes());
  failed = true;
}

void measure(const Way& way) {
  const std::size_t before = free_bytes();
  const CUresult taken = way.take(kPiece);
  const bool charged = taken == CUDA_SUCCESS && free_bytes() <= before - kPiece * kMiB;
  const CUresult given = taken == CUDA_SUCCESS ? way.give() : CUDA_ERROR_UNKNOWN;
  const bool refunded = given == CUDA_SUCCESS && charged && free_bytes() == before;
  if (way.part == Part::gives) {
    std::printf(refunded ? " refunded" : " NOTHING");
    return;
  }
  if (charged) std::printf(" charged");
  if (refunded) std::printf(" refunded");
  const CUresult refused = way.take(kTooMuch);
  if (refused == CUDA_ERROR_OUT_OF_MEMORY && free_bytes() == before) std::printf(" refused");
  if (refused == CUDA_SUCCESS) way.give();
  expect_nothing_after_failure(way);
}

// Functions that say how much memory there is say the limit.
bool reports(const char* symbol) {
  std::size_t free = 0;
  std::size_t total = 0;
  unsigned free32 = 0;
  unsigned total32 = 0;
  if (std::strcmp(symbol, "cuMemGetInfo_v2") == 0)
    return via.cuMemGetInfo_v2(&free, &total), total == kLimit * kMiB;
  if (std::strcmp(symbol, "cuMemGetInfo") == 0)
    return via.cuMemGetInfo(&free32, &total32), total32 == kLimit * kMiB;
  if (std::strcmp(symbol, "cuDeviceTotalMem_v2") == 0)
    return via.cuDeviceTotalMem_v2(&total, 0), total == kLimit * kMiB;
  if (std::strcmp(symbol, "cuDeviceTotalMem") == 0)
    return via.cuDeviceTotalMem(&total32, 0), total32 == kLimit * kMiB;
  return false;
}

void look_at(const char* symbol, const void* address) {
  std::printf("%s", symbol);
  if (const Way* way = find_way(symbol)) {
    measure(*way);
  } else if (reports(symbol)) {
    std::printf(" reports");
  } else {
    std::printf(is_ours(address) ? " followed" : " PAST");
  }
  std::printf("\n");
}

void look_at_all() {
#define HAMI_FN(symbol, since, result, params, args) look_at(#symbol, reinterpret_cast<void*>(via.symbol));
#include "libvgpu/cuda/functions.def"
}

void leave_all() {
#define HAMI_FN(symbol, since, result, params, args) \
  if (const Way* way = find_way(#symbol)) {          \
    if (way->part == Part::takes) way->take(2);      \
  }
#include "libvgpu/cuda/functions.def"
  std::printf("%zu MiB left behind\n", kLimit - free_bytes() / kMiB);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const bool leaves = std::strcmp(argv[1], "leave") == 0;
  if (!open_door("dlsym", cuda) || !open_door(leaves ? "linked" : argv[1], via)) return 2;
  if (start() != CUDA_SUCCESS) return 2;
  leaves ? leave_all() : look_at_all();
  return failed ? 1 : 0;
}
