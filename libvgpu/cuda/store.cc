#include "libvgpu/cuda/store.h"

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/charge.h"

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kBlock = std::uint64_t{2} << 20U;

Reservation admit(const Store& store, std::uint64_t bytes) noexcept {
  Account& account = g_process.account;
  return Reservation{account, store.device, bytes,
                     account.admit(store.device, bytes, limit_of(store.device))};
}

}  // namespace

std::uint64_t missing_bytes(const Store& store, const Stock& stock, std::uint64_t bytes) noexcept {
  if (bytes > abi::kHeldMax) return bytes;
  const std::uint64_t needed = stock.used + bytes;
  if (needed <= store.charged) return 0;
  return (needed - store.charged + kBlock - 1) / kBlock * kBlock;
}

Reservation reserve_growth(const Store& store, std::uint64_t missing) noexcept {
  if (missing == 0) return Reservation{g_process.account, store.device, 0, Verdict::admitted};
  const std::uint64_t chunk = store.chunk != 0 ? store.chunk : kFirstChunk;
  if (missing < chunk) {
    const std::uint64_t limit = limit_of(store.device);
    const std::uint64_t used = g_process.account.page()->devices[store.device].committed.load();
    // Asking for more than fits would count as a refusal and look for dead processes.
    if (limit == 0 || (used <= limit && limit - used >= chunk)) return admit(store, chunk);
  }
  return admit(store, missing);
}

bool settle_growth(Store& store, const Stock& stock, Reservation& reservation) noexcept {
  if (stock.reserved < store.charged) {
    g_process.account.refund(store.device, store.charged - stock.reserved);
    store.charged = stock.reserved;
    return true;  // what was reserved goes back by itself
  }
  const std::uint64_t growth = stock.reserved - store.charged;
  if (growth > store.chunk) store.chunk = growth;
  if (!reservation.settle(growth, limit_of(store.device))) return false;
  store.charged += reservation.commit();
  return true;
}

void settle(Store& store, const Stock& stock) noexcept {
  if (stock.reserved < store.charged) g_process.account.refund(store.device, store.charged - stock.reserved);
  if (stock.reserved > store.charged) g_process.account.charge(store.device, stock.reserved - store.charged);
  store.charged = stock.reserved;
}

}  // namespace hami::vgpu
