// The ways in which a container can have its part of a device; users choose with nvidia.com/vgpu-mode and
// kin.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace hami::vendors {

enum class Mode {
  hami_core,  // a part of a device, held by a library in the container
  mig,        // a hardware partition, whole
  mps,        // as hami_core, and programs share the device through NVIDIA's MPS daemon of the node
  none,       // whole devices, nothing held back
};

inline constexpr std::array<Mode, 4> kModes{Mode::hami_core, Mode::mig, Mode::mps, Mode::none};

// "hami-core", "mig", "mps", "none".
[[nodiscard]] constexpr std::string_view to_text(Mode mode) {
  constexpr std::array<std::string_view, 4> kNames{"hami-core", "mig", "mps", "none"};
  return kNames[static_cast<std::size_t>(mode)];
}

// nullopt: no mode is called so.
[[nodiscard]] constexpr std::optional<Mode> mode_of(std::string_view name) {
  for (const Mode mode : kModes) {
    if (to_text(mode) == name) return mode;
  }
  return std::nullopt;
}

}  // namespace hami::vendors
