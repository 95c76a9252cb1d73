#include "libvgpu/cuda/store.h"

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/charge.h"

namespace hami::vgpu {
namespace {

constexpr std::uint64_t kBlock = std::uint64_t{2} << 20U;

std::uint64_t chunk_seen(const Store& store) noexcept {
  return store.chunk == nullptr ? 0 : store.chunk->load(std::memory_order_relaxed);
}

void learn_chunk(const Store& store, std::uint64_t growth) noexcept {
  if (store.chunk == nullptr || growth == 0 || (growth <= store.missing && growth % kFirstChunk == 0)) return;
  std::uint64_t chunk = growth % kFirstChunk == 0 ? kFirstChunk : growth;
  if (growth <= store.missing) chunk = kBlock;  // it takes no more than it needs
  if (chunk > chunk_seen(store)) store.chunk->store(chunk, std::memory_order_relaxed);
}

}  // namespace

std::uint64_t missing_bytes(const Store& store, const Stock& stock, std::uint64_t bytes) noexcept {
  if (bytes > abi::kHeldMax) return bytes;
  const std::uint64_t needed = stock.used + bytes;
  if (needed <= store.charged) return 0;
  return (needed - store.charged + kBlock - 1) / kBlock * kBlock;
}

Reservation reserve_growth(Store& store, std::uint64_t missing) noexcept {
  Account& account = g_process.account;
  store.missing = missing;
  if (missing == 0) return Reservation{account, store.device, 0, Verdict::admitted};
  const std::uint64_t seen = chunk_seen(store);
  const std::uint64_t first = store.chunk == nullptr ? kBlock : kFirstChunk;
  const std::uint64_t chunk = seen != 0 ? seen : first;
  const std::uint64_t wanted = missing < abi::kHeldMax ? (missing + chunk - 1) / chunk * chunk : missing;
  // One that is not seen to take less might take a whole chunk, and then it is too late.
  return Reservation{account, store.device, wanted,
                     account.admit(store.device, wanted, limit_of(store.device))};
}

bool settle_growth(Store& store, const Stock& stock, Reservation& reservation) noexcept {
  if (stock.reserved < store.charged) {
    g_process.account.refund(store.device, store.charged - stock.reserved);
    store.charged = stock.reserved;
    return true;  // what was reserved goes back by itself
  }
  const std::uint64_t growth = stock.reserved - store.charged;
  learn_chunk(store, growth);
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
