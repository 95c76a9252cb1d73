#include "runtime-shim/container/board.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string_view>

#include "libvgpu/abi/board.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "oci-config/base/unique_fd.h"
#include "runtime-shim/state/boards.h"

namespace hami::shim {
namespace {

constexpr mode_t kBoardMode = 0666;  // any user of the container
constexpr mode_t kCardMode = 0755;

// Tells containers apart on one node and nothing else.
std::uint64_t id_of(std::string_view key) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

// Every block exists before a container maps the file: a write to it cannot meet a full disk.
Result<> create_board(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kBoardMode));
  if (!fd || ::fchmod(fd.get(), kBoardMode) != 0) return fail_errno("create", path);
  if (const int error = ::posix_fallocate(fd.get(), 0, sizeof(abi::Board)); error != 0) {
    errno = error;
    return fail_errno("allocate", path);
  }
  const std::uint64_t magic = abi::kBoardMagic;
  if (::pwrite(fd.get(), &magic, sizeof magic, 0) != static_cast<ssize_t>(sizeof magic))
    return fail_errno("write", path);
  return {};
}

Result<> link_board(const std::string& board, const std::string& dir, const abi::BoardName& name) {
  char text[abi::kBoardNameSize];
  abi::format_board_name(name, text);
  const std::string path = text::cat({dir, "/", text});
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove", path);
  if (::link(board.c_str(), path.c_str()) != 0) return fail_errno("link", path);
  return {};
}

}  // namespace

Result<> write_board(const std::string& state_dir, const std::string& container_dir,
                     const abi::SliceFile& slice) {
  const std::string board = container_dir + "/board";
  HAMI_CHECK(create_board(board));
  for (std::uint32_t i = 0; i < slice.device_count; ++i) {
    const std::string dir = state::card_dir(state_dir, slice.devices[i].uuid);
    if (dir.empty()) continue;
    HAMI_CHECK(files::make_dirs(dir, kCardMode));
    if (::chmod(dir.c_str(), kCardMode) != 0) return fail_errno("set the mode of", dir);
    HAMI_CHECK(
        link_board(board, dir, {slice.priority, slice.devices[i].core_limit, i, id_of(slice.container_key)}));
  }
  return {};
}

}  // namespace hami::shim
