#include "oci-config/paths.h"

#include <vector>

#include "oci-config/base/text.h"

namespace hami::oci {

std::string normal_path(std::string_view path) {
  std::string out;
  for (const auto part : text::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      out.erase(out.empty() ? 0 : out.rfind('/'));
      continue;
    }
    out += '/';
    out += part;
  }
  return out.empty() ? "/" : out;
}

bool is_at_or_below(std::string_view path, std::string_view parent) {
  if (path == parent || parent == "/") return true;
  return path.size() > parent.size() && path.substr(0, parent.size()) == parent && path[parent.size()] == '/';
}

}  // namespace hami::oci
