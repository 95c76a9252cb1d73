// The host's side of a container without an engine: its slice, its page and its board, mounted where
// libvgpu.so looks.
#pragma once

#include <cstdint>
#include <string>

namespace hami::gpu {

struct Share {
  std::uint64_t memory = 0;  // bytes; 0: no limit
  std::uint32_t cores = 0;   // percent; 0: no limit
  std::int32_t priority = 0;
  bool is_forced = false;  // the policy "force": also alone on the card no more than `cores`
  std::string library;     // libvgpu.so
  std::string cards;       // a folder that containers of one card share; empty: none
};

// Puts this process, and what it starts from now on, into such a container on the card `uuid`. Its files are
// in `folder`. Empty: done; otherwise what is missing. Needs root.
std::string enter_slice(const Share& share, const std::string& uuid, const std::string& folder);

}  // namespace hami::gpu
