#include "tests/simdriver/cuda/reservoir.h"

namespace hami::sim {
namespace {

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

CUresult draw(Reservoir& reservoir, std::uint32_t device, std::uint64_t size, std::uint64_t step,
              std::uint64_t most) {
  const SpinGuard guard(reservoir.lock);
  const std::uint64_t wanted = reservoir.used + size;
  if (most != 0 && wanted > most) return CUDA_ERROR_OUT_OF_MEMORY;
  if (wanted > reservoir.reserved) {
    const std::uint64_t missing = round_up(wanted - reservoir.reserved, kBlock);
    std::uint64_t grow = round_up(missing, step);
    if (most != 0 && reservoir.reserved + grow > most) grow = missing;
    if (device != kNoDevice && !charge(device, {grow, grow})) {
      grow = missing;
      if (!charge(device, {grow, grow})) return CUDA_ERROR_OUT_OF_MEMORY;
    }
    reservoir.reserved += grow;
    if (reservoir.reserved > reservoir.reserved_high) reservoir.reserved_high = reservoir.reserved;
  }
  reservoir.used = wanted;
  if (wanted > reservoir.used_high) reservoir.used_high = wanted;
  return CUDA_SUCCESS;
}

void put_back(Reservoir& reservoir, std::uint64_t size) {
  const SpinGuard guard(reservoir.lock);
  reservoir.used -= size;
}

void trim(Reservoir& reservoir, std::uint32_t device, std::uint64_t keep) {
  const SpinGuard guard(reservoir.lock);
  std::uint64_t floor = round_up(reservoir.used, kBlock);
  if (keep > floor) floor = keep > UINT64_MAX - kBlock ? UINT64_MAX : round_up(keep, kBlock);
  if (reservoir.reserved <= floor) return;
  const std::uint64_t back = reservoir.reserved - floor;
  reservoir.reserved = floor;
  if (device != kNoDevice) refund(device, {back, back});
}

}  // namespace hami::sim
