#include "tests/gpu/slice.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "libvgpu/abi/board.h"
#include "libvgpu/abi/slice.h"
#include "libvgpu/abi/usage.h"

namespace hami::gpu {
namespace {

// A new file of zeros with room for a T, mapped; null when it cannot be made.
template <typename T>
T* make_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return nullptr;
  const bool is_there = fchmod(fd, 0666) == 0 && posix_fallocate(fd, 0, sizeof(T)) == 0;
  void* memory = is_there ? mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  close(fd);
  return memory == MAP_FAILED ? nullptr : static_cast<T*>(memory);
}

bool write_slice(const Share& share, const std::string& uuid, const std::string& folder) {
  auto* slice = make_file<abi::SliceFile>(folder + "/slice");
  auto* page = make_file<abi::UsagePage>(folder + "/usage");
  if (slice == nullptr || page == nullptr) return false;
  slice->device_count = 1;
  slice->generation = 1;
  slice->priority = share.priority;
  slice->core_policy =
      static_cast<std::uint32_t>(share.is_forced ? abi::CorePolicy::force : abi::CorePolicy::work_conserving);
  std::strncpy(slice->devices[0].uuid, uuid.c_str(), sizeof slice->devices[0].uuid - 1);
  slice->devices[0].memory_limit = share.memory;
  slice->devices[0].core_limit = share.cores;
  abi::seal(*slice);
  abi::init_usage_page(page, *slice);
  return true;
}

bool join_card(const Share& share, const std::string& folder) {
  auto* board = make_file<abi::Board>(folder + "/board");
  if (board == nullptr) return false;
  board->magic = abi::kBoardMagic;
  char name[abi::kBoardNameSize];
  abi::format_board_name({share.priority, share.cores, 0, static_cast<std::uint64_t>(getpid())}, name);
  mkdir(share.cards.c_str(), 0755);
  return link((folder + "/board").c_str(), (share.cards + "/" + name).c_str()) == 0;
}

bool touch(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

bool bind(const std::string& from, const std::string& to) {
  return mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) == 0;
}

bool bind_file(const std::string& from, const std::string& to) { return touch(to) && bind(from, to); }

// A layer over the folder's parent, which this mount namespace alone sees, so that nothing is left on the
// machine.
bool cover_parent(const std::string& folder) {
  const std::string layer = folder + "/layer";
  const std::string parent = std::string(abi::kContainerDir, std::strrchr(abi::kContainerDir, '/'));
  const std::string options =
      "lowerdir=" + parent + ",upperdir=" + layer + "/upper,workdir=" + layer + "/work";
  return mkdir(layer.c_str(), 0755) == 0 && mount("none", layer.c_str(), "tmpfs", 0, nullptr) == 0 &&
         mkdir((layer + "/upper").c_str(), 0755) == 0 && mkdir((layer + "/work").c_str(), 0755) == 0 &&
         mount("none", parent.c_str(), "overlay", 0, options.c_str()) == 0;
}

bool is_there(const char* path) { return access(path, F_OK) == 0; }

bool mount_container_dir(const Share& share, const std::string& folder) {
  const char* dir = abi::kContainerDir;
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return false;
  // Where that fails the folder itself is made, and stays behind, empty.
  if (!is_there(dir)) static_cast<void>(cover_parent(folder));
  if ((!is_there(dir) && mkdir(dir, 0755) != 0) || mount("none", dir, "tmpfs", 0, nullptr) != 0) return false;
  if (!bind_file(folder + "/slice", abi::kSlicePath) || !bind_file(folder + "/usage", abi::kUsagePath) ||
      !bind_file(share.library, abi::kLibraryPath)) {
    return false;
  }
  if (share.cards.empty()) return true;
  const std::string card = std::string(abi::kCardsPath) + "/0";
  return mkdir(abi::kCardsPath, 0755) == 0 && mkdir(card.c_str(), 0755) == 0 && bind(share.cards, card) &&
         bind_file(folder + "/board", abi::kBoardPath);
}

}  // namespace

std::string enter_slice(const Share& share, const std::string& uuid, const std::string& folder) {
  if (!write_slice(share, uuid, folder)) return "cannot write the slice in " + folder;
  if (!share.cards.empty() && !join_card(share, folder)) return "cannot join the card in " + share.cards;
  if (!mount_container_dir(share, folder))
    return std::string("cannot mount ") + abi::kContainerDir + ": " + std::strerror(errno);
  setenv("LD_PRELOAD", abi::kLibraryPath, 1);
  return {};
}

}  // namespace hami::gpu
