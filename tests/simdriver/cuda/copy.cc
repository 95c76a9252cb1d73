// Copies and sets. Allocations up to 64 MiB have host memory behind them from their first copy on, so that
// data survives a round trip; larger ones only have their arguments checked. Copies take no time.
#include <stdlib.h>
#include <string.h>

#include "tests/simdriver/cuda/call.h"
#include "tests/simdriver/cuda/functions.h"
#include "tests/simdriver/cuda/graph.h"
#include "tests/simdriver/cuda/heap.h"
#include "tests/simdriver/cuda/stream.h"
#include "tests/simdriver/cuda/vmm.h"

namespace hami::sim {
namespace {

constexpr std::uint64_t kLargestBacked = 64 * kMiB;
constexpr std::uint64_t kFirstDeviceAddress = 0x200000000000;
constexpr std::uint64_t kLastDeviceAddress = 0x400000000000;

// A range of memory as the host can touch it; `bytes` null where no data is kept.
struct Range {
  unsigned char* bytes;
};

bool looks_like_device(std::uint64_t address) {
  return address >= kFirstDeviceAddress && address < kLastDeviceAddress;
}

void* make_backing(const Allocation& allocation) {
  if (allocation.size > kLargestBacked) return nullptr;
  void* made = calloc(1, allocation.size);
  if (made == nullptr || set_backing(allocation.address, made)) return made;
  free(made);  // another thread was first
  Allocation again;
  return find(allocation.address, again) ? again.backing : nullptr;
}

CUresult resolve(std::uint64_t address, std::uint64_t size, Range& out) {
  Allocation allocation;
  out.bytes = nullptr;
  if (!find_around(address, allocation)) {
    if (is_mapped(address)) return CUDA_SUCCESS;
    if (address == 0 || looks_like_device(address)) return CUDA_ERROR_INVALID_VALUE;
    out.bytes = reinterpret_cast<unsigned char*>(address);  // the program's own memory
    return CUDA_SUCCESS;
  }
  const std::uint64_t offset = address - allocation.address;
  if (size > allocation.size - offset) return CUDA_ERROR_INVALID_VALUE;
  if (allocation.kind == Kind::host || allocation.kind == Kind::registered) {
    out.bytes = reinterpret_cast<unsigned char*>(address);
    return CUDA_SUCCESS;
  }
  void* backing = allocation.backing != nullptr ? allocation.backing : make_backing(allocation);
  if (backing != nullptr) out.bytes = static_cast<unsigned char*>(backing) + offset;
  return CUDA_SUCCESS;
}

std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

CUresult copy_now(std::uint64_t to, std::uint64_t from, std::uint64_t size) {
  Range target{};
  Range source{};
  SIM_TRY(resolve(to, size, target));
  SIM_TRY(resolve(from, size, source));
  if (target.bytes != nullptr && source.bytes != nullptr) memmove(target.bytes, source.bytes, size);
  return CUDA_SUCCESS;
}

CUresult copy(std::uint64_t to, std::uint64_t from, std::uint64_t size) {
  SIM_TRY(check_not_capturing());
  SIM_CONTEXT(context);
  return copy_now(to, from, size);
}

CUresult copy_async(std::uint64_t to, std::uint64_t from, std::uint64_t size, CUstream handle, Door door) {
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  if (capture_node(*stream, CU_GRAPH_NODE_TYPE_MEMCPY) != nullptr) return CUDA_SUCCESS;
  return copy_now(to, from, size);
}

template <typename Value>
CUresult set_now(std::uint64_t to, Value value, std::size_t count) {
  Range target{};
  SIM_TRY(resolve(to, count * sizeof value, target));
  for (std::size_t i = 0; target.bytes != nullptr && i < count; ++i) {
    memcpy(target.bytes + i * sizeof value, &value, sizeof value);
  }
  return CUDA_SUCCESS;
}

template <typename Value>
CUresult set(std::uint64_t to, Value value, std::size_t count) {
  SIM_CONTEXT(context);
  return set_now(to, value, count);
}

template <typename Value>
CUresult set_async(std::uint64_t to, Value value, std::size_t count, CUstream handle, Door door) {
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  if (capture_node(*stream, CU_GRAPH_NODE_TYPE_MEMSET) != nullptr) return CUDA_SUCCESS;
  return set_now(to, value, count);
}

CUresult prefetch(CUdeviceptr address, std::size_t size, CUstream handle, Door door) {
  Stream* stream = nullptr;
  SIM_TRY(find_stream(handle, door, stream));
  Allocation allocation;
  if (!find_around(address, allocation) || size == 0) return CUDA_ERROR_INVALID_VALUE;
  return allocation.kind == Kind::managed ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult advise(CUdeviceptr address) {
  Allocation allocation;
  if (!find_around(address, allocation)) return CUDA_ERROR_INVALID_VALUE;
  return allocation.kind == Kind::managed ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace
}  // namespace hami::sim

using namespace hami::sim;

extern "C" {

SIM_BOTH(cuMemcpy, cuMemcpy_ptds, (CUdeviceptr to, CUdeviceptr from, std::size_t size), copy(to, from, size))
SIM_BOTH(cuMemcpyAsync, cuMemcpyAsync_ptsz,
         (CUdeviceptr to, CUdeviceptr from, std::size_t size, CUstream stream),
         copy_async(to, from, size, stream, door))
SIM_BOTH(cuMemcpyHtoD_v2, cuMemcpyHtoD_v2_ptds, (CUdeviceptr to, const void* from, std::size_t size),
         copy(to, address_of(from), size))
SIM_BOTH(cuMemcpyHtoDAsync_v2, cuMemcpyHtoDAsync_v2_ptsz,
         (CUdeviceptr to, const void* from, std::size_t size, CUstream stream),
         copy_async(to, address_of(from), size, stream, door))
SIM_BOTH(cuMemcpyDtoH_v2, cuMemcpyDtoH_v2_ptds, (void* to, CUdeviceptr from, std::size_t size),
         copy(address_of(to), from, size))
SIM_BOTH(cuMemcpyDtoHAsync_v2, cuMemcpyDtoHAsync_v2_ptsz,
         (void* to, CUdeviceptr from, std::size_t size, CUstream stream),
         copy_async(address_of(to), from, size, stream, door))
SIM_BOTH(cuMemcpyDtoD_v2, cuMemcpyDtoD_v2_ptds, (CUdeviceptr to, CUdeviceptr from, std::size_t size),
         copy(to, from, size))
SIM_BOTH(cuMemcpyDtoDAsync_v2, cuMemcpyDtoDAsync_v2_ptsz,
         (CUdeviceptr to, CUdeviceptr from, std::size_t size, CUstream stream),
         copy_async(to, from, size, stream, door))

SIM_BOTH(cuMemsetD8_v2, cuMemsetD8_v2_ptds, (CUdeviceptr to, unsigned char value, std::size_t count),
         set(to, value, count))
SIM_BOTH(cuMemsetD16_v2, cuMemsetD16_v2_ptds, (CUdeviceptr to, unsigned short value, std::size_t count),
         set(to, value, count))
SIM_BOTH(cuMemsetD32_v2, cuMemsetD32_v2_ptds, (CUdeviceptr to, unsigned value, std::size_t count),
         set(to, value, count))
SIM_BOTH(cuMemsetD8Async, cuMemsetD8Async_ptsz,
         (CUdeviceptr to, unsigned char value, std::size_t count, CUstream stream),
         set_async(to, value, count, stream, door))
SIM_BOTH(cuMemsetD16Async, cuMemsetD16Async_ptsz,
         (CUdeviceptr to, unsigned short value, std::size_t count, CUstream stream),
         set_async(to, value, count, stream, door))
SIM_BOTH(cuMemsetD32Async, cuMemsetD32Async_ptsz,
         (CUdeviceptr to, unsigned value, std::size_t count, CUstream stream),
         set_async(to, value, count, stream, door))

SIM_BOTH(cuMemPrefetchAsync, cuMemPrefetchAsync_ptsz,
         (CUdeviceptr ptr, std::size_t size, CUdevice, CUstream stream), prefetch(ptr, size, stream, door))
SIM_BOTH(cuMemPrefetchAsync_v2, cuMemPrefetchAsync_v2_ptsz,
         (CUdeviceptr ptr, std::size_t size, CUmemLocation, unsigned, CUstream stream),
         prefetch(ptr, size, stream, door))

CUresult cuMemAdvise(CUdeviceptr ptr, std::size_t, CUmem_advise, CUdevice) {
  SIM_ENTER(cuMemAdvise);
  return advise(ptr);
}

CUresult cuMemAdvise_v2(CUdeviceptr ptr, std::size_t, CUmem_advise, CUmemLocation) {
  SIM_ENTER(cuMemAdvise_v2);
  return advise(ptr);
}
}
