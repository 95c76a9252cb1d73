#include "libvgpu/cuda/charge.h"

namespace hami::vgpu {

bool keep(Space space, std::uint64_t name, Reservation& reservation) noexcept {
  const Record record = {.bytes = reservation.bytes(), .device = reservation.device(), .owner = 0};
  bool stored = false;
  const std::optional<Record> stale = g_process.records.insert(space, name, record, stored);
  if (!stored) return false;
  reservation.commit();
  if (stale) g_process.account.refund(stale->device, stale->bytes);
  return true;
}

}  // namespace hami::vgpu
