#include "runtime-shim/state/boards.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "oci-config/base/text.h"

namespace hami::state {
namespace {

std::vector<std::string> names_in(const std::string& dir) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(dir.c_str()), ::closedir);
  if (!stream) return names;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

}  // namespace

std::string card_dir(const std::string& state_dir, std::string_view uuid) {
  const auto is_plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  };
  if (uuid.empty() || uuid.front() == '.' || !std::all_of(uuid.begin(), uuid.end(), is_plain)) return {};
  return text::cat({state_dir, "/cards/", uuid});
}

Result<> drop_boards(const std::string& state_dir, const std::vector<std::string>& uuids) {
  std::vector<std::string> dirs;
  for (const std::string& uuid : uuids) {
    if (auto dir = card_dir(state_dir, uuid); !dir.empty()) dirs.push_back(std::move(dir));
  }
  const std::string cards = state_dir + "/cards";
  if (uuids.empty()) {
    for (const std::string& card : names_in(cards)) dirs.push_back(text::cat({cards, "/", card}));
  }
  for (const std::string& dir : dirs) {
    for (const std::string& name : names_in(dir)) {
      const std::string path = text::cat({dir, "/", name});
      struct stat info {};
      // The container's directory holds the other link.
      if (::lstat(path.c_str(), &info) != 0 || info.st_nlink > 1) continue;
      if (::unlinkat(AT_FDCWD, path.c_str(), 0) != 0 && errno != ENOENT) return fail_errno("remove", path);
    }
  }
  return {};
}

}  // namespace hami::state
