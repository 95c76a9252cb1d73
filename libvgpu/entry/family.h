// The copies of this library in one process. The loader's preloads are not in a name space that dlmopen
// makes, so we load a copy of ourselves into it first: what is loaded there later finds us before the driver,
// as preloaded. The copies share the first one's account, so that the process has one limit.
#pragma once

#include "libvgpu/entry/resolve.h"

namespace hami::vgpu {

struct Process;

// The process as the first copy holds it; null in the first copy itself.
const Process* first_process() noexcept;

// What the copy of the name space in which `address` lies answers for it: a function of its own to give
// instead. Not decided when no other copy knows the address.
HamiAnswer ask_family(const char* symbol, void* address) noexcept;

// In the child of a fork: every copy forgets what was the parent's, this one by `forget`.
void forget_in_family(void (*forget)() noexcept) noexcept;

}  // namespace hami::vgpu
