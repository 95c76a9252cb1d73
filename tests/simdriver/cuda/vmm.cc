// Virtual memory management: address ranges, physical memory behind handles, and mappings between them.
// Physical memory lives as long as its handle or a mapping of it, in this process or another.
#include <stdlib.h>
#include <string.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/physical.h"
#include "tests/simdriver/cuda/stream.h"
#include "tests/simdriver/cuda/vmm.h"
#include "tests/simdriver/state/shared.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kFirstHandle = 0x51a70000;  // far from any address
constexpr unsigned kPosixFd = 1;
constexpr unsigned kFabric = 8;
constexpr std::uint64_t kFabricMagic = 0x636972626166ULL;

// What a fabric handle holds: it names memory, and keeps none alive.
struct FabricHandle {
  std::uint64_t magic;
  std::uint64_t token;
  std::uint64_t rest[6];
};
static_assert(sizeof(FabricHandle) == 64);

struct Reservation {
  std::uint64_t address, size;
  Reservation* next;
};

struct Mapping {
  std::uint64_t address, size, offset;
  Physical* physical;
  Mapping* next;
};

Physical* physicals;
Reservation* reservations;
Mapping* mappings;
std::uint64_t next_handle = kFirstHandle;

bool can_be_passed_as(unsigned type) { return type == kPosixFd || type == kFabric; }

bool is_whole(std::uint64_t size) { return size != 0 && size % kBlock == 0; }

const Reservation* find_reservation(std::uint64_t address, std::uint64_t size) {
  for (const Reservation* at = reservations; at != nullptr; at = at->next) {
    if (address >= at->address && address - at->address <= at->size &&
        size <= at->size - (address - at->address)) {
      return at;
    }
  }
  return nullptr;
}

bool overlaps_mapping(std::uint64_t address, std::uint64_t size) {
  for (const Mapping* at = mappings; at != nullptr; at = at->next) {
    if (address < at->address + at->size && at->address < address + size) return true;
  }
  return false;
}

CUresult check_prop(const CUmemAllocationProp* prop) {
  if (prop == nullptr || prop->type != CU_MEM_ALLOCATION_TYPE_PINNED) return CUDA_ERROR_INVALID_VALUE;
  if (prop->location.type == CU_MEM_LOCATION_TYPE_INVALID) return CUDA_ERROR_INVALID_VALUE;
  const bool on_device = prop->location.type == CU_MEM_LOCATION_TYPE_DEVICE;
  return !on_device || is_device(prop->location.id) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult add_memory(std::uint64_t size, const CUmemAllocationProp& prop, std::uint64_t& handle) {
  Physical like = {};
  like.size = size;
  like.prop = prop;
  like.device = prop.location.type == CU_MEM_LOCATION_TYPE_DEVICE ? state_index(prop.location.id) : kOnHost;
  return add_physical(like, handle);
}

CUresult reserve(CUdeviceptr* out, std::uint64_t size) {
  auto* made = static_cast<Reservation*>(calloc(1, sizeof(Reservation)));
  if (made == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  made->address = *out = take_addresses(size);
  made->size = size;
  const SpinGuard guard(physical_lock);
  made->next = reservations;
  reservations = made;
  return CUDA_SUCCESS;
}

CUresult free_reservation(std::uint64_t address, std::uint64_t size) {
  const SpinGuard guard(physical_lock);
  Reservation** link = &reservations;
  while (*link != nullptr && ((*link)->address != address || (*link)->size != size)) link = &(*link)->next;
  if (*link == nullptr || overlaps_mapping(address, size)) return CUDA_ERROR_INVALID_VALUE;
  Reservation* gone = *link;
  *link = gone->next;
  free(gone);
  give_addresses(address, size);
  return CUDA_SUCCESS;
}

CUresult map(std::uint64_t address, std::uint64_t size, std::uint64_t offset, std::uint64_t handle) {
  const SpinGuard guard(physical_lock);
  Physical* physical = find_physical(handle);
  if (physical == nullptr || physical->references == 0) return CUDA_ERROR_INVALID_VALUE;
  if (offset > physical->size || size > physical->size - offset) return CUDA_ERROR_INVALID_VALUE;
  if (find_reservation(address, size) == nullptr || overlaps_mapping(address, size))
    return CUDA_ERROR_INVALID_VALUE;
  auto* made = static_cast<Mapping*>(calloc(1, sizeof(Mapping)));
  if (made == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  *made = {address, size, offset, physical, mappings};
  mappings = made;
  ++physical->maps;
  return CUDA_SUCCESS;
}

// The range must be made of whole mappings.
bool covers_whole_mappings(std::uint64_t address, std::uint64_t size) {
  std::uint64_t covered = 0;
  for (const Mapping* at = mappings; at != nullptr; at = at->next) {
    if (at->address >= address + size || address >= at->address + at->size) continue;
    if (at->address < address || at->address + at->size > address + size) return false;
    covered += at->size;
  }
  return covered == size;
}

CUresult unmap(std::uint64_t address, std::uint64_t size) {
  const SpinGuard guard(physical_lock);
  if (!covers_whole_mappings(address, size)) return CUDA_ERROR_INVALID_VALUE;
  Mapping** link = &mappings;
  while (*link != nullptr) {
    Mapping* at = *link;
    if (at->address < address || at->address >= address + size) {
      link = &at->next;
      continue;
    }
    *link = at->next;
    --at->physical->maps;
    drop_if_unused(at->physical);
    free(at);
  }
  return CUDA_SUCCESS;
}

CUresult release_handle(std::uint64_t handle) {
  const SpinGuard guard(physical_lock);
  Physical* physical = find_physical(handle);
  if (physical == nullptr || physical->references == 0) return CUDA_ERROR_INVALID_VALUE;
  --physical->references;
  drop_if_unused(physical);
  return CUDA_SUCCESS;
}

CUresult retain_at(std::uint64_t address, std::uint64_t& handle) {
  const SpinGuard guard(physical_lock);
  Physical* physical = find_physical_at(address);
  if (physical == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ++physical->references;
  handle = physical->handle;
  return CUDA_SUCCESS;
}

// What another process needs to know is in the state: there is one kind of memory that can be passed on.
CUmemAllocationProp prop_of(const Shared& shared) {
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.requestedHandleTypes = kPosixFd | kFabric;
  prop.location.type = shared.on_host != 0 ? CU_MEM_LOCATION_TYPE_HOST : CU_MEM_LOCATION_TYPE_DEVICE;
  prop.location.id = shared.on_host != 0 ? 0 : ordinal_of(shared.device);
  return prop;
}

CUresult export_handle(void* out, std::uint64_t handle, unsigned type) {
  const SpinGuard guard(physical_lock);
  Physical* physical = find_physical(handle);
  if (physical == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if ((physical->prop.requestedHandleTypes & type) == 0) return CUDA_ERROR_INVALID_VALUE;
  if (physical->token == 0) {
    const Guard shared(state());
    const std::uint32_t device = physical->device == kOnHost ? kNobody : physical->device;
    physical->token = share(state(), slot(), device, physical->size, physical->size);
    if (physical->token == 0) return CUDA_ERROR_OUT_OF_MEMORY;
  }
  if (type == kFabric) {
    const FabricHandle made = {kFabricMagic, physical->token, {}};
    memcpy(out, &made, sizeof made);
    return CUDA_SUCCESS;
  }
  const int fd = make_descriptor(physical->token);
  if (fd < 0) return CUDA_ERROR_OPERATING_SYSTEM;
  memcpy(out, &fd, sizeof fd);
  return CUDA_SUCCESS;
}

std::uint64_t token_in(const void* os_handle, unsigned type) {
  if (type == kPosixFd) return token_of(static_cast<int>(reinterpret_cast<std::intptr_t>(os_handle)));
  FabricHandle given = {};
  memcpy(&given, os_handle, sizeof given);
  return given.magic == kFabricMagic ? given.token : 0;
}

CUresult import_handle(CUmemGenericAllocationHandle* out, std::uint64_t token) {
  Physical like = {};
  {
    const Guard guard(state());
    Shared* shared = find_shared(state(), token);
    if (shared == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (shared->on_host == 0 && ordinal_of(shared->device) < 0) return CUDA_ERROR_INVALID_DEVICE;
    use(*shared, slot());
    like.size = shared->size;
    like.prop = prop_of(*shared);
    like.device = shared->on_host != 0 ? kOnHost : shared->device;
  }
  like.token = token;
  return add_physical(like, *out);
}

}  // namespace

SpinLock physical_lock;

Physical* find_physical(std::uint64_t handle) {
  Physical* at = physicals;
  while (at != nullptr && at->handle != handle) at = at->next;
  return at;
}

Physical* find_physical_at(std::uint64_t address) {
  for (const Mapping* at = mappings; at != nullptr; at = at->next) {
    if (address - at->address < at->size) return at->physical;
  }
  return nullptr;
}

void drop_if_unused(Physical* physical) {
  if (physical->references != 0 || physical->maps != 0) return;
  while (Binding* gone = physical->bindings) {
    physical->bindings = gone->next;
    --gone->memory->maps;
    drop_if_unused(gone->memory);
    free(gone);
  }
  Physical** link = &physicals;
  while (*link != physical) link = &(*link)->next;
  *link = physical->next;
  if (physical->token != 0) {
    const Guard guard(state());
    unuse(state(), physical->token, slot());
  } else if (physical->device != kOnHost) {
    refund(physical->device, {physical->size, physical->size});
  }
  free(physical);
}

CUresult add_physical(const Physical& like, std::uint64_t& handle) {
  auto* made = static_cast<Physical*>(calloc(1, sizeof(Physical)));
  if (made == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  *made = like;
  made->references = 1;
  if (made->device != kOnHost && made->token == 0 && !charge(made->device, {made->size, made->size})) {
    free(made);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  const SpinGuard guard(physical_lock);
  made->handle = handle = next_handle++;
  made->next = physicals;
  physicals = made;
  return CUDA_SUCCESS;
}

bool is_mapped(std::uint64_t address) {
  const SpinGuard guard(physical_lock);
  return overlaps_mapping(address, 1);
}

bool hold_physical(std::uint64_t handle) {
  const SpinGuard guard(physical_lock);
  Physical* physical = find_physical(handle);
  if (physical == nullptr || physical->references == 0) return false;
  ++physical->maps;
  return true;
}

void let_physical_go(std::uint64_t handle) {
  const SpinGuard guard(physical_lock);
  Physical* physical = find_physical(handle);
  if (physical == nullptr || physical->maps == 0) return;
  --physical->maps;
  drop_if_unused(physical);
}

}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuMemAddressReserve(CUdeviceptr* ptr, std::size_t size, std::size_t alignment, CUdeviceptr,
                             std::uint64_t) {
  SIM_ENTER(cuMemAddressReserve);
  if (ptr == nullptr || !is_whole(size) || (alignment & (alignment - 1)) != 0)
    return CUDA_ERROR_INVALID_VALUE;
  return reserve(ptr, size);
}

CUresult cuMemAddressFree(CUdeviceptr ptr, std::size_t size) {
  SIM_ENTER(cuMemAddressFree);
  return free_reservation(ptr, size);
}

CUresult cuMemCreate(CUmemGenericAllocationHandle* handle, std::size_t size, const CUmemAllocationProp* prop,
                     std::uint64_t flags) {
  SIM_ENTER(cuMemCreate);
  SIM_TRY(check_not_capturing());
  if (handle == nullptr || !is_whole(size) || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  SIM_TRY(check_prop(prop));
  return add_memory(size, *prop, *handle);
}

CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  SIM_ENTER(cuMemRelease);
  return release_handle(handle);
}

CUresult cuMemMap(CUdeviceptr ptr, std::size_t size, std::size_t offset, CUmemGenericAllocationHandle handle,
                  std::uint64_t flags) {
  SIM_ENTER(cuMemMap);
  if (flags != 0 || !is_whole(size) || offset % kBlock != 0 || ptr % kBlock != 0)
    return CUDA_ERROR_INVALID_VALUE;
  return map(ptr, size, offset, handle);
}

CUresult cuMemUnmap(CUdeviceptr ptr, std::size_t size) {
  SIM_ENTER(cuMemUnmap);
  if (!is_whole(size)) return CUDA_ERROR_INVALID_VALUE;
  return unmap(ptr, size);
}

CUresult cuMemSetAccess(CUdeviceptr ptr, std::size_t size, const CUmemAccessDesc* desc, std::size_t count) {
  SIM_ENTER(cuMemSetAccess);
  if (desc == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
  const SpinGuard guard(physical_lock);
  return covers_whole_mappings(ptr, size) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemGetAccess(std::uint64_t* flags, const CUmemLocation* location, CUdeviceptr ptr) {
  SIM_ENTER(cuMemGetAccess);
  if (flags == nullptr || location == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const SpinGuard guard(physical_lock);
  *flags = overlaps_mapping(ptr, 1) ? 3 : 0;  // read and write
  return CUDA_SUCCESS;
}

CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle* handle, void* address) {
  SIM_ENTER(cuMemRetainAllocationHandle);
  if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return retain_at(reinterpret_cast<std::uint64_t>(address), *handle);
}

CUresult cuMemGetAllocationGranularity(std::size_t* granularity, const CUmemAllocationProp* prop,
                                       CUmemAllocationGranularity_flags) {
  SIM_ENTER(cuMemGetAllocationGranularity);
  if (granularity == nullptr) return CUDA_ERROR_INVALID_VALUE;
  SIM_TRY(check_prop(prop));
  *granularity = kBlock;
  return CUDA_SUCCESS;
}

CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp* prop,
                                                CUmemGenericAllocationHandle handle) {
  SIM_ENTER(cuMemGetAllocationPropertiesFromHandle);
  if (prop == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const SpinGuard guard(physical_lock);
  const auto* physical = find_physical(handle);
  if (physical == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *prop = physical->prop;
  return CUDA_SUCCESS;
}

CUresult cuMemExportToShareableHandle(void* out, CUmemGenericAllocationHandle handle,
                                      CUmemAllocationHandleType type, std::uint64_t flags) {
  SIM_ENTER(cuMemExportToShareableHandle);
  if (out == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (!can_be_passed_as(static_cast<unsigned>(type))) return CUDA_ERROR_NOT_SUPPORTED;
  return export_handle(out, handle, static_cast<unsigned>(type));
}

CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle* handle, void* os_handle,
                                        CUmemAllocationHandleType type) {
  SIM_ENTER(cuMemImportFromShareableHandle);
  if (!can_be_passed_as(static_cast<unsigned>(type))) return CUDA_ERROR_NOT_SUPPORTED;
  if (handle == nullptr || (static_cast<unsigned>(type) == kFabric && os_handle == nullptr))
    return CUDA_ERROR_INVALID_VALUE;
  return import_handle(handle, token_in(os_handle, static_cast<unsigned>(type)));
}
}
