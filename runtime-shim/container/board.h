// A container's board, see libvgpu/abi/board.h: a file in its directory, with a link where its neighbours
// look.
#pragma once

#include <string>

#include "libvgpu/abi/slice.h"
#include "oci-config/base/result.h"

namespace hami::shim {

// Makes `<container_dir>/board` and its links for the devices of `slice`. A link that is there is replaced.
[[nodiscard]] Result<> write_board(const std::string& state_dir, const std::string& container_dir,
                                   const abi::SliceFile& slice);

}  // namespace hami::shim
