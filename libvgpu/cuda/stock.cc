#include "libvgpu/cuda/stock.h"

#include "libvgpu/core/process.h"
#include "libvgpu/cuda/graph_memory.h"
#include "libvgpu/cuda/pools.h"

namespace hami::vgpu {

void settle_stock(unsigned device) noexcept {
  g_pools.settle_all(device);
  g_graph_memory.settle_all(device);
}

bool give_up_stock(unsigned device) noexcept {
  const std::uint64_t before = g_process.account.own(device);
  g_graph_memory.settle_all(device);
  g_pools.trim_all(device);
  return g_process.account.own(device) < before;
}

void forget_stock() noexcept {
  g_pools.forget();
  g_graph_memory.forget();
}

}  // namespace hami::vgpu
