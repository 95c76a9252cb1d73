// The limits of a context: the stack of every thread that the card can run, the buffer of printf, the heap of
// the device's malloc. What they take is charged when they are raised, not when the first kernel needs it.
#include "libvgpu/cuda/charge.h"
#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/overhead.h"
#include "libvgpu/export.h"

namespace hami::vgpu {
namespace {

std::uint64_t bytes_now(CUlimit limit, CUdevice ordinal) noexcept {
  std::size_t value = 0;
  if (driver<&CudaDriver::cuCtxGetLimit>(&value, limit) != CUDA_SUCCESS) return 0;
  return bytes_of_limit(limit, value, ordinal);
}

// Contexts are aligned addresses, so there is room behind them for a name of each limit.
std::uint64_t name_of(CUlimit limit) noexcept {
  CUcontext context = nullptr;
  driver<&CudaDriver::cuCtxGetCurrent>(&context);
  return reinterpret_cast<std::uintptr_t>(context) + 1 + static_cast<unsigned>(limit);
}

// Takes over what the limit costs now: more than `before` out of the reservation, less back to the container.
void settle_limit(CUlimit limit, std::uint64_t before, std::uint64_t now, Reservation& reservation) noexcept {
  const std::uint64_t name = name_of(limit);
  reservation.settle(now > before ? now - before : 0, limit_of(reservation.device()));
  const std::optional<Record> known = g_process.records.take(Space::context, name);
  const std::uint64_t charged = known ? known->bytes : 0;
  const std::uint64_t less = before > now ? before - now : 0;
  // What a context has from the start is charged with it and stays.
  const std::uint64_t back = less < charged ? less : charged;
  g_process.account.refund(reservation.device(), back);
  const Record record = {.bytes = charged - back + reservation.bytes(),
                         .device = reservation.device(),
                         .owner = current_context()};
  if (record.bytes == 0) return;
  if (g_process.records.insert(Space::context, name, record).stored) {
    reservation.commit();
  } else {
    g_process.account.refund(record.device, charged - back);
  }
}

}  // namespace
}  // namespace hami::vgpu

using namespace hami::vgpu;

HAMI_EXPORT CUresult cuCtxSetLimit(CUlimit limit, std::size_t value) {
  const auto call = [=] { return driver<&CudaDriver::cuCtxSetLimit>(limit, value); };
  CUdevice ordinal = -1;
  if (mode() != Mode::on || limit < CU_LIMIT_STACK_SIZE || limit > CU_LIMIT_MALLOC_HEAP_SIZE ||
      current_context() == 0 || driver<&CudaDriver::cuCtxGetDevice>(&ordinal) != CUDA_SUCCESS) {
    return call();
  }
  const int device = device_index(ordinal);
  if (device < 0) return call();
  const std::uint64_t before = bytes_now(limit, ordinal);
  const std::uint64_t wanted = bytes_of_limit(limit, value, ordinal);
  Reservation reservation = reserve(static_cast<unsigned>(device), wanted > before ? wanted - before : 0);
  if (!reservation) return refusal(reservation);
  const CUresult status = call();
  if (status == CUDA_SUCCESS) settle_limit(limit, before, bytes_now(limit, ordinal), reservation);
  return status;
}
