// A program that passes device memory to others and takes theirs, one step at a time.
//   vgpu-party SOCKET: listens there and does what one client after the other asks for
#include "tests/fake/libvgpu/party.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "libvgpu/cuda/types.h"

namespace hami::fake {
namespace {

void* library;

template <typename Function>
Function* find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

#define CALL(name, ...) find<decltype(name)>(#name)(__VA_ARGS__)
extern "C" {
CUresult cuInit(unsigned);
CUresult cuCtxCreate_v2(CUcontext*, unsigned, CUdevice);
CUresult cuCtxDestroy_v2(CUcontext);
CUresult cuMemGetInfo_v2(std::size_t*, std::size_t*);
CUresult cuMemCreate(CUmemGenericAllocationHandle*, std::size_t, const CUmemAllocationProp*, std::uint64_t);
CUresult cuMemExportToShareableHandle(void*, CUmemGenericAllocationHandle, CUmemAllocationHandleType,
                                      std::uint64_t);
CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle*, void*, CUmemAllocationHandleType);
CUresult cuMemAddressReserve(CUdeviceptr*, std::size_t, std::size_t, CUdeviceptr, std::uint64_t);
CUresult cuMemMap(CUdeviceptr, std::size_t, std::size_t, CUmemGenericAllocationHandle, std::uint64_t);
CUresult cuMemUnmap(CUdeviceptr, std::size_t);
CUresult cuMemRelease(CUmemGenericAllocationHandle);
CUresult cuMemAlloc_v2(CUdeviceptr*, std::size_t);
CUresult cuMemFree_v2(CUdeviceptr);
CUresult cuIpcGetMemHandle(CUipcMemHandle*, CUdeviceptr);
CUresult cuIpcOpenMemHandle_v2(CUdeviceptr*, CUipcMemHandle, unsigned);
CUresult cuIpcCloseMemHandle(CUdeviceptr);
CUresult cuMemPoolCreate(CUmemoryPool*, const CUmemPoolProps*);
CUresult cuMemAllocFromPoolAsync(CUdeviceptr*, std::size_t, CUmemoryPool, CUstream);
CUresult cuMemFreeAsync(CUdeviceptr, CUstream);
CUresult cuMemPoolExportToShareableHandle(void*, CUmemoryPool, CUmemAllocationHandleType, std::uint64_t);
CUresult cuMemPoolImportFromShareableHandle(CUmemoryPool*, void*, CUmemAllocationHandleType, std::uint64_t);
CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData*, CUdeviceptr);
CUresult cuMemPoolImportPointer(CUdeviceptr*, CUmemoryPool, CUmemPoolPtrExportData*);
}

constexpr auto kDescriptor = static_cast<CUmemAllocationHandleType>(1);
constexpr auto kFabric = static_cast<CUmemAllocationHandleType>(8);

struct State {
  CUcontext context = nullptr;
  std::uint64_t bytes = 0;
  CUmemGenericAllocationHandle handles[16] = {};
  unsigned handle_count = 0;
  CUdeviceptr mapped = 0;
  CUdeviceptr allocated = 0;
  CUdeviceptr opened = 0;
  CUmemoryPool pool = nullptr;
  CUmemoryPool imported_pool = nullptr;
  CUdeviceptr imported = 0;
};

CUmemGenericAllocationHandle& last(State& state) { return state.handles[state.handle_count - 1]; }

CUresult create(State& state) {
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.requestedHandleTypes = static_cast<unsigned>(kDescriptor) | static_cast<unsigned>(kFabric);
  prop.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  ++state.handle_count;
  const CUresult status = CALL(cuMemCreate, &last(state), state.bytes, &prop, 0);
  if (status != CUDA_SUCCESS) --state.handle_count;
  return status;
}

CUresult import(State& state, void* handle, CUmemAllocationHandleType type) {
  ++state.handle_count;
  const CUresult status = CALL(cuMemImportFromShareableHandle, &last(state), handle, type);
  if (status != CUDA_SUCCESS) --state.handle_count;
  return status;
}

CUresult map(State& state) {
  CALL(cuMemAddressReserve, &state.mapped, state.bytes, 0, 0, 0);
  return CALL(cuMemMap, state.mapped, state.bytes, 0, last(state), 0);
}

CUresult make_pool(State& state) {
  CUmemPoolProps props = {};
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  props.handleTypes = kDescriptor;
  props.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
  return CALL(cuMemPoolCreate, &state.pool, &props);
}

CUresult take(State& state, const Order& order, Answer& answer, int& fd) {
  CUipcMemHandle ipc = {};
  std::memcpy(&ipc, order.handle, sizeof ipc);
  CUmemPoolPtrExportData data = {};
  std::memcpy(&data, order.handle, sizeof data);
  void* given = reinterpret_cast<void*>(static_cast<std::intptr_t>(fd));
  if (order.bytes != 0) state.bytes = order.bytes;
  switch (order.step) {
    case Step::create:
      return create(state);
    case Step::export_fd:
      return CALL(cuMemExportToShareableHandle, &fd, last(state), kDescriptor, 0);
    case Step::import_fd:
      return import(state, given, kDescriptor);
    case Step::export_fabric:
      return CALL(cuMemExportToShareableHandle, answer.handle, last(state), kFabric, 0);
    case Step::import_fabric:
      return import(state, ipc.reserved, kFabric);
    case Step::map:
      return map(state);
    case Step::unmap:
      return CALL(cuMemUnmap, state.mapped, state.bytes);
    case Step::release:
      return CALL(cuMemRelease, state.handles[--state.handle_count]);
    case Step::allocate:
      return CALL(cuMemAlloc_v2, &state.allocated, state.bytes);
    case Step::get_handle:
      return CALL(cuIpcGetMemHandle, reinterpret_cast<CUipcMemHandle*>(answer.handle), state.allocated);
    case Step::open_handle:
      return CALL(cuIpcOpenMemHandle_v2, &state.opened, ipc, 1);
    case Step::close_handle:
      return CALL(cuIpcCloseMemHandle, state.opened);
    case Step::free:
      return CALL(cuMemFree_v2, state.allocated);
    case Step::allocate_async:
      return CALL(cuMemAllocFromPoolAsync, &state.allocated, state.bytes, state.pool, nullptr);
    case Step::export_pool:
      return CALL(cuMemPoolExportToShareableHandle, &fd, state.pool, kDescriptor, 0);
    case Step::export_pointer:
      return CALL(cuMemPoolExportPointer, reinterpret_cast<CUmemPoolPtrExportData*>(answer.handle),
                  state.allocated);
    case Step::import_pool:
      return CALL(cuMemPoolImportFromShareableHandle, &state.imported_pool, given, kDescriptor, 0);
    case Step::import_pointer:
      return CALL(cuMemPoolImportPointer, &state.imported, state.imported_pool, &data);
    case Step::free_imported:
      return CALL(cuMemFreeAsync, state.imported, nullptr);
    case Step::make_pool:
      return make_pool(state);
    case Step::new_context:
      return CALL(cuCtxCreate_v2, &state.context, 0, 0);
    case Step::end_context:
      return CALL(cuCtxDestroy_v2, state.context);
  }
  return CUDA_ERROR_INVALID_VALUE;
}

void serve(State& state, int socket) {
  Order order = {};
  for (int fd = -1; receive_with_fd(socket, order, fd); fd = -1) {
    Answer answer = {};
    answer.status = take(state, order, answer, fd);
    std::size_t free = 0;
    std::size_t total = 0;
    CALL(cuMemGetInfo_v2, &free, &total);
    answer.free_mib = free >> 20U;
    const bool has_made_one = order.step == Step::export_fd || order.step == Step::export_pool;
    send_with_fd(socket, answer, has_made_one && answer.status == CUDA_SUCCESS ? fd : -1);
    if (fd >= 0) close(fd);
  }
}

}  // namespace
}  // namespace hami::fake

int main(int, char** argv) {
  using namespace hami::fake;
  library = dlopen("libcuda.so.1", RTLD_NOW);
  State state;
  if (library == nullptr || CALL(cuInit, 0) != CUDA_SUCCESS ||
      CALL(cuCtxCreate_v2, &state.context, 0, 0) != CUDA_SUCCESS) {
    return 1;
  }
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, 4) != 0)
    return 1;
  for (;;) {
    const int client = accept(listener, nullptr, nullptr);
    serve(state, client);
    close(client);
  }
}
