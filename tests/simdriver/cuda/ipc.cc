// Memory of other processes and of other interfaces: opening it takes nothing from the card. Memory of
// another process lives as long as anybody has it open.
#include <stdlib.h>
#include <string.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/state/shared.h"
#include "tests/simdriver/state/store.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kMagic = 0x6370695f6d6973ULL;
constexpr std::uint64_t kExternalMagic = 0x6d656d747865ULL;

// What a handle holds.
struct IpcHandle {
  std::uint64_t magic;
  std::uint64_t token;
};
static_assert(sizeof(IpcHandle) <= sizeof(CUipcMemHandle));

CUresult make_handle(CUipcMemHandle* out, CUdeviceptr address) {
  SIM_CONTEXT(context);
  Allocation allocation;
  if (out == nullptr || !find_around(address, allocation)) return CUDA_ERROR_INVALID_VALUE;
  if (allocation.kind != Kind::linear) return CUDA_ERROR_INVALID_VALUE;
  IpcHandle handle{kMagic, allocation.token};
  if (handle.token == 0) {
    // A part of a block: what another process maps is the block.
    const std::uint64_t bytes = allocation.slab != nullptr ? kBlock : allocation.charged.physical;
    const Guard guard(state());
    handle.token = share(state(), slot(), allocation.device, allocation.size, bytes);
  }
  if (handle.token == 0) return CUDA_ERROR_OUT_OF_MEMORY;
  set_token(allocation.address, handle.token);
  *out = {};
  memcpy(out->reserved, &handle, sizeof handle);
  return CUDA_SUCCESS;
}

// A handle that a context has open already is opened once more at the same address.
CUresult open_handle(CUdeviceptr* out, const CUipcMemHandle& given, unsigned flags) {
  SIM_CONTEXT(context);
  constexpr unsigned kLazyPeerAccess = 1;
  if (out == nullptr || flags != kLazyPeerAccess) return CUDA_ERROR_INVALID_VALUE;
  IpcHandle handle{};
  memcpy(&handle, given.reserved, sizeof handle);
  if (handle.magic != kMagic) return CUDA_ERROR_INVALID_HANDLE;
  if (reopen(*context, handle.token, *out)) return CUDA_SUCCESS;
  Shared shared{};
  {
    const Guard guard(state());
    Shared* found = find_shared(state(), handle.token);
    if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (found->owner == slot()) return CUDA_ERROR_INVALID_CONTEXT;  // the exporter itself
    use(*found, slot());
    shared = *found;
  }
  Allocation made = {};
  made.address = take_addresses(shared.size);
  made.size = shared.size;
  made.kind = Kind::ipc;
  made.device = shared.device;
  made.context = context;
  made.token = handle.token;
  made.opens = 1;
  remember(made);
  *out = made.address;
  return CUDA_SUCCESS;
}

// Memory that another interface made; its size counts nowhere on the CUDA side.
struct External {
  std::uint64_t magic;
  std::uint64_t size;
};

External* find_external(CUexternalMemory handle) {
  auto* external = reinterpret_cast<External*>(handle);
  return external != nullptr && external->magic == kExternalMagic ? external : nullptr;
}

CUresult import_external(CUexternalMemory* out, const CUDA_EXTERNAL_MEMORY_HANDLE_DESC* description) {
  SIM_CONTEXT(context);
  if (out == nullptr || description == nullptr || description->size == 0) return CUDA_ERROR_INVALID_VALUE;
  auto* external = static_cast<External*>(calloc(1, sizeof(External)));
  if (external == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  *external = {kExternalMagic, description->size};
  *out = reinterpret_cast<CUexternalMemory>(external);
  return CUDA_SUCCESS;
}

CUresult map_external(CUdeviceptr* out, CUexternalMemory handle,
                      const CUDA_EXTERNAL_MEMORY_BUFFER_DESC* buffer) {
  SIM_CONTEXT(context);
  const External* external = find_external(handle);
  if (out == nullptr || external == nullptr || buffer == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (buffer->size == 0 || buffer->offset > external->size ||
      buffer->size > external->size - buffer->offset) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  Allocation made = {};
  made.address = take_addresses(buffer->size);
  made.size = buffer->size;
  made.kind = Kind::external;
  made.device = context->device;
  made.context = context;
  remember(made);
  *out = made.address;
  return CUDA_SUCCESS;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuIpcGetMemHandle(CUipcMemHandle* handle, CUdeviceptr ptr) {
  SIM_ENTER(cuIpcGetMemHandle);
  return make_handle(handle, ptr);
}

CUresult cuIpcOpenMemHandle(CUdeviceptr* ptr, CUipcMemHandle handle, unsigned flags) {
  SIM_ENTER(cuIpcOpenMemHandle);
  return open_handle(ptr, handle, flags);
}

CUresult cuIpcOpenMemHandle_v2(CUdeviceptr* ptr, CUipcMemHandle handle, unsigned flags) {
  SIM_ENTER(cuIpcOpenMemHandle_v2);
  return open_handle(ptr, handle, flags);
}

CUresult cuIpcCloseMemHandle(CUdeviceptr ptr) {
  SIM_ENTER(cuIpcCloseMemHandle);
  Allocation allocation;
  if (close_once(ptr)) return CUDA_SUCCESS;
  if (!forget(ptr, bit(Kind::ipc), allocation)) return CUDA_ERROR_INVALID_VALUE;
  release(allocation);
  return CUDA_SUCCESS;
}

CUresult cuImportExternalMemory(CUexternalMemory* out, const CUDA_EXTERNAL_MEMORY_HANDLE_DESC* description) {
  SIM_ENTER(cuImportExternalMemory);
  return import_external(out, description);
}

CUresult cuExternalMemoryGetMappedBuffer(CUdeviceptr* ptr, CUexternalMemory memory,
                                         const CUDA_EXTERNAL_MEMORY_BUFFER_DESC* buffer) {
  SIM_ENTER(cuExternalMemoryGetMappedBuffer);
  return map_external(ptr, memory, buffer);
}

CUresult cuDestroyExternalMemory(CUexternalMemory handle) {
  SIM_ENTER(cuDestroyExternalMemory);
  auto* external = find_external(handle);
  if (external == nullptr) return CUDA_ERROR_INVALID_VALUE;
  external->magic = 0;
  free(external);
  return CUDA_SUCCESS;
}
}
