#include "libvgpu/cuda/charge.h"

#include "libvgpu/cuda/contexts.h"
#include "libvgpu/cuda/stock.h"

namespace hami::vgpu {

Reservation reserve(unsigned device, std::uint64_t bytes) noexcept {
  Account& account = g_process.account;
  // Nothing always fits, also where the limit was lowered below what is held.
  if (bytes == 0) return Reservation{account, device, 0, Verdict::admitted};
  const std::uint64_t limit = limit_of(device);
  Verdict verdict = account.admit(device, bytes, limit);
  if (verdict == Verdict::refused && bytes <= limit && give_up_stock(device)) {
    verdict = account.admit(device, bytes, limit);
  }
  return Reservation{account, device, bytes, verdict};
}

bool keep(Space space, std::uint64_t name, Reservation& reservation) noexcept {
  return keep(space, name, current_context(), reservation);
}

bool keep(Space space, std::uint64_t name, unsigned owner, Reservation& reservation) noexcept {
  const Record record = {.bytes = reservation.bytes(), .device = reservation.device(), .owner = owner};
  bool stored = false;
  const std::optional<Record> stale = g_process.records.insert(space, name, record, stored);
  if (!stored) return false;
  reservation.commit();
  if (stale) g_process.account.refund(stale->device, stale->bytes);
  return true;
}

}  // namespace hami::vgpu
