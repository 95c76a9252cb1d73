// All memory in stock, of pools and graphs together.
#pragma once

namespace hami::vgpu {

// Brings the charges for memory in stock on a device to what the driver reports, so that what is shown is
// true now. Costs one load in a process that has none.
void settle_stock(unsigned device) noexcept;

// Has the driver give unused stock back before a request is refused. True when that may have helped.
bool give_up_stock(unsigned device) noexcept;

// In the child of a fork.
void forget_stock() noexcept;

}  // namespace hami::vgpu
