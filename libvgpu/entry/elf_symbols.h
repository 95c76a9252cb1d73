// Finds functions in loaded objects without dlsym, which is what we are replacing.
#pragma once

namespace hami::vgpu {

// The address of the function `symbol` in the first loaded object that defines it and is not this library;
// null when there is none. Any version of the symbol will do.
void* find_in_other_objects(const char* symbol) noexcept;

}  // namespace hami::vgpu
