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
  if (verdict == Verdict::refused) [[unlikely]]
    over_the_limit(device, bytes, limit);
  return Reservation{account, device, bytes, verdict};
}

bool keep(Space space, std::uint64_t name, Reservation& reservation) noexcept {
  return keep(space, name, current_context(), reservation);
}

bool keep(Space space, std::uint64_t name, unsigned owner, Reservation& reservation) noexcept {
  const Record record = {.bytes = reservation.bytes(), .device = reservation.device(), .owner = owner};
  const Records::Inserted added = g_process.records.insert(space, name, record);
  if (!added.stored) return false;
  reservation.commit();
  if (added.stale) give_back(*added.stale);
  return true;
}

void retract_told(std::uint64_t ptr) noexcept {
  if (!g_process.joint.has_pointers()) return;
  const std::uint32_t piece = g_process.joint.take_pointer(ptr);
  if (piece != JointMemory::kNone) g_process.joint.retract(g_process.account, piece);
}

// A whole allocation lives on where others have it. A piece of a block or of a pool lies in what is charged
// anyway.
void end_told(Space space, std::uint64_t name, const Record& record) noexcept {
  if (space == Space::imported) {
    end_opened(name, record);
    return;
  }
  if (space == Space::pointer && record.bytes < kSmallBelow) {
    retract_told(name);
  } else if (space == Space::pointer) {
    const std::uint32_t piece = g_process.joint.take_pointer(name);
    if (piece != JointMemory::kNone) return g_process.joint.let_go(g_process.account, piece);
  }
  give_back(record);
}

// Meanwhile others may have come into its blocks, and paid for them, or have left. One that cannot be
// remembered stays charged.
void put_back(Space space, std::uint64_t name, const Record& record) noexcept {
  const Records::Inserted added = g_process.records.insert(space, name, record);
  if (!added.stored) return;
  if (added.charge < record.charge) g_process.account.refund(record.device, record.charge - added.charge);
  if (added.charge > record.charge) g_process.account.charge(record.device, added.charge - record.charge);
}

bool keep_linear(std::uint64_t address, std::uint64_t bytes, unsigned owner,
                 Reservation& reservation) noexcept {
  const Record record = {.bytes = bytes, .device = reservation.device(), .owner = owner};
  const Records::Inserted added = g_process.records.insert(Space::pointer, address, record);
  if (!added.stored) return false;
  const bool fits = reservation.settle(added.charge, limit_of(record.device));
  if (fits) {
    reservation.commit();
  } else if (const std::optional<Record> taken = g_process.records.take(Space::pointer, address)) {
    // Others in its blocks count on our paying for them.
    if (taken->charge < added.charge) g_process.account.charge(record.device, added.charge - taken->charge);
  }
  if (added.stale) give_back(*added.stale);
  return fits;
}

}  // namespace hami::vgpu
