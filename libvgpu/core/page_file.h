// The usage page's file when no runtime made one: libvgpu used alone, with HAMi-core's variables.
#pragma once

#include <cstdint>

namespace hami::vgpu {

// Creates and initialises a page at byte `offset` of the file at `path` unless a valid one is there.
// Processes that start together wait for the first. False, with a log line, when that is not possible.
bool create_page_file(const char* path, std::uint64_t offset) noexcept;

// Maps the first `size` bytes of the file at `path`, shared and writable; creates and sizes it when it is
// missing. Unless is_ready(memory) says that there is nothing to do, `prepare(memory, data)` runs while no
// other process is in here. Null when that is not possible.
void* map_shared_file(const char* path, std::uint64_t size, bool (*is_ready)(const void* memory),
                      void (*prepare)(void* memory, void* data), void* data) noexcept;

}  // namespace hami::vgpu
