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
  if (stale) give_back(space, name, *stale);
  return true;
}

void give_back(Space space, std::uint64_t name, const Record& record) noexcept {
  const bool is_small = space == Space::pointer && record.bytes < kSmallBelow;
  const std::uint64_t bytes =
      is_small ? static_cast<unsigned>(g_process.blocks.leave(name, record.bytes)) * kBlockBytes
               : record.bytes;
  if (bytes != 0) g_process.account.refund(record.device, bytes);
}

// The piece enters its block before its record can be found: whoever frees it finds both.
bool keep_linear(std::uint64_t address, std::uint64_t bytes, unsigned owner,
                 Reservation& reservation) noexcept {
  const unsigned device = reservation.device();
  const bool is_small = bytes < kSmallBelow;
  const int fresh = is_small ? g_process.blocks.enter(address, bytes) : 0;
  if (fresh < 0) return false;
  const std::uint64_t taken = is_small ? static_cast<unsigned>(fresh) * kBlockBytes : bytes;
  const Record record = {.bytes = bytes, .device = device, .owner = owner};
  bool stored = reservation.settle(taken, limit_of(device));
  std::optional<Record> stale;
  if (stored) stale = g_process.records.insert(Space::pointer, address, record, stored);
  if (!stored) {
    if (is_small) g_process.blocks.leave(address, bytes);
    return false;
  }
  reservation.commit();
  if (stale) give_back(Space::pointer, address, *stale);
  return true;
}

}  // namespace hami::vgpu
