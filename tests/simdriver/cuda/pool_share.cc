// Pools and their pointers in other processes.
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/pool.h"
#include "tests/simdriver/state/shared.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kMagic = 0x6c6f6f70ULL;

// What travels between processes: where a pool is, and the token of a pointer, which lives as long as anybody
// has it.
struct Exported {
  std::uint64_t magic;
  std::uint64_t token;
  CUmemLocation location;
};

CUresult export_pool(void* out, const Pool& pool) {
  const Exported exported{kMagic, 0, pool.location};
  const int fd = memfd_create("simgpu-pool", MFD_CLOEXEC);
  if (fd < 0) return CUDA_ERROR_OPERATING_SYSTEM;
  if (write(fd, &exported, sizeof exported) != sizeof exported) {
    close(fd);
    return CUDA_ERROR_OPERATING_SYSTEM;
  }
  *static_cast<int*>(out) = fd;
  return CUDA_SUCCESS;
}

CUresult import_pool(CUmemoryPool* out, void* handle) {
  Exported exported{};
  const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(handle));
  if (pread(fd, &exported, sizeof exported, 0) != sizeof exported || exported.magic != kMagic) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (exported.location.type == CU_MEM_LOCATION_TYPE_DEVICE && !is_device(exported.location.id)) {
    return CUDA_ERROR_INVALID_DEVICE;
  }
  Pool* pool = make_pool(exported.location, 0);
  if (pool == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  pool->imported = true;
  *out = handle_of(pool);
  return CUDA_SUCCESS;
}

CUresult export_pointer(CUmemPoolPtrExportData* out, CUdeviceptr address) {
  Allocation allocation;
  if (out == nullptr || !find(address, allocation) || allocation.kind != Kind::pool)
    return CUDA_ERROR_INVALID_VALUE;
  if (allocation.token == 0) {
    const std::uint32_t device = allocation.device == kNoDevice ? kNobody : allocation.device;
    const std::uint64_t bytes = (allocation.size + kBlock - 1) / kBlock * kBlock;
    const Guard guard(state());
    allocation.token = share(state(), slot(), device, allocation.size, bytes);
  }
  if (allocation.token == 0) return CUDA_ERROR_OUT_OF_MEMORY;
  set_token(address, allocation.token);
  const Exported exported{kMagic, allocation.token, {}};
  *out = {};
  memcpy(out->reserved, &exported, sizeof exported);
  return CUDA_SUCCESS;
}

CUresult import_pointer(CUdeviceptr* out, CUmemoryPool handle, const CUmemPoolPtrExportData* data) {
  Pool* pool = find_pool(handle);
  if (out == nullptr || data == nullptr || pool == nullptr || !pool->imported)
    return CUDA_ERROR_INVALID_VALUE;
  Exported exported{};
  memcpy(&exported, data->reserved, sizeof exported);
  if (exported.magic != kMagic) return CUDA_ERROR_INVALID_VALUE;
  Allocation made = {};
  {
    const Guard guard(state());
    Shared* shared = find_shared(state(), exported.token);
    if (shared == nullptr) return CUDA_ERROR_INVALID_VALUE;
    use(*shared, slot());
    made.size = shared->size;
  }
  made.address = take_addresses(made.size);
  made.kind = Kind::pool;
  made.device = pool->device;  // without an owner: nothing is drawn, nothing goes back
  made.token = exported.token;
  remember(made);
  *out = made.address;
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuMemPoolExportToShareableHandle(void* out, CUmemoryPool handle, CUmemAllocationHandleType,
                                          std::uint64_t) {
  SIM_ENTER(cuMemPoolExportToShareableHandle);
  const auto* pool = find_pool(handle);
  return pool == nullptr || out == nullptr ? CUDA_ERROR_INVALID_VALUE : export_pool(out, *pool);
}

CUresult cuMemPoolImportFromShareableHandle(CUmemoryPool* out, void* handle, CUmemAllocationHandleType,
                                            std::uint64_t) {
  SIM_ENTER(cuMemPoolImportFromShareableHandle);
  return out == nullptr ? CUDA_ERROR_INVALID_VALUE : import_pool(out, handle);
}

CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData* out, CUdeviceptr ptr) {
  SIM_ENTER(cuMemPoolExportPointer);
  return export_pointer(out, ptr);
}

CUresult cuMemPoolImportPointer(CUdeviceptr* out, CUmemoryPool pool, CUmemPoolPtrExportData* data) {
  SIM_ENTER(cuMemPoolImportPointer);
  return import_pointer(out, pool, data);
}
}
