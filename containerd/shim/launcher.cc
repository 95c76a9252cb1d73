#include "containerd/shim/launcher.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::containerd {

namespace {

constexpr std::string_view kStockShim = "containerd-shim-runc-v2";
constexpr std::string_view kForeignOptions = "runtimeoptions.v1.Options";

bool is_this_program(const struct stat& info) {
  struct stat self {};
  return ::stat("/proc/self/exe", &self) == 0 && self.st_dev == info.st_dev && self.st_ino == info.st_ino;
}

}  // namespace

std::vector<std::string> shim_candidates(std::span<const char* const> argv, std::string_view path) {
  std::vector<std::string> candidates;
  const auto add = [&candidates](std::string_view dir) {
    // A relative directory is the caller's working directory, which is the bundle: never trusted.
    if (!dir.empty() && dir.front() == '/') candidates.push_back(text::cat({dir, "/", kStockShim}));
  };
  for (std::size_t i = 1; i + 1 < argv.size(); ++i) {
    const std::string_view word = argv[i];
    if (word == "-publish-binary" || word == "--publish-binary") add(files::dir_name(argv[i + 1]));
  }
  for (const auto dir : text::split(path, ':')) add(dir);
  add("/usr/bin");
  add("/usr/local/bin");
  return candidates;
}

Result<std::string> find_stock_shim(const std::vector<std::string>& candidates) {
  for (const std::string& candidate : candidates) {
    struct stat info {};
    if (::stat(candidate.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (::access(candidate.c_str(), X_OK) != 0 || is_this_program(info)) continue;
    return candidate;
  }
  return fail(Errc::not_found,
              text::cat({"find ", kStockShim, ": not in ", text::number(candidates.size()), " directories"}),
              "install containerd, or put its directory into containerd's PATH");
}

std::string with_shim_path(std::string_view path) {
  const std::string prefix = text::cat({kShimPath, ":"});
  if (path.substr(0, prefix.size()) == prefix) return std::string(path);
  return prefix + std::string(path);
}

bool carries_unusable_options(std::string_view options) {
  return options.find(kForeignOptions) != std::string_view::npos;
}

Result<UniqueFd> keep_input(const std::string& bytes) {
  UniqueFd file(::memfd_create("shim-options", MFD_CLOEXEC));
  if (!file) return fail_errno("create a file for", "the runtime options");
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0) return fail_errno("keep", "the runtime options");
    done += static_cast<std::size_t>(n);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno("rewind", "the runtime options");
  return file;
}

}  // namespace hami::containerd
