#include "libvgpu/core/environment.h"

#include <optional>

#include "libvgpu/core/size.h"

namespace hami::vgpu {
namespace {

// Read before one variable per device: the name of device i is in row i, for messages too.
constexpr const char* kDeviceNames[] = {
    "CUDA_DEVICE_MEMORY_LIMIT_0",  "CUDA_DEVICE_MEMORY_LIMIT_1",  "CUDA_DEVICE_MEMORY_LIMIT_2",
    "CUDA_DEVICE_MEMORY_LIMIT_3",  "CUDA_DEVICE_MEMORY_LIMIT_4",  "CUDA_DEVICE_MEMORY_LIMIT_5",
    "CUDA_DEVICE_MEMORY_LIMIT_6",  "CUDA_DEVICE_MEMORY_LIMIT_7",  "CUDA_DEVICE_MEMORY_LIMIT_8",
    "CUDA_DEVICE_MEMORY_LIMIT_9",  "CUDA_DEVICE_MEMORY_LIMIT_10", "CUDA_DEVICE_MEMORY_LIMIT_11",
    "CUDA_DEVICE_MEMORY_LIMIT_12", "CUDA_DEVICE_MEMORY_LIMIT_13", "CUDA_DEVICE_MEMORY_LIMIT_14",
    "CUDA_DEVICE_MEMORY_LIMIT_15"};
static_assert(sizeof kDeviceNames / sizeof kDeviceNames[0] == abi::kMaxDevices);

constexpr const char* kCoreNames[] = {
    "CUDA_DEVICE_SM_LIMIT_0",  "CUDA_DEVICE_SM_LIMIT_1",  "CUDA_DEVICE_SM_LIMIT_2",
    "CUDA_DEVICE_SM_LIMIT_3",  "CUDA_DEVICE_SM_LIMIT_4",  "CUDA_DEVICE_SM_LIMIT_5",
    "CUDA_DEVICE_SM_LIMIT_6",  "CUDA_DEVICE_SM_LIMIT_7",  "CUDA_DEVICE_SM_LIMIT_8",
    "CUDA_DEVICE_SM_LIMIT_9",  "CUDA_DEVICE_SM_LIMIT_10", "CUDA_DEVICE_SM_LIMIT_11",
    "CUDA_DEVICE_SM_LIMIT_12", "CUDA_DEVICE_SM_LIMIT_13", "CUDA_DEVICE_SM_LIMIT_14",
    "CUDA_DEVICE_SM_LIMIT_15"};
static_assert(sizeof kCoreNames / sizeof kCoreNames[0] == abi::kMaxDevices);

std::optional<std::uint64_t> read_number(Lookup lookup, const char* name, const char* kind,
                                         EnvironmentLimits& limits) noexcept {
  const char* text = lookup(name);
  if (text == nullptr) return std::nullopt;
  const std::optional<std::uint64_t> number = parse_size(text);
  if (!number && limits.bad_name == nullptr) {
    limits.bad_name = name;
    limits.bad_value = text;
    limits.bad_kind = kind;
  }
  return number;
}

std::optional<std::uint64_t> read_one(Lookup lookup, const char* name, EnvironmentLimits& limits) noexcept {
  if (lookup(name) != nullptr) limits.any = true;
  return read_number(lookup, name, "memory size", limits);
}

// 100 % is what HAMi writes for "no limit": it alone holds nothing back and counts as unset.
void read_core(Lookup lookup, EnvironmentLimits& limits) noexcept {
  const std::uint64_t global = read_number(lookup, "CUDA_DEVICE_SM_LIMIT", "percentage", limits).value_or(0);
  for (unsigned i = 0; i < abi::kMaxDevices; ++i) {
    const std::uint64_t percent = read_number(lookup, kCoreNames[i], "percentage", limits).value_or(global);
    limits.core[i] = percent < 100 ? static_cast<std::uint32_t>(percent) : 0;
    if (limits.core[i] != 0) limits.any = true;
  }
  if (limits.bad_name != nullptr) limits.any = true;
}

}  // namespace

EnvironmentLimits read_environment(Lookup lookup) noexcept {
  EnvironmentLimits limits;
  const std::uint64_t global = read_one(lookup, "CUDA_DEVICE_MEMORY_LIMIT", limits).value_or(0);
  for (unsigned i = 0; i < abi::kMaxDevices; ++i) {
    limits.memory[i] = read_one(lookup, kDeviceNames[i], limits).value_or(global);
  }
  read_core(lookup, limits);
  return limits;
}

}  // namespace hami::vgpu
