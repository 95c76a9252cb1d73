// Paths inside a container as text, for comparing what two parties want at one place.
#pragma once

#include <string>
#include <string_view>

namespace hami::oci {

// "/a//b/./x/../c/" → "/a/b/c"; a relative path is taken as relative to "/", as the runtimes do. Links are
// not followed: only the kernel can do that, inside the container's root.
[[nodiscard]] std::string normal_path(std::string_view path);

// Whether `path` is `parent` or below it. Both must be normal.
[[nodiscard]] bool is_at_or_below(std::string_view path, std::string_view parent);

}  // namespace hami::oci
