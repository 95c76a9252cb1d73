// Sparse arrays: their tiles have memory only while they are bound to a handle, which they keep alive.
#include <stdlib.h>
#include <string.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/driver.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/stream.h"
#include "tests/simdriver/cuda/vmm.h"

namespace hami::sim {
namespace {

constexpr unsigned kMap = 1;  // CU_MEM_OPERATION_TYPE_MAP
constexpr unsigned kUnmap = 2;

// A region of an array, as it was named when it was bound.
struct Tiles {
  std::uint64_t resource;
  std::uint64_t subresource[4];
  std::uint64_t handle;
  Tiles* next;
};

SpinLock lock;
Tiles* bound;

bool is_same(const Tiles& tiles, const CUarrayMapInfo& info) {
  return tiles.resource == info.resource &&
         memcmp(tiles.subresource, info.subresource, sizeof tiles.subresource) == 0;
}

// 0 when nothing is bound there.
std::uint64_t unbind(const CUarrayMapInfo& info) {
  const SpinGuard guard(lock);
  for (Tiles** link = &bound; *link != nullptr; link = &(*link)->next) {
    if (!is_same(**link, info)) continue;
    Tiles* gone = *link;
    const std::uint64_t handle = gone->handle;
    *link = gone->next;
    free(gone);
    return handle;
  }
  return 0;
}

CUresult bind(const CUarrayMapInfo& info) {
  auto* made = static_cast<Tiles*>(calloc(1, sizeof(Tiles)));
  if (made == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  if (!hold_physical(info.memHandle)) {
    free(made);
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (const std::uint64_t before = unbind(info); before != 0) let_physical_go(before);
  made->resource = info.resource;
  memcpy(made->subresource, info.subresource, sizeof made->subresource);
  made->handle = info.memHandle;
  const SpinGuard guard(lock);
  made->next = bound;
  bound = made;
  return CUDA_SUCCESS;
}

CUresult map_one(const CUarrayMapInfo& info) {
  if (info.resource == 0 || info.flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (info.memOperationType == kMap) return bind(info);
  if (info.memOperationType != kUnmap) return CUDA_ERROR_INVALID_VALUE;
  if (const std::uint64_t handle = unbind(info); handle != 0) let_physical_go(handle);
  return CUDA_SUCCESS;
}

CUresult map_array(const CUarrayMapInfo* list, unsigned count, CUstream handle, Door door) {
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  SIM_TRY(check_not_capturing());
  if (list == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
  for (unsigned i = 0; i < count; ++i) SIM_TRY(map_one(list[i]));
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {
SIM_BOTH(cuMemMapArrayAsync, cuMemMapArrayAsync_ptsz,
         (CUarrayMapInfo * map_info_list, unsigned count, CUstream stream),
         map_array(map_info_list, count, stream, door))
}
