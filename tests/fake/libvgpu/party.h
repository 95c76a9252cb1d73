// One step of a program that passes memory to others, as a test asks for it over a socket.
#pragma once

#include <cstdint>

namespace hami::fake {

enum class Step : std::uint32_t {
  create,          // memory behind a handle, `bytes` of it
  export_fd,       // that handle as a descriptor
  import_fd,       // a handle from a descriptor
  export_fabric,   // that handle as 64 bytes
  import_fabric,   // a handle from those
  map,             // the handle
  unmap,           // what was mapped last
  release,         // the handle that was made or imported last
  allocate,        // `bytes`
  get_handle,      // of what was allocated last
  open_handle,     // of another process
  close_handle,    // what was opened last
  free,            // what was allocated last
  allocate_async,  // `bytes` of the default pool
  export_pool,     // the default pool as a descriptor
  export_pointer,  // what was allocated of it
  import_pool,     // from a descriptor
  import_pointer,  // into that pool
  free_imported,   // that pointer
  make_pool,       // a pool that can be passed on, for allocate_async
  new_context,     // for what follows
  end_context,     // that context
};

struct Order {
  Step step;
  std::uint32_t reserved;
  std::uint64_t bytes;
  char handle[64];
};

// With a descriptor where the step makes one.
struct Answer {
  std::int32_t status;  // CUresult
  std::uint32_t reserved;
  std::uint64_t free_mib;
  char handle[64];
};

}  // namespace hami::fake
