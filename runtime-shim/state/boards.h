// The boards of containers that share a card: a file in the container's directory,
// with a link in the directory of each of its cards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"

namespace hami::state {

// <state>/cards/<uuid>: what the containers of one card see. Empty for a UUID that is no name of a directory.
[[nodiscard]] std::string card_dir(const std::string& state_dir, std::string_view uuid);

// Removes the links of boards whose container's directory is gone, on these cards; none named: on every card.
[[nodiscard]] Result<> drop_boards(const std::string& state_dir, const std::vector<std::string>& uuids = {});

}  // namespace hami::state
