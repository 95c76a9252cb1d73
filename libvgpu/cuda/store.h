// Memory that the driver keeps in stock: stream-ordered pools and the graph memory of a device. It grows and
// shrinks on the driver's own terms, so the stock as a whole is charged, at the level that the driver
// reports.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvgpu/core/account.h"
#include "libvgpu/core/lock.h"

namespace hami::vgpu {

// What the driver says about one stock, in bytes.
struct Stock {
  std::uint64_t reserved = 0;  // taken from the card
  std::uint64_t used = 0;      // of that, handed out
};

// The charge for one stock. All members but the lock are changed with the lock held, which also spans the
// driver call that may grow the stock: two threads would otherwise both count on the same free part of it.
struct Store {
  SpinLock lock;
  unsigned device = 0;        // the container's index
  std::uint64_t charged = 0;  // bytes on the usage page for it
  std::uint64_t missing = 0;  // what the request under way cannot have from what is there
  // What the driver was seen to grow stocks of this kind by when less would have done; 0: not seen yet. Null
  // for stocks that grow by what is needed.
  std::atomic<std::uint64_t>* chunk = nullptr;
};

// The least that a stock grows by until the driver was seen to do otherwise.
inline constexpr std::uint64_t kFirstChunk = std::uint64_t{32} << 20U;

// Bytes to admit before a request for `bytes`: what the stock cannot serve from what it has.
std::uint64_t missing_bytes(const Store& store, const Stock& stock, std::uint64_t bytes) noexcept;

// Admits the driver's growth for a request: whole chunks. Nothing missing is always admitted.
Reservation reserve_growth(Store& store, std::uint64_t missing) noexcept;

// Takes over what the driver reports now. Growth must fit into `reservation` and the limit: false when it
// does not, and then the caller undoes the request and settles again.
bool settle_growth(Store& store, const Stock& stock, Reservation& reservation) noexcept;

// Takes over what the driver reports, whatever the limit.
void settle(Store& store, const Stock& stock) noexcept;

}  // namespace hami::vgpu
