#include "hook/library_entries.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "hook/soname.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::hook {

namespace {

std::optional<LibraryName> name_of(const Root& root, const std::string& library) {
  // A FIFO of the image must not stop the start.
  const auto file = files::open_in_root(root.visible(), library, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat info {};
  if (!file || ::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return library_name(file->get());
}

// The path under which `soname` leads to `library`.
Result<std::string> reach_by(const Root& root, const std::string& soname, const std::string& library) {
  const std::string path = text::cat({files::dir_name(library), "/", soname});
  if (path == library) return path;
  const Result<> linked = root.link(path, std::string(files::base_name(library)));
  if (linked) return path;
  if (linked.error().os_error == EROFS) return library;
  return fail(linked.error());
}

// True when `link` stands beside `library` and leads to it, by its own name or the one it is asked for by.
bool leads_to(const vendors::Link& link, const std::string& library, const std::string& soname) {
  return files::dir_name(link.path) == files::dir_name(library) &&
         (link.target == files::base_name(library) || link.target == soname);
}

}  // namespace

Result<std::vector<CacheEntry>> library_entries(const Root& root, const std::vector<std::string>& libraries,
                                                const std::vector<vendors::Link>& links) {
  std::vector<CacheEntry> entries;
  for (const std::string& library : libraries) {
    const auto name = name_of(root, library);
    if (!name) continue;
    const std::string soname = name->soname.empty() ? std::string(files::base_name(library)) : name->soname;
    HAMI_TRY(std::string path, reach_by(root, soname, library));
    entries.push_back({soname, std::move(path), name->flags});
    for (const vendors::Link& link : links) {
      const std::string other(files::base_name(link.path));
      if (other != soname && leads_to(link, library, soname))
        entries.push_back({other, link.path, name->flags});
    }
  }
  return entries;
}

}  // namespace hami::hook
