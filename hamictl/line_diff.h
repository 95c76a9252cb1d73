// The lines in which two texts differ, as a unified diff.
#pragma once

#include <string>
#include <string_view>

namespace hami::hamictl {

// A unified diff with three lines of context and `name` in its header; "" for equal texts. For configuration
// files: quadratic in the number of lines, and texts above 4000 lines are shown as replaced altogether.
[[nodiscard]] std::string line_diff(std::string_view before, std::string_view after, std::string_view name);

}  // namespace hami::hamictl
