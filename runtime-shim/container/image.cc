#include "runtime-shim/container/image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <string_view>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"

namespace hami::shim {

namespace {

// Paths fixed by each architecture's ABI.
#if defined(__x86_64__)
constexpr const char* kLoader = "/lib64/ld-linux-x86-64.so.2";
constexpr std::string_view kTriplet = "x86_64-linux-gnu";
#elif defined(__aarch64__)
constexpr const char* kLoader = "/lib/ld-linux-aarch64.so.1";
constexpr std::string_view kTriplet = "aarch64-linux-gnu";
#else
#error "unknown architecture: where is glibc's loader?"
#endif
constexpr const char* kPreloadFile = "/etc/ld.so.preload";

bool is_directory(int root, const std::string& path) {
  return files::open_in_root(root, path, O_PATH | O_DIRECTORY).has_value();
}

// musl's compatibility package has a link at the loader's path that leads to a library of another name.
bool is_glibc_loader(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return false;
  const std::string link = text::cat({"/proc/self/fd/", std::to_string(fd)});
  char target[PATH_MAX];
  const ssize_t n = ::readlink(link.c_str(), target, sizeof target);
  if (n <= 0) return false;
  return files::base_name({target, static_cast<std::size_t>(n)}).substr(0, 3) == "ld-";
}

Result<std::string> read_preload(int root) {
  const auto fd = files::open_in_root(root, kPreloadFile, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) {
    if (fd.error().code == Errc::not_found) return std::string{};
    return fail(Error(fd.error()));
  }
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) return fail_errno("inspect the image's", kPreloadFile);
  auto content = S_ISREG(info.st_mode) ? files::read_all(fd->get(), kPreloadFile, kMaxPreloadBytes)
                                       : Result<std::string>(fail(Errc::io, "not a file"));
  if (content && content->find('\0') == std::string::npos) return content;
  return fail(Errc::invalid_request,
              text::cat({"the image's ", text::quote(kPreloadFile), " is not a text of at most ",
                         text::number(kMaxPreloadBytes), " bytes"}),
              "repair the image");
}

}  // namespace

Result<Image> inspect_image(const std::string& rootfs) {
  const UniqueFd root(::open(rootfs.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno("open the container's root", rootfs);
  Image image;
  if (const auto loader = files::open_in_root(root.get(), kLoader, O_PATH)) {
    image.has_glibc = is_glibc_loader(loader->get());
  }
  const std::string multiarch = text::cat({"/usr/lib/", kTriplet});
  image.debian_layout = is_directory(root.get(), multiarch) || !is_directory(root.get(), "/usr/lib64") ||
                        files::open_in_root(root.get(), "/etc/debian_version", O_PATH).has_value();
  HAMI_TRY(image.preload, read_preload(root.get()));
  return image;
}

}  // namespace hami::shim
