// Page-locked host memory. It is host memory, so nothing is charged.
#include <stdlib.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/context.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/heap.h"

namespace hami::sim {
namespace {

constexpr std::size_t kPage = 4096;
constexpr unsigned kHostFlags = 1 | 2 | 4;          // portable, device map, write combined
constexpr unsigned kRegisterFlags = 1 | 2 | 4 | 8;  // portable, device map, io memory, read only
constexpr auto kAlreadyRegistered = static_cast<CUresult>(712);
constexpr auto kNotRegistered = static_cast<CUresult>(713);

std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

void remember_host(Context& context, const void* pointer, std::size_t bytes, Kind kind, unsigned flags) {
  Allocation made = {};
  made.address = address_of(pointer);
  made.size = bytes;
  made.kind = kind;
  made.device = context.device;
  made.token = flags;
  remember(made);  // without a context: host memory outlives it
}

CUresult allocate_host(void** out, std::size_t bytes, unsigned flags) {
  SIM_CONTEXT(context);
  if (out == nullptr || bytes == 0 || (flags & ~kHostFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  if (posix_memalign(out, kPage, bytes) != 0) return CUDA_ERROR_OUT_OF_MEMORY;
  remember_host(*context, *out, bytes, Kind::host, flags);
  return CUDA_SUCCESS;
}

CUresult register_host(void* pointer, std::size_t bytes, unsigned flags) {
  SIM_CONTEXT(context);
  if (pointer == nullptr || bytes == 0 || (flags & ~kRegisterFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
  Allocation known;
  if (find(address_of(pointer), known)) return kAlreadyRegistered;
  remember_host(*context, pointer, bytes, Kind::registered, flags);
  return CUDA_SUCCESS;
}

CUresult host_around(void* pointer, Allocation& out) {
  if (!find_around(address_of(pointer), out)) return CUDA_ERROR_INVALID_VALUE;
  return out.kind == Kind::host || out.kind == Kind::registered ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

CUresult cuMemAllocHost(void** pp, unsigned bytes) {
  SIM_ENTER(cuMemAllocHost);
  return allocate_host(pp, bytes, 0);
}

CUresult cuMemAllocHost_v2(void** pp, std::size_t bytes) {
  SIM_ENTER(cuMemAllocHost_v2);
  return allocate_host(pp, bytes, 0);
}

CUresult cuMemHostAlloc(void** pp, std::size_t bytes, unsigned flags) {
  SIM_ENTER(cuMemHostAlloc);
  return allocate_host(pp, bytes, flags);
}

CUresult cuMemFreeHost(void* p) {
  SIM_ENTER(cuMemFreeHost);
  SIM_CONTEXT(context);
  Allocation allocation;
  if (!forget(address_of(p), bit(Kind::host), allocation)) return CUDA_ERROR_INVALID_VALUE;
  free(p);
  return CUDA_SUCCESS;
}

CUresult cuMemHostRegister(void* p, std::size_t bytes, unsigned flags) {
  SIM_ENTER(cuMemHostRegister);
  return register_host(p, bytes, flags);
}

CUresult cuMemHostRegister_v2(void* p, std::size_t bytes, unsigned flags) {
  SIM_ENTER(cuMemHostRegister_v2);
  return register_host(p, bytes, flags);
}

CUresult cuMemHostUnregister(void* p) {
  SIM_ENTER(cuMemHostUnregister);
  SIM_CONTEXT(context);
  Allocation allocation;
  return forget(address_of(p), bit(Kind::registered), allocation) ? CUDA_SUCCESS : kNotRegistered;
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* pdptr, void* p, unsigned flags) {
  SIM_ENTER(cuMemHostGetDevicePointer_v2);
  if (pdptr == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  Allocation allocation;
  SIM_TRY(host_around(p, allocation));
  *pdptr = address_of(p);
  return CUDA_SUCCESS;
}

CUresult cuMemHostGetFlags(unsigned* flags, void* p) {
  SIM_ENTER(cuMemHostGetFlags);
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Allocation allocation;
  SIM_TRY(host_around(p, allocation));
  *flags = static_cast<unsigned>(allocation.token);
  return CUDA_SUCCESS;
}
}
