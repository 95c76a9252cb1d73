// What NVML, asked from outside of a container, sees its processes hold of a card.
#pragma once

#include <cstdint>
#include <string>

#include "libvgpu/nvml/types.h"

namespace hami::gpu {

// Marks the processes of one container: the variable is in the environment they start with.
inline constexpr const char* kMark = "GPU_SUITE_RUN";

class CardWitness {
 public:
  // The first card, as NVML counts them. False: no driver, or no card.
  bool open();

  const std::string& uuid() const { return uuid_; }
  std::string name() const;

  // Bytes that processes with this mark hold. False: NVML names none of them, as where it speaks of other
  // pids.
  bool held_by(const std::string& mark, std::uint64_t& bytes) const;
  // Bytes in use on the whole card.
  std::uint64_t used() const;
  // Percent of the time in which a kernel ran, as NVML's last sample says; -1: it does not.
  int utilization() const;

 private:
  struct Functions {
    nvmlReturn_t (*init)();
    nvmlReturn_t (*handle)(unsigned, nvmlDevice_t*);
    nvmlReturn_t (*uuid)(nvmlDevice_t, char*, unsigned);
    nvmlReturn_t (*name)(nvmlDevice_t, char*, unsigned);
    nvmlReturn_t (*memory)(nvmlDevice_t, nvmlMemory_t*);
    nvmlReturn_t (*processes)(nvmlDevice_t, unsigned*, nvmlProcessInfo_v2_t*);
    nvmlReturn_t (*utilization)(nvmlDevice_t, nvmlUtilization_t*);
  };

  bool find_functions();

  Functions nvml_ = {};
  nvmlDevice_t card_ = nullptr;
  std::string uuid_;
};

}  // namespace hami::gpu
