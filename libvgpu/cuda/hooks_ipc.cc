// Memory that processes pass to one another by handles of 64 bytes: whole allocations, and pointers into
// pools. Who asked the driver for it is charged while it lives; then it is charged to the container as long
// as somebody has it open. What another container asked for is charged to ours as well: it would be nobody's
// when that one is gone.
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/pools.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

// The address and the number of its uses change together. Held over the driver's call, which may give one
// address to two threads.
constinit SpinLock g_opening;

// The record of an address that is open: the joint piece + 1, 0 for what another container has, and how
// often.
constexpr std::uint64_t kPieces = 4096;
static_assert(abi::kMaxJoint < kPieces);

struct Opened {
  std::uint64_t piece;
  std::uint64_t times;
  unsigned owner;
};

bool take_opened(std::uint64_t ptr, Opened& out) noexcept {
  const std::optional<Record> record = g_process.records.take(Space::imported, ptr);
  if (!record) return false;
  out = {record->bytes / kRecordUnit % kPieces, record->bytes / kRecordUnit / kPieces, record->owner};
  return true;
}

bool note_opened(std::uint64_t ptr, const Opened& opened) noexcept {
  const Record record = {.bytes = (opened.times * kPieces + opened.piece) * kRecordUnit,
                         .owner = opened.owner};
  return g_process.records.insert(Space::imported, ptr, record).stored;
}

// Charges what another container asked for. False when there is no room under the limit.
bool charge_foreign(std::uint64_t ptr, unsigned owner) noexcept {
  CUdeviceptr base = 0;
  std::size_t size = 0;
  CUresult status = CUDA_SUCCESS;
  const int device = current_device_index(status);
  if (device < 0 ||
      driver<&CudaDriver::cuMemGetAddressRange_v2>(&base, &size, CUdeviceptr{ptr}) != CUDA_SUCCESS)
    return true;  // nothing to charge, or nothing that tells how much
  Reservation reservation = reserve(static_cast<unsigned>(device), granule(size));
  return reservation && keep(Space::foreign, ptr, owner, reservation);
}

bool remember(std::uint64_t ptr, std::uint32_t piece, unsigned owner) noexcept {
  Opened opened = {piece == JointMemory::kNone ? 0 : piece + 1, 0, owner};
  const bool is_new = !take_opened(ptr, opened);
  ++opened.times;
  if (is_new && opened.piece == 0 && !charge_foreign(ptr, owner)) return false;
  return note_opened(ptr, opened);
}

// Opens through `call`, which writes `*ptr`; undo() closes it again.
template <typename Call, typename Undo>
CUresult open_joint(CUdeviceptr* ptr, const void* handle, unsigned owner, Call call, Undo undo) noexcept {
  // Held before it is opened: whoever lets go meanwhile must see us.
  const std::uint32_t piece = g_process.joint.join(g_process.account, key_of_handle(handle));
  const LockGuard guard(g_opening);
  CUresult status = call();
  if (status == CUDA_SUCCESS && !remember(*ptr, piece, owner)) {
    undo();
    *ptr = 0;
    status = CUDA_ERROR_OUT_OF_MEMORY;
  }
  if (status != CUDA_SUCCESS && piece != JointMemory::kNone) g_process.joint.let_go(g_process.account, piece);
  return status;
}

template <typename Call>
CUresult open_handle(CUdeviceptr* ptr, const CUipcMemHandle& handle, Call call) noexcept {
  if (mode() == Mode::off) return call();
  if (mode() == Mode::unusable) return kUnusable;
  if (ptr == nullptr) return call();
  return open_joint(ptr, &handle, current_context(), call,
                    [=] { driver<&CudaDriver::cuIpcCloseMemHandle>(CUdeviceptr{*ptr}); });
}

// Tells other processes of what lies at `ptr`, which the driver passes to them in `handle`.
void publish(Space space, CUdeviceptr ptr, const void* handle) noexcept {
  CUdeviceptr base = ptr;
  std::size_t size = 0;
  if (space == Space::pointer) driver<&CudaDriver::cuMemGetAddressRange_v2>(&base, &size, CUdeviceptr{ptr});
  const std::optional<Record> record = g_process.records.find(space, base);
  if (!record) return;
  // Others get whole blocks.
  const std::uint64_t bytes = (record->bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  const bool is_whole = space == Space::pointer && record->bytes >= kSmallBelow;
  const unsigned device = space == Space::pooled ? g_pools.device_of(*record) : record->device;
  const std::uint32_t piece = g_process.joint.publish(g_process.account, key_of_handle(handle), device,
                                                      is_whole ? record->bytes : bytes);
  if (piece != JointMemory::kNone) g_process.joint.note_pointer(base, piece);
}

}  // namespace

void end_opened(std::uint64_t ptr, const Record& record) noexcept {
  if (const std::optional<Record> foreign = g_process.records.take(Space::foreign, ptr)) give_back(*foreign);
  const std::uint64_t piece = record.bytes / kRecordUnit % kPieces;
  for (std::uint64_t times = record.bytes / kRecordUnit / kPieces; piece != 0 && times != 0; --times)
    g_process.joint.let_go(g_process.account, static_cast<std::uint32_t>(piece - 1));
}

void forget_opened() noexcept { g_opening.reset(); }

bool free_imported(std::uint64_t ptr, CUresult (*call)(void*), void* data, CUresult& status) noexcept {
  const LockGuard guard(g_opening);
  Opened opened = {};
  if (!take_opened(ptr, opened)) return false;
  status = call(data);
  const std::uint64_t left = status == CUDA_SUCCESS ? opened.times - 1 : opened.times;
  if (status == CUDA_SUCCESS && opened.piece != 0)
    g_process.joint.let_go(g_process.account, static_cast<std::uint32_t>(opened.piece - 1));
  if (left != 0) {
    note_opened(ptr, {opened.piece, left, opened.owner});
  } else if (const std::optional<Record> foreign = g_process.records.take(Space::foreign, ptr)) {
    give_back(*foreign);
  }
  return true;
}

}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuIpcGetMemHandle(CUipcMemHandle* handle, CUdeviceptr ptr) {
  const CUresult status = driver<&CudaDriver::cuIpcGetMemHandle>(handle, ptr);
  if (status == CUDA_SUCCESS && mode() == Mode::on) publish(Space::pointer, ptr, handle);
  return status;
}

HAMI_EXPORT CUresult cuIpcOpenMemHandle(CUdeviceptr* ptr, CUipcMemHandle handle, unsigned flags) {
  return open_handle(ptr, handle,
                     [=] { return driver<&CudaDriver::cuIpcOpenMemHandle>(ptr, handle, flags); });
}

HAMI_EXPORT CUresult cuIpcOpenMemHandle_v2(CUdeviceptr* ptr, CUipcMemHandle handle, unsigned flags) {
  return open_handle(ptr, handle,
                     [=] { return driver<&CudaDriver::cuIpcOpenMemHandle_v2>(ptr, handle, flags); });
}

HAMI_EXPORT CUresult cuIpcCloseMemHandle(CUdeviceptr ptr) {
  return free_joint(ptr, [=] { return driver<&CudaDriver::cuIpcCloseMemHandle>(ptr); });
}

HAMI_EXPORT CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData* share_data_out, CUdeviceptr ptr) {
  const CUresult status = driver<&CudaDriver::cuMemPoolExportPointer>(share_data_out, ptr);
  if (status == CUDA_SUCCESS && mode() == Mode::on) publish(Space::pooled, ptr, share_data_out);
  return status;
}

HAMI_EXPORT CUresult cuMemPoolImportPointer(CUdeviceptr* ptr_out, CUmemoryPool pool,
                                            CUmemPoolPtrExportData* share_data) {
  const auto call = [=] { return driver<&CudaDriver::cuMemPoolImportPointer>(ptr_out, pool, share_data); };
  if (mode() == Mode::off) return call();
  if (mode() == Mode::unusable) return kUnusable;
  if (ptr_out == nullptr || share_data == nullptr) return call();
  return open_joint(ptr_out, share_data, 0, call,
                    [=] { driver<&CudaDriver::cuMemFree_v2>(CUdeviceptr{*ptr_out}); });
}
